"""Damaged files: each is read, or refused in one line, within five seconds and one gigabyte; no example is lost.

The short form is part of every run of the tests, the long form (``-m slow``) tries 10,000 inputs. Both always try the
same inputs.
"""

import logging
import math
import re
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from harness.config.compose import compose_values
from harness.config.request import read_request
from harness.config.schema import typed
from harness.errors import HarnessError
from tests.attacks.fuzz import IN_A_LINE, ODD_TEXT, Damage, damaged, damages
from tests.attacks.fuzz_files import KINDS, TEXTS, Kind

SHORT, LONG = 3, 10_000  # inputs per file, and in total
TIME, MEMORY = timedelta(seconds=5), 2**30  # of one input
COMPOSING = 8  # the cost of composing a command line, as ``Kind.cost``


@contextmanager
def little_memory() -> Iterator[None]:
    """Let allocations fail if they are over ``MEMORY`` more than what is used now."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def attack(test: Callable[..., None], inputs: int, **strategies: st.SearchStrategy[Any]) -> None:
    """Call a test with many inputs, always the same ones; report the shortest that fails."""
    chosen = settings(
        max_examples=inputs,
        derandomize=True,
        database=None,
        deadline=TIME,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    with little_memory():
        chosen(given(**strategies)(test))()


def share(cost: int = 1) -> int:
    """Return how many of the inputs of the long form a test gets: fewer if each of them takes longer."""
    shares = sum(1 / kind.cost for kind in KINDS.values()) + len(COUNTED) + 1 + 1 / COMPOSING
    return math.ceil(LONG / shares / cost)


def assert_one_line(error: HarnessError) -> None:
    """Check that an error is one line that a terminal can show."""
    assert 0 < len(str(error)) < 1500
    assert str(error).isprintable()


# Files.


def attacked(kind: Kind, folder: Path) -> tuple[dict[Path, bytes], list[Path]]:
    """Write the files of a kind; return all of them, and the paths of those that are to be damaged."""
    kind.make(folder)
    files = {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return files, [path for path in files if any(path.match(pattern) for pattern in kind.attacked)]


def write_fresh(folder: Path, files: dict[Path, bytes]) -> None:
    """Write files into an empty folder."""
    shutil.rmtree(folder)
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def attack_files(kind: Kind, folder: Path, *, per_file: int) -> None:
    """Damage each file of a kind, and read it."""
    files, targets = attacked(kind, folder)
    write_fresh(folder, files)
    intact = kind.read(folder)
    assert targets

    def damage_one(target: Path, damage: Damage) -> None:
        write_fresh(folder, files | {target: kind.damage(files[target], damage)})
        try:
            found = kind.read(folder)
        except HarnessError as error:
            assert_one_line(error)
        else:
            assert not kind.same or found == intact

    for target in targets:
        attack(damage_one, per_file, target=st.just(target), damage=damages())


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return a folder of its own for the files of a test, whose output is not shown."""
    logging.getLogger().setLevel(logging.CRITICAL)
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_read_or_refused_in_one_line(name: str, folder: Path) -> None:
    attack_files(KINDS[name], folder, per_file=SHORT)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_of_ten_thousand_damaged_files_each_is_read_or_refused(name: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "count").mkdir()
    files = len(attacked(KINDS[name], tmp_path / "count")[1])
    attack_files(KINDS[name], folder, per_file=share(KINDS[name].cost * files))


# Examples: what a reader returns and what it logs as left out are together what the file holds.


class Numbers(logging.Handler):
    """Collects the counts of what was left out, which the readers log."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        for mark in ("left out ", "dropped "):
            for part in text.partition(mark)[2].split():
                number = part.replace(",", "")
                self.total += int(number) if number.isdigit() else 0


def filled(text: str) -> int:
    """Return the number of lines with content; ``-DOCSTART-`` begins a document and is no example."""
    lines = (line for line in text.split("\n") if line.strip())
    return sum(re.split("[ \t]", line)[0] != "-DOCSTART-" for line in lines)


COUNTED: dict[str, tuple[Callable[[Any], int], Callable[[str], int]]] = {
    "columns": (lambda sentences: sum(len(tokens) for tokens, _ in sentences), filled),
    "aligned columns": (lambda sentences: sum(len(tokens) for tokens, _ in sentences), filled),
    "conllu": (lambda sentences: sum(len(tokens) for tokens, _ in sentences), filled),
    "snli jsonl": (len, filled),
    "snli table": (len, lambda text: filled(text) - 1),
    "squad": (len, lambda text: text.count('"question"')),
    "propositions": (lambda sentences: sum(len(one.words) for one in sentences), filled),
    "trees": (len, filled),
}


def attack_lines(name: str, path: Path, inputs: int) -> None:
    """Remove or damage one line of a file, and count the examples."""
    (read, text), (count, expected) = TEXTS[name], COUNTED[name]
    lines = text.rstrip("\n").split("\n")
    root, numbers = logging.getLogger(), Numbers()
    root.addHandler(numbers)
    root.setLevel(logging.INFO)

    def one_line_damaged(line: int, damage: Damage) -> None:
        changed = [damaged(lines[line].encode(), damage)] if damage else []
        content = b"\n".join([*map(str.encode, lines[:line]), *changed, *map(str.encode, lines[line + 1 :])]) + b"\n"
        path.write_bytes(content)
        numbers.total = 0
        try:
            found = count(read(path))
        except HarnessError as error:
            assert_one_line(error)
        else:
            assert found + numbers.total == expected(content.removeprefix(b"\xef\xbb\xbf").decode())

    damage = st.one_of(st.just(()), damages(IN_A_LINE))
    try:
        attack(one_line_damaged, inputs, line=st.integers(0, len(lines) - 1), damage=damage)
    finally:
        root.removeHandler(numbers)


@pytest.mark.parametrize("name", COUNTED)
def test_no_example_is_lost_in_silence(name: str, folder: Path) -> None:
    attack_lines(name, folder / "file", 20)


@pytest.mark.slow
@pytest.mark.parametrize("name", COUNTED)
def test_no_example_of_many_damaged_files_is_lost_in_silence(name: str, folder: Path) -> None:
    attack_lines(name, folder / "file", share())


# The command line.

WORDS = (
    *("task=ner", "task=sst5", "data=files", "data.train=a.txt", "data.fraction=0.5", "data.columns=[1,2]", "seed=1"),
    *("encoder=elmo_mini", "encoder.options=x", "mixing=scalar_mix", "mixing.dropout=0.5", "trainer.lr=1e-3"),
    *("trainer.max_epochs=3", "+trainer.optimizer_options.betas=[0.9,0.99]", "embedding=none", "results_dir=a/b", "-m"),
    *("experiment=figure1", "task.bilstm_crf.hidden_dim=5", "plugins=[os]", "~embedding", "--config-dir", "threads=1"),
    *("shard=1/2", "cache_dir=${results_dir}", "device=cpu", "overwrite=true", "setup=sample", "vectors=static"),
    "sweep=x",
)  # fmt: skip
_PIECES = (*ODD_TEXT, *"=,:'}@&", "${", "${oc.env:X}", "???", "!!python/object:os", "~/x", "1e400")


@st.composite
def words(draw: st.DrawFn) -> list[str]:
    """Return a few words of a command line, one of them with an odd text in it."""
    chosen = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3))
    word, piece = draw(st.sampled_from(chosen)), draw(st.sampled_from(_PIECES))
    key, _, value = word.partition("=")
    place = draw(st.integers(0, len(word)))
    return [*chosen, draw(st.sampled_from((word[:place] + piece + word[place:], f"{key}={piece}", f"{piece}={value}")))]


def read_words(words: list[str]) -> None:
    """Sort the words of a command line."""
    try:
        read_request(words)
    except HarnessError as error:
        assert_one_line(error)


def compose_words(words: list[str]) -> None:
    """Compose a config from the words of a command line, and check it."""
    try:
        typed(compose_values("config", words))
    except HarnessError as error:
        assert_one_line(error)


@pytest.mark.parametrize(("test", "inputs"), [(read_words, 10), (compose_words, 5)])
def test_a_wrong_command_line_is_one_line(test: Callable[[list[str]], None], inputs: int) -> None:
    attack(test, inputs, words=words())


@pytest.mark.slow
@pytest.mark.parametrize(("test", "cost"), [(read_words, 1), (compose_words, COMPOSING)])
def test_many_wrong_command_lines_are_one_line(test: Callable[[list[str]], None], cost: int) -> None:
    attack(test, share(cost), words=words())

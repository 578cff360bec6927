"""Data of one's own in every form, each trained and scored by one command: the commands of tasks/README.md."""

import json
import re
import shlex
from pathlib import Path

import pytest

from harness import cli
from harness.runs.record import RunRecord, read_record
from tests.support.runs import SMALL

README = (Path(__file__).resolve().parents[2] / "tasks" / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(
    r"^    python -m harness (task=(?:classification|tagging|ner|srl|coref) .*)$", README, re.MULTILINE
)

GOOD, BAD = ("schön", "herrlich", "wunderbar", "großartig"), ("übel", "öde", "mäßig", "scheußlich")
REVIEWS = [(f"Das Stück war {word}, z.B. die Musik.", label) for word, label in
           [*((word, "gut") for word in GOOD), *((word, "schlecht") for word in BAD)]]  # fmt: skip
GERMEVAL = """\
#\thttp://de.wikipedia.org/wiki/Köln [2009-10-17]
1\tÄnne\tB-PERderiv\tO
2\twohnt\tO\tO
3\tin\tO\tO
4\tKöln\tB-LOC\tB-ORG
5\tDüsseldorf\tB-LOC\tO
6\tpart\tI-LOC\tO

1\tMüller\tB-PERderiv\tO
2\tgrüßt\tO\tO
"""


def write_files(folder: Path) -> None:
    """Write the files that the commands name."""
    rows = [*zip("abc", ("good", "bad", "so-so"), strict=True)] * 8
    (folder / "reviews.csv").write_text(
        "id,review,stars\n" + "".join(f'{i},"{a}, {i}.",{b}\n' for i, (a, b) in enumerate(rows))
    )
    pairs = [f"q{i}\tWhere is {i}?\tIs {i} there?\t{'yes' if i % 2 else 'no'}\n" for i in range(30)]
    for split in ("train", "dev", "test"):
        (folder / f"pairs.{split}.tsv").write_text("id\tquestion\tsentence\tlabel\n" + "".join(pairs))
        (folder / f"germeval.{split}.tsv").write_text(GERMEVAL)
        tags = [{"tokens": ["Ann", "runs", str(i)], "tags": ["N", "V", "X"]} for i in range(6)]
        (folder / f"tags.{split}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in tags))
        roles = {"words": ["It", "rained"], "frames": [{"pred": 1, "tags": ["B-ARG0", "B-V"]}]}
        (folder / f"roles.{split}.jsonl").write_text(f"{json.dumps(roles)}\n")
    (folder / "documents").mkdir()
    for name in "abc":
        rows = "".join(f"{name}\t0\t{i}\t{word}\t(1)\n" for i, word in enumerate(("Ann", "herself")))
        (folder / "documents" / f"{name}.conll").write_text(
            f"#begin document ({name}); part 000\n{rows}\n#end document\n"
        )
    german = [f"{text}\t{label}\n" for text, label in REVIEWS * 3]
    (folder / "kritiken.tsv").write_text("".join(f"{i}\t{line}" for i, line in enumerate(german)))
    chinese = [{"sentence": f"这部电影{'很好看' if i % 2 else '太难看'}{i}。", "label": i % 2} for i in range(20)]
    (folder / "dianying.jsonl").write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in chinese))
    characters = "".join(f"{a}\t{b}\n" for a, b in zip("我爱北京", ("O", "O", "B-LOC", "I-LOC"), strict=True))
    (folder / "renmin.conll").write_text("\n".join(characters.replace("我", one) for one in "我你他她它咱俺您"))


def run_command(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> RunRecord:
    """Run a command of the page in the folder of the files, with a small encoder; return the record."""
    monkeypatch.chdir(folder)
    small = [one for one in SMALL if not one.startswith(("task.", "data."))]
    with pytest.raises(SystemExit) as exit_:
        cli.main([*shlex.split(command), *small, "results_dir=results", "cache_dir=cache"])
    assert not exit_.value.code
    (path,) = (folder / "results").glob("*/*/record.json")
    return read_record(path)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_runs(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "spacy" in command:
        pytest.importorskip("spacy")
    write_files(tmp_path)
    record = run_command(command, tmp_path, monkeypatch)
    assert record.status == "ok"
    assert all(record.data["sizes"].values())
    assert record.metrics["test"][record.primary_metric] >= 0


def test_the_page_shows_every_kind_of_data() -> None:
    shown = "\n".join(COMMANDS)
    files = (".csv", ".tsv", ".jsonl", ".conll")
    tokenizers = ("data.tokenize=english", "data.tokenize=spacy:de", "data.tokenize=characters")
    for part in (*files, *tokenizers, "task.pair=", "dev_fraction", "data.columns=", "task.metric=span_f1"):
        assert part in shown, part


def test_german_text_is_read_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("spacy")
    write_files(tmp_path)
    options = "task.text=2 task.label=3 data.tokenize=spacy:de data.dev_fraction=0.2 data.test_fraction=0.2"
    record = run_command(f"task=classification data=files data.train=kritiken.tsv {options}", tmp_path, monkeypatch)
    (path,) = (tmp_path / "results").glob("*/*/predictions.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert {row["gold"] for row in rows} <= {"gut", "schlecht"}
    assert all(row["texts"]["tokens"][-5:] == [",", "z.B.", "die", "Musik", "."] for row in rows)
    assert any(word in row["texts"]["tokens"] for row in rows for word in GOOD)
    assert record.data["sizes"] == {"train": 12, "dev": 6, "test": 6}  # equal texts stay together


def test_the_types_of_entities_are_those_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path)
    splits = " ".join(f"data.{split}=germeval.{split}.tsv" for split in ("train", "dev", "test"))
    command = f"task=ner data=files {splits} data.columns=[2,3] task.bilstm_crf.hidden_dim=8"
    record = run_command(command, tmp_path, monkeypatch)
    assert {name for name in record.metrics["test"] if name.endswith("/f1")} == {"LOC/f1", "PERderiv/f1"}

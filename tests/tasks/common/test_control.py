"""Control tasks: one random label for each word type, the same everywhere, from the distribution of the task."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from harness import cli
from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.runs.plan import prepare
from harness.types import SPLITS
from tasks.common.control import RandomLabels
from tasks.pos.task import PosTagging
from tasks.tagging.task import Tagging
from tests.support.runs import config_of


def labels_by_word(task: PosTagging | Tagging) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for split in SPLITS:
        for example in task.examples(split):
            for word, label in zip(example.texts["tokens"], example.target, strict=True):
                found[word].add(label)
    return found


@pytest.mark.parametrize("kind", [PosTagging, Tagging])
def test_each_word_type_has_one_label_in_all_splits(kind: type[PosTagging] | type[Tagging]) -> None:
    task, control, other = (kind(data=DataConfig(), control=seed) for seed in (None, 1, 2))
    assert max(map(len, labels_by_word(task).values())) > 1
    assert set(map(len, labels_by_word(control).values())) == {1}
    again = kind(data=DataConfig(), control=1)
    assert again.examples("dev") == control.examples("dev") != other.examples("dev")
    assert [example.texts for example in control.examples("dev")] == [example.texts for example in task.examples("dev")]
    assert set(control.labels) <= set(task.labels)


def test_types_draw_from_the_distribution_of_labels() -> None:
    drawn = RandomLabels(["A"] * 70 + ["B"] * 20 + ["C"] * 10, seed=3)
    counts = Counter(drawn.of(f"word{i}") for i in range(20_000))
    assert {label: count / 20_000 for label, count in counts.items()} == pytest.approx(
        {"A": 0.7, "B": 0.2, "C": 0.1}, abs=0.012
    )
    assert {RandomLabels(["A"], seed=seed).of("x") for seed in range(50)} == {"A"}


def test_labels_do_not_depend_on_the_machine() -> None:
    drawn = RandomLabels(["N", "V", "V", "A"], seed=1)
    assert [drawn.of(word) for word in ("the", "The", "cat", "sat", "\ud800")] == ["V", "V", "A", "V", "V"]


def test_only_its_own_runs_have_another_identity(tmp_path: Path) -> None:
    words = ("task=pos", "tracking=none", "encoder=none")
    plans = [prepare(config_of(tmp_path, *words, f"task.control={seed}")) for seed in ("null", 1, 2)]
    assert len({plan.identity for plan in plans}) == 3
    assert "task.control" not in plans[0].determining
    assert plans[1].determining["task.control"] == 1
    assert plans[1].digests != plans[0].digests


def test_spans_have_no_control_task() -> None:
    with pytest.raises(ConfigError, match=r"task.control=1: random labels mark no spans; choose task.metric=accuracy"):
        Tagging(data=DataConfig(), metric="span_f1", control=1)


@pytest.mark.parametrize("task", ["sst5", "squad"])
def test_a_task_without_a_control_task_refuses_the_option_in_one_line(
    task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main([f"task={task}", "task.control=1"])
    assert exit_.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: task.control: there is no such option; another choice of the group 'task' has it")

"""The paired tests give the right numbers, and keep their size if nothing differs."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import scipy
import torch

from harness.analysis.compare import Run, compare, read_run
from harness.commands.compare import main
from harness.errors import DataFormatError
from harness.runs.record import RunRecord, folder_of
from harness.types import Example, Metrics, Prediction
from tests.support.runs import small_run


class Accuracy:
    """The part of a task that scores."""

    name, version, primary_metric = "toy", 1, "accuracy"

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        right = [e.target == p.value for e, p in zip(gold, predictions, strict=True)]
        return Metrics({"accuracy": sum(right) / len(right)})


class CountedAccuracy(Accuracy):
    """The same task, which scores from counts."""

    def counts(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> torch.Tensor:
        right = [[e.target == p.value, 1] for e, p in zip(gold, predictions, strict=True)]
        return torch.tensor(right, dtype=torch.float64)

    def score_of_counts(self, sums: torch.Tensor) -> torch.Tensor:
        return sums[..., 0] / sums[..., 1]


def run_of(seed: int, right: Sequence[bool]) -> Run:
    gold = [Example(id=str(i), texts={}, target=1) for i in range(len(right))]
    record = RunRecord(status="ok", task="toy", name=f"toy-s{seed}", identity="0", seed=seed)
    return Run(record, gold, [Prediction(id=e.id, value=int(r)) for e, r in zip(gold, right, strict=True)])


def test_randomisation_equals_enumeration() -> None:
    """With six examples, all 64 exchanges can be enumerated."""
    a, b = [True, False, False, True, False, False], [True, True, True, True, False, True]
    observed = abs(sum(b) - sum(a))
    signs = np.array([[1 if code >> i & 1 else -1 for i in range(6)] for code in range(64)])
    differences = np.abs(signs @ (np.array(b, dtype=int) - np.array(a, dtype=int)))
    exact = (differences >= observed).mean()
    result = compare(Accuracy(), [run_of(1, a)], [run_of(1, b)], rounds=4000, seed=0)  # type: ignore[arg-type]
    assert result.difference == pytest.approx(0.5)
    assert result.p_examples == pytest.approx(exact, abs=0.03)


def test_counts_give_the_same_as_scoring() -> None:
    generator = np.random.default_rng(2)
    a, b = ([run_of(s, generator.random(40) < chance) for s in (1, 2, 3)] for chance in (0.4, 0.5))
    results = [compare(task, a, b, rounds=250, seed=3) for task in (Accuracy(), CountedAccuracy())]  # type: ignore[arg-type]
    assert results[0].p_examples == results[1].p_examples
    assert results[0].a == pytest.approx(results[1].a)
    assert results[0].b == pytest.approx(results[1].b)


def test_only_common_seeds_are_compared() -> None:
    right, wrong = [True] * 8, [False] * 8
    result = compare(
        Accuracy(),  # type: ignore[arg-type]
        [run_of(1, wrong), run_of(2, right), run_of(3, wrong)],
        [run_of(3, right), run_of(1, right), run_of(9, wrong)],
        rounds=200,
        seed=0,
    )
    assert result.seeds == (1, 3)
    assert result.a == (0.0, 0.0)
    assert result.b == (1.0, 1.0)
    assert result.p_examples < 0.05


def test_p_keeps_its_size_if_nothing_differs() -> None:
    generator = np.random.default_rng(0)
    ps = []
    for trial in range(200):
        chance = generator.random(60)  # each example has its own difficulty
        a, b = ([run_of(s, generator.random(60) < chance) for s in (1, 2)] for _ in range(2))
        ps.append(compare(Accuracy(), a, b, rounds=99, seed=trial).p_examples)  # type: ignore[arg-type]
    assert np.mean(np.array(ps) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert 0.4 < np.mean(np.array(ps) <= 0.5) < 0.65


def test_settings_that_cannot_be_paired_are_refused() -> None:
    one = [run_of(1, [True, False])]
    with pytest.raises(DataFormatError, match="share no seed"):
        compare(Accuracy(), one, [run_of(2, [True, False])], rounds=9, seed=0)  # type: ignore[arg-type]
    with pytest.raises(DataFormatError, match="other examples"):
        compare(Accuracy(), one, [run_of(1, [True, False, True])], rounds=9, seed=0)  # type: ignore[arg-type]


def test_runs_of_several_settings_are_refused() -> None:
    """A glob over folders may match runs that differ only in the fraction of data."""
    other = run_of(2, [True, False])
    other = Run(dataclasses.replace(other.record, setting="another"), other.gold, other.predictions)
    with pytest.raises(DataFormatError, match="different settings"):
        compare(Accuracy(), [run_of(1, [True, False]), other], [run_of(1, [True, False])], rounds=9, seed=0)  # type: ignore[arg-type]


def test_the_test_over_seeds_is_a_paired_t_test() -> None:
    generator = np.random.default_rng(1)
    a = [run_of(s, generator.random(50) < 0.5) for s in range(4)]
    b = [run_of(s, generator.random(50) < 0.6) for s in range(4)]
    result = compare(Accuracy(), a, b, rounds=9, seed=0)  # type: ignore[arg-type]
    differences = np.array(result.b) - np.array(result.a)
    t = differences.mean() / (differences.std(ddof=1) / 2)
    assert result.p_seeds == pytest.approx(2 * scipy.stats.t.sf(abs(t), df=3))
    assert np.isnan(compare(Accuracy(), a[:1], b[:1], rounds=9, seed=0).p_seeds)  # type: ignore[arg-type]


def test_words_may_contain_other_line_ends(tmp_path: Path) -> None:
    record = small_run(tmp_path, "trainer.max_epochs=1")
    folder = folder_of(record, str(tmp_path / "results"))
    path = folder / "predictions.jsonl"
    path.write_text(path.read_text().replace('"texts": {"tokens": ["', '"texts": {"tokens": ["\u2028', 1))
    assert len(read_run(folder, "test").gold) == 300
    path.unlink()
    with pytest.raises(DataFormatError, match=r"no predictions\.jsonl"):
        read_run(folder, "test")


@pytest.mark.slow
def test_recorded_runs_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = {}
    for lr in ("0.01", "0.0001"):
        record = small_run(tmp_path, f"trainer.lr={lr}", "trainer.max_epochs=2")
        folders[lr] = folder_of(record, str(tmp_path / "results"))
    run = read_run(folders["0.01"], "test")
    assert len(run.gold) == 300
    assert main([str(folders["0.0001"]), str(folders["0.01"]), "--rounds", "19"]) == 0
    out = capsys.readouterr().out
    assert f"{100 * run.record.metrics['test']['f1']:.2f}" in out.split("B:")[1]
    assert "1 seeds, p = 0.0" in out
    every = str(tmp_path / "results" / "ner" / "random-*")
    assert main([every, every, "--rounds", "1"]) == 2
    assert "choose by --only KEY=VALUE" in capsys.readouterr().err
    assert main([every, every, "--rounds", "1", "--only", "trainer.lr=0.01"]) == 0
    assert "B - A: +0.00" in capsys.readouterr().out
    assert main([every, every, "--only", "trainer.lr=7"]) == 2
    assert "no folder of a run with trainer.lr=7" in capsys.readouterr().err
    assert main([str(tmp_path / "nothing"), "x"]) == 2
    assert "no folder of a run" in capsys.readouterr().err

"""The paired tests give the right numbers, and keep their size if nothing differs."""

import dataclasses
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import scipy

from harness.analysis.compare import Run, compare, compare_pairs, intervals_of, read_run
from harness.commands.compare import main
from harness.errors import DataFormatError
from harness.runs.record import RunRecord, folder_of, read_record
from tests.support.reports import write_run
from tests.support.runs import small_run


def run_of(seed: int, right: Sequence[bool], **changes: object) -> Run:
    size = len(right)
    record = RunRecord(
        status="ok",
        task="toy",
        name=f"toy-s{seed}",
        identity="0",
        seed=seed,
        data={"sizes": {"test": size}, "sha256": {"test": "e" * 64}},
        primary_metric="accuracy",
        metrics={"test": {"accuracy": sum(right) / size}},
    )
    counts = np.array([[float(r), 1.0] for r in right])
    return Run(dataclasses.replace(record, **changes), "test", counts)  # type: ignore[arg-type]


def test_randomisation_equals_enumeration() -> None:
    """With six examples, all 64 exchanges can be enumerated."""
    a, b = [True, False, False, True, False, False], [True, True, True, True, False, True]
    observed = abs(sum(b) - sum(a))
    signs = np.array([[1 if code >> i & 1 else -1 for i in range(6)] for code in range(64)])
    differences = np.abs(signs @ (np.array(b, dtype=int) - np.array(a, dtype=int)))
    exact = (differences >= observed).mean()
    result = compare([run_of(1, a)], [run_of(1, b)], rounds=4000, seed=0)
    assert result.difference == pytest.approx(0.5)
    assert result.p_examples == pytest.approx(exact, abs=0.03)


def test_without_counts_only_the_seeds_are_tested() -> None:
    a = [run_of(s, [True, s > 1, False, False]) for s in (1, 2, 3)]
    b = [run_of(s, [True, True, s > 2, True]) for s in (1, 2, 3)]
    whole = compare(a, b, rounds=50, seed=3)
    part = compare([dataclasses.replace(run, counts=None) for run in a], b, rounds=50, seed=3)
    assert (part.a, part.b, part.p_seeds, part.effect) == (whole.a, whole.b, whole.p_seeds, whole.effect)
    assert np.isnan([part.p_examples, *part.interval]).all()
    assert not np.isnan([whole.p_examples, *whole.interval]).any()
    assert intervals_of([[dataclasses.replace(a[0], counts=None)]], rounds=9, seed=0) == [None]
    assert intervals_of([a], rounds=0, seed=0) == [None]


def test_the_interval_of_a_ratio_of_sums_equals_that_of_scipy() -> None:
    """Two runs whose score is an F1, so that numerator and denominator both vary with the examples."""
    counts = np.random.default_rng(5).integers(1, 6, size=(2, 60, 2)).astype(float)
    counts[..., 1] += counts[..., 0]
    runs = [dataclasses.replace(run_of(i, [True] * 60), counts=one) for i, one in enumerate(counts)]

    def mean_score(*columns: np.ndarray) -> np.ndarray:
        sums = [column.sum(axis=-1) for column in columns]
        return (sums[0] / sums[1] + sums[2] / sums[3]) / 2

    theirs = scipy.stats.bootstrap(
        tuple(np.concatenate([counts[0].T, counts[1].T])),
        mean_score,
        paired=True,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    (ours,) = intervals_of([runs], rounds=20_000, seed=1)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.002)


def test_the_paired_interval_equals_that_of_scipy() -> None:
    generator = np.random.default_rng(6)
    a, b = generator.random(80) < 0.5, generator.random(80) < 0.7
    ours = compare([run_of(1, a)], [run_of(1, b)], rounds=20_000, seed=1).interval
    gain = b.astype(float) - a.astype(float)
    theirs = scipy.stats.bootstrap(
        (gain,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.013)  # the means of 80 values are multiples of 1/80


def test_p_over_examples_equals_that_of_scipy() -> None:
    """The score is an F1 of counts, so the statistic is no sum of differences."""
    counts = np.random.default_rng(7).integers(0, 4, size=(2, 12, 2)).astype(float)
    counts[..., 1] += counts[..., 0] + 1
    counts[1, :, 0] += np.arange(12) % 3 == 0
    a, b = (dataclasses.replace(run_of(1, [True] * 12), counts=one) for one in counts)

    def gain(rows_a: np.ndarray, rows_b: np.ndarray, axis: int) -> np.ndarray:
        f1_a, f1_b = (counts.reshape(-1, 2)[rows.astype(int)].sum(axis=axis - 1) for rows in (rows_a, rows_b))
        return f1_b[..., 0] / f1_b[..., 1] - f1_a[..., 0] / f1_a[..., 1]

    rows = np.arange(12), np.arange(12, 24)
    exact = scipy.stats.permutation_test(rows, gain, permutation_type="samples", n_resamples=np.inf).pvalue
    assert 0.02 < exact < 0.9
    assert compare([a], [b], rounds=20_000, seed=0).p_examples == pytest.approx(exact, abs=0.012)


def test_many_pairs_are_compared_as_if_each_were_alone() -> None:
    """Settings with other numbers of seeds, one without counts, and one on other examples, which has no common seed."""
    generator = np.random.default_rng(5)
    settings = [
        [run_of(seed, list(generator.random(30) < 0.5 + 0.1 * i)) for seed in range(1, seeds + 1)]
        for i, seeds in enumerate((3, 2, 4))
    ]
    settings.append([dataclasses.replace(run, counts=None) for run in settings[0]])
    settings.append([run_of(9, [True, False])])
    pairs = list(itertools.permutations(settings, 2))
    for (a, b), found in zip(pairs, compare_pairs(pairs, rounds=199, seed=3), strict=True):
        if isinstance(found, DataFormatError):
            with pytest.raises(DataFormatError, match=str(found)):
                compare(a, b, rounds=199, seed=3)
        else:
            alone = compare(a, b, rounds=199, seed=3)
            assert (found.seeds, found.a, found.b) == (alone.seeds, alone.a, alone.b)
            for one, other in ((found.p_examples, alone.p_examples), (found.interval, alone.interval)):
                assert one == pytest.approx(other, nan_ok=True, abs=1e-12)


def test_only_common_seeds_are_compared() -> None:
    right, wrong = [True] * 8, [False] * 8
    result = compare(
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
        ps.append(compare(a, b, rounds=99, seed=trial).p_examples)
    assert np.mean(np.array(ps) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert 0.4 < np.mean(np.array(ps) <= 0.5) < 0.65


def test_settings_that_cannot_be_paired_are_refused() -> None:
    one = [run_of(1, [True, False])]
    with pytest.raises(DataFormatError, match="share no seed"):
        compare(one, [run_of(2, [True, False])], rounds=9, seed=0)
    with pytest.raises(DataFormatError, match="other examples"):
        compare(one, [run_of(1, [True, False, True])], rounds=9, seed=0)
    same = {split: {"accuracy": 0.5, "macro_f1": 0.4} for split in ("dev", "test")}
    with pytest.raises(DataFormatError, match="another metric"):
        compare(one, [run_of(1, [True, False], primary_metric="macro_f1", metrics=same)], rounds=9, seed=0)


def test_runs_of_several_settings_are_refused() -> None:
    """A glob over folders may match runs that differ only in the fraction of data."""
    other = run_of(2, [True, False], setting="another")
    with pytest.raises(DataFormatError, match="different settings"):
        compare([run_of(1, [True, False]), other], [run_of(1, [True, False])], rounds=9, seed=0)


def test_two_scores_of_one_seed_are_refused() -> None:
    once, again, other = run_of(1, [True, False]), run_of(1, [True, True]), run_of(1, [False, False])
    with pytest.raises(DataFormatError, match="two runs of seed 1 have different scores; give one"):
        compare([once, again], [other], rounds=0, seed=0)
    assert compare([once, once], [other], rounds=0, seed=0).a == (0.5,)


def test_the_test_over_seeds_is_a_paired_t_test() -> None:
    generator = np.random.default_rng(1)
    a = [run_of(s, generator.random(50) < 0.5) for s in range(4)]
    b = [run_of(s, generator.random(50) < 0.6) for s in range(4)]
    result = compare(a, b, rounds=9, seed=0)
    differences = np.array(result.b) - np.array(result.a)
    t = differences.mean() / (differences.std(ddof=1) / 2)
    assert result.p_seeds == pytest.approx(2 * scipy.stats.t.sf(abs(t), df=3))
    assert np.isnan(compare(a[:1], b[:1], rounds=9, seed=0).p_seeds)


@pytest.mark.parametrize("seeds", [2, 3])
def test_an_effect_size_needs_three_seeds(seeds: int) -> None:
    a, b = ([run_of(s, [i < s * (1 + more) + 2 for i in range(20)]) for s in range(seeds)] for more in (0, 1))
    result = compare(a, b, rounds=0, seed=0)
    assert np.isnan(result.effect) == (seeds == 2)
    assert not np.isnan(result.p_seeds)


def written(folder: Path, *, seeds: Sequence[int] = (1, 2, 3), **changes: object) -> dict[str, str]:
    """Write the runs of two settings; return the glob of each."""
    for seed in seeds:
        write_run(folder, encoder="none", seed=seed, chance=0.5, **changes)  # type: ignore[arg-type]
        write_run(folder, encoder="elmo", seed=seed, chance=0.8, **changes)  # type: ignore[arg-type]
    return {name: str(folder / "labels" / f"{name}-*") for name in ("none", "elmo")}


def test_the_command_prints_both_tests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    globs = written(tmp_path)
    assert main([globs["none"], globs["elmo"], "--rounds", "99"]) == 0
    lines = capsys.readouterr().out.splitlines()
    records = map(read_record, sorted(tmp_path.glob("labels/elmo*/record.json")))
    scores = [100 * record.metrics["test"]["accuracy"] for record in records]
    assert lines[1] == f"B: mean {np.mean(scores):.2f}; seeds {' '.join(f'{score:.2f}' for score in scores)}"
    assert lines[2].endswith("accuracy on test; seeds: 1, 2, 3")
    assert "paired t-test" in lines[3]
    assert "Hedges' g" in lines[3]
    assert lines[4].startswith(
        "over examples: p = 0.0100 (paired approximate randomisation, 99 rounds); 95 % interval +"
    )


def test_with_one_seed_the_command_says_that_there_is_no_test(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    globs = written(tmp_path / "one", seeds=[4])
    assert main([globs["none"], globs["elmo"], "--rounds", "9"]) == 0
    out = capsys.readouterr().out
    assert "over seeds: no test with one seed; run both settings with more" in out
    assert "nan" not in out
    globs = written(tmp_path / "two", seeds=[2, 3], counted=False)
    assert main([globs["none"], globs["none"], "--rounds", "9"]) == 0
    out = capsys.readouterr().out
    assert "over seeds: no test, because the difference is the same with every seed" in out
    assert "over examples: no test, because runs have no counts.json" in out
    assert main([globs["none"], globs["elmo"], "--rounds", "9"]) == 0
    out = capsys.readouterr().out
    assert "(paired t-test); with as many seeds" in out
    assert "Hedges" not in out
    assert "nan" not in out


def test_an_option_that_no_run_has_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    globs = written(tmp_path)
    for only, words in (
        (
            "data.fractoin=0.1",
            "--only data.fractoin=0.1: no run has the option data.fractoin; did you mean 'data.fraction'?",
        ),
        ("data.fraction", "--only data.fraction: expected KEY=VALUE"),
        ("data.fraction=0.1", "no run with data.fraction=0.1"),
    ):
        assert main([globs["none"], globs["elmo"], "--only", only]) == 2
        assert words in capsys.readouterr().err
    assert main([globs["none"], globs["elmo"], "--rounds", "9", "--only", "data.fraction=1.0"]) == 0


def test_an_option_of_one_side_is_no_condition_for_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options of an encoder do not exist in a run without one."""
    for dim in (16, 32):
        changes = {"setting": f"elmo {dim}", "config": {"task": {}, "encoder": {"dim": dim}}}
        write_run(tmp_path / str(dim), encoder="elmo", seed=1, chance=0.8, **changes)  # type: ignore[arg-type]
    lacking = write_run(tmp_path / "64", encoder="elmo", seed=2, chance=0.8, setting="elmo 64")
    none = write_run(tmp_path / "0", encoder="none", seed=1, chance=0.5)
    side = str(tmp_path / "[136]*" / "labels" / "*")
    assert main([str(none), side, "--rounds", "9", "--only", "encoder.dim=16"]) == 0
    assert "seeds: 1\n" in capsys.readouterr().out
    assert main([str(none), side, "--rounds", "9"]) == 2
    assert "are of different settings" in capsys.readouterr().err
    assert lacking.is_dir()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("{", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("{}", "not two numbers for each example"),
        ("[]", "not two numbers for each example"),
        ('{"test": 5}', "not two numbers for each example"),
        ('{"test": [[1, 1]]}', "not two numbers for each example"),
        ('{"test": [[1, 1], [1]]}', "not two numbers for each example"),
        ('{"test": [{"a": 1}]}', "not two numbers for each example"),
        (f'{{"test": [[1{"0" * 400}, 1]]}}', "a number has hundreds of digits"),
        (json.dumps({"test": [[1, 1]] * 200}), "the counts give accuracy = 1.000000 on test"),
        (json.dumps({"test": [[float("nan"), 1]] * 200}), "the counts give accuracy = nan on test"),
        ("\u00ff", "not JSON"),
    ],
)
def test_damaged_counts_leave_out_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, content: str, words: str
) -> None:
    globs = written(tmp_path, seeds=[1, 2])
    damaged = tmp_path / "labels" / "none-1.0-s1"
    (damaged / "counts.json").write_text(content)
    with pytest.raises(DataFormatError, match=words) as caught:
        read_run(damaged, read_record(damaged / "record.json"), "test")
    assert "\n" not in str(caught.value)
    assert main([globs["none"], globs["elmo"], "--rounds", "9"]) == 0
    assert f"left out: {damaged}" in caplog.text
    assert "seeds: 2\n" in capsys.readouterr().out
    assert main([str(damaged), globs["elmo"], "--rounds", "9"]) == 2
    assert "no run can be compared" in capsys.readouterr().err


def test_a_damaged_record_leaves_out_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    globs = written(tmp_path, seeds=[1, 2])
    (tmp_path / "labels" / "none-1.0-s1" / "record.json").write_text("{")
    assert main([globs["none"], globs["elmo"], "--rounds", "9"]) == 0
    assert "seeds: 2\n" in capsys.readouterr().out
    assert "left out: " in caplog.text
    assert main(["1", "2", "--dir", str(tmp_path), "--rounds", "9"]) == 0
    shown = capsys.readouterr().out
    assert "seeds: 2\n" in shown
    assert shown.startswith(f"A run is left out, because this file cannot be read: {tmp_path}")


def test_a_run_records_counts_that_give_its_scores(tmp_path: Path) -> None:
    record = small_run(tmp_path, "trainer.max_epochs=1", whole=True)
    folder = folder_of(record, str(tmp_path / "results"))
    for split in ("dev", "test"):
        counts = read_run(folder, record, split).counts  # refused if they do not give the score
        assert counts is not None
        assert counts.shape == (300, 2)
        assert counts.min() >= 0
    (folder / "counts.json").unlink()
    assert read_run(folder, record, "test").counts is None


@pytest.mark.slow
def test_recorded_runs_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = {}
    for lr in ("0.01", "0.0001"):
        record = small_run(tmp_path, f"trainer.lr={lr}", "trainer.max_epochs=2", whole=True)
        folders[lr] = folder_of(record, str(tmp_path / "results"))
    run = read_run(folders["0.01"], record := read_record(folders["0.01"] / "record.json"), "test")
    assert run.counts is not None
    assert len(run.counts) == 300
    assert main([str(folders["0.0001"]), str(folders["0.01"]), "--rounds", "19"]) == 0
    out = capsys.readouterr().out
    assert f"{100 * record.metrics['test']['f1']:.2f}" in out.split("B:")[1]
    assert "over examples: p = 0.0500" in out
    every = str(tmp_path / "results" / "ner" / "random-*")
    assert main([every, every, "--rounds", "1"]) == 2
    assert "choose by --only KEY=VALUE" in capsys.readouterr().err
    assert main([every, every, "--rounds", "1", "--only", "trainer.lr=0.01"]) == 0
    assert "B - A: +0.00" in capsys.readouterr().out
    assert main([every, every, "--only", "trainer.lr=7"]) == 2
    assert "no run with trainer.lr=7" in capsys.readouterr().err
    assert main([str(tmp_path / "nothing"), "x"]) == 2
    assert "no folder with a readable record.json" in capsys.readouterr().err

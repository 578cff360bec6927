"""Runs of a task and of its control task are paired by seed, and mixes of layers 0 to l by their setting."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.layer_use import expected_layer
from harness.analysis.probing import expected_layers, layer_uses, learned_weights, probes
from harness.commands.probe import main
from harness.runs.record import RunRecord, folder_of, write_record


def record(score: float, *, seed: int = 1, code: dict[str, Any] | None = None, **determining: Any) -> RunRecord:
    """Return the record of a run with these options; the digest of its data depends on its control task."""
    found = {"seed": seed, "mixing.code": "FixedMix", **{name.replace("_", "."): v for name, v in determining.items()}}
    digest = {"data.sha256.train": f"control {found.get('task.control')}"}
    is_fixed = found["mixing.code"] == "FixedMix"
    return RunRecord(
        status="ok",
        task="pos",
        name=f"enc-mix-s{seed}",
        identity="".join(map(str, found.values())).replace("/", ""),
        setting=str(sorted((name, value) for name, value in found.items() if name != "seed")),
        determining=digest | found,
        seed=seed,
        data={"name": "ewt", "sizes": {"train": 3}},
        encoder={"name": "enc", "num_layers": 3},
        mixing={"weights": {"input": [0.0, 1.0, 0.0] if is_fixed else [0.2, 0.3, 0.5]}, "gamma": {"input": 1.0}},
        primary_metric="accuracy",
        metrics={split: {"accuracy": score} for split in ("dev", "test")},
        code_length=code or {},
        config={"task": {"head": "linear"}},
    )


def records() -> Iterator[RunRecord]:
    for seed, task, control in ((1, 0.9, 0.5), (2, 0.8, 0.6)):
        yield record(
            task,
            seed=seed,
            mixing_index=1,
            code={"bits": 1000.0 * seed, "uniform_bits": 2000.0, "compression": 2.0 * seed},
        )
        yield record(control, seed=seed, mixing_index=1, task_control=1)
    yield record(0.7, seed=3, mixing_index=1)  # without a control task
    yield record(0.4, seed=1, mixing_index=2, task_control=1)  # without the task itself
    for index, score in ((0, 0.5), (1, 0.9), (-1, 0.8)):
        yield record(score, mixing_index=index, mixing_code="cumulative_mix")


def test_selectivity_is_paired_by_seed() -> None:
    (found,) = [one for one in probes(records()) if one.example.determining["mixing.code"] == "FixedMix"]
    assert found.score.mean == pytest.approx(0.8)
    assert found.control is not None
    assert found.control.mean == pytest.approx(0.55)
    assert found.selectivity is not None
    assert found.selectivity.mean == pytest.approx((0.4 + 0.2) / 2)  # not 0.8 - 0.55
    assert found.bits is not None
    assert found.bits.mean == 1500.0
    assert found.compression is not None
    assert found.compression.mean == 3.0


def test_other_data_of_the_same_name_and_size_has_its_own_control_task() -> None:
    runs = []
    for file, task, control in (("a", 0.9, 0.5), ("b", 0.8, 0.2)):
        for score, more in ((task, {}), (control, {"task_control": 1})):
            one = vars(record(score, mixing_index=1, **more))
            config = {"task": {}, "data": {split: f"{file}.{split}" for split in ("train", "dev", "test")}}
            runs.append(RunRecord(**{**one, "setting": f"{file}{more}", "config": config}))
    found = [one.selectivity for one in probes(runs)]
    assert [one.mean for one in found if one is not None] == [pytest.approx(0.4), pytest.approx(0.6)]


def test_records_without_sizes_are_read() -> None:
    runs = [RunRecord(**{**vars(one), "data": {"name": "ewt"}}) for one in records()]
    assert len(probes(runs)) == len(list(probes(records())))


def test_failed_runs_are_left_out() -> None:
    failed = RunRecord(**{**vars(record(0.1, seed=4, mixing_index=1)), "status": "failed"})
    assert probes([failed]) == []


def test_the_expected_layer_needs_every_mix() -> None:
    (found,) = expected_layers(records())
    assert found[1] == expected_layer([0.5, 0.9, 0.8])
    assert expected_layers(list(records())[:-1]) == []


def test_the_use_of_layers_is_that_of_learned_mixes() -> None:
    found = layer_uses(records())
    assert [(place, use.centre.mean) for _, place, use in found] == [("input", pytest.approx(1.3))] * 3


def test_damaged_or_fixed_weights_are_not_learned() -> None:
    for weights in ([0.0, 1.0, 0.0], [1 / 3] * 3, [0.5, float("nan"), 0.5], [2.0, -1.0, 0.0], [1.0], []):
        run = RunRecord(**{**vars(record(0.5)), "mixing": {"weights": {"input": weights}}})
        assert learned_weights([run], "input") == []
    run = RunRecord(**{**vars(record(0.5)), "mixing": {"weights": {"input": [0.25, 0.75]}}})
    assert learned_weights([run, run], "input") == [[0.25, 0.75]] * 2
    assert learned_weights([run, record(0.5)], "input") == []  # of another number of layers


def test_other_data_of_one_name_is_not_averaged() -> None:
    """Two training files have the same name, size and test data, but not the same digest."""
    mixes = [(index, {"mixing_code": "cumulative_mix"}) for index in (0, 1, 2)]
    scores = {"clean": (0.5, 0.6, 0.62), "noisy": (0.3, 0.3, 0.5)}
    runs = [
        record(score, mixing_index=index, data_sha256_train=file, **mix)
        for file, of_file in scores.items()
        for (index, mix), score in zip(mixes, of_file, strict=True)
    ]
    assert [found for _, found in expected_layers(runs)] == [expected_layer(one) for one in scores.values()]
    assert len(layer_uses(runs)) == len(runs)


def test_the_expected_layer_is_that_of_the_seeds_of_all_mixes() -> None:
    runs = [
        record(score + 0.1 * seed, seed=seed, mixing_index=index, mixing_code="cumulative_mix")
        for index, score in enumerate((0.1, 0.2, 0.22))
        for seed in ((1, 2, 3) if index < 2 else (3,))
    ]
    ((_, found),) = expected_layers(runs)
    assert found.gains == pytest.approx((0.1, 0.02))
    assert expected_layers([run for run in runs if run.seed < 3 or run.determining["mixing.index"] == 2]) == []


def test_an_odd_index_or_number_of_layers_gives_no_expected_layer() -> None:
    runs = [record(0.5, mixing_index=index, mixing_code="cumulative_mix") for index in (0, 1, "2")]
    assert expected_layers(runs) == []
    assert expected_layers([RunRecord(**{**vars(run), "encoder": {"num_layers": 0}}) for run in runs]) == []


def test_the_command_prints_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for one in records():
        write_record(folder_of(one, str(tmp_path)), one)
    assert main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "| 80.00 ± 24.84 | 55.00 ± 63.53 | 30.00 ± 127.06 | 1.50 ± 6.35 | 3.00 ± 12.71 |" in out
    assert "| +40.00 -10.00 | 0.67 | 1.00 |" in out
    numbers = [row.split(" | ")[0] for row in out.split("\n\n")[0].splitlines()[2:]]
    assert len(set(numbers)) == len(numbers) == 4  # no two rows are about the same setting
    assert "Weights are not importance" in out
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "record.json").write_text("{")
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("A run is left out, because this file cannot be read: ")
    (tmp_path / "controls").mkdir()
    control = record(0.4, mixing_index=2, task_control=1)
    write_record(folder_of(control, str(tmp_path / "controls")), control)
    assert main([str(tmp_path / "controls")]) == 2
    assert "only runs of control tasks; run the task, too" in capsys.readouterr().err
    (tmp_path / "failed").mkdir()
    failed = RunRecord(**{**vars(control), "status": "failed"})
    write_record(folder_of(failed, str(tmp_path / "failed")), failed)
    assert main([str(tmp_path / "failed")]) == 2
    assert "no finished run in it" in capsys.readouterr().err
    assert main([str(tmp_path / "nothing")]) == 2
    assert "no readable record.json below it; give the results folder" in capsys.readouterr().err

"""Complete runs: what they write, that the same config gives the same record, and that no interruption changes it."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file

from harness.errors import CacheError, ConfigError, HarnessError
from harness.runs.plan import SharedObjects, prepare
from harness.runs.record import LOCK, RUN_FILES, RunRecord, folder_of, read_record
from harness.tracking.wandb_tracker import NoTracker
from harness.training.trainer import Trainer
from harness.utils.signals import Interrupted
from tests.support.runs import SMALL, StopAfter, config_of, small_run, without_times


def folder_in(tmp_path: Path, record: RunRecord) -> Path:
    return folder_of(record, str(tmp_path / "results"))


def test_a_run_writes_its_record_and_files(tmp_path: Path) -> None:
    record = small_run(tmp_path, whole=True)
    folder = folder_in(tmp_path, record)
    assert sorted(path.name for path in folder.iterdir()) == sorted(RUN_FILES)
    assert read_record(folder / "record.json") == record
    assert record.status == "ok"
    assert record.data["sizes"] == {"train": 150, "dev": 300, "test": 300}
    assert record.encoder["num_layers"] == 3
    assert record.encoder["dim"] == 16
    assert set(record.metrics) == {"dev", "test"}
    assert sum(record.mixing["weights"]["input"]) == pytest.approx(1.0)
    assert record.timing["cache_hit_rate"] == 0.0
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert {"train/loss", "dev/f1", "mix/input/s0", "mix/input/gamma"} <= set(history[0])
    predictions = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert len(predictions) == 600
    assert all(len(row["gold"]) == len(row["prediction"]) for row in predictions)
    head = load_file(folder / "model.safetensors")
    assert sum(tensor.numel() for tensor in head.values()) == record.parameters
    assert record.weights_sha256 == sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_the_same_config_gives_the_same_record(tmp_path: Path) -> None:
    first = small_run(tmp_path / "a")
    second = small_run(tmp_path / "b")
    other = {"results_dir", "cache_dir", "encoder"}  # paths
    for record in (first, second):
        for key in other:
            record.config[key] = None  # type: ignore[index]
    assert without_times(first) == without_times(second)
    a, b = (
        load_file(folder_in(tmp_path / x, record) / "model.safetensors") for x, record in (("a", first), ("b", second))
    )
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_another_seed_gives_another_result(tmp_path: Path) -> None:
    first, second = small_run(tmp_path, whole=True), small_run(tmp_path, "seed=2", whole=True)
    assert first.identity != second.identity
    assert first.mixing["weights"] != second.mixing["weights"]
    assert second.timing["cache_hit_rate"] > 0.5  # dev and test are the same sentences


def test_a_finished_run_is_skipped_and_overwritten_on_demand(tmp_path: Path) -> None:
    path = folder_in(tmp_path, first := small_run(tmp_path)) / "record.json"
    stamp = path.stat().st_mtime_ns
    assert small_run(tmp_path) == first
    assert path.stat().st_mtime_ns == stamp
    again = small_run(tmp_path, "overwrite=true")
    assert path.stat().st_mtime_ns != stamp
    assert without_times(again) == without_times(first)
    assert again.timing["cache_hit_rate"] == 1.0
    assert again.timing["tokens_encoded"] == 0


@pytest.mark.slow
def test_without_a_store_the_result_is_the_same_to_rounding(tmp_path: Path) -> None:
    stored, fresh = small_run(tmp_path / "a"), small_run(tmp_path / "b", "cache=none")
    assert not (tmp_path / "b" / "cache" / "features").exists()
    a, b = stored.mixing["weights"]["input"], fresh.mixing["weights"]["input"]
    assert a == pytest.approx(b, abs=1e-3)


@pytest.mark.parametrize("looks", [3, *(pytest.param(looks, marks=pytest.mark.slow) for looks in (0, 2, 5, 7, 11, 14))])
def test_a_resumed_run_has_the_metrics_of_an_uninterrupted_one(looks: int, tmp_path: Path) -> None:
    uninterrupted = small_run(tmp_path / "a")
    stopped = small_run(tmp_path / "b", stop=StopAfter(looks))
    assert stopped.status == "interrupted"
    assert read_record(folder_in(tmp_path / "b", stopped) / "record.json").status == "interrupted"
    resumed = small_run(tmp_path / "b")
    assert resumed.status == "ok"
    assert resumed.metrics == uninterrupted.metrics
    assert resumed.mixing == uninterrupted.mixing
    for name in ("history.jsonl", "predictions.jsonl"):
        ours, theirs = folder_in(tmp_path / "b", resumed) / name, folder_in(tmp_path / "a", uninterrupted) / name
        assert ours.read_text() == theirs.read_text()


def test_resuming_does_not_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_run(tmp_path, stop=StopAfter(9))
    steps = 0
    step = Trainer._step

    def counted(self: Trainer, examples: object) -> float:
        nonlocal steps
        steps += 1
        return step(self, examples)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "_step", counted)
    small_run(tmp_path)
    assert 0 < steps < 15  # 3 epochs of 5 batches


def test_a_failed_run_is_recorded_with_its_reason_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("harness.training.trainer.torch.isfinite", lambda _: torch.tensor(False))
        with pytest.raises(HarnessError, match=r"epoch 1, step 1; lower trainer\.lr"):
            small_run(tmp_path)
    (path,) = (tmp_path / "results" / "ner").glob("*/record.json")
    failed = read_record(path)
    assert failed.status == "failed"
    assert "lower trainer.lr" in str(failed.error)
    assert small_run(tmp_path).status == "ok"


def test_a_run_whose_weights_are_lost_is_recorded_with_its_reason(tmp_path: Path) -> None:
    """The weights of the mix are NaN then, and are in the record."""
    with pytest.raises(HarnessError, match=r"the loss is (nan|inf) .*; lower trainer\.lr"):
        small_run(tmp_path, "trainer.lr=1e38", "trainer.grad_norm=null")
    (path,) = (tmp_path / "results" / "ner").glob("*/record.json")
    assert "lower trainer.lr" in str(read_record(path).error)


def test_too_little_space_for_the_store_is_an_error_with_a_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("usage", (), {"free": 10})())
    with pytest.raises(CacheError, match="cache=none"):
        small_run(tmp_path)


@pytest.mark.parametrize("placement", ["output", "both"])
def test_the_mix_may_enter_at_the_output(placement: str, tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("the 1 2 3\nof 4 5 6\nJordan 7 8 9\n")
    record = small_run(
        tmp_path, f"mixing.placement={placement}", "embedding=file", f"embedding.path={vectors}", "trainer.max_epochs=1"
    )
    assert set(record.mixing["weights"]) == ({"output"} if placement == "output" else {"input", "output"})
    assert 0 < record.embedding["coverage"] < 1


def test_an_output_mix_without_static_vectors_leaves_the_input_empty(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing enters the head at its input"):
        small_run(tmp_path, "mixing.placement=output")


@pytest.mark.parametrize("mixing", ["top", "mean", "concat", "layer mixing.index=1"])
def test_every_mix_runs(mixing: str, tmp_path: Path) -> None:
    record = small_run(tmp_path, *f"mixing={mixing}".split(), "trainer.max_epochs=1")
    assert record.status == "ok"
    assert record.mixing["name"] == mixing.split()[0].replace("layer", "layer1")
    assert "norms" not in record.mixing


def test_the_record_has_the_norms_of_layers_with_learned_weights(tmp_path: Path) -> None:
    learned = small_run(tmp_path, "trainer.max_epochs=1")
    assert len(learned.mixing["norms"]) == len(learned.mixing["weights"]["input"]) == 3
    assert min(learned.mixing["norms"]) > 0
    assert "norms" not in small_run(tmp_path, "trainer.max_epochs=1", "cache=none").mixing


def test_norms_are_those_of_the_training_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr("harness.runs.run.layer_norms", lambda _, sentences: seen.append(len(sentences)) or [])
    sizes = small_run(tmp_path, "trainer.max_epochs=1").data["sizes"]
    assert seen == [sizes["train"]]
    assert sizes["train"] != sizes["dev"]


def test_the_record_names_the_page_of_the_tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Tracker(NoTracker):
        url = "https://example.org/run"

    monkeypatch.setattr("harness.runs.run.start_tracker", lambda _: Tracker())
    record = small_run(tmp_path, "trainer.max_epochs=1")
    assert record.url == Tracker.url
    assert read_record(folder_in(tmp_path, record) / "record.json").url == Tracker.url


def test_larger_fractions_contain_smaller_ones(tmp_path: Path) -> None:
    from harness.runs.plan import fraction_of
    from harness.types import Example

    examples = [Example(id=str(i), texts={}) for i in range(100)]
    ids = [{e.id for e in fraction_of(examples, fraction, seed=3)} for fraction in (0.001, 0.1, 0.5, 1.0)]
    assert [len(one) for one in ids] == [1, 10, 50, 100]
    assert ids[0] < ids[1] < ids[2] < ids[3]
    assert ids[1] != {e.id for e in fraction_of(examples, 0.1, seed=4)}


def command(folder: Path, *overrides: str) -> list[str]:
    paths = (f"results_dir={folder}/results", f"cache_dir={folder}/cache")
    return [sys.executable, "-m", "harness", *SMALL, *paths, "trainer.max_epochs=6", *overrides]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return small_run(tmp_path_factory.mktemp("uninterrupted"), "trainer.max_epochs=6", whole=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_process_is_resumed_to_the_metrics_of_an_uninterrupted_one(
    number: signal.Signals, uninterrupted: RunRecord, tmp_path: Path
) -> None:
    process = subprocess.Popen(command(tmp_path), stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    while not list(tmp_path.glob("results/ner/*/checkpoint.pt")):
        assert process.poll() is None, "it ended without a checkpoint"
        time.sleep(0.01)
    os.kill(process.pid, number)
    process.communicate(timeout=60)
    if number == signal.SIGKILL:
        assert process.returncode == -number
        subprocess.run(command(tmp_path), check=True, capture_output=True, timeout=300)
    else:
        assert process.returncode == 1
        (stopped,) = tmp_path.glob("results/ner/*/record.json")
        assert read_record(stopped).status == "interrupted"
        small_run(tmp_path, "trainer.max_epochs=6", whole=True)
    (resumed,) = tmp_path.glob("results/ner/*/record.json")
    assert read_record(resumed).status == "ok"
    assert read_record(resumed).metrics == uninterrupted.metrics


@pytest.mark.slow
def test_two_processes_of_the_same_run_end_with_one_record(tmp_path: Path) -> None:
    both = [subprocess.Popen(command(tmp_path), stderr=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
    logs = [process.communicate(timeout=300)[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], logs
    (path,) = (tmp_path / "results" / "ner").glob("*/record.json")
    assert read_record(path).status == "ok"


@pytest.mark.slow
def test_a_run_waits_while_another_process_runs_it(tmp_path: Path) -> None:
    folder = folder_in(tmp_path, small_run(tmp_path))
    (folder / "record.json").unlink()
    with FileLock(folder / LOCK), pytest.raises(Interrupted):
        small_run(tmp_path, stop=StopAfter(0))
    assert not (folder / "record.json").exists()
    assert small_run(tmp_path).status == "ok"
    assert not (folder / LOCK).exists()


def test_runs_of_one_process_share_their_objects(tmp_path: Path) -> None:
    shared = SharedObjects()
    config = config_of(tmp_path, *SMALL)
    first, second = prepare(config, shared), prepare(replace(config, seed=2), shared)
    assert first.task is second.task
    assert first.encoder is second.encoder
    assert first.digests["dev"] == second.digests["dev"]
    assert first.digests["train"] != second.digests["train"]  # the seed draws a part of it
    carrying = config_of(tmp_path, *SMALL, "encoder.state=carry", "cache=none")
    assert prepare(carrying, shared).encoder is not prepare(carrying, shared).encoder  # it remembers what it read

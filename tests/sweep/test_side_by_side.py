"""Jobs that run at the same time: how many, that they change no result, and that one signal stops all of them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from harness.config.compose import CONF, register_resolvers
from harness.runs.outcome import Outcome
from harness.sweep import job_entry, launcher
from harness.sweep.launcher import settle_processes
from harness.sweep.state import SweepFolder
from harness.utils.files import file_digest
from harness.utils.signals import children_deaf, hearing_signals, listening
from tests.support.sweeps import QUICK, not_given, records_in, sweep

ROOT = Path(__file__).resolve().parents[2]


def composed(*overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=list(overrides), return_hydra_config=True)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def has(*, cores: int, memory: float = 64, gpus: int = 0) -> None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setattr(launcher, "usable_cores", lambda: cores)
        monkeypatch.setattr(launcher, "usable_memory", lambda: memory * 1024**3)
        monkeypatch.setattr("torch.cuda.is_available", lambda: gpus > 0)
        monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)

    return has


@pytest.mark.parametrize(
    ("cores", "jobs", "overrides", "expected"),
    [
        (1, 4, [], 1),
        (2, 4, [], 2),
        (16, 4, [], 4),
        (2, 1, [], 1),
        (8, 100, ["threads=3"], 2),
        (2, 4, ["threads=2"], 1),
        (2, 4, ["threads=8"], 1),
        (4, 4, ["hydra/launcher=basic"], 1),
        (2, 4, ["hydra.launcher.n_jobs=3"], 3),
        (1, 4, ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"], 2),
    ],
)
def test_a_sweep_runs_as_many_jobs_as_the_cores_allow_unless_the_user_says_otherwise(
    machine: Callable[..., None], cores: int, jobs: int, overrides: list[str], expected: int
) -> None:
    machine(cores=cores)
    config = composed(*overrides)
    assert settle_processes(config, jobs) == expected
    if "hydra/launcher=basic" not in overrides:
        assert config.hydra.launcher.n_jobs == expected


def test_memory_and_gpus_limit_the_jobs_and_openmp_has_a_say(
    machine: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(cores=16, memory=7.5)
    assert settle_processes(composed(), 100) == 3
    machine(cores=16, memory=1)
    assert settle_processes(composed(), 100) == 1
    machine(cores=16, gpus=2)
    assert settle_processes(composed(), 100) == 2
    assert settle_processes(composed("device=cuda:1"), 100) == 1
    assert settle_processes(composed("device=cpu"), 100) == 16
    machine(cores=16)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setattr(launcher, "default_threads", lambda: 4)
    assert settle_processes(composed(), 100) == 4


def test_a_dry_run_divides_the_time_by_the_jobs_that_run_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.runs.cost_estimate.CostEstimator._training_seconds", lambda *_: 12.0)
    at_once = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    for more, expected in ([], "one after the other: at most 36 s"), (at_once, "2 at the same time: at most 18 s"):
        assert sweep(tmp_path, "seed=1,2,3", "dry_run=true", *more) == 0
        assert f"to train, {expected}" in capsys.readouterr().out


def started(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start a sweep that is the leader of a process group, as a terminal does."""
    given = [*arguments, "hydra.launcher.n_jobs=2", "data.fraction=0.1"]
    paths = [f"results_dir={folder}/results", f"cache_dir={folder}/cache"]
    command = [sys.executable, "-m", "harness", "-m", *not_given(QUICK, given), *paths, *given]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, **pipes)  # type: ignore[call-overload]


def ended(folder: Path, *arguments: str) -> str:
    """Run a sweep to its end; return what it logged."""
    process = started(folder, *arguments)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return errors


def ended_here(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a sweep to its end in this process, which is faster; return what it logged."""
    capsys.readouterr()
    assert sweep(folder, *arguments, "data.fraction=0.1", whole=True) == 0
    return capsys.readouterr().err


def results_of(folder: Path) -> dict[str, object]:
    """Return everything that a run computed, by its folder, without times and paths."""
    found = {}
    for path in sorted((folder / "results" / "ner").iterdir()):
        record = json.loads((path / "record.json").read_text())
        values = [record[key] for key in ("status", "metrics", "weights_sha256", "mixing", "best_epoch", "epochs")]
        assert record["environment"]["threads"] == 1
        history = [json.loads(line) for line in (path / "history.jsonl").read_text().splitlines()]
        found[path.name] = [*values, history, file_digest(path / "predictions.jsonl")]
    return found


@pytest.mark.slow
def test_jobs_at_the_same_time_have_the_bits_of_jobs_one_after_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("threads=1", "trainer.max_epochs=2", "mixing=top,scalar_mix", "seed=1,2,3")
    log = ended(tmp_path / "both", *arguments)
    lines = [line for line in log.splitlines() if "epoch " in line]
    names = {f"mixing={mix} seed={seed}" for mix in ("top", "scalar_mix") for seed in (1, 2, 3)}
    form = r"\d\d:\d\d:\d\d \[([^]]+)\] epoch \d: loss \d+\.\d{4}, dev f1 \d\.\d{4}( \(best\))?"
    matches = [re.fullmatch(form, line) for line in lines]
    assert len(lines) == 12
    assert {match[1] for match in matches if match} == names, log  # whole lines, each with its job
    assert lines != sorted(lines, key=lambda line: line.partition("[")[2])  # the jobs did run at the same time
    pids = {json.loads(path.read_text())["pid"] for path in tmp_path.glob("both/results/sweeps/*/jobs/*.json")}
    assert len(pids) == 2
    ended_here(tmp_path / "one", capsys, *arguments)
    assert results_of(tmp_path / "both") == results_of(tmp_path / "one")
    assert "at the same time" in log
    again = ended_here(tmp_path / "both", capsys, *arguments, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert "6 of 6 runs are finished" in again
    assert "at the same time" not in again


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


LONG = ("trainer.max_epochs=15", "trainer.patience=100", "seed=1,2,3")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    # One job after the other, which does not change a bit.
    assert sweep(folder, *LONG, "data.fraction=0.1", whole=True) == 0
    return folder


@pytest.mark.slow
def test_a_signal_while_the_processes_start_is_not_an_error_of_the_pool(tmp_path: Path) -> None:
    process = started(tmp_path, *LONG)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_until(lambda: len(children.read_text().split()) >= 3)  # two workers and joblib's helper
    os.killpg(process.pid, signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert "Pool" not in errors
    assert "the sweep was stopped" in errors


@pytest.mark.slow
@pytest.mark.parametrize("how", ["Ctrl-C", "Ctrl-C beside an idle process", "SIGTERM to the sweep", "sweep killed"])
def test_one_signal_stops_all_jobs_and_loses_nothing(
    how: str, uninterrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running, finished = (1, 2) if "idle" in how else (2, 0)
    process = started(tmp_path, *LONG)
    wait_until(
        lambda: (
            len(list(tmp_path.glob("results/ner/*/checkpoint.pt"))) == running
            and len([record for record in records_in(tmp_path) if record.status == "ok"]) == finished
        )
    )
    if how.startswith("Ctrl-C"):
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    else:
        os.kill(process.pid, signal.SIGTERM if "SIGTERM" in how else signal.SIGKILL)
    errors = process.communicate(timeout=60)[1]  # ends only when no process is left that could write to it
    assert process.returncode == (-signal.SIGKILL if "killed" in how else 1), errors
    assert "Traceback" not in errors
    records = records_in(tmp_path)
    assert sorted(record.status for record in records) == ["interrupted"] * running + ["ok"] * finished
    assert all(record.epochs > 0 for record in records)
    assert any(record.epochs < 15 for record in records)
    assert ("did not succeed" in errors) is ("killed" not in how)
    log = ended_here(tmp_path, capsys, *LONG)
    assert log.count(" epoch 1: ") == 3 - running - finished  # the others continue
    assert results_of(tmp_path) == results_of(uninterrupted)


@pytest.fixture
def sigint_interrupts() -> Iterator[None]:
    """Give SIGINT its usual effect: a shell starts a process in the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("sigint_interrupts")
def test_the_processes_of_a_sweep_learn_of_a_stop_from_its_folder(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    with listening(folder.stop_file) as one, listening(folder.stop_file) as other, listening() as alone:
        assert not one.requested
        folder.stop()
        other._looked = one._looked = float("-inf")  # a second later
        assert one.requested
        assert other.requested
        assert not alone.requested
        signal.raise_signal(signal.SIGTERM)
        assert alone.requested
        folder.stop_file.unlink()
        assert one.requested
    with listening(folder.stop_file) as one:
        signal.raise_signal(signal.SIGTERM)
        assert folder.stopped
    with listening(), listening():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)  # the second one has its usual effect in nested blocks too


def test_the_processes_of_a_pool_are_deaf_to_signals_until_a_job_hears_them() -> None:
    from joblib.externals.loky import ProcessPoolExecutor

    both = {signal.SIGINT, signal.SIGTERM}
    with children_deaf(), ProcessPoolExecutor(1) as pool:
        assert both <= pool.submit(signal.pthread_sigmask, signal.SIG_BLOCK, set()).result()
        with listening() as stop:
            os.kill(os.getpid(), signal.SIGTERM)  # this process still hears them
            wait_until(lambda: stop.requested)
        signal.pthread_sigmask(signal.SIG_BLOCK, both)
        with hearing_signals(), listening() as stop:
            assert not signal.pthread_sigmask(signal.SIG_BLOCK, set())
    assert not both & signal.pthread_sigmask(signal.SIG_BLOCK, set())


@pytest.mark.usefixtures("sigint_interrupts")
@pytest.mark.parametrize("moment", ["running", "ok", "table"])
def test_a_job_listens_until_all_of_its_files_are_written(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After that, a process of a pool may end at once if its launcher has ended."""
    written = []

    class Folder:
        stopped, stop_file = False, None

        def write_outcome(self, overrides: tuple[str, ...], outcome: Outcome) -> None:
            self.write(outcome.status)

        def write_table(self) -> None:
            self.write("table")

        def write(self, what: str) -> None:
            if what == moment:
                signal.raise_signal(signal.SIGINT)  # raises KeyboardInterrupt if nothing listens
            written.append(what)

    hydra = OmegaConf.create({"sweep": {"dir": "x"}, "overrides": {"task": []}, "runtime": {"choices": {}}})
    monkeypatch.setattr(job_entry, "HydraConfig", SimpleNamespace(get=lambda: hydra))
    monkeypatch.setattr(job_entry, "SweepFolder", lambda _: Folder())
    monkeypatch.setattr(job_entry, "configure_logging", lambda _: None)
    monkeypatch.setattr(job_entry, "reserve_gpu", nullcontext)
    monkeypatch.setattr(job_entry, "run_job", lambda *_, **__: Outcome("ok"))
    job_entry.run_sweep_job(OmegaConf.create({}), launcher_pid=os.getpid(), common=frozenset())
    assert written == ["running", "ok", "table"]


def test_a_process_of_a_pool_ends_after_a_job_that_hears_the_end_of_its_launcher() -> None:
    """The job may be at its end already; the process then has a result that nobody reads."""
    code = """
import time
from harness.utils.signals import listening, stop_without
with listening() as stop:
    stop_without(2**30)  # no process has such an id
    while not stop.requested:
        time.sleep(0.01)
    time.sleep(1)
    print("the job has ended", flush=True)
input()
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:  # type: ignore[call-overload]
        try:
            assert process.wait(timeout=30) == 1
        finally:
            process.kill()
        assert process.stdout.read() == "the job has ended\n"

"""Jobs whose launcher ends early: what had not begun is launched again together, what was running by itself."""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from joblib.parallel import BACKENDS, LokyBackend
from omegaconf import DictConfig, OmegaConf

from harness.runs.outcome import JobState, Outcome
from harness.sweep import launcher
from harness.sweep.expand import Job
from harness.sweep.launcher import launch_jobs
from harness.sweep.state import SweepFolder
from harness.utils.signals import stop_without

Overrides = tuple[str, ...]


def config_of(kind: str = "Joblib", threads: int | None = None) -> DictConfig:
    hydra = {"launcher": {"_target_": f"x.{kind}Launcher", "n_jobs": 2}, "sweeper": {"max_batch_size": None}}
    return OmegaConf.create({"hydra": hydra, "threads": threads})


class Pool:
    """A launcher whose processes die: a job named ``dies`` ends the pool with the job that runs beside it."""

    def __init__(self, folder: SweepFolder) -> None:
        self.folder = folder
        self.launched: list[list[str]] = []
        self.threads: list[str | None] = []

    def launch(self, jobs: Sequence[Overrides], initial_job_idx: int) -> None:
        self.launched.append([job[0] for job in jobs])
        self.threads.append(os.environ.get("OMP_NUM_THREADS"))
        for place, job in enumerate(jobs):
            if job[0].startswith("dies"):
                for running in jobs[place : place + 2]:
                    self.folder.write_outcome(running, Outcome("running"))
                raise RuntimeError("a worker process\nwas terminated")
            self.folder.write_outcome(job, Outcome("ok"))


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Pool, str]]:
    def launched(names: str, config: DictConfig | None = None) -> tuple[Pool, str]:
        pool = Pool(SweepFolder(tmp_path))
        plugins = SimpleNamespace(instantiate_launcher=lambda **_: pool)
        monkeypatch.setattr(launcher, "Plugins", SimpleNamespace(instance=lambda: plugins))
        monkeypatch.setattr(launcher, "Callbacks", lambda _: None)
        monkeypatch.setattr(
            launcher, "GlobalHydra", SimpleNamespace(instance=lambda: SimpleNamespace(config_loader=dict))
        )
        monkeypatch.setattr(launcher, "HydraContext", lambda **_: None)
        jobs = [Job((name,), (name,), None) for name in names.split()]
        return pool, launch_jobs(jobs, config or config_of(), pool.folder)

    return launched


def test_what_has_not_begun_is_launched_again_together(launch: Callable[..., tuple[Pool, str]]) -> None:
    pool, error = launch("a dies-1 b c d dies-2 e f g")
    assert pool.launched == [
        ["a", "dies-1", "b", "c", "d", "dies-2", "e", "f", "g"],
        ["c", "d", "dies-2", "e", "f", "g"],
        ["f", "g"],
        ["dies-1"],  # what was running, each job by itself
        ["b"],
        ["dies-2"],
        ["e"],
    ]
    assert error == "RuntimeError: a worker process was terminated"


def test_a_launcher_that_starts_nothing_is_not_called_without_end(
    launch: Callable[..., tuple[Pool, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(self: Pool, jobs: Sequence[Overrides], initial_job_idx: int) -> None:
        self.launched.append([job[0] for job in jobs])
        raise OSError("no more processes")

    monkeypatch.setattr(Pool, "launch", refuses)
    pool, error = launch("a b")
    assert pool.launched == [["a", "b"], ["a"], ["b"]]
    assert error == "OSError: no more processes"


def test_jobs_in_one_process_are_launched_once(launch: Callable[..., tuple[Pool, str]]) -> None:
    pool, _ = launch("a dies b", config_of("Basic"))
    assert pool.launched == [["a", "dies", "b"]]


def test_parallel_jobs_divide_the_cores_without_an_override(
    launch: Callable[..., tuple[Pool, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "usable_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert launch("a b")[0].threads == ["4"]
    assert "OMP_NUM_THREADS" not in os.environ
    assert launch("a b", config_of("Basic"))[0].threads == [None]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")  # the user's own choice
    assert launch("a b")[0].threads == ["3"]


def test_a_process_is_alive_until_it_has_ended() -> None:
    process = subprocess.Popen(["sleep", "60"])
    state = JobState([], Outcome("running"), os.uname().nodename, process.pid)
    assert state.is_alive
    assert not JobState([], Outcome("ok"), state.host, state.pid).is_alive
    assert not JobState([], Outcome("running"), "elsewhere", state.pid).is_alive
    process.kill()
    process.wait()
    assert not state.is_alive


def watching() -> bool:
    return stop_without.cache_info().currsize == 1


@pytest.mark.slow
def test_each_process_of_joblibs_pool_watches_its_launcher_even_before_its_first_job(
    launch: Callable[..., tuple[Pool, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def run_pool(self: Pool, jobs: Sequence[Overrides], initial_job_idx: int) -> None:
        seen.append(Parallel(n_jobs=2, backend="loky")(delayed(watching)() for _ in range(2)))
        get_reusable_executor().shutdown()

    monkeypatch.setattr(Pool, "launch", run_pool)
    assert launch("a")[1] == ""
    assert seen[0] == [True, True]
    assert BACKENDS["loky"] is LokyBackend


def test_other_launchers_do_not_touch_joblib(
    launch: Callable[..., tuple[Pool, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pool, "launch", lambda *_, **__: seen.append(BACKENDS["loky"]))
    for kind in ("Basic", "Local", "Ray"):
        seen: list[object] = []
        launch("a", config_of(kind))
        assert seen[0] is LokyBackend

"""Fixtures that several test files share."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from harness.runs import cost
from tests.support.fast_setup import config_files_parsed_once, no_fsync

# Examples of hypothesis are the same in every run, and none fails because the machine is slow.
settings.register_profile("reproducible", derandomize=True, deadline=None)
settings.load_profile("reproducible")

# Several test processes share the cores: each of them, and each process that it starts, uses one thread.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Run benchmarks in one process; otherwise leave the number of processes to ``pytest-xdist`` (None)."""
    return 0 if config.getoption("benchmark_only") else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real data sets and stored activations next to the checkout."""
    if not SHARED.is_dir():
        pytest.skip("the folder 'shared' with real data sets and stored activations is not next to the checkout")
    return SHARED


@pytest.fixture(params=["joblib", "submitit_local", "ray"])
def two_processes(request: pytest.FixtureRequest) -> list[str]:
    """Return the options of a launcher that runs two jobs at the same time; ray starts a cluster on this machine."""
    extra = request.param.partition("_")[0]
    pytest.importorskip(f"hydra_plugins.hydra_{extra}_launcher", reason=f"needs the extra {extra}")
    two = {
        "joblib": "hydra.launcher.n_jobs=2",
        "submitit_local": "hydra.sweeper.max_batch_size=2",
        "ray": "+hydra.launcher.ray.init.num_cpus=2",
    }
    return [f"hydra/launcher={request.param}", two[request.param]]


@pytest.fixture(scope="session", autouse=True)
def _short_speed_trials() -> None:
    """Measure the speed of encoders on one batch of four sentences, because tests make hundreds of runs."""
    cost._MOST, cost._PLACES = 4, (0.5,)


@pytest.fixture(scope="session", autouse=True)
def _parse_each_config_file_once() -> Iterator[None]:
    """Let Hydra read each config file once, because tests compose hundreds of configs from them."""
    with config_files_parsed_once():
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Do not wait until each small file is on the disk, because a run writes dozens of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", no_fsync)
        yield


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Restore the log handlers after each test, because the command line logs to the stderr of that test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)

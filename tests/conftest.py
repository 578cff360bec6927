"""Fixtures that several test files share."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Several processes share the processors: one thread each, and in what they start.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Measure in one process (None leaves the number to ``pytest-xdist``)."""
    return 0 if config.getoption("benchmark_only") else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data sets and stored activations beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("no folder 'shared' beside the checkout: real data and stored activations are not here")
    return SHARED


@pytest.fixture(params=["joblib", "submitit_local"])
def two_processes(request: pytest.FixtureRequest) -> list[str]:
    """The options of a launcher that runs two jobs at the same time."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="needs the extra joblib")
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="needs the extra submitit")
    two = {"joblib": "hydra.launcher.n_jobs=2", "submitit_local": "hydra.sweeper.max_batch_size=2"}
    return [f"hydra/launcher={request.param}", two[request.param]]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """The command line sends log lines to the stderr of its test, which is closed afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)

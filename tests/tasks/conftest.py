"""Fixtures of the tests of tasks."""

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def one_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of results and features for all runs of a file that read the same sentences."""
    return tmp_path_factory.mktemp("one_store")

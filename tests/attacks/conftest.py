"""Fixtures of all attacks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.commands import Workplace, write_inputs
from tests.support.forked_commands import ForkedCommands


@pytest.fixture(scope="session")
def forked() -> Iterator[ForkedCommands]:
    """Start the process from which all commands are forked."""
    with ForkedCommands() as commands:
        yield commands


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that the commands read."""
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


@pytest.fixture
def work(forked: ForkedCommands, inputs: Path, tmp_path: Path) -> Workplace:
    """Return a folder with the inputs, in which commands can be run."""
    return Workplace(folder=tmp_path / "work", inputs=inputs, forked=forked)

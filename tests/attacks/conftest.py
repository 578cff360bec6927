"""Fixtures of all attacks."""

from collections.abc import Iterator

import pytest

from tests.attacks.commands import Workplace, write_inputs
from tests.support.forked_commands import ForkedCommands


@pytest.fixture(scope="session")
def forked() -> Iterator[ForkedCommands]:
    """Start the process from which all commands are forked."""
    with ForkedCommands() as commands:
        yield commands


@pytest.fixture(scope="session")
def workplace(forked: ForkedCommands, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Return the folder in which all commands are run."""
    inputs = tmp_path_factory.mktemp("inputs")
    write_inputs(inputs)
    return Workplace(folder=tmp_path_factory.mktemp("attacked") / "work", inputs=inputs, forked=forked)


@pytest.fixture
def work(workplace: Workplace) -> Workplace:
    """Return the folder in which commands can be run, with nothing in it but the inputs."""
    workplace.start_again()
    return workplace

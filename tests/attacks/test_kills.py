"""A command that was killed at a step on disk and is run again leaves what an unbroken run leaves, to the bit."""

from collections.abc import Sequence

import pytest

from tests.attacks.commands import COMMANDS, Workplace, attacked_steps
from tests.support.disk_faults import KILLED

_PARTS = 2  # tests into which the kills of one command are divided


def assert_kills_change_nothing(name: str, kills: Sequence[int], work: Workplace) -> None:
    """Kill a command at some steps, run it again each time, and compare what is there in the end."""
    expected, _ = work.unbroken(name)
    changed = {}
    for at in kills:
        work.start_again()
        assert work.run(name, fault="kill", at=at).status == KILLED
        again = work.run(name)
        assert again.status == 0, f"after a kill at step {at}: {again.text}"
        if names := work.differences(expected):
            changed[at] = names
    assert changed == {}


def test_two_kills_change_nothing(work: Workplace) -> None:
    steps = attacked_steps("encode", work.unbroken("encode")[1])
    assert_kills_change_nothing("encode", [steps[0], steps[-1]], work)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(_PARTS))
@pytest.mark.parametrize("name", COMMANDS)
def test_kills_change_nothing(name: str, part: int, work: Workplace) -> None:
    assert_kills_change_nothing(name, attacked_steps(name, work.unbroken(name)[1])[part::_PARTS], work)

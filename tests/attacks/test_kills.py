"""A command that was killed at any step on disk, run again, leaves what an unbroken run leaves, to the bit."""

import random

import pytest

from tests.attacks.commands import COMMANDS, Workplace
from tests.support.disk_faults import KILLED

_QUICK = {"encode": 2, "train": 4, "sweep": 1, "pretrain": 3}  # kills of each command
_TENS = {"encode": 4, "train": 8, "sweep": 2, "pretrain": 6}  # tens of kills of each command


def assert_kills_change_nothing(name: str, kills: int, seed: int, work: Workplace) -> None:
    """Kill a command at random steps, run it again each time, and compare what is there in the end."""
    expected, steps = work.unbroken(name)
    changed = {}
    for at in sorted(random.Random(seed).sample(range(1, steps + 1), kills)):
        work.start_again()
        assert work.run(name, fault="kill", at=at).status == KILLED
        again = work.run(name)
        assert again.status == 0, f"after a kill at step {at}: {again.text}"
        if names := work.differences(expected):
            changed[at] = names
    assert changed == {}


@pytest.mark.parametrize(
    "name", [name if name == "encode" else pytest.param(name, marks=pytest.mark.slow) for name in COMMANDS]
)
def test_a_few_kills_change_nothing(name: str, work: Workplace) -> None:
    assert_kills_change_nothing(name, _QUICK[name], 0, work)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seed"), [(name, seed) for name, tens in _TENS.items() for seed in range(1, 1 + tens)]
)
def test_two_hundred_kills_change_nothing(name: str, seed: int, work: Workplace) -> None:
    assert_kills_change_nothing(name, 10, seed, work)

"""Six processes that do the same thing at the same time, or different things with one cache."""

import pytest

from tests.attacks.commands import COMMANDS, Workplace

_PROCESSES = 6


@pytest.mark.parametrize("name", ["encode", "train"])
def test_the_same_command_in_six_processes(name: str, work: Workplace) -> None:
    expected, _ = work.unbroken(name)
    work.start_again()
    ended = work.run_together([COMMANDS[name]] * _PROCESSES)
    assert [one.status for one in ended] == [0] * _PROCESSES, [one.text for one in ended if one.status]
    assert work.differences(expected) == []


@pytest.mark.slow
def test_one_of_six_equal_sweeps_runs_and_the_others_are_refused(work: Workplace) -> None:
    expected, _ = work.unbroken("sweep")
    work.start_again()
    ended = work.run_together([COMMANDS["sweep"]] * _PROCESSES)
    assert 0 in [one.status for one in ended]
    for one in ended:
        assert one.status == 0 or "is running a sweep of this name" in one.text
    assert work.differences(expected) == []


@pytest.mark.slow
def test_six_runs_with_one_cache(work: Workplace) -> None:
    commands = [(*COMMANDS["train"], f"seed={seed}") for seed in range(1, 1 + _PROCESSES)]
    for command in commands:
        (one,) = work.run_together([command])
        assert one.status == 0, one.text
    expected = work.results()
    work.start_again()
    ended = work.run_together(commands)
    assert [one.status for one in ended] == [0] * _PROCESSES, [one.text for one in ended if one.status]
    assert work.differences(expected) == []


@pytest.mark.slow
def test_six_parts_are_encoded_into_one_store(work: Workplace) -> None:
    expected, _ = work.unbroken("encode")
    work.start_again()
    parts = [(*COMMANDS["encode"], f"shard={number}/{_PROCESSES}") for number in range(1, 1 + _PROCESSES)]
    ended = work.run_together(parts)
    assert [one.status for one in ended] == [0] * _PROCESSES, [one.text for one in ended if one.status]
    assert work.differences(expected) == []


@pytest.mark.slow
def test_six_trainings_read_one_text(work: Workplace) -> None:
    ended = work.run_together([(*COMMANDS["pretrain"], f"out=out-{number}") for number in range(_PROCESSES)])
    assert [one.status for one in ended] == [0] * _PROCESSES, [one.text for one in ended if one.status]
    weights = {(work.folder / f"out-{number}" / "weights.hdf5").read_bytes() for number in range(_PROCESSES)}
    assert len(weights) == 1

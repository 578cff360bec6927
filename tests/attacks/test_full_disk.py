"""On a full disk a command ends with one line that names the file and what to do; then it goes on as if nothing was."""

import re

import pytest

from tests.attacks.commands import COMMANDS, Workplace, attacked_steps

_PARTS = 2  # tests into which the steps of one command are divided


def _complaints(text: str, *, sweep: bool) -> list[str]:
    """Return what is wrong with the text of a command that met a full disk; a sweep may explain it in its log."""
    if "Traceback" in text:
        return [text.splitlines()[-1]]
    errors = [line for line in text.splitlines() if line.startswith("error: ")]
    explained = re.compile(r"\b(results|cache|out)\b.*no space.*(free|cache_dir=DIR)", re.IGNORECASE)
    if sweep and not errors:
        return [] if explained.search(text) else [text]
    return [line for line in errors if not explained.search(line)] if len(errors) == 1 else [text]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(_PARTS))
@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_explained(name: str, part: int, work: Workplace) -> None:
    """Let the disk be full from a step on, then make room and run the command again."""
    unbroken = work.run(name, fault="full")
    assert unbroken.status == 0, unbroken.text
    expected, _ = work.unbroken(name)
    wrong = {}
    for at in attacked_steps(name, unbroken.steps)[part::_PARTS]:
        work.start_again()
        full = work.run(name, fault="full", at=at)
        finished = full.status == 0  # it had written all that matters
        complaints = work.differences(expected) if finished else _complaints(full.text, sweep=name == "sweep")
        again = work.run(name)
        assert again.status == 0, f"after a full disk at step {at}: {again.text}"
        complaints += work.differences(expected)
        if complaints:
            wrong[at] = complaints
    assert wrong == {}

"""What a killed command had begun to write does not stay on disk for good."""

import random

import pytest

from tests.attacks.commands import Workplace
from tests.support.disk_faults import KILLED


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "pretrain"])
def test_the_next_run_deletes_what_a_killed_one_left(name: str, work: Workplace) -> None:
    _, steps = work.unbroken(name)
    left = {}
    for at in sorted(random.Random(1).sample(range(1, steps + 1), 4)):
        work.start_again()
        assert work.run(name, fault="kill", at=at).status == KILLED
        assert work.run(name).status == 0
        if names := sorted(str(path) for kind in ("*.tmp", "*.partial", "*.part") for path in work.folder.rglob(kind)):
            left[at] = names
    assert left == {}

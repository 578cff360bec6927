"""Run small sweeps inside the test process, and read their records."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from harness import cli
from harness.runs.record import RunRecord, read_record
from tests.support.fast_setup import few_sentences
from tests.support.runs import SMALL

QUICK = [*SMALL, "trainer.max_epochs=1", "data.fraction=0.02"]


def not_given(defaults: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """Return the defaults whose keys the arguments do not set, because a group may have one choice only."""
    given = {argument.lstrip("+").partition("=")[0] for argument in arguments}
    return [word for word in defaults if word.partition("=")[0] not in given]


def sweep(folder: Path, *arguments: str, whole: bool = False) -> int:
    """Run a sweep, return its exit status; ``whole`` uses all of dev and test, as other processes do."""
    paths = [f"results_dir={folder}/results", f"cache_dir={folder}/cache"]
    with nullcontext() if whole else few_sentences(), pytest.raises(SystemExit) as exit_:
        cli.main(["-m", *not_given([*QUICK, "hydra/launcher=basic"], arguments), *paths, *arguments])
    return int(exit_.value.code or 0)


def records_in(folder: Path) -> list[RunRecord]:
    return [read_record(path) for path in sorted((folder / "results").glob("*/*/record.json"))]

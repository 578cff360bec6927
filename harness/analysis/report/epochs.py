"""Which runs may not have learned all that they can, so that a comparison with them may not be fair."""

from collections.abc import Iterable, Mapping, Sequence

from harness.analysis.report.settings import Block
from harness.runs.record import RunRecord

_MOST_NAMES = 10


def note_on_epochs(runs: Mapping[str, Sequence[RunRecord]]) -> str:
    """Return sentences about runs that ended while dev may still have risen; nothing if there are none.

    Args:
        runs: The records of each setting, by what the setting is called.
    """
    every = [record for records in runs.values() for record in records]
    cut = [record for record in every if record.was_cut]
    if not cut:
        return ""
    counts = {name: [record.was_cut for record in records] for name, records in runs.items()}
    named = [f"{name}: {sum(each)} of {len(each)}" for name, each in counts.items() if any(each)]
    where = "; ".join(named[:_MOST_NAMES]) + ("; ..." if len(named) > _MOST_NAMES else "")
    last = sum(record.best_epoch == record.epochs for record in cut)
    return (
        f"trainer.max_epochs ended {len(cut)} of {len(every)} runs before trainer.patience did ({where}); in {last} of "
        "them, the last epoch was the best on dev. With more epochs, scores may rise, most of all for slow learners."
    )


def records_of(block: Block) -> dict[str, list[RunRecord]]:
    """Return the records of a block's settings by their numbers."""
    return {f"# {one.number}": [run.record for run in one.runs] for one in block.settings}


def notes_on_epochs(blocks: Iterable[Block]) -> list[str]:
    """Return the note of each block that has one, with the block's name."""
    return [f"{block.name}: {note}" for block in blocks if (note := note_on_epochs(records_of(block)))]

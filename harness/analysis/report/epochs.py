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
    cut = {name: [record for record in records if record.was_cut] for name, records in runs.items()}
    if not any(cut.values()):
        return ""
    named = [f"{name}: {len(some)} of {len(runs[name])}" for name, some in cut.items() if some]
    where = "; ".join(named[:_MOST_NAMES]) + ("; ..." if len(named) > _MOST_NAMES else "")
    count, every = (sum(map(len, records.values())) for records in (cut, runs))
    last = sum(record.best_epoch == record.epochs for some in cut.values() for record in some)
    return (
        f"trainer.max_epochs ended {count} of {every} runs before trainer.patience did ({where}); in {last} of them, "
        "the last epoch was the best on dev. With more epochs, scores may rise, most of all for slow learners."
    )


def records_of(block: Block) -> dict[str, list[RunRecord]]:
    """Return the records of a block's settings by their numbers."""
    return {f"# {one.number}": [run.record for run in one.runs] for one in block.settings}


def notes_on_epochs(blocks: Iterable[Block]) -> list[str]:
    """Return the note of each block that has one, with the block's name."""
    return [f"{block.name}: {note}" for block in blocks if (note := note_on_epochs(records_of(block)))]

"""Which runs may not have learned all that they can, so that a comparison with them may not be fair."""

from harness.analysis.report.settings import Block

_MOST_SETTINGS = 10


def note_on_epochs(block: Block) -> str:
    """Return sentences about runs that ended while dev may still have risen; nothing if there are none."""
    cut = {one.number: sum(run.record.was_cut for run in one.runs) for one in block.settings}
    if not any(cut.values()):
        return ""
    runs = {one.number: len(one.runs) for one in block.settings}
    each = "; ".join(f"# {number}: {count} of {runs[number]}" for number, count in cut.items())
    where = f" ({each})" if 1 < len(cut) <= _MOST_SETTINGS else ""
    return (
        f"{block.name}: trainer.max_epochs ended {sum(cut.values())} of {sum(runs.values())} runs before "
        f"trainer.patience did{where}. With more epochs, scores may rise, most of all for slow learners."
    )

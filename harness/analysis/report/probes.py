"""The chapter ``Probes``: the control tasks and code lengths of all tasks; a control task is a block of its own."""

from collections.abc import Sequence

from harness.analysis.probing import Probe, probes
from harness.analysis.report.parts import Part
from harness.analysis.report.settings import Block, Results, Setting
from harness.analysis.report.tables import Table

_COLUMNS = ("#", "setting", "task", "data", "test", "control task", "selectivity", "code, kbit", "compression")
_NOTE = "± is half of the 95 % interval over seeds."
_CONTROL_NOTE = (
    " Control task: the score if each word type has one label, drawn at random; selectivity: the score minus that of "
    "the control task, over the seeds that have both (Hewitt and Liang 2019)."
)
_CODE_NOTE = (
    " Code: the bits needed to send the training labels in portions, each coded by a probe that was trained on the "
    "portions before it; compression: the bits of a uniform code, divided by these (Voita and Titov 2020)."
)

_Found = tuple[Block, Setting, Probe]


def probes_part(results: Results) -> tuple[str, Part] | None:
    """Return what to know first, and the table; None if no run has a control task or a code length.

    Args:
        results: The finished runs.
    """
    places = results.places
    measured = [probe for probe in probes(results.records) if probe.control is not None or probe.bits is not None]
    found = sorted(((*places[one.example.identity], one) for one in measured), key=lambda row: row[1].number)
    if not found:
        return None
    rows = [(str(one.number), one.label, block.task, block.data, *probe.cells("")) for block, one, probe in found]
    has_control, has_code = (any(row[i] for row in rows) for i in (5, 8))
    note = f"{_NOTE}{_CONTROL_NOTE if has_control else ''}{_CODE_NOTE if has_code else ''}"
    title = "Test scores of each setting that has a control task or a code length"
    table = Table(title, _COLUMNS, rows, text_columns=4, note=note, main=8 if has_code else 6)
    return _headline(found), Part("Control tasks and code lengths", tables=[table.without_empty_columns()])


def _headline(found: Sequence[_Found]) -> str:
    """Return one sentence about the highest compression of each block."""
    sentences = []
    for name in dict.fromkeys(block.name for block, _, _ in found):
        of_block = [(one, probe.compression) for block, one, probe in found if block.name == name]
        coded = [(compression.mean, one) for one, compression in of_block if compression is not None]
        if coded:
            most, best = max(coded, key=lambda pair: pair[0])
            sentences.append(
                f"The labels of {name} are compressed most with {best.label} (# {best.number}): compression {most:.2f}."
            )
    return " ".join(sentences) or "Each control task beside its task."

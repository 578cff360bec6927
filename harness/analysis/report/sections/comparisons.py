"""The section ``Comparisons``: each setting against its baseline, and all pairs for those who ask."""

import math
from collections.abc import Sequence

from harness.analysis.report.analysis import Analysis, Compared
from harness.analysis.report.parts import Part, Wanted
from harness.analysis.report.tables import Table, p_value, percent, points

_MOST_PAIRS = 200
_NOTE = (
    "Differences are in points, on the seeds that both settings have. Over seeds (paired t-test; Hedges' g, in "
    "standard deviations over seeds, from three seeds on) shows whether the settings differ: if a setting is compared "
    "with itself on other seeds, p is below 0.05 in 5 % of cases. Detectable: the true difference that this test finds "
    "in four of five cases, given how much these seeds vary. Over examples (approximate randomisation; paired "
    "bootstrap) shows whether these trained models differ on such data; two trainings of one setting often do. Holm: "
    "p adjusted for the number of tests in this table."
)


def section(analysis: Analysis, wanted: Wanted) -> Part | None:
    """Return the comparisons with the baseline, or else with the best setting; all pairs are folded away.

    Args:
        analysis: The statistics of the block.
        wanted: What the reader asked for.
    """
    del wanted
    if not analysis.pairs:
        return None
    metric = f"{analysis.block.metric} on {analysis.split}"
    against = analysis.with_baseline or analysis.with_best
    labels = list(dict.fromkeys(pair.a.label for pair in against))
    base = labels[0] if len(labels) == 1 else "the baseline with the most equal values"
    pairs, notes = analysis.pairs, []
    if len(pairs) > _MOST_PAIRS:
        notes.append(f"All {len(pairs):,} pairs are in comparisons.csv.")
        pairs = ()
    folded = [_table(f"All pairs: {metric}", pairs)] if len(pairs) > len(against) else []
    table = _table(f"Against {base}: {metric}", against, both=len(labels) > 1)
    return Part("Comparisons", tables=[table], folded=folded, notes=notes)


def _table(title: str, pairs: Sequence[Compared], *, both: bool = True) -> Table:
    """Return one row per pair, with the labels of both settings or of the second one."""
    rows = []
    for pair in pairs:
        result = pair.result
        low, high = result.interval
        rows.append(
            {
                "#": f"{pair.b.number} − {pair.a.number}",
                "setting": _contrast(pair.b.label, pair.a.label) if both else pair.b.label,
                "seeds": str(len(result.seeds)),
                "difference": points(result.difference),
                "g": "" if math.isnan(result.effect) else f"{result.effect:+.2f}",
                "p over seeds": p_value(result.p_seeds),
                "Holm, seeds": p_value(pair.holm_seeds),
                "detectable": percent(result.detectable),
                "95 % over examples": "" if math.isnan(low) else f"{points(low)} to {points(high)}",
                "p over examples": p_value(result.p_examples),
                "Holm, examples": p_value(pair.holm_examples),
            }
        )
    columns = list(rows[0])
    cells = [tuple(row.values()) for row in rows]
    bold = frozenset((i, columns.index("Holm, seeds")) for i, pair in enumerate(pairs) if pair.differ)
    main = columns.index("difference")
    return Table(title, columns, cells, text_columns=2, note=_NOTE, bold=bold, main=main).without_empty_columns()


def _contrast(label: str, other: str) -> str:
    """Return a label, and of the other one what differs from it."""
    words = [word for word in other.split(", ") if word not in label.split(", ")]
    return f"{label} against {', '.join(words) or other}"

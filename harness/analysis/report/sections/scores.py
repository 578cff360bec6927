"""The section ``Scores``: one row per setting, and the same as a plot."""

import math
import statistics

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.axes import title_of
from harness.analysis.report.epochs import note_on_epochs, records_of
from harness.analysis.report.parts import Figure, Part, Wanted
from harness.analysis.report.svg import Row, dot_plot
from harness.analysis.report.tables import (
    MOST_ROWS,
    SPLITS,
    TIE,
    Table,
    cells_of,
    in_order,
    published_cells,
    scores_of,
    span,
)

_NOTE = (
    "Mean ± sample standard deviation over n seeds: how much the score changes if the model is trained again. The "
    "interval is for the mean score of these trained models over resampled examples (percentile bootstrap): how much "
    "the score changes with another test set of this size. Neither includes the other."
)
_PUBLISHED_NOTE = (
    " A published number is shown only if task, data, training data, split, metric and setting are the same. The "
    "difference is our score minus the published one, in points."
)


def section(analysis: Analysis, wanted: Wanted) -> Part | None:
    """Return the table of settings, and a plot of their scores.

    Args:
        analysis: The statistics of the block.
        wanted: What the reader asked for.
    """
    also = ", ".join(analysis.block.also)
    notes = [f"These options differ, too, always together with the columns: {also}."] if also else []
    notes += [note] if (note := note_on_epochs(records_of(analysis.block))) else []
    return Part("Scores", [_figure(analysis, wanted)], [_table(analysis, wanted)], notes=[*notes, *analysis.notes])


def _table(analysis: Analysis, wanted: Wanted) -> Table:
    """Return one row per setting; the best is bold, and what cannot be separated from it is marked."""
    block, axes = analysis.block, analysis.block.axes
    settings = in_order(block, analysis.split, wanted.sort)
    headings, published = published_cells(settings, wanted.numbers)
    columns = ["#", *(map(title_of, axes) if axes else ["setting"]), "n", *SPLITS]
    main = columns.index(analysis.split)
    rows = []
    for one, more in zip(settings, published, strict=True):
        over_examples = span(analysis.intervals.get(one.number, (math.nan, math.nan)))
        epochs = f"{statistics.mean(run.record.epochs for run in one.runs):.1f}"
        row = [str(one.number), *(cells_of(one, axes) or (one.label,)), *scores_of(one), over_examples]
        row[main] += f" {TIE}" if one in analysis.ties else ""
        rows.append((*row, *more, epochs, f"{one.record.parameters:,}"))
    best = settings.index(analysis.best)
    tied = f"{TIE}: on {analysis.split}, not separable from it (paired t-test over seeds, Holm's correction, 0.05). "
    note = f"Bold: the best on dev. {tied if analysis.ties else ''}{_NOTE}{_PUBLISHED_NOTE if headings else ''}"
    return Table(
        f"Settings: {block.metric} in percent",
        (*columns, f"{analysis.split}, 95 % over examples", *headings, "epochs", "parameters"),
        rows,
        text_columns=len(columns) - len(SPLITS) - 1,
        note=note,
        bold=frozenset({(best, column) for column in (0, main, columns.index("dev"))}),
        main=main,
    ).without_empty_columns()


def _figure(analysis: Analysis, wanted: Wanted) -> Figure:
    """Draw the score of every run, and each setting's interval over examples."""
    settings = in_order(analysis.block, analysis.split, wanted.sort)
    special = {one.number: "c3" for one in analysis.baselines} | {analysis.best.number: "c2"}
    rows = []
    for one in settings[:MOST_ROWS]:
        scores = [100 * score for score in one.scores(analysis.split)]
        low, high = analysis.intervals.get(one.number, (math.nan, math.nan))
        ends = None if math.isnan(low) else (100 * low, 100 * high)
        rows.append(Row(f"{one.number}  {one.label}", scores, ends, special.get(one.number, "c1")))
    title = f"Scores on {analysis.split}"
    note = "Dots: runs, one per seed. Vertical line: their mean."
    if analysis.intervals:
        note += " Bar: the 95 % interval of the mean score over resampled examples."
    note += " Orange: the best on dev." + (" Green: the baseline." if analysis.baselines else "")
    if len(settings) > MOST_ROWS:
        note += f" The first {MOST_ROWS} of {len(settings)} settings."
    return Figure(title, dot_plot(title, rows, x_name=f"{analysis.block.metric} on {analysis.split}, percent"), note)

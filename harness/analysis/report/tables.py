"""The tables of scores in a report. Their cells are plain text; other files turn them into Markdown, LaTeX or HTML."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.paper_numbers import PublishedNumbers
from harness.analysis.report.settings import Block, Results, Setting

SPLITS = ("dev", "test")
_SETTINGS_NOTE = (
    "Mean ± sample standard deviation over n seeds: how much the score changes if the model is trained again. The "
    "interval is for the mean score of these trained models over resampled examples (percentile bootstrap): how much "
    "the score changes with another test set of this size. Neither includes the other."
)
_PUBLISHED_NOTE = (
    " A published number is shown only if task, data, training data, split, metric and setting are the same. The "
    "difference is our score minus the published one, in points."
)
_COMPARISONS_NOTE = (
    "Differences are in points, on the seeds that both settings have. Over seeds (paired t-test; Hedges' g, in "
    "standard deviations over seeds) shows whether the settings differ: if a setting is compared with itself on other "
    "seeds, p is below 0.05 in 5 % of cases. Detectable: the true difference that this test finds in four of five "
    "cases, given how much these seeds vary. Over examples (approximate randomisation; paired bootstrap) shows "
    "whether these trained models differ on such data; two trainings of one setting often do. Holm: p adjusted for the "
    "number of rows in this table."
)


@dataclass(frozen=True)
class Table:
    """A table of text cells.

    Attributes:
        title: What the table shows.
        columns: The column headings.
        rows: The rows, each with one cell per column.
        text_columns: The number of columns, from the left, that hold text; the others hold numbers.
        note: How to read the table.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: int = 1
    note: str = ""


def spread(scores: Sequence[float]) -> str:
    """Return mean and sample standard deviation of fractions, in percent; an empty text for no scores."""
    if not scores:
        return ""
    mean = _percent(statistics.mean(scores))
    return f"{mean} ± {_percent(statistics.stdev(scores))}" if len(scores) > 1 else mean


def p_value(p: float) -> str:
    """Return a p-value with the digits that matter, or an empty text for NaN."""
    return "" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def overview(results: Results, numbers: PublishedNumbers) -> Table:
    """Return one row per setting of every block, computed from the records alone.

    Args:
        results: The finished runs.
        numbers: Published numbers to show next to the scores.
    """
    headings, published = _published(results.settings, numbers)
    named = [(block, setting) for block in results.blocks for setting in block.settings]
    rows = [
        (block.task, block.data, setting.label, block.metric, *_scores(setting), *more, *_costs(setting))
        for (block, setting), more in zip(named, published, strict=True)
    ]
    columns = ("task", "data", "setting", "metric", "n", *SPLITS, *headings, "epochs", "parameters")
    return Table("Settings", columns, rows, text_columns=4)


def score_tables(analysis: Analysis, numbers: PublishedNumbers) -> list[Table]:
    """Return the tables of a block: its settings, their comparisons, and the score of each seed.

    Args:
        analysis: The block and its statistics.
        numbers: Published numbers to show next to the scores.
    """
    comparisons = [_comparisons_table(analysis)] if analysis.comparisons else []
    return [_settings_table(analysis, numbers), *comparisons, _seeds_table(analysis)]


def systems_table(block: Block, numbers: PublishedNumbers) -> Table | None:
    """Return the published scores of other systems on the same examples; None if none are known.

    Args:
        block: The settings that were scored on the examples.
        numbers: The published numbers.
    """
    rows = [
        (number.system, split, number.metric, str(number), number.source)
        for split in SPLITS
        for number in numbers.of_data(block.settings[0].record, split)
    ]
    columns = ("system", "split", "metric", "score", "source")
    note = "The examples are the same. The settings and the training data of these systems can differ from ours."
    return Table("Published on the same examples", columns, rows, text_columns=5, note=note) if rows else None


def _settings_table(analysis: Analysis, numbers: PublishedNumbers) -> Table:
    """Return one row per setting, with the spread over seeds and the interval over examples in separate columns."""
    settings = analysis.block.settings
    headings, published = _published(settings, numbers)
    rows = []
    for setting, more in zip(settings, published, strict=True):
        low, high = analysis.intervals.get(setting.number, (math.nan, math.nan))
        over_examples = "" if math.isnan(low) else f"{_percent(low)} to {_percent(high)}"
        rows.append((str(setting.number), setting.label, *_scores(setting), over_examples, *more, *_costs(setting)))
    columns = ("#", "setting", "n", *SPLITS, f"{analysis.split}, 95 % over examples", *headings, "epochs", "parameters")
    note = _SETTINGS_NOTE + (_PUBLISHED_NOTE if headings else "")
    return Table(f"Settings: {analysis.block.metric} in percent", columns, rows, text_columns=2, note=note)


def _seeds_table(analysis: Analysis) -> Table:
    """Return the primary metric of each run: one row per setting, one column per seed."""
    block, split = analysis.block, analysis.split
    seeds = sorted({run.record.seed for setting in block.settings for run in setting.runs})
    rows = []
    for setting in block.settings:
        scores = {run.record.seed: _percent(run.record.metrics[split][block.metric]) for run in setting.runs}
        rows.append((str(setting.number), setting.label, *(scores.get(seed, "") for seed in seeds)))
    columns = ("#", "setting", *(f"seed {seed}" for seed in seeds))
    return Table(f"Seeds: {block.metric} on {split}", columns, rows, text_columns=2)


def _comparisons_table(analysis: Analysis) -> Table:
    """Return one row per compared pair."""
    rows = []
    for pair in analysis.comparisons:
        result = pair.result
        low, high = result.interval
        rows.append(
            {
                "#": f"{pair.b.number} − {pair.a.number}",
                "settings": _contrast(pair.b.label, pair.a.label),
                "seeds": str(len(result.seeds)),
                "difference": _points(result.difference),
                "g": "" if math.isnan(result.effect) else f"{result.effect:+.2f}",
                "p over seeds": p_value(result.p_seeds),
                "Holm, seeds": p_value(pair.holm_seeds),
                "detectable": _percent(result.detectable),
                "95 % over examples": "" if math.isnan(low) else f"{_points(low)} to {_points(high)}",
                "p over examples": p_value(result.p_examples),
                "Holm, examples": p_value(pair.holm_examples),
            }
        )
    title = f"Comparisons: {analysis.block.metric} on {analysis.split}"
    cells = [tuple(row.values()) for row in rows]
    return Table(title, tuple(rows[0]), cells, text_columns=2, note=_COMPARISONS_NOTE)


def _contrast(label: str, other: str) -> str:
    """Return two labels without the words that they share."""
    ours, theirs = label.split(), other.split()
    left = " ".join(word for word in ours if word not in theirs)
    right = " ".join(word for word in theirs if word not in ours)
    return f"{left or label} against {right or other}"


def _scores(setting: Setting) -> tuple[str, ...]:
    """Return the number of runs, and the score on each split."""
    return (str(len(setting.runs)), *(spread(setting.scores(split)) for split in SPLITS))


def _costs(setting: Setting) -> tuple[str, str]:
    """Return the mean number of epochs, and the number of parameters."""
    return f"{statistics.mean(run.record.epochs for run in setting.runs):.1f}", f"{setting.record.parameters:,}"


def _published(settings: Sequence[Setting], numbers: PublishedNumbers) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return headings and each setting's cells of the published numbers. A split without any has no columns."""
    headings: tuple[str, ...] = ()
    cells: list[tuple[str, ...]] = [() for _ in settings]
    for split in SPLITS:
        found = [numbers.of_setting(setting.record, split) for setting in settings]
        if not any(found):
            continue
        headings += (f"published {split}", "difference")
        for i, (setting, number) in enumerate(zip(settings, found, strict=True)):
            if number is None:
                cells[i] += ("", "")
            else:
                ours = statistics.mean(setting.scores(split, number.metric))
                cells[i] += (f"{number} ({number.source})", _points(ours - number.value / 100))
    return headings, cells


def _percent(value: float) -> str:
    """Return a fraction in percent, or an empty text for NaN."""
    return "" if math.isnan(value) else f"{100 * value:.2f}"


def _points(value: float) -> str:
    """Return a difference of fractions in points, with its sign; an empty text for NaN."""
    return "" if math.isnan(value) else f"{100 * value:+.2f}"

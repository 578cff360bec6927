"""The tables of a report, as text cells: they know no format, and formats do not know what stands in them."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.published import PublishedNumbers
from harness.analysis.report.settings import Block, Results, Setting
from harness.runs.record import RunRecord

SPLITS = ("dev", "test")
_CONFUSION = "confusion"


@dataclass(frozen=True)
class Table:
    """Cells under headings.

    Attributes:
        title: what it shows.
        columns: headings.
        rows: as many cells each.
        words: how many columns, from the left, hold words; the others hold numbers.
        note: how to read it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    note: str = ""


@dataclass(frozen=True)
class Confusion:
    """How often each gold label was predicted as each label, over all runs of a setting: shares of all examples."""

    setting: Setting
    labels: tuple[str, ...]
    shares: tuple[tuple[float, ...], ...]

    def by_gold(self) -> list[list[float]]:
        """Return each row as shares of its gold label; zeros where the label never occurs."""
        return [[cell / total if (total := sum(row)) else 0.0 for cell in row] for row in self.shares]


def points(value: float, *, signed: bool = False) -> str:
    """Return a fraction in percent, or nothing where there is none."""
    return "" if math.isnan(value) else f"{100 * value:+.2f}" if signed else f"{100 * value:.2f}"


def spread(scores: Sequence[float]) -> str:
    """Return mean and sample standard deviation of fractions, in percent."""
    if not scores:
        return ""
    mean = points(statistics.mean(scores))
    return f"{mean} ± {points(statistics.stdev(scores))}" if len(scores) > 1 else mean


def p_value(p: float) -> str:
    """Return a p-value in as many digits as matter."""
    return "" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def overview(results: Results, numbers: PublishedNumbers | None) -> Table:
    """Return a setting a line, of every block, from the records alone."""
    lines = [
        (block.task, block.data, setting.label, block.metric, *_scores(setting))
        for block in results.blocks
        for setting in block.settings
    ]
    columns, beside = _published(results.settings, numbers)
    return Table(
        "Settings",
        ("task", "data", "setting", "metric", "n", *SPLITS, *columns, "epochs", "parameters"),
        tuple(
            (*line, *more, *_costs(setting))
            for line, more, setting in zip(lines, beside, results.settings, strict=True)
        ),
        words=4,
    )


def settings_table(block: Block, analysis: Analysis, numbers: PublishedNumbers | None) -> Table:
    """Return a setting a line, of one block, with the interval over examples apart from the spread over seeds."""
    columns, beside = _published(block.settings, numbers)
    rows = []
    for setting, more in zip(block.settings, beside, strict=True):
        interval = analysis.intervals.get(setting.number)
        over_examples = f"{points(interval[0])} to {points(interval[1])}" if interval else ""
        rows.append((str(setting.number), setting.label, *_scores(setting), over_examples, *more, *_costs(setting)))
    return Table(
        f"Settings: {block.metric} in percent",
        ("#", "setting", "n", *SPLITS, f"{analysis.split}, 95 % over examples", *columns, "epochs", "parameters"),
        tuple(rows),
        words=2,
        note="Mean ± sample standard deviation over n seeds: how much training again changes. The interval is of the "
        "mean score of these trained models over resampled examples (percentile bootstrap): how much another test set "
        "of this size would change. Neither holds the other." + (_PUBLISHED_NOTE if columns else ""),
    )


_COMPARISONS_NOTE = (
    "Differences are in points, on the seeds that both settings have. **Over seeds** (paired t-test; Hedges' g, in "
    "standard deviations over seeds) tells whether the settings differ: two sets of seeds of one setting come out "
    "below 0.05 in 5 % of cases. *Detectable* is the true difference that this test would find four times in five, "
    "given how much these seeds vary. **Over examples** (approximate randomisation; paired bootstrap) tells whether "
    "these trained models differ on such data, as two trainings of one setting often do. Holm: adjusted for the lines "
    "of this table."
)
_PUBLISHED_NOTE = (
    " A published number stands beside a setting only where task, data, training data, split, metric and setting are "
    "the same; the difference is ours less it, in points."
)


def _scores(setting: Setting) -> tuple[str, ...]:
    return (str(len(setting.runs)), *(spread(setting.scores(split)) for split in SPLITS))


def _costs(setting: Setting) -> tuple[str, str]:
    return f"{statistics.mean(run.record.epochs for run in setting.runs):.1f}", f"{setting.record.parameters:,}"


def _published(
    settings: Sequence[Setting], numbers: PublishedNumbers | None
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return headings and cells of the published numbers; of a split without any, none."""
    headings: list[str] = []
    cells: list[tuple[str, ...]] = [() for _ in settings]
    for split in SPLITS:
        found = [numbers.of_setting(setting.record, split) if numbers else None for setting in settings]
        if not any(found):
            continue
        headings += [f"published {split}", "difference"]
        for i, (setting, number) in enumerate(zip(settings, found, strict=True)):
            if number is None:
                cells[i] += ("", "")
            else:
                ours = statistics.mean(setting.scores(split, number.metric))
                cells[i] += (f"{number} ({number.source})", points(ours - number.value / 100, signed=True))
    return tuple(headings), cells


def seeds_table(block: Block, split: str) -> Table:
    """Return the primary metric of each run, a seed a column."""
    seeds = sorted({run.record.seed for setting in block.settings for run in setting.runs})
    rows = []
    for setting in block.settings:
        scores = {run.record.seed: points(run.record.metrics[split][block.metric]) for run in setting.runs}
        rows.append((str(setting.number), setting.label, *(scores.get(seed, "") for seed in seeds)))
    columns = ("#", "setting", *(f"seed {seed}" for seed in seeds))
    return Table(f"Seeds: {block.metric} on {split}", columns, tuple(rows), words=2)


def comparisons_table(block: Block, analysis: Analysis) -> Table:
    """Return a pair of settings a line."""
    rows = []
    for pair in analysis.comparisons:
        result = pair.result
        low, high = result.interval
        rows.append(
            (
                f"{pair.b.number} − {pair.a.number}",
                _contrast(pair.b.label, pair.a.label),
                str(len(result.seeds)),
                points(result.difference, signed=True),
                "" if math.isnan(result.effect) else f"{result.effect:+.2f}",
                p_value(result.p_seeds),
                p_value(pair.holm_seeds),
                points(result.detectable),
                "" if math.isnan(low) else f"{points(low, signed=True)} to {points(high, signed=True)}",
                p_value(result.p_examples),
                p_value(pair.holm_examples),
            )
        )
    return Table(
        f"Comparisons: {block.metric} on {analysis.split}",
        (
            "#",
            "settings",
            "seeds",
            "difference",
            "g",
            "p over seeds",
            "Holm, seeds",
            "detectable",
            "95 % over examples",
            "p over examples",
            "Holm, examples",
        ),
        tuple(rows),
        words=2,
        note=_COMPARISONS_NOTE,
    )


def _contrast(label: str, other: str) -> str:
    """Return two labels without the words that they share."""
    ours, theirs = label.split(), other.split()
    own = [word for word in ours if word not in theirs]
    foreign = [word for word in theirs if word not in ours]
    return f"{' '.join(own) or label} against {' '.join(foreign) or other}"


def classes_table(block: Block, split: str) -> Table | None:
    """Return a class a line and a setting a column: the primary metric, or F1, of each class; None without classes."""
    metric = block.metric if _classes(block, split, block.metric) else "f1"
    classes = _classes(block, split, metric)
    if not classes:
        return None
    rows = tuple(
        (name, *(spread(setting.scores(split, f"{name}/{metric}")) for setting in block.settings)) for name in classes
    )
    columns = ("class", *(f"#{setting.number}" for setting in block.settings))
    return Table(f"Classes: {metric} on {split}", columns, rows, note="Columns are settings by their number.")


def _classes(block: Block, split: str, metric: str) -> list[str]:
    """Return what has a metric of its own, in the order of the records."""
    names = dict.fromkeys(
        name for setting in block.settings for run in setting.runs for name in run.record.metrics.get(split, {})
    )
    tails = (name.rpartition("/") for name in names if not name.startswith(f"{_CONFUSION}/"))
    return [head for head, _, tail in tails if head and tail == metric]


def confusions(block: Block, split: str) -> list[Confusion]:
    """Return the confusion matrix of each setting that has one, the mean over its runs."""
    found = []
    for setting in block.settings:
        names = setting.record.metrics.get(split, {})
        labels = [name.removesuffix("/f1") for name in names if name.endswith("/f1")]
        labels = [label for label in labels if f"{_CONFUSION}/{label}/{label}" in names]
        if labels:
            shares = tuple(
                tuple(statistics.mean(setting.scores(split, f"{_CONFUSION}/{gold}/{other}")) for other in labels)
                for gold in labels
            )
            found.append(Confusion(setting, tuple(labels), shares))
    return found


def confusion_table(confusion: Confusion, split: str) -> Table:
    """Return a gold label a line and a predicted label a column."""
    rows = tuple(
        (gold, *(f"{100 * share:.1f}" for share in row))
        for gold, row in zip(confusion.labels, confusion.by_gold(), strict=True)
    )
    return Table(
        f"Confusion of setting {confusion.setting.number} on {split}",
        ("gold", *confusion.labels),
        rows,
        note="Percent of each gold label that was predicted as each label, mean over seeds.",
    )


def systems_table(block: Block, numbers: PublishedNumbers | None) -> Table | None:
    """Return what others have scored on the same examples; None where nothing is known."""
    rows = [
        (number.system, split, number.metric, str(number), number.source)
        for split in SPLITS
        for number in (numbers.of_data(block.settings[0].record, split) if numbers else ())
    ]
    if not rows:
        return None
    return Table(
        "Published on the same examples",
        ("system", "split", "metric", "score", "source"),
        tuple(rows),
        words=5,
        note="Other systems, trained on what they chose: the same examples, not the same setting.",
    )


def provenance_table(records: Sequence[RunRecord]) -> Table:
    """Return what the runs were made with: each distinct value, and how many runs had it."""
    rows: list[tuple[str, ...]] = []
    for name, value_of in _PROVENANCE.items():
        values = [value_of(record) for record in records]
        rows += [(name, value, str(values.count(value))) for value in dict.fromkeys(values) if value]
    return Table("Provenance", ("what", "value", "runs"), tuple(rows), words=2)


def _versions(record: RunRecord) -> str:
    packages = record.environment.get("packages", {})
    known = [f"{name} {version}" for name, version in packages.items() if version]
    return ", ".join([f"Python {record.environment['python']}", *known]) if "python" in record.environment else ""


def _revision(record: RunRecord) -> str:
    revision = record.environment.get("revision")
    changed = " with uncommitted changes" if record.environment.get("dirty") else ""
    return f"{revision}{changed}" if revision else ""


def _hardware(record: RunRecord) -> str:
    known = record.environment
    parts = [known.get("gpu") or known.get("processor"), known.get("cpu_capability"), known.get("device")]
    threads = f"threads={known['threads']}" if "threads" in known else ""
    return ", ".join(str(part) for part in (*parts, threads) if part)


def _vectors(record: RunRecord, node: str) -> str:
    """Return name and fingerprint of the encoder or the static vectors."""
    known = getattr(record, node)
    return " ".join(filter(None, (known.get("name"), known.get("fingerprint"))))


def _data(split: str) -> Callable[[RunRecord], str]:
    return lambda record: record.data.get("sha256", {}).get(split, "")


_PROVENANCE: dict[str, Callable[[RunRecord], str]] = {
    "code": _revision,
    "versions": _versions,
    "hardware": _hardware,
    **{f"{split} data, SHA-256": _data(split) for split in SPLITS},
    "encoder": lambda record: _vectors(record, "encoder"),
    "static vectors": lambda record: _vectors(record, "embedding"),
}

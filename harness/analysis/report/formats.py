"""Tables as Markdown, LaTeX and CSV."""

import csv
import io
import re
import statistics
from collections.abc import Sequence
from typing import Any

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.published import PublishedNumbers
from harness.analysis.report.settings import Block
from harness.analysis.report.tables import SPLITS, Table

_LATEX = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "±": r"$\pm$",
    "−": "$-$",
}


def markdown(table: Table) -> str:
    """Return a table in Markdown, without its title and note."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    return "\n".join([line(table.columns), line(["---"] * len(table.columns)), *map(line, table.rows)])


def latex(table: Table) -> str:
    """Return a table environment for the package booktabs."""

    def line(cells: Sequence[str]) -> str:
        return f"    {' & '.join(map(latex_text, cells))} \\\\"

    columns = "l" * table.words + "r" * (len(table.columns) - table.words)
    caption = _caption(f"{table.title}. {table.note}".strip().removesuffix("."))
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering\small",
            f"  \\caption{{{caption}.}}",
            f"  \\begin{{tabular}}{{{columns}}}",
            r"    \toprule",
            line(table.columns),
            r"    \midrule",
            *map(line, table.rows),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
        ]
    )


def latex_text(text: str) -> str:
    """Return words so that LaTeX prints them as they are."""
    escaped = "".join(_LATEX.get(character, character) for character in text)
    return re.sub(r"(?<!\S)-(?=\d)", "$-$", escaped)


def _caption(text: str) -> str:
    """Return words for LaTeX, where ``**bold**`` and ``*italic*`` become commands."""
    text = re.sub(r"\*\*(.+?)\*\*", r"\\textbf{\1}", latex_text(text))
    return re.sub(r"\*(.+?)\*", r"\\emph{\1}", text)


def scores_csv(analyses: Sequence[tuple[Block, Analysis]], numbers: PublishedNumbers | None) -> str:
    """Return every metric of every setting, unrounded: a line for each setting, split and metric."""
    rows: list[dict[str, Any]] = []
    for block, analysis in analyses:
        for setting in block.settings:
            for split in SPLITS:
                for metric in setting.record.metrics[split]:
                    scores = setting.scores(split, metric)
                    row: dict[str, Any] = {
                        "task": block.task,
                        "data": block.data,
                        "number": setting.number,
                        "setting": setting.label,
                        "split": split,
                        "metric": metric,
                        "n": len(scores),
                        "mean": statistics.mean(scores),
                        "standard_deviation": statistics.stdev(scores) if len(scores) > 1 else None,
                    }
                    if metric == block.metric and split == analysis.split:
                        row["low"], row["high"] = analysis.intervals.get(setting.number, (None, None))
                    number = numbers.of_setting(setting.record, split) if numbers else None
                    if number is not None and number.metric == metric:
                        row |= {"published": number.value / 100, "published_source": number.source}
                    rows.append(row)
    fields = "task data number setting split metric n mean standard_deviation low high published published_source"
    return _csv(fields.split(), rows)


def comparisons_csv(analyses: Sequence[tuple[Block, Analysis]]) -> str:
    """Return every comparison, unrounded: a pair a line."""
    rows = [
        {
            "task": block.task,
            "data": block.data,
            "split": analysis.split,
            "metric": block.metric,
            "a": pair.a.label,
            "b": pair.b.label,
            "seeds": len(pair.result.seeds),
            "difference": pair.result.difference,
            "low": pair.result.interval[0],
            "high": pair.result.interval[1],
            "hedges_g": pair.result.effect,
            "p_seeds": pair.result.p_seeds,
            "p_seeds_holm": pair.holm_seeds,
            "detectable": pair.result.detectable,
            "p_examples": pair.result.p_examples,
            "p_examples_holm": pair.holm_examples,
        }
        for block, analysis in analyses
        for pair in analysis.comparisons
    ]
    fields = (
        "task data split metric a b seeds difference low high hedges_g p_seeds p_seeds_holm detectable p_examples "
        "p_examples_holm"
    )
    return _csv(fields.split(), rows)


def _csv(fields: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: None if value != value else value for key, value in row.items()} for row in rows)  # no NaN
    return text.getvalue()

"""Write the comparison page in all of its formats."""

import json
import math
from pathlib import Path
from typing import Any

import pandas

from harness.analysis.report.axes import title_of
from harness.analysis.report.comparison import (
    FORMULA,
    Ranking,
    chosen_table,
    explanation,
    figures,
    score_table,
)
from harness.analysis.report.csv_files import as_csv
from harness.analysis.report.page import rendered, write_figures
from harness.analysis.report.parts import file_name
from harness.analysis.report.terminal import print_table
from harness.utils.files import write_text


def write_comparison(found: Ranking, out: Path | None, *, command: str, date: str, pdf: bool = False) -> None:
    """Print the ranking of the values of an axis, and write it to a folder.

    Args:
        found: The ranking.
        out: The folder; None only prints.
        command: The command that makes the page.
        date: The day on which it is made.
        pdf: Whether each figure is written as a PDF file, too.
    """
    print_table(score_table(found), *found.notes)
    if out is None:
        return
    drawings = figures(found)
    values = {"first": first_sentence(found), "explanation": explanation(found), "table": score_table(found)}
    values |= {"settings": chosen_table(found), "drawings": drawings, "command": command, "date": date}
    title = f"Comparison by {title_of(found.axis)}"
    files = {
        "compare.html": rendered("comparison.html", title=title, found=found, **values),
        "compare.csv": as_csv(pandas.DataFrame(_rows(found))),
        "compare.json": json.dumps(_as_json(found), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
    }
    for name, text in files.items():
        write_text(out / name, text)
    write_figures({f"compare-{file_name(one.title)}": one for one in drawings}, out / "figures", pdf=pdf)
    print(f"\nwritten to {out}: {', '.join(files)}, {len(drawings)} figures")  # noqa: T201


def first_sentence(found: Ranking) -> str:
    """Return what the page shows, in one or two sentences."""
    if not found.ranked:
        return f"No value of {found.axis} has a score on every task, so nothing is ranked."
    best = max(found.ranked, key=lambda one: one.mean)
    first = f"{best.name} has the highest mean over {len(found.tasks)} tasks"
    tested = [one for one in found.ranked if one.group is not None]
    if best.group is None:
        return f"{first}, but it is not tested, because fewer than two of its seeds are common to all tasks."
    if top := sum(one.group == 1 for one in tested) - 1:
        first += f", but {top} of {len(tested) - 1} others cannot be separated from it"
    groups = max(one.group or 0 for one in tested)
    what = "ranked" if len(tested) == len(found.ranked) else "tested"
    return f"{first}. The {len(tested)} {what} rows form {groups} group{'s' if groups > 1 else ''} of ties."


def _number(value: float) -> float | None:
    """Return a number, or None for NaN, which JSON does not have."""
    return None if math.isnan(value) else value


def _as_json(found: Ranking) -> dict[str, Any]:
    """Return everything that the page shows, unrounded."""
    ranked = {one.name: one for one in found.ranked}
    values = []
    for name in found.order:
        one = ranked.get(name)
        tasks = {
            task: None
            if cell is None
            else {
                "mean": cell.mean,
                "interval": [_number(end) for end in cell.interval],
                "scores": dict(cell.scores),
                "group": cell.group,
                "setting": cell.setting.label,
                "number": cell.setting.number,
            }
            for task, cell in zip(found.tasks, found.cells[name], strict=True)
        }
        aggregates = None
        if one is not None:
            ends = {"mean_interval": list(map(_number, one.mean_interval))}
            ends |= {"rank_interval": list(map(_number, one.rank_interval))}
            aggregates = {"group": one.group, "mean": one.mean, "rank": one.rank, **ends}
            aggregates["normalised"] = _number(one.normalised)
        values.append({"value": name, "aggregates": aggregates, "tasks": tasks})
    return {"axis": found.axis, "split": found.split, "formula": FORMULA, "notes": found.notes, "values": values}


def _rows(found: Ranking) -> list[dict[str, Any]]:
    """Return one row per value, from the content of the JSON file."""
    rows = []
    for value in _as_json(found)["values"]:
        row = {found.axis: value["value"]}
        for name, one in (value["aggregates"] or {}).items():
            row |= {f"{name}_low": one[0], f"{name}_high": one[1]} if isinstance(one, list) else {name: one}
        for task, cell in value["tasks"].items():
            if cell is not None:
                low, high = cell["interval"]
                row |= {task: cell["mean"], f"{task} low": low, f"{task} high": high, f"{task} group": cell["group"]}
        rows.append(row)
    return rows

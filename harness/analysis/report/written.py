"""Write a report to a folder in all of its formats."""

import importlib.util
import logging
from collections.abc import Sequence

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.csv_files import as_csv, comparisons_table, runs_table, settings_table
from harness.analysis.report.document import document
from harness.analysis.report.latex import as_latex
from harness.analysis.report.markdown import as_markdown
from harness.analysis.report.page import page, write_figures
from harness.analysis.report.parts import Wanted
from harness.analysis.report.settings import Results
from harness.utils.files import write_text

log = logging.getLogger(__name__)


def write_report(
    results: Results, analyses: Sequence[Analysis], wanted: Wanted, *, title: str, command: str, date: str
) -> list[str]:
    """Write a whole report; return the names of its files, and the number of its figures.

    Args:
        results: The finished runs.
        analyses: The statistics of each block of ``results``.
        wanted: What the reader asked for.
        title: The title of the page.
        command: The command that makes the report.
        date: The day on which it is made.
    """
    report = document(results, analyses, wanted, command=command, date=date)
    runs = runs_table(results)
    files = {
        "report.html": page(report, title=title),
        "report.md": as_markdown(report),
        "report.tex": as_latex(report),
        "report.csv": as_csv(runs),
        "settings.csv": as_csv(settings_table(analyses, wanted.numbers)),
        "comparisons.csv": as_csv(comparisons_table(analyses)),
    }
    for name, text in files.items():
        write_text(wanted.out / name, text)
    write_figures(report.figures, wanted.out / "figures", pdf=wanted.pdf)
    written = [*files, f"{len(report.figures)} figures"]
    if importlib.util.find_spec("pyarrow") is not None:
        texts = [name for name in runs if runs[name].dtype == object]
        runs.astype(dict.fromkeys(texts, "string")).to_parquet(wanted.out / "report.parquet", index=False)
        written.insert(4, "report.parquet")
    return written

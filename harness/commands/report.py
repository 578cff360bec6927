"""``python -m harness report DIR``: tables, statistics and figures of finished runs."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from harness.errors import ConfigError
from harness.utils.console import CommandParser, exit_status_of

_DESCRIPTION = """
Print a table of every setting below DIR: the mean and the standard deviation over seeds. Runs that differ only in the
seed belong to one setting.
"""
_EPILOG = """
With --out, FOLDER receives report.html (one page with figures), report.md, report.tex (for the package booktabs),
report.csv (every metric, unrounded), comparisons.csv (every comparison, unrounded), and a folder with each figure
as an SVG file.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command with the words after its name; return its exit status."""
    parser = CommandParser(prog="python -m harness report", description=_DESCRIPTION, epilog=_EPILOG)
    add = parser.add_argument
    add("dir", nargs="?", type=Path, metavar="DIR", help="a results folder, or the folder of one sweep")
    add("--out", type=Path, metavar="FOLDER", help="write a whole report to this folder")
    add("--split", default="test", choices=("dev", "test"), help="the split to compare settings on (default: test)")
    add("--baseline", metavar="LABEL", help="compare only with settings whose label contains this (default: all pairs)")
    add("--rounds", type=int, default=10_000, metavar="N", help="random rounds of the tests (default: 10,000)")
    add("--seed", type=int, default=0, metavar="N", help="the seed of resampling and randomisation (default: 0)")
    published = "a YAML file of published numbers to compare with, or none (default: numbers of the ELMo paper)"
    add("--published", metavar="FILE", help=published)
    add("--rerun", type=Path, metavar="RUN", help="print the command that repeats this run, and stop")
    chosen = parser.parse_args(arguments)
    if (chosen.dir is None) == (chosen.rerun is None):
        parser.error("give either DIR or --rerun RUN")
    return exit_status_of(lambda: _run(chosen))


def _run(chosen: argparse.Namespace) -> None:
    """Print the table or the command that was asked for, and write the report."""
    # Imported here, because they import torch, which takes seconds and is not needed for --help.
    from harness.analysis.report.analysis import analyse
    from harness.analysis.report.csv_files import comparisons_csv, scores_csv
    from harness.analysis.report.document import document
    from harness.analysis.report.figure_files import figure_files
    from harness.analysis.report.latex import as_latex
    from harness.analysis.report.markdown import as_markdown, brief
    from harness.analysis.report.page import page
    from harness.analysis.report.paper_numbers import DEFAULT, NO_NUMBERS, published_numbers
    from harness.analysis.report.rerun import rerun_command
    from harness.analysis.report.settings import gathered, read_records
    from harness.utils.files import write_text

    if chosen.rerun is not None:
        print(rerun_command(chosen.rerun))  # noqa: T201
        return
    if chosen.rounds < 0:
        raise ConfigError(f"--rounds is {chosen.rounds}; give 0 or more")
    numbers = NO_NUMBERS if chosen.published == "none" else published_numbers(Path(chosen.published or DEFAULT))
    results = gathered(read_records(chosen.dir), split=chosen.split)
    print(brief(results, numbers))  # noqa: T201
    if chosen.out is None:
        return
    labels = [setting.label for setting in results.settings]
    if chosen.baseline is not None and not any(chosen.baseline in label for label in labels):
        raise ConfigError(f"--baseline {chosen.baseline}: not part of any setting's label: {'; '.join(labels)}")
    options = {"split": chosen.split, "rounds": chosen.rounds, "seed": chosen.seed, "baseline": chosen.baseline}
    analyses = [analyse(block, **options) for block in results.blocks]
    report = document(results, analyses, numbers)
    files = {
        "report.html": page(report, title=f"Report of {chosen.dir.resolve().name}"),
        "report.md": as_markdown(report),
        "report.tex": as_latex(report),
        "report.csv": scores_csv(analyses, numbers),
        "comparisons.csv": comparisons_csv(analyses),
    }
    figures = figure_files(report)
    for name, text in figures.items():
        write_text(chosen.out / "figures" / name, text)
    for name, text in files.items():
        write_text(chosen.out / name, text)
    print(f"\nwritten to {chosen.out}: {', '.join(files)} and {len(figures)} figures")  # noqa: T201

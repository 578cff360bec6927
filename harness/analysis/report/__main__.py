"""``python -m harness.analysis.report DIR``: the table of a folder of runs; with ``--out FOLDER``, a whole report of it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.analysis.report.analysis import analysed, check_baseline
from harness.analysis.report.document import as_latex, as_markdown, brief, document
from harness.analysis.report.formats import comparisons_csv, scores_csv
from harness.analysis.report.page import page
from harness.analysis.report.published import PublishedNumbers, published_numbers, read_published
from harness.analysis.report.rerun import rerun_command
from harness.analysis.report.settings import gathered, read_records
from harness.errors import ConfigError
from harness.utils.console import exit_status_of
from harness.utils.files import write_text

_EPILOG = """
FOLDER receives report.html (one page, with figures), report.md, report.tex (booktabs), report.csv (every metric,
unrounded) and comparisons.csv. Runs that differ in the seed alone are one setting.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.analysis.report",
        description="Mean and standard deviation over seeds of every setting below DIR, in Markdown; with --out, "
        "intervals, paired comparisons, tables by class and figures too.",
        epilog=_EPILOG,
    )
    parser.add_argument("dir", nargs="?", type=Path, metavar="DIR", help="a folder with records, such as results")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write the whole report there")
    parser.add_argument("--split", default="test", choices=("dev", "test"), help="what is compared; default: test")
    parser.add_argument(
        "--baseline", metavar="LABEL", help="compare with settings of this (part of a) label alone; default: every pair"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        help="of resampling and randomisation; default: 10000 where a task has counts",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of both; default: 0")
    parser.add_argument(
        "--published",
        metavar="FILE",
        help="published numbers, or none; default: results/published/paper.yaml of the repository",
    )
    parser.add_argument("--rerun", type=Path, metavar="RECORD", help="print the command that repeats a run, and stop")
    chosen = parser.parse_args(arguments)
    if (chosen.dir is None) == (chosen.rerun is None):
        parser.error("give either DIR or --rerun RECORD")
    return exit_status_of(lambda: _run(chosen))


def _run(chosen: argparse.Namespace) -> None:
    if chosen.rerun is not None:
        print(rerun_command(chosen.rerun))  # noqa: T201
        return
    if chosen.rounds is not None and chosen.rounds < 0:
        raise ConfigError(f"--rounds is {chosen.rounds}; expected 0 or more")
    numbers = _numbers(chosen.published)
    results = gathered(read_records(chosen.dir), split=chosen.split)
    print(brief(results, numbers))  # noqa: T201
    if chosen.out is None:
        return
    check_baseline(results.blocks, chosen.baseline)
    analyses = [
        (
            block,
            analysed(block, split=chosen.split, rounds=chosen.rounds, seed=chosen.seed, baseline=chosen.baseline),
        )
        for block in results.blocks
    ]
    report = document(results, analyses, numbers)
    files = {
        "report.html": page(report, title=f"Report of {chosen.dir.resolve().name}"),
        "report.md": as_markdown(report),
        "report.tex": as_latex(report),
        "report.csv": scores_csv(analyses, numbers),
        "comparisons.csv": comparisons_csv(analyses),
    }
    for name, text in files.items():
        write_text(chosen.out / name, text)
    print(f"\nwritten to {chosen.out}: {', '.join(files)}")  # noqa: T201


def _numbers(asked: str | None) -> PublishedNumbers | None:
    """Read the published numbers that are asked for."""
    if asked == "none":
        return None
    return read_published(Path(asked)) if asked else published_numbers()


if __name__ == "__main__":
    sys.exit(main())

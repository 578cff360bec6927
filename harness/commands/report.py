"""``python -m harness report DIR``: tables, statistics and figures of finished runs."""

import argparse
import datetime
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import ConfigError
from harness.utils.console import CommandParser, exit_status_of

_DESCRIPTION = """
Print a table of every setting below DIR: the mean and the standard deviation over seeds. Runs that differ only in the
seed belong to one setting. Its number is what `compare` and `--baseline` take.
"""
_EPILOG = """
With --out, FOLDER receives report.html (one page with figures), report.md, report.tex (for the packages booktabs and
graphicx), report.csv (one row per run, a column per option and per metric), settings.csv (means and intervals),
comparisons.csv, and a folder with each figure as an SVG file (with --figures pdf, also as a PDF file); with pyarrow,
also report.parquet. With --compare AXIS,
it receives the comparison page instead: compare.html, compare.csv and compare.json.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command with the words after its name; return its exit status."""
    parser = CommandParser(prog="python -m harness report", description=_DESCRIPTION, epilog=_EPILOG)
    add = parser.add_argument
    add("dir", nargs="?", type=Path, metavar="DIR", help="a results folder, or the folder of one sweep")
    add("--out", type=Path, metavar="FOLDER", help="write a whole report to this folder")
    add("--list", action="store_true", help="print only the number and the name of each setting")
    add("--only", nargs="+", default=[], metavar="KEY=VALUE", help="use only runs with these options")
    add("--split", default="test", choices=("dev", "test"), help="the split to compare settings on (default: test)")
    order = "the order of settings (auto: by axes for at most 50 settings if an axis has numbers, otherwise by score)"
    add("--sort", default="auto", choices=("auto", "score", "axes"), help=order)
    base = "compare with this setting: its number, or part of its name (default: static vectors, or random encoders)"
    add("--baseline", metavar="SETTING", help=base)
    add("--rounds", type=int, default=10_000, metavar="N", help="random rounds of the tests (default: 10,000)")
    add("--seed", type=int, default=0, metavar="N", help="the seed of resampling and randomisation (default: 0)")
    published = "a YAML file of published numbers to compare with, or none (default: numbers of the ELMo paper)"
    add("--published", metavar="FILE", help=published)
    add("--compare", metavar="AXIS", help="rank the values of an axis over all tasks: encoder, mix, layer, ...")
    kinds = "the files of figures: svg, or pdf as well (needs the extra plots; default: svg)"
    add("--figures", default="svg", choices=("svg", "pdf"), help=kinds)
    add("--rerun", type=Path, metavar="RUN", help="print the command that repeats this run, and stop")
    chosen = parser.parse_args(arguments)
    if (chosen.dir is None) == (chosen.rerun is None):
        parser.error("give either DIR or --rerun RUN")
    return exit_status_of(lambda: _run(chosen, shlex.join(["python", "-m", "harness", "report", *arguments])))


def _run(chosen: argparse.Namespace, command: str) -> None:
    """Print the table or the command that was asked for, and write the report."""
    # Imported here, because they import torch, which takes seconds and is not needed for --help.
    from harness.analysis.report.analysis import analyse
    from harness.analysis.report.comparison import ranked_values
    from harness.analysis.report.comparison_files import write_comparison
    from harness.analysis.report.epochs import notes_on_epochs
    from harness.analysis.report.headline import headline
    from harness.analysis.report.paper_numbers import DEFAULT, NO_NUMBERS, published_numbers
    from harness.analysis.report.parts import Wanted
    from harness.analysis.report.printable import print_lines, printable
    from harness.analysis.report.rerun import rerun_command
    from harness.analysis.report.settings import gathered, read_records
    from harness.analysis.report.tables import overview
    from harness.analysis.report.terminal import print_table
    from harness.analysis.report.written import write_report

    if chosen.rerun is not None:
        print(rerun_command(chosen.rerun))  # noqa: T201
        return
    _check(chosen)
    numbers = NO_NUMBERS if chosen.published == "none" else published_numbers(Path(chosen.published or DEFAULT))
    results = gathered(read_records(chosen.dir), split=chosen.split, only=chosen.only)
    if chosen.list:
        for block in results.blocks:
            for one in block.settings:
                print(f"{one.number:4}  {printable(f'{block.name}: {one.label}')}")  # noqa: T201
        print_lines(results.notes)
        return
    baseline = _baseline(chosen.baseline, {str(setting.number): setting.label for setting in results.settings})
    date = datetime.datetime.now(tz=datetime.UTC).strftime("%-d %B %Y")
    pdf = chosen.figures == "pdf"
    draws = {"rounds": chosen.rounds, "seed": chosen.seed}
    if chosen.compare is not None:
        values = ranked_values(results, chosen.compare, split=chosen.split, **draws)
        write_comparison(values, chosen.out, command=command, date=date, pdf=pdf)
        return
    if chosen.out is None:
        draws["rounds"] = 0  # without a report, settings are compared over seeds only
    analyses = [analyse(block, split=chosen.split, baseline=baseline, **draws) for block in results.blocks]
    for analysis in analyses:
        print(printable(f"{analysis.block.name}: {headline(analysis)}") + "\n")  # noqa: T201
    table = overview(results, numbers, split=chosen.split, sort=chosen.sort)
    print_table(table, *notes_on_epochs(results.blocks), *results.notes)
    if chosen.out is not None:
        title, wants = (
            f"Report of {chosen.dir.resolve().name}",
            Wanted(numbers, chosen.out, chosen.sort, chosen.figures == "pdf"),
        )
        written = write_report(results, analyses, wants, title=title, command=command, date=date)
        print(f"\nwritten to {chosen.out}: {', '.join(written)}")  # noqa: T201


def _check(chosen: argparse.Namespace) -> None:
    """Raise ConfigError for options that cannot be obeyed."""
    from harness.analysis.report.pdf import check_matplotlib

    if chosen.rounds < 0:
        raise ConfigError(f"--rounds is {chosen.rounds}; give 0 or more")
    if chosen.figures == "pdf":
        check_matplotlib()
        if chosen.out is None:
            raise ConfigError("--figures pdf needs a folder for its files; add --out FOLDER")


def _baseline(wanted: str | None, labels: Mapping[str, str]) -> int | str | None:
    """Return the number of the setting that is meant, or a part of its name; raise ConfigError if there is none."""
    if wanted is None or wanted in labels:
        return None if wanted is None else int(wanted)
    if not any(wanted in label for label in labels.values()):
        known = "; ".join(f"{number} {label}" for number, label in labels.items())
        raise ConfigError(f"--baseline {wanted}: not the number or part of the name of a setting: {known}")
    return wanted

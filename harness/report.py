"""``python -m harness.report DIR``: mean and standard deviation over seeds, one line a setting."""

import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.console import exit_status_of
from harness.errors import DataFormatError
from harness.records import RunRecord, flattened, read_record

_UNTOLD = re.compile(
    r"(^|\.)(seed|results_dir|cache_dir|overwrite|dry_run|train|dev|test|path|dir)$|^tracking\.|^plugins"
)


def read_records(folder: Path) -> list[RunRecord]:
    """Read every record below a folder.

    Raises:
        DataFormatError: there is none, or one cannot be read.
    """
    records = [read_record(path) for path in sorted(folder.glob("**/record.json"))]
    if not records:
        raise DataFormatError(f"{folder}: no record.json below it; give the results folder of a run or a sweep")
    return records


def table(records: Sequence[RunRecord]) -> str:
    """Return a Markdown table: a setting a line, scores in percent, mean and standard deviation over seeds.

    Runs that differ in the seed alone are one setting. The deviation is the sample's (n - 1). Runs that
    did not end well are left out of the figures and counted below the table.
    """
    finished = [record for record in records if record.status == "ok"]
    settings: dict[str, list[RunRecord]] = {}
    for record in finished:
        settings.setdefault(record.setting, []).append(record)
    labels = _labels(settings)
    lines = [
        "| task | data | setting | metric | n | dev | test | epochs | parameters |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for key, runs in sorted(settings.items(), key=lambda item: (item[1][0].task, labels[item[0]])):
        first = runs[0]
        scores = [_spread([run.metrics[split][run.primary_metric] for run in runs]) for split in ("dev", "test")]
        epochs = statistics.mean(run.epochs for run in runs)
        cells = [first.task, first.data["name"], labels[key], first.primary_metric, str(len(runs)), *scores]
        lines.append(f"| {' | '.join(cells)} | {epochs:.1f} | {first.parameters:,} |")
    unfinished = len(records) - len(finished)
    if unfinished:
        lines += ["", f"{unfinished} of {len(records)} runs did not end well and are left out."]
    return "\n".join(lines)


def _spread(scores: Sequence[float]) -> str:
    """Return mean and sample standard deviation of fractions, in percent."""
    mean = 100 * statistics.mean(scores)
    return f"{mean:.2f} ± {100 * statistics.stdev(scores):.2f}" if len(scores) > 1 else f"{mean:.2f}"


def _labels(settings: Mapping[str, Sequence[RunRecord]]) -> dict[str, str]:
    """Name each setting by its runs; where two would have one name, by what they differ in too."""
    names = {key: runs[0].name.removesuffix(f"-s{runs[0].seed}") for key, runs in settings.items()}
    told = {key: flattened(runs[0].config) for key, runs in settings.items()}
    labels = {}
    for key, name in names.items():
        twins = [told[other] for other, theirs in names.items() if theirs == name]
        own = told[key]
        differing = [item for item in own if any(twin.get(item) != own[item] for twin in twins)]
        labels[key] = " ".join([name, *(f"{item}={own[item]}" for item in differing if not _UNTOLD.search(item))])
    return labels


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table of a folder of results; return the exit status."""
    folders = list(sys.argv[1:] if arguments is None else arguments)
    if len(folders) != 1 or folders[0] in ("-h", "--help"):
        print("usage: python -m harness.report DIR   (DIR: a folder with records, such as results)")  # noqa: T201
        return 0 if folders[:1] in (["-h"], ["--help"]) else 2
    return exit_status_of(lambda: print(table(read_records(Path(folders[0])))))  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())

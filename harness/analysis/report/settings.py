"""From a folder of records to settings: runs that differ in the seed alone, under a name that tells them apart."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataFormatError
from harness.runs.record import RunRecord, flattened, read_record
from harness.types import Split
from harness.utils.text_files import read_json

_UNTOLD = re.compile(
    r"(^|\.)(seed|results_dir|cache_dir|overwrite|dry_run|train|dev|test|path|dir)$|^(sweep|vectors)$"
    r"|^tracking\.|^plugins|^task\.data\."
)


@dataclass(frozen=True)
class Recorded:
    """A record, and the folder it lies in."""

    record: RunRecord
    folder: Path


@dataclass(frozen=True)
class Setting:
    """Finished runs that differ in the seed alone, in the order of their seeds.

    Attributes:
        number: within its block, from 1.
        label: tells it from the others of its block.
        runs: one or more.
    """

    number: int
    label: str
    runs: tuple[Recorded, ...]

    @property
    def record(self) -> RunRecord:
        """The record of the first seed, for what all of them share."""
        return self.runs[0].record

    def scores(self, split: str, metric: str | None = None) -> list[float]:
        """Return a metric, by default the primary one, of each run that has it."""
        name = metric or self.record.primary_metric
        return [run.record.metrics[split][name] for run in self.runs if name in run.record.metrics[split]]


@dataclass(frozen=True)
class Block:
    """Settings of one task that were scored on the same examples, and so can be compared."""

    task: str
    data: str
    settings: tuple[Setting, ...]

    @property
    def metric(self) -> str:
        """The task's primary metric."""
        return self.settings[0].record.primary_metric


@dataclass(frozen=True)
class Results:
    """What a folder holds.

    Attributes:
        blocks: finished runs.
        notes: what was left out, and why.
    """

    blocks: tuple[Block, ...]
    notes: tuple[str, ...]

    @property
    def settings(self) -> list[Setting]:
        """Every setting of every block."""
        return [setting for block in self.blocks for setting in block.settings]


def read_records(folder: Path) -> list[Recorded]:
    """Read every record below a folder, or of a sweep's folder, the records of its runs.

    Raises:
        DataFormatError: there is none, or one cannot be read.
    """
    found = records_of_sweep(folder) if (folder / "jobs").is_dir() else []
    found = found or [Recorded(read_record(path), path.parent) for path in sorted(folder.glob("**/record.json"))]
    if not found:
        raise DataFormatError(f"{folder}: no record.json below it; give the results folder of a run or a sweep")
    return found


def records_of_sweep(folder: Path) -> list[Recorded]:
    """Read the records of the runs of a sweep that succeeded.

    Args:
        folder: ``<results>/sweeps/<name>``; the runs are in ``<results>/<task>/<run>``.

    Raises:
        DataFormatError: a record cannot be read.
    """
    found = []
    for path in sorted((folder / "jobs").glob("*.json")):
        run = Path(read_json(path, fix="delete it")["outcome"]["folder"])
        place = folder.parent.parent.joinpath(*run.parts[-2:])
        if run.parts and (place / "record.json").exists():
            found.append(Recorded(read_record(place / "record.json"), place))
    return found


def gathered(recorded: Sequence[Recorded], *, split: Split = "test") -> Results:
    """Sort runs into settings, and settings into blocks.

    Args:
        recorded: runs, in any order.
        split: whose examples must be the same within a block.
    """
    finished = [run for run in recorded if run.record.status == "ok"]
    once: dict[tuple[str, str, int], Recorded] = {}
    for run in finished:
        once.setdefault((run.record.task, run.record.setting, run.record.seed), run)
    blocks: dict[tuple[str, str, str], dict[str, list[Recorded]]] = {}
    for (task, setting, _), run in once.items():
        data = run.record.data
        key = (task, data["name"], data.get("sha256", {}).get(split, ""))
        blocks.setdefault(key, {}).setdefault(setting, []).append(run)
    notes = []
    if unfinished := len(recorded) - len(finished):
        notes.append(f"{unfinished} of {len(recorded)} runs did not end well and are left out.")
    if copies := len(finished) - len(once):
        notes.append(f"{copies} of {len(recorded)} runs are copies of others (same setting and seed) and are left out.")
    return Results(tuple(_block(key, settings) for key, settings in sorted(blocks.items())), tuple(notes))


def _block(key: tuple[str, str, str], settings: Mapping[str, list[Recorded]]) -> Block:
    labels = _labels({setting: runs[0].record for setting, runs in settings.items()})
    ordered = sorted(settings, key=lambda setting: labels[setting])
    return Block(
        key[0],
        key[1],
        tuple(
            Setting(number, labels[setting], tuple(sorted(settings[setting], key=lambda run: run.record.seed)))
            for number, setting in enumerate(ordered, start=1)
        ),
    )


def _labels(settings: Mapping[str, RunRecord]) -> dict[str, str]:
    """Name each setting by its runs; where two would have one name, by what they differ in too.

    What is told of some is told of all. Of several values that always vary together, the first stands for the others.
    """
    names = {key: record.name.removesuffix(f"-s{record.seed}") for key, record in settings.items()}
    told = {
        key: {item: value for item, value in flattened(record.config).items() if not _UNTOLD.search(item)}
        for key, record in settings.items()
    }
    kept: dict[tuple[int, ...], str] = {}
    for item in dict.fromkeys(item for values in told.values() for item in values):
        values = {key: told[key].get(item) for key in settings}
        if any(names[a] == names[b] and values[a] != values[b] for a in settings for b in settings):
            distinct = list(values.values())
            kept.setdefault(tuple(distinct.index(value) for value in distinct), item)
    labels = {
        key: " ".join([name, *(f"{item}={told[key][item]}" for item in kept.values() if item in told[key])])
        for key, name in names.items()
    }
    shown = list(labels.values())
    return {key: label if shown.count(label) == 1 else f"{label} [{key}]" for key, label in labels.items()}

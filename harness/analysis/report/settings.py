"""Settings: runs that differ only in the seed, under a label that distinguishes them from other settings."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataFormatError
from harness.runs.outcome import read_job_state
from harness.runs.record import RunRecord, flattened, readable_record
from harness.types import SPLITS, Split
from harness.utils.text_files import exists

log = logging.getLogger(__name__)

# Options that determine nothing, in records of version 1, which do not say what determines the result.
_NOT_DETERMINING_IN_VERSION_1 = re.compile(
    r"(^|\.)(seed|results_dir|cache_dir|overwrite|dry_run|train|dev|test|path|dir|_target_)$|^(sweep|vectors)$"
    r"|^tracking\.|^plugins|^task\.data\."
)
# Where a fingerprint or a digest differs, the options that explain it; the digest itself if they do not.
_EXPLAINED_BY = {
    "encoder.fingerprint": r"encoder\.(?!_target_$|name$)",
    "embedding.fingerprint": r"embedding\.(?!_target_$|name$)",
    **{f"data.sha256.{split}": rf"data\.(source|{split})$" for split in SPLITS},
}
_DIGEST = 8  # hex digits of a digest that a label shows


@dataclass(frozen=True)
class Recorded:
    """A recorded run: the content of its ``record.json``, and the folder of its files."""

    record: RunRecord
    folder: Path


@dataclass(frozen=True)
class Setting:
    """Finished runs that differ only in the seed.

    Attributes:
        number: The number of the setting within its block, from 1.
        label: A name that no other setting of the block has.
        runs: One or more runs, ordered by their seeds.
    """

    number: int
    label: str
    runs: tuple[Recorded, ...]

    @property
    def record(self) -> RunRecord:
        """The record of the first seed, for everything that the runs have in common."""
        return self.runs[0].record

    def scores(self, split: str, metric: str | None = None) -> list[float]:
        """Return a metric of each run that has it, as fractions.

        Args:
            split: The split that was scored, ``dev`` or ``test``.
            metric: The name of the metric; None for the primary metric.
        """
        name = metric or self.record.primary_metric
        return [run.record.metrics[split][name] for run in self.runs if name in run.record.metrics[split]]


@dataclass(frozen=True)
class Block:
    """Settings of one task, by label, that were scored on the same examples and can therefore be compared."""

    task: str
    data: str
    settings: tuple[Setting, ...]

    @property
    def metric(self) -> str:
        """The primary metric of the task."""
        return self.settings[0].record.primary_metric


@dataclass(frozen=True)
class Results:
    """The finished runs of a folder as blocks of settings, and notes that say which runs were left out, and why."""

    blocks: tuple[Block, ...]
    notes: tuple[str, ...]

    @property
    def settings(self) -> list[Setting]:
        """Every setting of every block."""
        return [setting for block in self.blocks for setting in block.settings]


def read_records(folder: Path) -> list[Recorded]:
    """Read every record below a results folder, or the records of one sweep, ``<results>/sweeps/<name>``.

    A damaged record is left out, which the log says.

    Raises:
        DataFormatError: There is no record that can be read.
    """
    found = records_of_sweep(folder) if (folder / "jobs").is_dir() else []
    found = found or _readable(path.parent for path in sorted(folder.glob("**/record.json")))
    if not found:
        what = "no readable record.json below it; give the results folder of a run or a sweep"
        raise DataFormatError(f"{folder}: {what}")
    return found


def records_of_sweep(folder: Path) -> list[Recorded]:
    """Read what the runs of a sweep, ``<results>/sweeps/<name>``, have written so far to ``<results>/<task>/<run>``.

    A damaged state or record is left out, which the log says.
    """
    places = []
    for path in sorted((folder / "jobs").glob("*.json")):
        state = read_job_state(path)
        run = Path(state.outcome.folder if state is not None else "")
        if run.parts:
            places.append(folder.parent.parent.joinpath(*run.parts[-2:]))
    return _readable(place for place in places if exists(place / "record.json"))


def _readable(folders: Iterable[Path]) -> list[Recorded]:
    """Read the records of some runs; damaged ones are left out, which the log says."""
    records = ((readable_record(folder / "record.json"), folder) for folder in folders)
    return [Recorded(record, folder) for record, folder in records if record is not None]


def gathered(recorded: Sequence[Recorded], *, split: Split = "test") -> Results:
    """Group runs into settings, and settings into blocks.

    Args:
        recorded: The runs in any order. Runs that did not finish, and copies of a run, are left out.
        split: The split whose examples must be the same within a block.
    """
    finished = [run for run in recorded if run.record.status == "ok"]
    once: dict[tuple[str, str, int], Recorded] = {}
    for run in finished:
        once.setdefault((run.record.task, run.record.setting, run.record.seed), run)
    blocks: dict[tuple[str, str], dict[str, list[Recorded]]] = {}
    names: dict[tuple[str, str], set[str]] = {}
    for (task, setting, _), run in once.items():
        data = run.record.data
        key = (task, data.get("sha256", {}).get(split) or data["name"])
        blocks.setdefault(key, {}).setdefault(setting, []).append(run)
        names.setdefault(key, set()).add(data["name"])
    notes = []
    if unfinished := len(recorded) - len(finished):
        notes.append(f"{unfinished} of {len(recorded)} runs did not finish successfully and are left out.")
    if copies := len(finished) - len(once):
        notes.append(f"{copies} of {len(recorded)} runs are copies of others (same setting and seed) and are left out.")
    found = [_block(key[0], ", ".join(sorted(names[key])), runs) for key, runs in blocks.items()]
    return Results(tuple(sorted(found, key=lambda block: (block.task, block.data))), tuple(notes))


def _block(task: str, data: str, runs_of: Mapping[str, list[Recorded]]) -> Block:
    """Make a block of the runs of each setting; the keys are the settings' digests."""
    labels = _labels({setting: runs[0].record for setting, runs in runs_of.items()})
    settings = (
        Setting(number, labels[setting], tuple(sorted(runs_of[setting], key=lambda run: run.record.seed)))
        for number, setting in enumerate(sorted(runs_of, key=lambda setting: labels[setting]), start=1)
    )
    return Block(task, data, tuple(settings))


def _labels(settings: Mapping[str, RunRecord]) -> dict[str, str]:
    """Label each setting by the name of its runs and, if two settings have the same name, by options that differ.

    An option is shown for all settings or for none. Of several options that always vary together, only the first is
    shown. If no option differs, the digest of the setting is added.
    """
    names = {key: record.name.removesuffix(f"-s{record.seed}") for key, record in settings.items()}
    options = _options(settings)
    shown: dict[tuple[int, ...], str] = {}  # the first option of each pattern of variation
    for item in dict.fromkeys(item for values in options.values() for item in values):
        values = {key: options[key].get(item) for key in settings}
        if any(names[a] == names[b] and values[a] != values[b] for a in settings for b in settings):
            distinct = list(values.values())
            shown.setdefault(tuple(distinct.index(value) for value in distinct), item)
    labels = {
        key: " ".join([name, *(f"{item}={options[key][item]}" for item in shown.values() if item in options[key])])
        for key, name in names.items()
    }
    given = list(labels.values())
    return {key: label if given.count(label) == 1 else f"{label} [{key}]" for key, label in labels.items()}


def _options(settings: Mapping[str, RunRecord]) -> dict[str, dict[str, Any]]:
    """Return, for each setting, what determines the result of any of them and can differ; the most telling first."""
    configs = {key: flattened(record.config) for key, record in settings.items()}
    known = {key: record.determining or _of_version_1(record) for key, record in settings.items()}
    items: dict[str, None] = {"schema": None}
    for item in dict.fromkeys(item for values in known.values() for item in values if item != "seed"):
        if item in _EXPLAINED_BY and len({values.get(item) for values in known.values()}) > 1:
            reason = re.compile(_EXPLAINED_BY[item])
            items |= dict.fromkeys(option for config in configs.values() for option in config if reason.match(option))
        items[item] = None
    options = {}
    for key, values in known.items():
        if settings[key].determining:
            configs[key].pop("threads", None)  # they determined the identity in version 1
        both = configs[key] | dict(values)  # an option that is not in ``determining`` has its default in the config
        shorter = {item: str(both[item])[:_DIGEST] for item in _EXPLAINED_BY if item in both}
        options[key] = {item: (both | shorter)[item] for item in items if item in both}
    return options


def _of_version_1(record: RunRecord) -> dict[str, Any]:
    """Return what can differ between records of version 1."""
    options = flattened(record.config)
    return {"schema": record.schema_version} | {
        item: value for item, value in options.items() if not _NOT_DETERMINING_IN_VERSION_1.search(item)
    }

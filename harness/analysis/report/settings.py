"""Settings: runs that differ only in the seed, in blocks that can be compared."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.analysis.probing import CONTROL
from harness.analysis.report.axes import Values, axes_of, chooser, label_of, options_of, sort_key
from harness.errors import DataFormatError
from harness.runs.outcome import read_job_state
from harness.runs.record import RunRecord, flattened, readable_record
from harness.types import Split

CONFUSION = "confusion"  # what the names of the shares of a confusion matrix begin with
_FILES = ("data.test", "data.dev", "data.train")
_NOT_OF_DATA = (*_FILES, "data.cache_dir", "data.fraction", "task.head", "task._target_")
_Key = tuple[str, str, str]  # of a block: the task, the digest of its examples or the name of its data, and the metric


@dataclass(frozen=True)
class Recorded:
    """A recorded run: the content of its ``record.json``, and the folder of its files."""

    record: RunRecord
    folder: Path


@dataclass(frozen=True)
class Damaged:
    """A file without which a run is lost to the results: its ``record.json``, or the state of the job that made it."""

    path: Path


@dataclass(frozen=True)
class Setting:
    """Finished runs that differ only in the seed.

    Attributes:
        number: The number of the setting among all settings of the results, from 1.
        label: A name that no other setting of the block has.
        values: Its value on each axis of the block.
        runs: One or more runs, ordered by their seeds.
    """

    number: int
    label: str
    values: Values
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
        scores = [run.record.metrics[split] for run in self.runs]
        if name.startswith(f"{CONFUSION}/"):
            return [one.get(name, 0.0) for one in scores]  # a label that a run never predicts has no share
        return [one[name] for one in scores if name in one]

    def metrics(self, split: str) -> list[str]:
        """Return the names of all metrics that any of the runs has on a split."""
        return list(dict.fromkeys(name for run in self.runs for name in run.record.metrics[split]))

    def label_on(self, axes: Iterable[str]) -> str:
        """Return a name for all settings that are equal to this one on some axes; without any, the encoder's name."""
        return label_of({axis: self.values[axis] for axis in axes}) or str(self.record.encoder.get("name"))


@dataclass(frozen=True)
class Block:
    """Settings of one task that were scored on the same examples by the same metric, and can therefore be compared.

    Attributes:
        task: The name of the task.
        data: The name of the data, which differs from those of the task's other blocks.
        settings: The settings, sorted by their values.
        also: Options that differ between settings, but separate none that the axes do not.
    """

    task: str
    data: str
    settings: tuple[Setting, ...]
    also: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The task and the data, which no other block has."""
        return f"{self.task} on {self.data}"

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes on which the settings differ, in the order of the command."""
        return tuple(self.settings[0].values)

    @property
    def is_control(self) -> bool:
        """Whether all settings are those of a control task, whose score does not say how good an encoder is."""
        return all(CONTROL in one.record.determining for one in self.settings)

    @property
    def metric(self) -> str:
        """The primary metric of the task."""
        return self.settings[0].record.primary_metric


@dataclass(frozen=True)
class Results:
    """The finished runs of a folder as blocks of settings.

    Attributes:
        blocks: The blocks, sorted by task and data.
        notes: Sentences that say which runs were left out, and why, and which scores cannot be compared.
    """

    blocks: tuple[Block, ...]
    notes: tuple[str, ...]

    @property
    def settings(self) -> list[Setting]:
        """Every setting of every block."""
        return [setting for block in self.blocks for setting in block.settings]

    @property
    def places(self) -> dict[str, tuple[Block, Setting]]:
        """The block and the setting of each run, by the run's identity."""
        settings = [(block, one) for block in self.blocks for one in block.settings]
        return {run.record.identity: place for place in settings for run in place[1].runs}

    @property
    def records(self) -> list[RunRecord]:
        """The record of every run of every setting."""
        return [run.record for setting in self.settings for run in setting.runs]


def read_records(folder: Path) -> list[Recorded | Damaged]:
    """Read every record below a results folder, or the records of one sweep, ``<results>/sweeps/<name>``.

    Raises:
        DataFormatError: There is no record that can be read.
    """
    found = records_of_sweep(folder) if (folder / "jobs").is_dir() else []
    found = found or [_read(path.parent) for path in sorted(folder.glob("**/record.json"))]
    if not any(isinstance(run, Recorded) for run in found):
        what = "no readable record.json below it; give the results folder of a run or a sweep"
        raise DataFormatError(f"{folder}: {what}")
    return found


def records_of_sweep(folder: Path) -> list[Recorded | Damaged]:
    """Read what the runs of a sweep, ``<results>/sweeps/<name>``, have written so far to ``<results>/<task>/<run>``."""
    states = {path: read_job_state(path) for path in sorted((folder / "jobs").glob("*.json"))}
    runs = [Path(state.outcome.folder) for state in states.values() if state is not None and state.outcome.folder]
    places = dict.fromkeys(folder.parent.parent.joinpath(*run.parts[-2:]) for run in runs)  # two jobs may have one run
    return [*map(_read, places), *(Damaged(path) for path, state in states.items() if state is None)]


def _read(folder: Path) -> Recorded | Damaged:
    """Read the record of a run; the log says what is wrong with a damaged one."""
    path = folder / "record.json"
    record = readable_record(path)
    return Damaged(path) if record is None else Recorded(record, folder)


def gathered(found: Sequence[Recorded | Damaged], *, split: Split = "test", only: Sequence[str] = ()) -> Results:
    """Group runs into settings, and settings into blocks.

    Args:
        found: The runs in any order. Damaged and unfinished runs and copies of a run are left out, which the notes say.
        split: The split whose examples must be the same within a block.
        only: Words of the form KEY=VALUE; runs with other values are left out.

    Raises:
        ConfigError: No run has a key of ``only``.
        DataFormatError: No run has the values of ``only``.
    """
    recorded = [run for run in found if isinstance(run, Recorded)]
    damaged = [run for run in found if isinstance(run, Damaged)]
    if only:
        options = [options_of(run.record) for run in recorded]
        is_chosen = chooser(only, {key for known in options for key in known})
        recorded = [run for run, known in zip(recorded, options, strict=True) if is_chosen(known)]
        if not recorded:
            raise DataFormatError(f"no run with {' '.join(only)}; leave out --only")
    finished = [run for run in recorded if run.record.status == "ok"]
    once: dict[tuple[str, str, int], Recorded] = {}
    for run in finished:
        once.setdefault((run.record.task, run.record.setting, run.record.seed), run)
    blocks: dict[_Key, dict[str, list[Recorded]]] = {}
    for (task, setting, _), run in once.items():
        data = run.record.data
        key = (task, data.get("sha256", {}).get(split) or data["name"], run.record.primary_metric)
        blocks.setdefault(key, {}).setdefault(setting, []).append(run)
    notes = [f"A run is left out, because this file cannot be read: {run.path}" for run in damaged]
    if unfinished := len(recorded) - len(finished):
        notes.append(f"{unfinished} of {len(recorded)} runs did not finish successfully and are left out.")
    if copies := len(finished) - len(once):
        notes.append(f"{copies} of {len(recorded)} runs are copies of others (same setting and seed) and are left out.")
    names = _names_of({key: [run for runs in settings.values() for run in runs] for key, settings in blocks.items()})
    ordered: list[Block] = []
    for key in sorted(blocks, key=lambda key: (key[0], names[key])):
        first = 1 + sum(len(block.settings) for block in ordered)
        ordered.append(_block(key[0], names[key], blocks[key], first))
    for block in ordered:
        dev = {str(run.record.data.get("sha256", {}).get("dev")) for one in block.settings for run in one.runs}
        if len(dev) > 1:
            notes.append(f"{block.name}: the dev data are not the same in all settings; do not compare scores on dev.")
    return Results(tuple(ordered), tuple(notes))


def _block(task: str, data: str, runs_of: Mapping[str, list[Recorded]], first: int) -> Block:
    """Make a block of the runs of each setting; the keys are the settings' digests."""
    records = {setting: runs[0].record for setting, runs in runs_of.items()}
    values, also = axes_of(records)
    ordered = sorted(runs_of, key=lambda setting: sort_key(values[setting]))
    every = list(values.values())
    settings = (
        Setting(
            number,
            label_of(values[key], every, options_of(records[key])["mix"]) or records[key].name_of_setting,
            values[key],
            tuple(sorted(runs_of[key], key=lambda run: run.record.seed)),
        )
        for number, key in enumerate(ordered, start=first)
    )
    return Block(task, data, tuple(settings), also)


def _names_of(blocks: Mapping[_Key, Sequence[Recorded]]) -> dict[_Key, str]:
    """Name the data of each block; if other data of the task have the same name, with what tells them apart."""
    names = {key: ", ".join(sorted({_data_of(run.record) for run in runs})) for key, runs in blocks.items()}
    for more in (_file_of, _options_of_data, _metric_of, _digest_of):
        alike: dict[tuple[str, str], list[_Key]] = {}
        for key, name in names.items():
            alike.setdefault((key[0], name), []).append(key)
        for (_, name), keys in alike.items():
            if len(keys) > 1:
                runs_of = {key: blocks[key] for key in keys}
                names |= {key: f"{name} {more(key, runs_of)}".rstrip() for key in keys}
    return names


def _data_of(record: RunRecord) -> str:
    """Return the name of a run's data; a control task has the same data with other labels."""
    name = str(record.data["name"])
    control = record.determining.get(CONTROL)
    return name if control is None else f"{name} (control task, seed {control})"


def _file_of(key: _Key, runs_of: Mapping[_Key, Sequence[Recorded]]) -> str:
    """Return the names of the files that hold the test data of a block, its dev data, or all of its data."""
    configs = [flattened(run.record.config) for run in runs_of[key]]
    files = {next((str(config[file]) for file in _FILES if config.get(file)), "") for config in configs}
    return ", ".join(sorted(Path(file).name for file in files))


def _options_of_data(key: _Key, runs_of: Mapping[_Key, Sequence[Recorded]]) -> str:
    """Return the options by which one block reads its data in another way than the others, in brackets."""
    options = {one: _of_all_runs(runs) for one, runs in runs_of.items()}
    own = options[key]
    different = [option for option in own if len({repr(one.get(option)) for one in options.values()}) > 1]
    words = [f"{option} {Path(str(own[option])).name}" for option in different if own[option] is not None]
    return f"({', '.join(words)})" if words else ""


def _of_all_runs(runs: Sequence[Recorded]) -> dict[str, object]:
    """Return the options of the task and of its data, except paths and the head, that have one value in all runs."""
    configs = [flattened(run.record.config) for run in runs]
    keys = [key for key in configs[0] if re.fullmatch(r"(data|task)\.\w+", key) and key not in _NOT_OF_DATA]
    return {key: configs[0][key] for key in keys if all(one.get(key) == configs[0][key] for one in configs)}


def _metric_of(key: _Key, runs_of: Mapping[_Key, object]) -> str:
    return key[2] if len({metric for _, _, metric in runs_of}) > 1 else ""


def _digest_of(key: _Key, _: object) -> str:
    return key[1][:8]

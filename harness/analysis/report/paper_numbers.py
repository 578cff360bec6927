"""Published numbers, and which of them a setting of ours can be compared with.

The file describes cells: a data set with the sizes of its splits, a split, a metric, and the values that a setting must
have. A number is compared with a setting only if all of these agree, including the size of the training data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from harness.config.instantiate import typed_as
from harness.errors import ConfigError, DataFormatError
from harness.runs.record import RunRecord, flattened
from harness.utils.text_files import numbered_lines

DEFAULT = Path(__file__).with_name("paper_numbers.yaml")


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A published data set, recognised by its sizes, because a local copy can have any name.

    Attributes:
        task: The name of the task that reads it.
        train: The number of training examples; None if systems train on different parts of it.
        dev, test: The numbers of dev and test examples; with None, no run matches.
    """

    task: str
    train: int | None = None
    dev: int | None = None
    test: int | None = None


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published number.

    Attributes:
        data: The name of the data set in the file.
        split: The split that was scored, ``dev`` or ``test``.
        metric: The name of the metric, as in records.
        value: The score in percent.
        source: The table or section that prints the number.
        system: The name of the system that was scored.
        spread, runs: The standard deviation over runs in percent, and the number of runs, if published.
        where: Dotted keys of a record, and the value or the list of allowed values of each. Empty for a system that is
            not a setting of this harness.
    """

    data: str
    split: str
    metric: str
    value: float
    source: str
    system: str
    spread: float | None = None
    runs: int | None = None
    where: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.value:g}" if self.spread is None else f"{self.value:g} ± {self.spread:g}"


@dataclass(frozen=True)
class PublishedNumbers:
    """The content of a file of published numbers: its data sets by name, and its numbers in their order."""

    sets: Mapping[str, DataSet]
    numbers: Sequence[Published]

    def of_setting(self, record: RunRecord, split: str) -> Published | None:
        """Return the first number of the same task, data, metric and setting, or None.

        Args:
            record: The record of any run of the setting.
            split: The split whose score is compared, ``dev`` or ``test``.
        """
        values = flattened(asdict(record))
        for number in self.of_data(record, split):
            train = self.sets[number.data].train
            if number.where and train in (None, record.data["sizes"]["train"]) and _holds(number.where, values):
                return number
        return None

    def of_data(self, record: RunRecord, split: str) -> list[Published]:
        """Return every number of the same task, examples and metric, whatever the system was.

        Args:
            record: The record of any run on these examples.
            split: The record's split that holds the examples. The published split may have another name.
        """
        size, metrics = record.data.get("sizes", {}).get(split), record.metrics.get(split, {})
        if size is None:
            return []
        known = {name for name, data in self.sets.items() if data.task == record.task}
        return [
            number
            for number in self.numbers
            if number.data in known
            and number.metric in metrics
            and getattr(self.sets[number.data], number.split) == size
        ]


def _holds(where: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Return whether a flattened record has an allowed value for every key."""
    return all(values.get(key) in (wanted if isinstance(wanted, list) else [wanted]) for key, wanted in where.items())


NO_NUMBERS = PublishedNumbers({}, ())


def published_numbers(path: Path = DEFAULT) -> PublishedNumbers:
    """Read a YAML file of published numbers, by default ``paper_numbers.yaml`` in this package.

    Raises:
        DataFormatError: The file is missing or has another form.
    """
    return _own_numbers() if path == DEFAULT else _read(path)


@cache
def _own_numbers() -> PublishedNumbers:
    """Read the file in this package once, because a sweep writes its table after each of its runs."""
    return _read(DEFAULT)


def _read(path: Path) -> PublishedNumbers:
    """Read and check a YAML file of published numbers."""
    import yaml

    if not path.exists():
        raise DataFormatError(f"{path}: no such file; use --published none to compare with no published numbers")
    try:
        raw = yaml.safe_load("\n".join(line for _, line in numbered_lines(path)))
        sets = {name: typed_as(DataSet, values) for name, values in raw["data"].items()}
        numbers = [typed_as(Published, values) for values in raw["numbers"]]
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, RecursionError, ConfigError) as error:
        reason = " ".join(str(error).split())
        raise DataFormatError(f"{path}: not a file of published numbers ({reason}); see {DEFAULT}") from None
    for number in numbers:
        if number.data not in sets or number.split not in ("dev", "test"):
            wrong = f"'{number.data}' is not listed under 'data', or '{number.split}' is neither dev nor test"
            raise DataFormatError(f"{path}: {number.system}: {wrong}")
    return PublishedNumbers(sets, numbers)

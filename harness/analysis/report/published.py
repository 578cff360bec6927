"""Published numbers, and which of them stand for the same cell as a setting of ours.

The file names cells: a data set with the sizes of its splits, a split, a metric, and what the setting must be. A number
is compared with a setting only where all of that is the same, the training data included; else nothing is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.config.instantiate import typed_as
from harness.errors import ConfigError, DataFormatError
from harness.runs.record import RunRecord, flattened

DEFAULT = Path(__file__).resolve().parents[3] / "results" / "published" / "paper.yaml"


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A published data set, known by its sizes: folders are called what people like.

    Attributes:
        task: which reads it.
        train: training examples, where all who use it train on as many.
        dev, test: examples; None where they have not been counted, and then nothing matches.
    """

    task: str
    train: int | None = None
    dev: int | None = None
    test: int | None = None


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published number.

    Attributes:
        data: the data set's name in the file.
        split: which the number is of.
        metric: as in records.
        value: in percent.
        spread: standard deviation over runs, in percent.
        runs: how many the value is the mean of.
        system: what scored it.
        where: dotted keys of a record, and the value or the list of values that each must have; empty for a system
            that no setting of this harness is.
        source: where it is printed.
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
    """All that a file holds."""

    sets: Mapping[str, DataSet]
    numbers: Sequence[Published]

    def of_setting(self, record: RunRecord, split: str) -> Published | None:
        """Return the first number of the same cell: task, data, split, metric and setting."""
        values: dict[str, Any] | None = None
        for number in self.numbers:
            if number.where and self._same_examples(number, record, split):
                train = self.sets[number.data].train
                values = flattened(asdict(record)) if values is None else values
                if train in (None, record.data["sizes"]["train"]) and _holds(number.where, values):
                    return number
        return None

    def of_data(self, record: RunRecord, split: str) -> list[Published]:
        """Return every number of the same task, examples and metric, whatever scored it."""
        return [number for number in self.numbers if self._same_examples(number, record, split)]

    def _same_examples(self, number: Published, record: RunRecord, split: str) -> bool:
        """Whether a number is of the examples that a record's split holds. Our name for the split may differ."""
        known = self.sets[number.data]
        size = getattr(known, number.split)
        sizes = record.data.get("sizes", {})
        metrics = record.metrics.get(split, {})
        return known.task == record.task and size is not None and sizes.get(split) == size and number.metric in metrics


def _holds(where: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    return all(values.get(key) in (wanted if isinstance(wanted, list) else [wanted]) for key, wanted in where.items())


def published_numbers() -> PublishedNumbers | None:
    """Read the repository's own file; a package that was installed without the repository has none."""
    return read_published(DEFAULT) if DEFAULT.exists() else None


def read_published(path: Path = DEFAULT) -> PublishedNumbers:
    """Read a file of published numbers.

    Raises:
        DataFormatError: it is missing or not of this form.
    """
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        sets = {name: typed_as(DataSet, values) for name, values in raw["data"].items()}
        numbers = [typed_as(Published, values) for values in raw["numbers"]]
    except OSError:
        raise DataFormatError(f"{path}: no such file; --published none goes without") from None
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ConfigError) as error:
        raise DataFormatError(f"{path}: not a file of published numbers ({' '.join(str(error).split())})") from None
    for number in numbers:
        if number.data not in sets or number.split not in ("dev", "test"):
            raise DataFormatError(f"{path}: {number.system}: '{number.data}' or '{number.split}' is not known")
    return PublishedNumbers(sets, numbers)

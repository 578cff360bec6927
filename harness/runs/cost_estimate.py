"""What a run would cost, before it is run: what is to be encoded and trained, in bytes and seconds."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness.config.schema import without_data
from harness.errors import DataFormatError
from harness.protocols import Encoder
from harness.runs.plan import Plan, layer_source, sentences
from harness.runs.record import RunRecord, finished_record, read_record
from harness.types import Sentence
from harness.utils.console import human_bytes, human_seconds

_TRIAL = 64  # sentences that are encoded to see how fast it goes
_NEWEST = 200  # records that are read to see how fast training goes


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What one run would do.

    Attributes:
        folder: of the run.
        sizes: of its splits, in words.
        finished: whether there is nothing left to do.
        encoder: fingerprint of the encoder, empty for none.
        sentences: unique ones.
        missing: those that are not in the store.
        bytes: to be written for them.
        encode_s: seconds that will take, as measured on a few of them.
        epochs: of training, at most.
        train_s: seconds that will take at most, as finished runs of the task took; None where there is none.
    """

    folder: Path
    sizes: str
    finished: bool
    encoder: str = ""
    sentences: int = 0
    missing: tuple[Sentence, ...] = ()
    bytes: int = 0
    encode_s: float = 0.0
    epochs: int = 0
    train_s: float | None = None

    def __str__(self) -> str:
        head = f"{self.folder}: {self.sizes}"
        if self.finished:
            return f"{head}; finished, would be skipped (overwrite=true runs it anew)"
        return "; ".join([head, *([self.encoding] if self.sentences else []), self.training])

    @property
    def encoding(self) -> str:
        """What would be encoded, in words."""
        tokens = sum(map(len, self.missing))
        return (
            f"would encode {len(self.missing):,} of {self.sentences:,} sentences ({tokens:,} tokens, "
            f"{human_seconds(self.encode_s)}) and write {human_bytes(self.bytes)}"
        )

    @property
    def training(self) -> str:
        """How long training would take, in words."""
        cost = "no finished run tells how long" if self.train_s is None else human_seconds(self.train_s)
        return f"would train {self.epochs} epochs at most ({cost})"


class Forecaster:
    """Says what runs would do. An encoder is tried once, and a task's records are read once, for all of them."""

    def __init__(self) -> None:
        self._pace: dict[str, float] = {}  # of an encoder by its fingerprint, seconds a token
        self._records: dict[Path, list[RunRecord]] = {}  # of a task's folder

    def forecast(self, plan: Plan) -> Forecast:
        """Say what a run would do, having done none of it but a trial of the encoder."""
        if finished_record(plan.folder) is not None and not plan.config.overwrite:
            return Forecast(folder=plan.folder, sizes=plan.sizes, finished=True)
        source = layer_source(plan)
        filling = source.plan(sentences(plan.examples)) if source is not None else None
        missing = filling.missing if filling is not None else ()
        return Forecast(
            folder=plan.folder,
            sizes=plan.sizes,
            finished=False,
            encoder=plan.encoder.fingerprint if plan.encoder is not None else "",
            sentences=filling.sentences if filling is not None else 0,
            missing=missing,
            bytes=filling.bytes if filling is not None else 0,
            encode_s=self._encoding_seconds(plan.encoder, missing) if plan.encoder is not None else 0.0,
            epochs=plan.config.trainer.max_epochs,
            train_s=self._training_seconds(plan),
        )

    def _encoding_seconds(self, encoder: Encoder, missing: Sequence[Sentence]) -> float:
        if not missing or not encoder.cacheable:
            return 0.0
        if encoder.fingerprint not in self._pace:
            self._pace[encoder.fingerprint] = seconds_a_token(encoder, missing)
        return self._pace[encoder.fingerprint] * sum(map(len, missing))

    def _training_seconds(self, plan: Plan) -> float | None:
        folder = plan.folder.parent
        if folder not in self._records:
            self._records[folder] = newest_records(folder)
        return training_seconds(plan, self._records[folder])


def seconds_a_token(encoder: Encoder, missing: Sequence[Sentence]) -> float:
    """Encode a few sentences, and return how long a token takes."""
    step = max(1, len(missing) // _TRIAL)
    trial = missing[::step][:_TRIAL]
    _encode(encoder, trial[:4])  # the first call is slower
    started = time.perf_counter()
    _encode(encoder, trial)
    return (time.perf_counter() - started) / max(1, sum(map(len, trial)))


def _encode(encoder: Encoder, trial: Sequence[Sentence]) -> None:
    for _ in encoder.encode(trial):
        pass


def newest_records(folder: Path) -> list[RunRecord]:
    """Return the newest finished runs of a task, from its folder."""
    newest = sorted(folder.glob("*/record.json"), key=lambda path: path.stat().st_mtime, reverse=True)[:_NEWEST]
    return [record for record in map(_readable, newest) if record is not None]


def training_seconds(plan: Plan, records: Sequence[RunRecord]) -> float | None:
    """Return what training to the last epoch would take, from finished runs of the task, those most like it first."""
    for alike in (_same_head_and_vectors, _same_head, lambda *_: True):
        rates = [_seconds_an_example(record) for record in records if alike(record, plan)]
        if rates:
            return median(rates) * len(plan.examples["train"]) * plan.config.trainer.max_epochs
    return None


def _readable(path: Path) -> RunRecord | None:
    try:
        record = read_record(path)
    except DataFormatError:
        return None
    return record if record.status == "ok" and record.epochs and record.data["sizes"]["train"] else None


def _seconds_an_example(record: RunRecord) -> float:
    seconds: float = record.timing["train_s"] / record.epochs / record.data["sizes"]["train"]
    return seconds


def _same_head_and_vectors(record: RunRecord, plan: Plan) -> bool:
    own = (plan.encoder.dim if plan.encoder is not None else 0, plan.static.dim if plan.static is not None else 0)
    return _same_head(record, plan) and own == (record.encoder["dim"], record.embedding["dim"])


def _same_head(record: RunRecord, plan: Plan) -> bool:
    return without_data(record.config["task"]) == without_data(plan.config.task)

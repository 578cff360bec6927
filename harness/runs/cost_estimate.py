"""Estimate what runs would cost before they start: what they would encode and train, in bytes and seconds."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from harness.config.schema import without_data
from harness.protocols import Encoder, Fitted
from harness.runs.cost import tokens_per_second
from harness.runs.plan import Plan, build_model, layer_source, sentences
from harness.runs.record import RunRecord, finished_record, identity_digest, readable_record
from harness.types import Sentence
from harness.utils.console import human_bytes, human_seconds


@dataclass(kw_only=True)
class CostEstimate:
    """What one run would do.

    Attributes:
        finished: Whether the run is finished and would be skipped.
        max_epochs: The largest number of epochs to train.
        train_s: Seconds to train that many epochs; None if unknown.
        sentences: The number of different sentences.
        missing: How many of them would be encoded.
        tokens: The number of tokens in the missing sentences.
        bytes: What would be written for the missing sentences.
        encode_s: Seconds to encode the missing sentences, from a trial with a few of them.
        download: What must be downloaded before anything else can be known, as a sentence; empty if nothing.
    """

    finished: bool = False
    max_epochs: int = 0
    train_s: float | None = None
    sentences: int = 0
    missing: int = 0
    tokens: int = 0
    bytes: float = 0.0
    encode_s: float = 0.0
    download: str = ""

    def __str__(self) -> str:
        if self.download:
            return self.download
        if self.finished:
            return "finished, would be skipped (overwrite=true runs it again)"
        encoding = (
            f"would encode {self.missing:,} of {self.sentences:,} sentences ({self.tokens:,} tokens, "
            f"{human_seconds(self.encode_s)}) and write {human_bytes(self.bytes)}; "
        )
        return f"{encoding if self.sentences else ''}{self.training}"

    @property
    def training(self) -> str:
        """How long training would take, as text."""
        unknown = "time unknown: no finished run has the same task options and vector widths"
        seconds = unknown if self.train_s is None else human_seconds(self.train_s)
        return f"would train at most {self.max_epochs} epochs ({seconds})"


class CostEstimator:
    """Estimates the cost of one run, or of several in turn.

    For several runs, each encoder is timed once, the records of each task are read once, and a sentence that several
    runs need is counted for the first of them.
    """

    def __init__(self) -> None:
        self._pace: dict[str, float] = {}  # encoder fingerprint -> seconds per token
        # Folder of a task -> options and widths -> seconds per example and epoch of each finished run.
        self._trained: dict[Path, defaultdict[str, list[float]]] = {}
        self._sentences: dict[tuple[str, ...], int] = {}  # encoder, precision and data -> number of sentences
        self._counted: set[tuple[str, Sentence]] = set()  # (encoder fingerprint, sentence)
        self._epochs: dict[str, int] = {}  # setting whose model can be built -> the largest number of epochs

    def estimate(self, plan: Plan) -> CostEstimate:
        """Return what a run would cost; nothing is written, and only a few sentences are encoded as a trial.

        The model of each setting is built once, so that an option that the run would refuse is refused here too.

        Raises:
            HarnessError: The run would fail.
        """
        if finished_record(plan.folder) is not None and not plan.config.overwrite:
            return CostEstimate(finished=True)
        if plan.setting not in self._epochs:
            model = build_model(plan, vocabulary=())  # the values of its weights do not matter
            self._epochs[plan.setting] = 1 if isinstance(model.head, Fitted) else plan.config.trainer.max_epochs
        epochs = self._epochs[plan.setting]
        cost = CostEstimate(max_epochs=epochs, train_s=self._training_seconds(plan, epochs))
        if plan.encoder is None:
            return cost
        texts = (plan.encoder.fingerprint, plan.config.cache, plan.config.cache_dtype, *plan.digests.values())
        if texts not in self._sentences:
            self._add_encoding(cost, plan)
            self._sentences[texts] = cost.sentences
        cost.sentences = self._sentences[texts]
        return cost

    def _add_encoding(self, cost: CostEstimate, plan: Plan) -> None:
        """Add what the run would encode, of what no earlier run would encode."""
        source = layer_source(plan)
        assert source is not None
        fill, encoder = source.plan(sentences(plan.examples)), source.encoder
        new = [sentence for sentence in fill.missing if (encoder.fingerprint, sentence) not in self._counted]
        self._counted.update((encoder.fingerprint, sentence) for sentence in new)
        if new and encoder.cacheable and encoder.fingerprint not in self._pace:
            self._pace[encoder.fingerprint] = _seconds_per_token(encoder, new)
        cost.sentences, cost.missing, cost.tokens = fill.sentences, len(new), sum(map(len, new))
        cost.bytes = fill.bytes * cost.tokens / max(1, sum(map(len, fill.missing)))
        cost.encode_s = self._pace.get(encoder.fingerprint, 0.0) * cost.tokens

    def _training_seconds(self, plan: Plan, epochs: int) -> float | None:
        """Return the time of some epochs, from finished runs with the same task options and vector widths."""
        folder = plan.folder.parent
        if folder not in self._trained:
            self._trained[folder] = defaultdict(list)
            for record in _finished_records(folder):
                widths = record.encoder["dim"], record.embedding["dim"]
                seconds = record.timing["train_s"] / record.epochs / record.data["sizes"]["train"]
                self._trained[folder][_size_of(record.config["task"], widths)].append(seconds)
        widths = plan.encoder.dim if plan.encoder else 0, plan.static.dim if plan.static else 0
        seconds_per_example = self._trained[folder].get(_size_of(plan.config.task, widths))
        if not seconds_per_example:
            return None
        trainings = 2 if plan.config.code_length else 1  # the portions of the code are as many examples as all together
        return trainings * median(seconds_per_example) * len(plan.examples["train"]) * epochs


def _size_of(task: Mapping[str, Any], widths: tuple[int, int]) -> str:
    """Return a digest of what the time of training depends on: the options of a task, and the widths of its vectors."""
    return identity_digest({"task": without_data(task), "widths": widths})


def _seconds_per_token(encoder: Encoder, missing: Sequence[Sentence]) -> float:
    """Return the time that the encoder needs for a token; 0 if there is none."""
    speed = tokens_per_second(encoder, missing)
    return 1 / speed if speed else 0.0


def _finished_records(folder: Path) -> list[RunRecord]:
    """Return the finished runs of a task, from its folder of results."""
    found = [readable_record(path) for path in folder.glob("*/record.json")]
    return [
        record
        for record in found
        if record is not None
        and record.status == "ok"
        and record.epochs
        and record.data.get("sizes", {}).get("train")
        and {"dim"} <= record.encoder.keys() & record.embedding.keys()
        and "train_s" in record.timing
    ]

"""What a run costs, for the record: size and speed of the encoder, the store, the head, time and memory.

Nothing of it is part of the run's identity, and only values of the same ``device`` can be compared.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from harness.errors import DataFormatError
from harness.features.store import FeatureStore, FillPlan
from harness.optional_protocols import Sized
from harness.protocols import Encoder
from harness.runs.plan import Plan, sentences
from harness.runs.record import RunRecord
from harness.training.model import Model
from harness.training.trainer import Progress
from harness.types import Sentence
from harness.utils.files import read_written_json, write_json

# encoder_parameters: The number of the encoder's weights; 0 without an encoder, None if it does not tell.
# tokens_per_s: Tokens that the encoder encodes in a second: the median of five timed batches, whose words it has met
#   before, as most words of a long text. A first pass over a short text is slower.
# device: The GPU, or the processor and the number of threads.
# bytes_per_token: What the feature store holds for each token of the data.
# head_parameters: The number of the head's weights.
# epoch_s: Seconds of training for each epoch, with the scoring of dev.
# peak_memory_bytes, peak_gpu_memory_bytes: The greatest memory of the process, and of torch on the GPU.
COST_FIELDS = (
    "encoder_parameters",
    "tokens_per_s",
    "device",
    "bytes_per_token",
    "head_parameters",
    "epoch_s",
    "peak_memory_bytes",
    "peak_gpu_memory_bytes",
)
_PLACES = (0.1, 0.3, 0.5, 0.7, 0.9)  # of the timed batches, among the sentences in the order of their lengths
_FIRST = 16  # sentences of the smallest batch
_LONG_ENOUGH = 0.5  # seconds that a batch should take, so that the clock and the first step do not matter
_FASTER = 1.2  # a larger batch is used if it encodes so many times as many sentences in a second
_MOST = 10_000  # sentences from which batches are drawn


def cost_of(record: RunRecord) -> dict[str, Any]:
    """Return the value of each of ``COST_FIELDS`` in a record; None if it is unknown, as in records without costs."""
    return {name: record.cost.get(name) for name in COST_FIELDS}


def run_cost(
    plan: Plan, model: Model, progress: Progress, *, filled: FillPlan, memory: Mapping[str, int | None]
) -> dict[str, Any]:
    """Return what a finished run has cost.

    Args:
        plan: The plan of the run.
        model: The trained model.
        progress: The progress of training, which knows its time.
        filled: What the feature store had to do for the run.
        memory: The peak memory of the run; see ``peak_memory``.
    """
    encoder, source = plan.encoder, model.features.source
    parameters = encoder.num_parameters if isinstance(encoder, Sized) else None
    return {
        "encoder_parameters": 0 if encoder is None else parameters,
        "tokens_per_s": encoding_speed(plan, source.folder if isinstance(source, FeatureStore) else None),
        "device": _device(plan),
        "bytes_per_token": filled.bytes_per_token,
        "head_parameters": sum(parameter.numel() for parameter in model.head.parameters()),
        "epoch_s": progress.seconds / progress.epoch if progress.epoch else None,
        "peak_memory_bytes": memory["process"],
        "peak_gpu_memory_bytes": memory["gpu"],
    }


def encoding_speed(plan: Plan, store: Path | None) -> float | None:
    """Return how many tokens of a run's data its encoder encodes in a second; None without an encoder or tokens.

    It is measured once for each store and device, and written beside the store: later runs, which may share the
    machine with others, read it.

    Args:
        plan: The plan of the run.
        store: The folder of the feature store; None measures and writes nothing.
    """
    if plan.encoder is None:
        return None
    if store is None:
        return tokens_per_second(plan.encoder, sentences(plan.examples))
    path, device = store / "tokens_per_s.json", _device(plan)
    known: dict[str, Any] = {}
    with suppress(DataFormatError):  # it is not there yet, or damaged: measure again
        read = read_written_json(path, fix="delete it")
        known = read if isinstance(read, dict) else {}
    if not isinstance(known.get(device), float):
        known[device] = tokens_per_second(plan.encoder, sentences(plan.examples))
        with suppress(OSError):  # the store is full or may only be read: measure again next time
            write_json(path, known)
    speed: float | None = known[device]
    return speed


def tokens_per_second(encoder: Encoder, text: Iterable[Sentence]) -> float | None:
    """Return the median speed of an encoder over five batches, each encoded once before it is timed.

    A batch has 16 sentences of about the same length, or twice, four times ... as many, until it takes half a
    second and a larger one is not much faster. Some encoders add empty rows to small batches, which are then slow.

    Args:
        encoder: The encoder.
        text: Sentences, of which the first 10,000 are used. None is returned without any token.
    """
    rows = sorted((sentence for sentence in dict.fromkeys(islice(text, _MOST)) if sentence), key=len)
    if not rows:
        return None
    size = min(_FIRST, len(rows))
    seconds = _seconds(encoder, _around(0.5, rows, size))
    while size < len(rows):
        larger = min(2 * size, len(rows))
        of_larger = _seconds(encoder, _around(0.5, rows, larger))
        if seconds >= _LONG_ENOUGH and larger / of_larger < _FASTER * size / seconds:
            break
        size, seconds = larger, of_larger
    speeds = []
    for place in _PLACES:
        batch = _around(place, rows, size)
        _seconds(encoder, batch)  # fills caches of words, and captures what a GPU replays
        speeds.append(sum(map(len, batch)) / _seconds(encoder, batch))
    return median(speeds)


def _around(place: float, rows: Sequence[Sentence], size: int) -> Sequence[Sentence]:
    """Return neighbouring rows; ``place`` is 0 for the first ones and 1 for the last ones."""
    start = round(place * (len(rows) - size))
    return rows[start : start + size]


def _seconds(encoder: Encoder, batch: Sequence[Sentence]) -> float:
    """Encode sentences, and return how long it took."""
    started = time.perf_counter()
    for _ in encoder.encode(batch):
        pass
    return time.perf_counter() - started


def _device(plan: Plan) -> str:
    """Return the name of the device on which a run computes, and on a CPU the number of threads."""
    about = plan.environment
    threads = about["threads"]
    return str(about["gpu"] or f"{about['processor']}, {threads} thread{'s' if threads > 1 else ''}")

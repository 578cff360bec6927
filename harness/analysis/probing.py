"""What probes say: scores next to those of control tasks, code lengths, and expected layers, from recorded runs."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from harness.analysis.layer_use import Estimate, ExpectedLayer, LayerUse, estimate, expected_layer, layer_use
from harness.runs.record import RunRecord, flattened, identity_digest
from harness.types import SPLITS

CUMULATIVE = "cumulative_mix"  # the value of ``mixing.code`` of mixes of layers 0 to l
CONTROL = "task.control"  # the option with the seed of a control task
_INDEX = "mixing.index"


@dataclass(frozen=True, kw_only=True)
class Probe:
    """The runs of one setting over its seeds, on the test data.

    Attributes:
        example: The record of one of the runs.
        score: The primary metric.
        control: The same in the control task; None if there is no such run.
        selectivity: The difference of the two, paired by seed; None without a pair.
        bits, compression: The code length of the training labels; None if it was not measured.
    """

    example: RunRecord
    score: Estimate
    control: Estimate | None
    selectivity: Estimate | None
    bits: Estimate | None
    compression: Estimate | None

    def cells(self, unknown: str) -> list[str]:
        """Return the cells of a table: the three scores in percent, the code length in kbit, and the compression.

        Args:
            unknown: What stands for a value that was not measured.
        """
        scores = [(value, 100.0) for value in (self.score, self.control, self.selectivity)]
        values = [*scores, (self.bits, 0.001), (self.compression, 1.0)]
        return [unknown if value is None else value.text(factor=factor) for value, factor in values]


def probes(records: Iterable[RunRecord]) -> list[Probe]:
    """Return the settings of finished runs, with the runs of its control task next to each.

    Source: Hewitt and Liang 2019 (arXiv 1909.03368), section 2: selectivity.
    """
    found = []
    for runs in _grouped(records, without=(CONTROL,)):
        controls = [run for run in runs if CONTROL in run.determining]
        tasks: dict[str, dict[int, RunRecord]] = defaultdict(dict)
        for run in runs:
            if CONTROL not in run.determining:
                tasks[run.setting][run.seed] = run
        for task in tasks.values():
            example = next(iter(task.values()))
            # Other data of the same name and size is another setting, with other files.
            found.append(_probe(task, [run for run in controls if len(tasks) == 1 or _files(run) == _files(example)]))
    return found


def _probe(task: Mapping[int, RunRecord], controls: Iterable[RunRecord]) -> Probe:
    """Return what the runs of a setting, by seed, and of its control task say."""
    control = defaultdict(list)
    for run in controls:
        control[run.seed].append(_score(run))
    codes = [run.code_length for run in task.values() if run.code_length]
    return Probe(
        example=next(iter(task.values())),
        score=estimate([_score(run) for run in task.values()]),
        control=_estimate([mean(scores) for scores in control.values()]),
        selectivity=_estimate([_score(run) - mean(control[seed]) for seed, run in task.items() if seed in control]),
        bits=_estimate([code["bits"] for code in codes]),
        compression=_estimate([code["compression"] for code in codes]),
    )


def _files(run: RunRecord) -> list[Any]:
    """Return the files of a run's data."""
    options = flattened(run.config)
    return [options.get(f"data.{split}") for split in SPLITS]


def layer_uses(records: Iterable[RunRecord]) -> list[tuple[RunRecord, str, LayerUse]]:
    """Return one run, the place of the mix, and what it has learned, for each setting with a learned mix."""
    return [
        (runs[0], place, layer_use(weights))
        for runs in _grouped(records, without=())
        for place in runs[0].mixing["weights"]
        if (weights := learned_weights(runs, place))
    ]


def learned_weights(runs: Iterable[RunRecord], place: str) -> list[list[float]]:
    """Return the weights of the layers in each run; nothing if they were not learned, or are damaged.

    Fixed mixes have equal weights, or a single layer.

    Args:
        runs: The runs of a setting.
        place: Where the mix enters the head, ``input`` or ``output``.
    """
    weights = [list(run.mixing.get("weights", {}).get(place, ())) for run in runs]
    lengths = set(map(len, weights))
    if len(lengths) != 1 or lengths <= {0, 1} or not all(0 <= weight <= 1 for one in weights for weight in one):
        return []
    fixed = all(len(set(one)) == 1 or set(one) <= {0.0, 1.0} for one in weights)
    return [] if fixed else weights


def expected_layers(records: Iterable[RunRecord], split: str = "test") -> list[tuple[RunRecord, ExpectedLayer]]:
    """Return the expected layer of each setting that was run with the mixes of layers 0 to l, for all l.

    The scores of the seeds that all these mixes have are averaged before. A setting without such a seed is left out.

    Args:
        records: The runs of any settings.
        split: The split that was scored.
    """
    cumulative = [run for run in records if run.determining.get("mixing.code") == CUMULATIVE]
    found = []
    for runs in _grouped(cumulative, without=(_INDEX,)):
        layers = runs[0].encoder.get("num_layers", 0)
        scores: dict[int, dict[int, float]] = defaultdict(dict)
        for run in runs:
            index = run.determining.get(_INDEX)
            if layers > 1 and isinstance(index, int):
                scores[index % layers][run.seed] = _score(run, split)
        seeds = set.intersection(*map(set, scores.values())) if scores else set()
        if seeds and len(scores) == layers:
            means = [mean(scores[layer][seed] for seed in seeds) for layer in range(layers)]
            found.append((runs[0], expected_layer(means)))
    return found


def _grouped(records: Iterable[RunRecord], *, without: Sequence[str]) -> list[list[RunRecord]]:
    """Return the finished runs that differ only in their seed and in these options, in the order of their first run.

    A control task has the data of its task with other labels, whose digests differ.
    """
    groups: dict[str, list[RunRecord]] = defaultdict(list)
    for run in records:
        if run.status == "ok" and run.determining:
            key: dict[str, Any] = {
                name: value
                for name, value in run.determining.items()
                if name not in ("seed", *without) and not (CONTROL in without and name.startswith("data.sha256"))
            }
            key["data"] = [run.data["name"], run.data.get("sizes")]
            groups[identity_digest(key)].append(run)
    return list(groups.values())


def _score(run: RunRecord, split: str = "test") -> float:
    return run.metrics[split][run.primary_metric]


def _estimate(values: Sequence[float]) -> Estimate | None:
    """Return the estimate of values, or None if there are none."""
    return estimate(values) if values else None

"""From a config to the parts of a run: what is built, and the folder that its identity names."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import torch

from harness.config.instantiate import build
from harness.config.schema import HarnessConfig, MixingConfig, mixing_of, plain
from harness.errors import ConfigError
from harness.features.static_vectors import Coverage, StaticVectors
from harness.features.store import FeatureStore, LayerSource, Uncached
from harness.features.token_features import TokenFeatures
from harness.protocols import Encoder, Task, Tracker
from harness.runs.environment import environment, sweep_name
from harness.runs.record import examples_digest, identity_digest, run_folder
from harness.tracking.wandb_tracker import NoTracker
from harness.training.model import Model
from harness.training.optimizer import make_optimizer
from harness.types import SPLITS, Example, Sentence, Split
from harness.utils.devices import device_of

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run whose parts are built and whose folder is known, before anything is computed."""

    config: HarnessConfig
    task: Task
    encoder: Encoder | None
    static: StaticVectors | None
    mixing: MixingConfig
    device: str
    examples: Mapping[Split, Sequence[Example]]
    digests: Mapping[Split, str]
    coverage: Coverage | None
    environment: Mapping[str, Any]
    group: str
    identity: str
    setting: str

    @property
    def name(self) -> str:
        """The run's name: what is compared, and the seed."""
        return f"{self.group}-s{self.config.seed}"

    @property
    def folder(self) -> Path:
        """Where the run's files lie."""
        return run_folder(self.config.results_dir, self.task.name, self.name, self.identity)

    @property
    def sizes(self) -> str:
        """The sizes of the splits, in words."""
        counts = ", ".join(f"{len(examples):,} {split}" for split, examples in self.examples.items())
        return f"{counts} from {self.task.data_name}"


class Parts:
    """What the runs of one process share: of each kind the object made last, made anew where its key differs.

    The runs of a sweep then read their data, the encoder's weights and the static vectors once.
    """

    def __init__(self) -> None:
        self._made: dict[str, tuple[str, Any]] = {}

    def once(self, kind: str, key: Any, make: Callable[[], T]) -> T:
        """Return what ``make`` made for this key; ``key`` is anything that JSON can say."""
        wanted = json.dumps(key, sort_keys=True, default=str)
        made, result = self._made.get(kind, (None, None))
        if made != wanted:
            result = make()
            self._made[kind] = wanted, result
        return cast(T, result)

    def forget(self, kind: str) -> None:
        """Make the next one of this kind anew."""
        self._made.pop(kind, None)


def prepare(config: HarnessConfig, parts: Parts | None = None) -> Plan:
    """Build the parts of a run and find its folder.

    Args:
        config: of the run.
        parts: what earlier runs of this process have built.

    Raises:
        HarnessError: the request is wrong.
    """
    parts = parts or Parts()
    device = device_of(config.device)
    make_optimizer([torch.nn.Parameter(torch.zeros(1, 1))], config.trainer)  # so that a wrong option is said at once
    mixing = mixing_of(config.mixing)
    make = partial(build, prefixes=config.plugins)
    task, examples, whole = parts.once("task", [config.task, config.plugins], lambda: _read(make, config.task))
    examples = dict(examples)
    examples["train"] = fraction_of(examples["train"], config.data.fraction, seed=config.seed)
    digests = whole if config.data.fraction == 1 else {**whole, "train": examples_digest(examples["train"])}
    # Only now what may take a download.
    encoder = _encoder(config, device, parts)
    static: StaticVectors | None = parts.once(
        "static", [config.embedding, config.plugins], lambda: make(config.embedding, where="embedding")
    )
    determining = config.determining()
    if encoder is None:
        mixing = MixingConfig(name="none")
    identity = {
        "config": determining,
        "data": digests,
        "encoder": encoder.fingerprint if encoder is not None else None,
        "embedding": static.fingerprint if static is not None else None,
        "task_version": task.version,
        "device": device.partition(":")[0],
    }
    setting = {**identity, "data": whole, "config": {k: v for k, v in determining.items() if k != "seed"}}
    vectors = "+".join(part.name for part in (encoder, static) if part is not None) or "none"
    mix = f"-{mixing.name}-{mixing.placement}" if encoder is not None else ""
    return Plan(
        config=config,
        task=task,
        encoder=encoder,
        static=static,
        mixing=mixing,
        device=device,
        examples=examples,
        digests=digests,
        coverage=_coverage(static, examples, digests, parts),
        environment=environment(device),
        group=re.sub(r"[^\w.+-]", "_", f"{vectors}{mix}"),
        identity=identity_digest(identity),
        setting=identity_digest(setting),
    )


def _read(make: Callable[..., Any], node: Any) -> tuple[Task, Mapping[Split, Sequence[Example]], Mapping[Split, str]]:
    """Return a task, its examples and their digests."""
    task: Task | None = make(node, where="task")
    if task is None:
        raise ConfigError("task is none: there is nothing to train; choose one with task=NAME")
    examples = {split: task.examples(split) for split in SPLITS}
    return task, examples, {split: examples_digest(examples[split]) for split in SPLITS}


def _encoder(config: HarnessConfig, device: str, parts: Parts) -> Encoder | None:
    """Return the encoder, shared where what it computes does not depend on what it computed before."""
    make = partial(build, config.encoder, where="encoder", prefixes=config.plugins, offered={"device": device})
    encoder: Encoder | None = parts.once("encoder", [config.encoder, config.plugins, device], make)
    if encoder is not None and not encoder.cacheable:
        parts.forget("encoder")
    return encoder


def layer_source(plan: Plan) -> LayerSource | None:
    """Return where layers come from: a store on disk, the encoder itself, or nowhere."""
    if plan.encoder is None:
        return None
    dtype = plan.config.cache_dtype
    if plan.config.cache == "none":
        return Uncached(plan.encoder, dtype=dtype)
    return FeatureStore(Path(plan.config.cache_dir) / "features", plan.encoder, dtype=dtype)


def build_model(plan: Plan) -> Model:
    """Return the untrained features and head; the torch seed determines their initial values.

    Raises:
        HarnessError: the parts do not go together.
    """
    encoder, mixing = plan.encoder, plan.mixing
    make_mix = None
    if encoder is not None:
        make_mix = partial(
            build,
            mixing.mix,
            where="mixing",
            prefixes=plan.config.plugins,
            num_layers=encoder.num_layers,
            dim=encoder.dim,
        )
    features = TokenFeatures(
        source=layer_source(plan),
        make_mix=make_mix,
        placement=mixing.placement,
        mix_dropout=mixing.dropout,
        static=plan.static,
        vocabulary={word for sentence in sentences(plan.examples) for word in sentence},
    )
    head = plan.task.build_head(input_dim=features.input_dim, output_dim=features.output_dim)
    return Model(features=features, head=head).to(plan.device)


def start_tracking(plan: Plan) -> Tracker:
    """Start whatever ``tracking`` names. What an ablation varies is a value of its own, by a short name."""
    config, mix = plan.config, plan.mixing
    axes = {
        "task": plan.task.name,
        "head": config.task.get("head") if isinstance(config.task.get("head"), str) else None,
        "encoder": plan.encoder.name if plan.encoder is not None else "none",
        "state": plan.encoder.state if plan.encoder is not None else "none",
        "embedding": plan.static.name if plan.static is not None else "none",
        "mixing": mix.name,
        "placement": mix.placement,
        "lambda": mix.mix.get("lambda_"),
        "layer_norm": mix.mix.get("layer_norm"),
        "seed": config.seed,
        "fraction": config.data.fraction,
    }
    tags = [f"{axis}:{axes[axis]}" for axis in ("task", "encoder", "embedding", "mixing")]
    return tracker_of(
        config,
        run_name=f"{plan.task.name}-{plan.name}",
        run_group=sweep_name() or f"{plan.task.name}-{plan.group}",
        run_tags=tags,
        job_type=plan.task.name,
        values={**axes, "config": plain(config)},
    )


def tracker_of(
    config: HarnessConfig,
    *,
    run_name: str,
    run_group: str,
    run_tags: Sequence[str],
    job_type: str,
    values: Mapping[str, Any],
) -> Tracker:
    """Build the tracker that ``tracking`` names; one that does nothing where that is none."""
    tracker: Tracker | None = build(
        config.tracking,
        where="tracking",
        prefixes=config.plugins,
        run_name=run_name,
        run_group=run_group,
        run_tags=run_tags,
        job_type=job_type,
        config=values,
    )
    return NoTracker() if tracker is None else tracker


def sentences(examples: Mapping[Split, Sequence[Example]]) -> Iterator[Sentence]:
    """Yield every text of every split."""
    for split in examples.values():
        for example in split:
            yield from example.texts.values()


def _coverage(
    static: StaticVectors | None,
    examples: Mapping[Split, Sequence[Example]],
    digests: Mapping[Split, str],
    parts: Parts,
) -> Coverage | None:
    """Return how much of the text the static vectors cover."""
    if static is None:
        return None

    def count() -> Coverage:
        return static.coverage(Counter(word for sentence in sentences(examples) for word in sentence))

    return parts.once("coverage", [static.fingerprint, digests], count)


def fraction_of(examples: Sequence[Example], fraction: float, *, seed: int) -> Sequence[Example]:
    """Return a seeded random part, in file order; of one seed, smaller parts lie within larger ones."""
    if fraction == 1:
        return examples
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed)).tolist()
    return [examples[i] for i in sorted(order[: max(1, round(fraction * len(examples)))])]

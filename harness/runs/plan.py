"""Build what a run consists of, and find the folder that its identity names."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, cast

import torch

from harness.config.instantiate import build, names_nothing, target_of
from harness.config.schema import HarnessConfig, MixingConfig, determining_options, mixing_of, plain
from harness.encoders.plugin_encoder import build_encoder
from harness.errors import ConfigError
from harness.features.static_vectors import Coverage, StaticVectors
from harness.features.store import FeatureStore
from harness.features.uncached import LayerSource, Uncached
from harness.protocols import Encoder, Task
from harness.runs.checked_task import checked_examples, checked_task
from harness.runs.environment import environment
from harness.runs.identity import Target, determining
from harness.runs.predictions import examples_digest
from harness.runs.record import identity_digest
from harness.training.code_length import Coding
from harness.training.determinism import set_up_torch
from harness.training.model import Model, assembled
from harness.training.optimizer import make_optimizer
from harness.types import SPLITS, Example, Sentence, Split, sentences_of
from harness.utils.devices import device_of
from harness.utils.files import as_file_name

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run before anything is computed: its objects are built and its folder is known.

    Attributes:
        config: The typed configuration of the run.
        task: The task that reads, collates and scores the examples.
        encoder: The frozen encoder, or None.
        static: The static vectors, or None.
        mixing: How the encoder's layers become one vector per token.
        device: The torch device, for example ``cpu`` or ``cuda:0``.
        examples, digests: The examples of each split, and their SHA-256.
        coverage: How much of the text has a static vector; None without static vectors.
        environment: The code revision, the package versions and the hardware.
        group: The run's name without the seed: encoder, static vectors and mix.
        determining: Everything that determines the result, for the record; see ``harness.runs.identity``.
        identity, setting: Digests of the same, with and without the seed.
    """

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
    determining: Mapping[str, Any]
    identity: str
    setting: str

    @property
    def name(self) -> str:
        """The run's name: the representation that it tests, and the seed."""
        return f"{self.group}-s{self.config.seed}"

    @property
    def folder(self) -> Path:
        """The folder of the run's files; ``folder_of`` finds the same from its record."""
        return Path(self.config.results_dir) / self.task.name / f"{self.name}-{self.identity}"

    @property
    def sizes(self) -> str:
        """The number of examples in each split, as text."""
        counts = ", ".join(f"{len(examples):,} {split}" for split, examples in self.examples.items())
        return f"{counts} from {self.task.data_name}"


class SharedObjects:
    """Objects that the runs of one process share: the last one built of each kind.

    The runs of a sweep then read their data, the encoder's weights and the static vectors once.
    """

    def __init__(self) -> None:
        self._built: dict[str, tuple[str, Any]] = {}

    def get(self, kind: str, key: Any, make: Callable[[], T]) -> T:
        """Return the last object of this kind if it was built for the same key; otherwise build it.

        Args:
            kind: The kind of object, for example ``encoder``.
            key: Everything that the object depends on, as a value that JSON can represent.
            make: Builds the object.
        """
        wanted = json.dumps(key, sort_keys=True, default=str)
        known, built = self._built.get(kind, (None, None))
        if known != wanted:
            built = make()
            self._built[kind] = wanted, built
        return cast(T, built)

    def forget(self, kind: str) -> None:
        """Build the next object of this kind again."""
        self._built.pop(kind, None)


def prepare(config: HarnessConfig, shared: SharedObjects | None = None) -> Plan:
    """Set up torch, build what a run consists of, and find its folder.

    Args:
        config: The typed configuration of the run.
        shared: Objects that earlier runs of this process built; None builds everything.

    Raises:
        HarnessError: The request is wrong.
    """
    set_up_torch(config)
    shared = shared or SharedObjects()
    device = device_of(config.device)
    make_optimizer([torch.nn.Parameter(torch.zeros(1, 1))], config.trainer)  # report a wrong option before any work
    mixing = mixing_of(config.mixing)
    task, examples, whole = shared.get("task", [config.task, config.plugins], lambda: _task_and_examples(config))
    examples = {**examples, "train": fraction_of(examples["train"], config.data.fraction, seed=config.seed)}
    digests = whole
    if config.data.fraction != 1:
        drawn = partial(examples_digest, examples["train"])
        kind = f"digest of {config.data.fraction} of the examples, seed {config.seed}"
        digests = {**whole, "train": shared.get(kind, [config.task, config.plugins], drawn)}
    # Encoder and vectors come after the data, because they may be downloaded.
    encoder = _encoder(config, device, shared)
    static = _static(config, shared)
    coverage = None
    if static is not None:
        words = (word for sentence in sentences(examples) for word in sentence)
        coverage = shared.get(f"coverage of {digests}", static.fingerprint, lambda: static.coverage(Counter(words)))
    inputs = {f"data.sha256.{split}": digest for split, digest in whole.items()}
    inputs["encoder.fingerprint"] = encoder.fingerprint if encoder is not None else ""
    inputs["embedding.fingerprint"] = static.fingerprint if static is not None else ""
    inputs["device"] = device.partition(":")[0]
    own = partial(determining, task=task, targets=_targets(config), inputs=inputs)
    determined = own(config.determining())
    return Plan(
        config=config,
        task=task,
        encoder=encoder,
        static=static,
        mixing=mixing if encoder is not None else MixingConfig(name="none"),
        device=device,
        examples=examples,
        digests=digests,
        coverage=coverage,
        environment=environment(device),
        group=_group(encoder, static, mixing),
        determining=own(determining_options(plain(config))),
        identity=identity_digest(determined),
        setting=identity_digest({key: value for key, value in determined.items() if key != "seed"}),
    )


def _task_and_examples(
    config: HarnessConfig,
) -> tuple[Task, dict[Split, Sequence[Example]], dict[Split, str]]:
    """Return the task, all its examples, and their digests."""
    task = checked_task(build(config.task, kind=Task, where="task", plugins=config.plugins))
    examples: dict[Split, Sequence[Example]] = {split: checked_examples(task, split) for split in SPLITS}
    return task, examples, {split: examples_digest(examples[split]) for split in SPLITS}


def _targets(config: HarnessConfig) -> dict[str, Target]:
    """Return the classes or functions whose options determine the result: of the task, and of the mix if any."""
    nodes = {"task": config.task} if names_nothing(config.encoder) else {"task": config.task, "mixing": config.mixing}
    found = {name: target_of(node, where=name, plugins=config.plugins) for name, node in nodes.items()}
    return {name: target for name, target in found.items() if target is not None}


def _encoder(config: HarnessConfig, device: str, shared: SharedObjects) -> Encoder | None:
    """Return the encoder; runs share it unless its vectors depend on what it encoded before."""
    make = partial(build_encoder, config.encoder, device=device, plugins=config.plugins)
    encoder: Encoder | None = shared.get("encoder", [config.encoder, config.plugins, device], make)
    if encoder is not None and not encoder.cacheable:
        shared.forget("encoder")
    return encoder


def _static(config: HarnessConfig, shared: SharedObjects) -> StaticVectors | None:
    """Return the static vectors."""
    make = partial(build, config.embedding, kind=StaticVectors, where="embedding", plugins=config.plugins)
    static: StaticVectors | None = shared.get("static", [config.embedding, config.plugins], make)
    return static


def _group(encoder: Encoder | None, static: StaticVectors | None, mixing: MixingConfig) -> str:
    """Return the name that runs share if they differ only in the seed, made fit for a folder."""
    vectors = "+".join(part.name for part in (encoder, static) if part is not None) or "none"
    mix = f"-{mixing.name}-{mixing.placement}" if encoder is not None else ""
    return as_file_name(f"{vectors}{mix}")


def layer_source(plan: Plan) -> LayerSource | None:
    """Return where the run reads layers: a store on disk, or the encoder itself, or None without an encoder.

    Raises:
        ConfigError: The encoder's vectors cannot be kept in a store.
    """
    return None if plan.encoder is None else source_of(plan.encoder, plan.config)


def source_of(encoder: Encoder, config: HarnessConfig) -> LayerSource:
    """Return where the layers of an encoder are read.

    Args:
        encoder: The encoder.
        config: A typed configuration; ``cache``, ``cache_dir`` and ``cache_dtype`` are used.

    Raises:
        ConfigError: The encoder's vectors cannot be kept in a store.
    """
    if config.cache == "none":
        return Uncached(encoder, dtype=config.cache_dtype)
    return FeatureStore(Path(config.cache_dir) / "features", encoder, dtype=config.cache_dtype)


def build_model(plan: Plan, *, vocabulary: Collection[str] | None = None) -> Model:
    """Return the untrained features and head; torch's seed determines their initial values.

    Args:
        plan: The plan of the run.
        vocabulary: The words whose static vectors are needed; None for all words of the data.

    Raises:
        HarnessError: Encoder, mix, static vectors and head do not fit together.
    """
    model = assembled(
        task=plan.task,
        source=layer_source(plan),
        static=plan.static,
        mixing=plan.mixing,
        vocabulary=vocabulary if vocabulary is not None else set(chain.from_iterable(sentences(plan.examples))),
        plugins=plan.config.plugins,
    )
    if plan.config.code_length and not (isinstance(model.head, Coding) and len(model.head.labels) > 1):
        head = plan.config.task.get("head", type(model.head).__name__)
        raise ConfigError(
            f"code_length=true: the head '{head}' does not report the probabilities of two or more labels; leave it "
            "out, or choose another head or loss of the task, if it has one: task.head=linear, or task.loss=softmax"
        )
    return model.to(plan.device)


def sentences(examples: Mapping[Split, Sequence[Example]]) -> Iterator[Sentence]:
    """Yield every sentence of every text of every example of every split, repeated ones included."""
    for split in examples.values():
        for example in split:
            for text in example.texts.values():
                yield from sentences_of(text)


def fraction_of(examples: Sequence[Example], fraction: float, *, seed: int) -> Sequence[Example]:
    """Return a random part of the examples, in file order.

    Args:
        examples: All the examples.
        fraction: The part to keep, above 0 and at most 1.
        seed: The seed of the draw. With the same seed, a larger part contains every smaller one.
    """
    if fraction == 1:
        return examples
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed)).tolist()
    return [examples[i] for i in sorted(order[: max(1, round(fraction * len(examples)))])]

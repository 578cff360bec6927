"""What ``conf/pretrain.yaml`` composes, typed and checked."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.config.bounds import Count, Dropout, NonNegative, Positive, PositiveFloat, Seed, Threads


@dataclass
class TextConfig:
    """Which text is read: paths or globs of plain text or ``.gz``."""

    train: list[str] = field(default_factory=list)
    dev: list[str] = field(default_factory=list)


@dataclass
class ReadingConfig:
    """How text is read; see ``harness.pretrain.tokenized_text``."""

    tokenize: bool = False


@dataclass
class ModelConfig:
    """Group ``model``: the architecture as an official ``options.json`` has it, and its softmax."""

    name: str
    options: Mapping[str, Any]
    vocabulary: Annotated[int, Field(ge=4, le=2**31)]
    dropout: Dropout


@dataclass
class TrainerConfig:
    """How the biLM is trained; every value has a line in ``conf/pretrain.yaml``."""

    optimizer: Literal["adam", "adagrad"] = "adam"
    lr: NonNegative = 0.002
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_steps: Count = 200
    decay_steps: Count = 0
    streams: Positive = 128
    window: Positive = 20
    negatives: Positive = 4096
    accumulate: Positive = 1
    grad_norm: PositiveFloat | None = 10.0
    epochs: PositiveFloat = 1.0
    max_steps: Positive | None = None
    precision: Literal["float32", "bfloat16"] = "float32"


@dataclass
class PretrainConfig:
    """Everything that determines a pre-training, and where it goes."""

    model: ModelConfig
    data: TextConfig
    text: ReadingConfig
    trainer: TrainerConfig
    tracking: Any
    out: str
    init: str | None = None
    seed: Seed = 1
    device: str = "auto"
    threads: Threads | None = None
    cache_dir: str = ""
    results_dir: str = ""
    weights_precision: Literal["float32", "float16"] = "float32"
    log_every: Positive = 50
    dev_every: Positive = 1000
    dev_tokens: Positive = 20_000
    checkpoint_every: Positive = 250
    overwrite: bool = False
    plugins: list[str] = field(default_factory=list)

    def determining(self) -> dict[str, Any]:
        """Return what, beside the text and the initial weights, determines the course of the training.

        With a constant learning rate, the length of the training is not part of it: the updates before the final
        decay are the same however many there will be.
        """
        trainer = asdict(self.trainer)
        if self.trainer.schedule == "constant":
            for name in ("epochs", "max_steps", "decay_steps"):
                del trainer[name]
        return {
            "model": {key: value for key, value in asdict(self.model).items() if key != "name"},
            "trainer": trainer,
            "seed": self.seed,
        }

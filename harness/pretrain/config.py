"""What ``conf/pretrain.yaml`` composes, typed and checked."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from harness.config.schema import check_bounds


@dataclass
class TextConfig:
    """Which text is read: paths or globs of plain text or ``.gz``."""

    train: list[str] = field(default_factory=list)
    dev: list[str] = field(default_factory=list)


@dataclass
class ReadingConfig:
    """How text is read; see ``harness.pretrain.text``."""

    tokenize: bool = False


@dataclass
class ModelConfig:
    """Group ``model``: the architecture as an official ``options.json`` has it, and its softmax."""

    name: str
    options: Mapping[str, Any]
    vocabulary: int
    dropout: float


@dataclass
class TrainerConfig:
    """How the biLM is trained; every value has a line in ``conf/pretrain.yaml``."""

    optimizer: Literal["adam", "adagrad"] = "adam"
    lr: float = 0.002
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_steps: int = 200
    decay_steps: int = 0
    streams: int = 128
    window: int = 20
    negatives: int = 4096
    accumulate: int = 1
    grad_norm: float | None = 10.0
    epochs: float = 1.0
    max_steps: int | None = None
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
    seed: int = 1
    device: str = "auto"
    threads: int | None = None
    cache_dir: str = ""
    results_dir: str = ""
    weights_precision: Literal["float32", "float16"] = "float32"
    log_every: int = 50
    dev_every: int = 1000
    dev_tokens: int = 20_000
    checkpoint_every: int = 250
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


def check_ranges(config: PretrainConfig) -> None:
    """Check what types do not tell.

    Raises:
        ConfigError: a value is out of its range.
    """
    trainer, infinity = config.trainer, float("inf")
    bounds: list[tuple[str, float | None, float, float]] = [
        ("model.vocabulary", config.model.vocabulary, 4, 2**31),
        ("model.dropout", config.model.dropout, 0.0, 0.999),
        ("trainer.lr", trainer.lr, 0.0, infinity),
        ("trainer.warmup_steps", trainer.warmup_steps, 0, infinity),
        ("trainer.decay_steps", trainer.decay_steps, 0, infinity),
        ("trainer.streams", trainer.streams, 1, infinity),
        ("trainer.window", trainer.window, 1, infinity),
        ("trainer.negatives", trainer.negatives, 1, infinity),
        ("trainer.accumulate", trainer.accumulate, 1, infinity),
        ("trainer.grad_norm", trainer.grad_norm, 1e-12, infinity),
        ("trainer.epochs", trainer.epochs, 1e-9, infinity),
        ("trainer.max_steps", trainer.max_steps, 1, infinity),
        ("seed", config.seed, 0, 2**32 - 1),
        ("threads", config.threads, 1, 4096),
        ("log_every", config.log_every, 1, infinity),
        ("dev_every", config.dev_every, 1, infinity),
        ("dev_tokens", config.dev_tokens, 1, infinity),
        ("checkpoint_every", config.checkpoint_every, 1, infinity),
    ]
    check_bounds(bounds)

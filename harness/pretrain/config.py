"""The typed configuration of a pre-training, composed from ``conf/pretrain.yaml``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.config.bounds import Count, Dropout, NonNegative, Positive, PositiveFloat, Seed, Threads
from harness.config.secrets import Texts


@dataclass
class TextConfig:
    """Group ``data``: the text, as paths or globs of plain text or ``.gz`` files.

    Attributes:
        train: Text to train on. A file that is named twice is read twice in each epoch.
        dev: Held-out text, on which perplexity is measured.
    """

    train: list[str] = field(default_factory=list)
    dev: list[str] = field(default_factory=list)


@dataclass
class ReadingConfig:
    """Group ``text``: whether each line is raw text to be tokenised; see ``harness.pretrain.tokenized_text``."""

    tokenize: bool = False


@dataclass
class ModelConfig:
    """Group ``model``: the architecture of the biLM and the size of its softmax.

    Attributes:
        name: A short name for log lines and the tracker.
        options: The architecture, in the layout of an official ``options.json``.
        vocabulary: Largest number of words that the softmax predicts.
        dropout: Probability of dropping an input of an LSTM layer or of the softmax.
    """

    name: str
    options: Mapping[str, Any]
    vocabulary: Annotated[int, Field(ge=4, le=2**31)]
    dropout: Dropout


@dataclass
class TrainerConfig:
    """Group ``trainer``: how the biLM is trained. ``conf/pretrain.yaml`` explains every value."""

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

    @property
    def tokens_per_update(self) -> int:
        """Number of predictions of each direction in one update.

        ``accumulate`` lets one GPU make updates as large as the official training did on three.
        """
        return self.streams * self.window * self.accumulate


@dataclass
class PretrainConfig:
    """The whole configuration of one training. ``conf/pretrain.yaml`` explains every value."""

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
    _texts: Texts = field(default_factory=dict, repr=False)  # see ``harness.config.secrets``

    def determining(self) -> dict[str, Any]:
        """Return the options that determine the updates, in addition to the text and the initial weights.

        With a constant learning rate, the length of the training is not among them: the updates before the final
        decay do not depend on how many there will be.
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

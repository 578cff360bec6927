"""Token features: encoder layers -> mix -> concatenation with static vectors -> dropout."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from harness.config.schema import Placement
from harness.errors import ConfigError, HarnessError
from harness.features.portion import PortionOfLayers
from harness.features.static_vectors import StaticVectors
from harness.features.store import FillPlan
from harness.features.uncached import LayerSource
from harness.optional_protocols import Inspectable, Penalised, Selective
from harness.protocols import LayerMix
from harness.types import Batch, Sentence, TokenVectors


class TokenFeatures(nn.Module):
    """The input of every head: contextual and static vectors of each token.

    The mix is concatenated with the static vectors at the head's input, or it is passed on to be concatenated with the
    output of the head's contextual encoder, or both. Each place has its own mix (Peters et al. 2018, section 3.3).

    Args:
        source: Where layers are read; None for static vectors alone.
        make_mix: A function that returns a new mix; it is called once per place. None if ``source`` is None.
        placement: Where the mix enters: ``input``, ``output`` or ``both``.
        mix_dropout: The dropout probability on the mixed vector, in [0, 1).
        static: The static vectors; None for contextual vectors alone.
        vocabulary: The words whose static vectors are needed.

    Raises:
        ConfigError: Nothing would enter at the input, or a mix lists its layers in a wrong order.
    """

    def __init__(
        self,
        *,
        source: LayerSource | PortionOfLayers | None,
        make_mix: Callable[[], LayerMix] | None,
        placement: Placement = "input",
        mix_dropout: float = 0.0,
        static: StaticVectors | None = None,
        vocabulary: Iterable[str] = (),
    ) -> None:
        super().__init__()
        self.source = source
        self.mixes = nn.ModuleDict()
        if source is not None and make_mix is not None:
            for place in ("input", "output") if placement == "both" else (placement,):
                self.mixes[place] = _checked(make_mix())
        # All mixes of a run have the same options, and therefore use the same layers.
        num_layers = source.encoder.num_layers if source is not None else 0
        selective = (mix for mix in self.mixes.values() if isinstance(mix, Selective))
        self._layers = next((_layers_used(mix, num_layers) for mix in selective), None)
        self.mix_dropout = nn.Dropout(mix_dropout)
        self.static = _StaticEmbedding(static, vocabulary) if static is not None else None
        self.input_dim = self._mix_dim("input") + (self.static.dim if self.static is not None else 0)
        self.output_dim = self._mix_dim("output")
        if self.input_dim == 0:
            raise ConfigError(
                "nothing enters the head at its input: use an encoder with mixing.placement=input|both, "
                "or static vectors with embedding=..."
            )

    def _mix_dim(self, place: str) -> int:
        return cast(LayerMix, self.mixes[place]).output_dim if place in self.mixes else 0

    def fill(self, sentences: Iterable[Sentence], *, check: Callable[[], None]) -> FillPlan:
        """Make sure that the layers of all sentences can be read; return what had to be done.

        Args:
            sentences: All sentences that will be read.
            check: Called from time to time; it may raise in order to stop.
        """
        return self.source.fill(sentences, check=check) if self.source is not None else FillPlan()

    def fill_portion(self, sentences: Sequence[Sentence]) -> None:
        """Get ready to read these sentences only: encode them, and look up their words. Trained vectors stay."""
        self.fill(sentences, check=lambda: None)
        if self.static is not None:
            self.static.look_up(set().union(*sentences))

    @property
    def tokens_encoded(self) -> int:
        """The number of tokens that the encoder has encoded so far."""
        return self.source.tokens_encoded if self.source is not None else 0

    def read(self, batch: Batch) -> dict[str, Tensor]:
        """Read the layers that the mix uses, for each text field: float32 (batch, layers, tokens, dim), on the CPU."""
        if self.source is None:
            return {}
        return {text: self.source.read(batch.sentences(text), self._layers) for text in batch.masks}

    def forward(self, layers: Mapping[str, Tensor], batch: Batch) -> dict[str, TokenVectors]:
        """Return the token vectors of each text field.

        Args:
            layers: What ``read`` returned for this batch, on the device of this module.
            batch: The batch, on the same device.
        """
        vectors = {}
        for text, mask in batch.masks.items():
            mixed = {
                place: self.mix_dropout(_mixed(mix, layers[text], mask)) for place, mix in self.mixes.items()
            }  # (batch, tokens, mix_dim) each
            parts = [mixed["input"]] if "input" in mixed else []
            if self.static is not None:
                parts.append(self.static(batch.sentences(text), mask))
            vectors[text] = TokenVectors(input=torch.cat(parts, dim=2), output=mixed.get("output"))
        return vectors

    def penalty(self) -> Tensor | float:
        """Return the sum of what the mixes add to the training loss."""
        return sum(mix.penalty() for mix in self.mixes.values() if isinstance(mix, Penalised))

    def mix_state(self) -> dict[str, dict[str, list[float] | float]]:
        """Return the layer weights and gamma of each place, for the record."""
        mixes = {place: mix for place, mix in self.mixes.items() if isinstance(mix, Inspectable)}
        return {
            "weights": {place: _numbers(mix, "layer_weights", mix.layer_weights()) for place, mix in mixes.items()},
            "gamma": {place: _numbers(mix, "scale", [mix.scale()])[0] for place, mix in mixes.items()},
        }


def _checked(mix: Any) -> nn.Module:
    """Return a mix, once its members are checked."""
    output_dim = getattr(mix, "output_dim", None)
    if not (isinstance(mix, nn.Module) and type(output_dim) is int and output_dim > 0):
        found = f"its output_dim is {output_dim!r}" if isinstance(mix, nn.Module) else "it is no torch.nn.Module"
        raise ConfigError(f"mixing: {type(mix).__name__}: {found}; see LayerMix in harness/protocols.py")
    return mix


def _numbers(mix: nn.Module, method: str, values: Any) -> list[float]:
    """Return what a mix says of its weights, as plain numbers; they may be NaN in a run that has failed."""
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError):
        raise HarnessError(f"{type(mix).__name__}.{method} returned {values!r}; expected numbers") from None


def _mixed(mix: nn.Module, layers: Tensor, mask: Tensor) -> Tensor:
    """Return what a mix makes of the layers of a batch, (batch, tokens, mix_dim), once its shape is checked."""
    if (layers.shape[0], layers.shape[2]) != mask.shape:
        sizes = f"{tuple(mask.shape)} for texts of (batch, tokens) = {(layers.shape[0], layers.shape[2])}"
        raise HarnessError(f"the task's collate made a mask of shape {sizes}; make it with harness.nn.masking")
    mixed = mix(layers, mask)
    expected: tuple[Any, ...] = (*mask.shape, mix.output_dim)
    if not isinstance(mixed, Tensor) or mixed.dtype != layers.dtype:
        found = f"a tensor of {mixed.dtype}" if isinstance(mixed, Tensor) else f"a {type(mixed).__name__}"
        raise HarnessError(f"{type(mix).__name__} returned {found}; expected a tensor of {layers.dtype}")
    if tuple(mixed.shape) != expected:
        shapes = f"returned {tuple(mixed.shape)} for layers of shape {tuple(layers.shape)}"
        raise HarnessError(f"{type(mix).__name__} {shapes}; expected (batch, tokens, output_dim) = {expected}")
    return mixed


def _layers_used(mix: Selective, num_layers: int) -> Sequence[int]:
    """Return the layers that a mix uses, once their order is checked."""
    used = mix.layers_used
    right = isinstance(used, Sequence) and all(type(layer) is int and 0 <= layer < num_layers for layer in used)
    if not right or not used or list(used) != sorted(set(used)):
        raise ConfigError(
            f"{type(mix).__name__}.layers_used is {used!r}; expected layers from the lowest, of 0 to {num_layers - 1}"
        )
    return used


class _StaticEmbedding(nn.Module):
    """The static vectors of one vocabulary; every other word gets the vector of an unknown word."""

    def __init__(self, static: StaticVectors, vocabulary: Iterable[str]) -> None:
        super().__init__()
        self.dim, self._static = static.dim, static
        words = sorted(set(vocabulary))
        self._rows = {word: row for row, word in enumerate(words, start=2)}  # 0: padding, 1: unknown
        vectors, _ = static.lookup(["", *words])  # (words + 1, dim)
        table = torch.cat([torch.zeros(1, static.dim), vectors])  # (words + 2, dim)
        self.embedding = nn.Embedding.from_pretrained(table, freeze=not static.trainable, padding_idx=0)
        self.trained_words = words if static.trainable else []

    def look_up(self, words: Iterable[str]) -> None:
        """Replace the words that are not trained by others, so that the table does not grow with a text."""
        new = sorted(set(words).difference(self.trained_words))
        kept = self.embedding.weight.detach()[: 2 + len(self.trained_words)]  # (2 + trained words, dim)
        vectors, _ = self._static.lookup(new)  # (new words, dim)
        self._rows = {word: row for row, word in enumerate([*self.trained_words, *new], start=2)}
        self.embedding = nn.Embedding.from_pretrained(torch.cat([kept, vectors.to(kept.device)]), padding_idx=0)

    def forward(self, sentences: list[Sentence], mask: Tensor) -> Tensor:
        """Return the vector of each token: (batch, tokens, dim), zero at padded positions."""
        rows = torch.zeros(mask.shape, dtype=torch.int64)  # (batch, tokens)
        words = [self._rows.get(word, 1) for sentence in sentences for word in sentence]
        rows[mask.cpu()] = torch.tensor(words, dtype=torch.int64)
        vectors: Tensor = self.embedding(rows.to(mask.device))  # (batch, tokens, dim)
        return vectors

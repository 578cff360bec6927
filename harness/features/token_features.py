"""Token features: encoder layers -> mix -> concatenation with static vectors -> dropout."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from harness.config.schema import Placement
from harness.errors import ConfigError
from harness.features.static_vectors import StaticVectors
from harness.features.store import FillReport, LayerSource
from harness.protocols import Inspectable, LayerMix, Penalised, Selective
from harness.types import Batch, Sentence, TokenVectors

_PLACES: dict[Placement, tuple[str, ...]] = {
    "input": ("input",),
    "output": ("output",),
    "both": ("input", "output"),
}


class TokenFeatures(nn.Module):
    """What every head stands on: contextual and static vectors of each token.

    The mix goes where ``placement`` says: joined to the static vectors at the head's input, joined to the
    output of the head's contextual encoder, or both, each place with a mix of its own (Peters et al. 2018,
    section 3.3).

    Args:
        source: where layers are read, None for static vectors alone.
        make_mix: returns a new mix; called once a place.
        placement: where the mix enters.
        mix_dropout: on the mixed vector.
        static: static vectors, or None.
        vocabulary: the words whose static vectors are needed.

    Raises:
        ConfigError: nothing would enter at the input, or a mix asks for layers in a wrong way.
    """

    def __init__(
        self,
        *,
        source: LayerSource | None,
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
            for place in _PLACES[placement]:
                mix = make_mix()
                assert isinstance(mix, nn.Module)
                self.mixes[place] = mix
        # The mixes of a run are alike, and so are the layers that they look at.
        self._layers = next((_layers_used(mix) for mix in self.mixes.values() if isinstance(mix, Selective)), None)
        self.mix_dropout = nn.Dropout(mix_dropout)
        self.static = StaticEmbedding(static, vocabulary) if static is not None else None
        self.input_dim = self._mix_dim("input") + (self.static.dim if self.static is not None else 0)
        self.output_dim = self._mix_dim("output")
        if self.input_dim == 0:
            raise ConfigError(
                "nothing enters the head at its input: give an encoder with mixing.placement=input|both, "
                "or static vectors with embedding=..."
            )

    def _mix_dim(self, place: str) -> int:
        return cast(LayerMix, self.mixes[place]).output_dim if place in self.mixes else 0

    def fill(self, sentences: Iterable[Sentence], *, check: Callable[[], None]) -> FillReport:
        """Make sure that the layers of the sentences can be read; see ``LayerSource``."""
        return self.source.fill(sentences, check=check) if self.source is not None else FillReport()

    @property
    def tokens_encoded(self) -> int:
        """Tokens that the encoder has encoded so far."""
        return self.source.tokens_encoded if self.source is not None else 0

    def read(self, batch: Batch) -> dict[str, Tensor]:
        """Read the layers of each text that the mix looks at: float32 (batch, layers, tokens, dim), on the CPU."""
        if self.source is None:
            return {}
        return {text: self.source.read(batch.sentences(text), self._layers) for text in batch.masks}

    def forward(self, layers: Mapping[str, Tensor], batch: Batch) -> dict[str, TokenVectors]:
        """Return the vectors of each text field, from what ``read`` returned."""
        vectors = {}
        for text, mask in batch.masks.items():
            mixed = {
                place: self.mix_dropout(mix(layers[text], mask)) for place, mix in self.mixes.items()
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
        """Return the weights and gamma of each place, for the record."""
        mixes = {place: mix for place, mix in self.mixes.items() if isinstance(mix, Inspectable)}
        return {
            "weights": {place: mix.layer_weights() for place, mix in mixes.items()},
            "gamma": {place: mix.scale() for place, mix in mixes.items()},
        }


def _layers_used(mix: Selective) -> Sequence[int]:
    used = list(mix.layers_used)
    if not used or used[0] < 0 or used != sorted(set(used)):
        raise ConfigError(f"{type(mix).__name__}.layers_used is {used}; expected layers from the lowest, each from 0")
    return used


class StaticEmbedding(nn.Module):
    """Static vectors of one vocabulary, frozen or trained along.

    Args:
        static: where the vectors come from.
        vocabulary: the words of the run; any other word gets the vector of an unknown one.
    """

    def __init__(self, static: StaticVectors, vocabulary: Iterable[str]) -> None:
        super().__init__()
        self.dim = static.dim
        words = sorted(set(vocabulary))
        self._rows = {word: row for row, word in enumerate(words, start=2)}  # 0: padding, 1: unknown
        vectors, _ = static.lookup(["", *words])  # (words + 1, dim)
        table = torch.cat([torch.zeros(1, static.dim), vectors])  # (words + 2, dim)
        self.embedding = nn.Embedding.from_pretrained(table, freeze=True, padding_idx=0)
        if static.trainable:
            self.embedding.weight.requires_grad_(True)

    def forward(self, sentences: list[tuple[str, ...]], mask: Tensor) -> Tensor:
        """Map the tokens of each row to (batch, tokens, dim), zero at padded places."""
        rows = torch.zeros(mask.shape, dtype=torch.int64)  # (batch, tokens)
        words = [self._rows.get(word, 1) for sentence in sentences for word in sentence]
        rows[mask.cpu()] = torch.tensor(words, dtype=torch.int64)
        vectors: Tensor = self.embedding(rows.to(mask.device))  # (batch, tokens, dim)
        return vectors

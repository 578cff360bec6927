"""The mean norm of the vectors of each layer: a layer of long vectors dominates a sum, even if its weight is small."""

from collections.abc import Sequence

from torch import Tensor, zeros

from harness.features.store import FeatureStore
from harness.types import Sentence

_SENTENCES, _BATCH = 200, 20


def layer_norms(store: FeatureStore, sentences: Sequence[Sentence]) -> list[float]:
    """Return the mean Euclidean norm of the token vectors of each layer; nothing without any token.

    Args:
        store: Where the layers of all sentences are.
        sentences: The sentences, of which at most 200 are read, evenly spread.
    """
    count = min(_SENTENCES, len(sentences))
    chosen = [sentences[i * len(sentences) // count] for i in range(count)]
    total, tokens = zeros(store.encoder.num_layers).double(), 0  # (layers,)
    for first in range(0, len(chosen), _BATCH):
        batch = chosen[first : first + _BATCH]
        layers: Tensor = store.read(batch)  # (batch, layers, tokens, dim), zero at padded positions
        total += layers.double().norm(dim=3).sum(dim=(0, 2))  # (layers,)
        tokens += sum(map(len, batch))
    return [value / tokens for value in total.tolist()] if tokens else []

"""The layers of the sentences that are being labelled: kept in memory, portion by portion, and never on disk."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from harness.config.schema import Precision
from harness.features.rounding import rounded
from harness.features.store import FillPlan
from harness.protocols import Encoder
from harness.types import Sentence, places_of


class PortionOfLayers:
    """The layers of the sentences that ``fill`` was called with last; each different sentence is encoded once.

    Args:
        encoder: The encoder that computes the layers.
        dtype: The precision to which layers are rounded, as a ``FeatureStore`` does.
    """

    def __init__(self, encoder: Encoder, *, dtype: Precision = "float16") -> None:
        self.encoder, self.tokens_encoded = encoder, 0
        self._dtype = np.dtype(dtype)
        self._layers: dict[Sentence, Tensor] = {}

    def fill(self, sentences: Iterable[Sentence], *, check: Callable[[], None] = lambda: None) -> FillPlan:
        """Encode sentences, and forget all others; return what had to be done.

        Args:
            sentences: All sentences that will be read, with or without repetitions.
            check: Called once; it may raise in order to stop.
        """
        check()
        unique = tuple(dict.fromkeys(sentences))
        self._layers = {unique[i]: rounded(layers, self._dtype) for i, layers in self.encoder.encode(unique)}
        self.tokens_encoded += sum(map(len, unique))
        return FillPlan(len(unique), unique)

    def read(self, texts: Sequence[Sentence], layers: Sequence[int] | None = None) -> Tensor:
        """Return the layers of a batch: float32 (batch, layers, tokens, dim), zero at padded positions.

        Args:
            texts: The sentences or documents of the batch; their sentences were filled.
            layers: Which of the encoder's layers to return, counted from 0, in increasing order; None for all.
        """
        places = list(places_of(texts))
        longest = max((place.stop for _, place, _ in places), default=0)
        wanted = list(range(self.encoder.num_layers) if layers is None else layers)
        read = torch.zeros(len(texts), len(wanted), longest, self.encoder.dim)
        for row, place, sentence in places:
            read[row, :, place] = self._layers[sentence][wanted]
        return read  # (batch, layers, tokens, dim)

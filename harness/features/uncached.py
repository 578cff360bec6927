"""Layers without a store: encoded whenever they are read."""

import logging
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from harness.config.schema import Precision
from harness.features.rounding import rounded
from harness.features.store import Check, FeatureStore, FillPlan
from harness.protocols import Encoder
from harness.types import Sentence, check_sentences, places_of

log = logging.getLogger(__name__)


class Uncached:
    """Layers that are encoded whenever they are read, and therefore again in every epoch; nothing is written.

    Only this source can serve an encoder whose vectors depend on what it encoded before.

    Args:
        encoder: The encoder to call.
        dtype: The precision to which layers are rounded, as a ``FeatureStore`` would.
    """

    def __init__(self, encoder: Encoder, *, dtype: Precision = "float16") -> None:
        self.encoder, self.tokens_encoded, self._dtype = encoder, 0, np.dtype(dtype)

    def plan(self, sentences: Iterable[Sentence]) -> FillPlan:
        """Return that every sentence is encoded and nothing is written."""
        unique = tuple(dict.fromkeys(sentences))
        check_sentences(unique)
        return FillPlan(len(unique), unique)

    def fill(self, sentences: Iterable[Sentence], *, check: Check = lambda: None) -> FillPlan:
        """Do nothing but return ``plan``.

        Args:
            sentences: All sentences that will be read.
            check: Called once; it may raise in order to stop.
        """
        check()
        log.info("features: cache=none, so all sentences are encoded again in every epoch")
        return self.plan(sentences)

    def read(self, texts: Sequence[Sentence], layers: Sequence[int] | None = None) -> Tensor:
        """Return the layers of a batch: float32 (batch, layers, tokens, dim), zero at padded positions.

        Args:
            texts: The sentences or documents of the batch, which are encoded now.
            layers: Which of the encoder's layers to return, counted from 0, in increasing order; None for all.
        """
        places = list(places_of(texts))
        longest = max((place.stop for _, place, _ in places), default=0)
        wanted = list(range(self.encoder.num_layers) if layers is None else layers)
        read = torch.zeros(len(texts), len(wanted), longest, self.encoder.dim)
        for index, encoded in self.encoder.encode([sentence for *_, sentence in places]):  # (layers, tokens, dim)
            row, place, _ = places[index]
            self.tokens_encoded += encoded.shape[1]
            read[row, :, place] = rounded(encoded[wanted], self._dtype)
        return read  # (batch, layers, tokens, dim)


LayerSource = FeatureStore | Uncached

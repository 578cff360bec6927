"""Matrix products of a biLM in bfloat16, and what that does to its vectors."""

import copy
from typing import Literal

import torch

from harness.encoders.bilm import BiLm, Packing
from harness.encoders.burn_in import BURN_IN
from harness.encoders.char_ids import BOS, EOS
from harness.encoders.word_vectors import word_vectors

Dtype = Literal["float32", "bfloat16"]
_MATRICES = {"weight", "projection", "carry_weight", "transform_weight", "proj_weight"}


def in_bfloat16(bilm: BiLm) -> BiLm:
    """Return a copy whose products are in bfloat16: highways, projections, LSTMs. States and gates stay float32."""
    rounded = copy.deepcopy(bilm)
    for name, parameter in rounded.named_parameters():
        if _MATRICES.intersection(name.split(".")):
            parameter.data = parameter.data.to(torch.bfloat16)
    return rounded


@torch.no_grad()
def rounding_error(rounded: BiLm, exact: BiLm) -> float:
    """Return how far vectors of a fixed text are off: the norm of the differences by the norm of the vectors."""
    difference = whole = 0.0
    for sentence in BURN_IN:
        ours, theirs = (_layers(bilm, sentence.split()) for bilm in (rounded, exact))
        difference += float((ours - theirs).square().sum())
        whole += float(theirs.square().sum())
    return (difference / whole) ** 0.5


def _layers(bilm: BiLm, words: list[str]) -> torch.Tensor:
    """Return (layers, positions, dim)."""
    types, rows = word_vectors(bilm.char_cnn, [BOS, *words, EOS])
    layers: torch.Tensor = bilm(types, rows, Packing.of([len(rows)], rows.device), bilm.zero_state(1))[0]
    return layers

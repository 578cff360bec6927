"""Matrix products of a biLM in bfloat16, and what that does to its vectors."""

import copy
from typing import Literal

import torch

from harness.encoders.bilm import BiLm
from harness.encoders.burn_in import BURN_IN, read_sentence

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
        ours, theirs = (read_sentence(bilm, sentence, bilm.zero_state(1))[0] for bilm in (rounded, exact))
        difference += float((ours - theirs).square().sum())
        whole += float(theirs.square().sum())
    return (difference / whole) ** 0.5

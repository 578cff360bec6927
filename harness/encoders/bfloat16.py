"""A biLM with matrix products in bfloat16, and how much that changes its vectors."""

import copy
from typing import Literal

import torch

from harness.encoders.bilm import BiLm
from harness.encoders.burn_in import BURN_IN, read_words
from harness.encoders.char_ids import BOS, EOS
from harness.encoders.kernels.one_thread_each import one_thread

Dtype = Literal["float32", "bfloat16"]
_MATRICES = {"weight", "projection", "carry_weight", "transform_weight", "proj_weight"}


def in_bfloat16(bilm: BiLm) -> BiLm:
    """Return a copy with highways, projections and LSTM weights in bfloat16. States and gates stay float32.

    On a CPU, the bits of a sentence's vectors depend on the sentence alone, as with float32.
    """
    rounded = copy.deepcopy(bilm)
    for name, parameter in rounded.named_parameters():
        if _MATRICES.intersection(name.split(".")):
            parameter.data = parameter.data.to(torch.bfloat16)
    return rounded


@one_thread()
@torch.no_grad()
def rounding_error(rounded: BiLm, exact: BiLm) -> float:
    """Return the relative error of the vectors of a fixed text.

    The record of a run reports it, because the speed of bfloat16 costs an accuracy that depends on the model.

    Args:
        rounded: The biLM in bfloat16.
        exact: The same biLM in float32.

    Returns:
        The norm of the differences, divided by the norm of the exact vectors.
    """
    difference = whole = 0.0
    for sentence in BURN_IN:
        words = [BOS, *sentence.split(), EOS]
        ours, theirs = (read_words(bilm, words, bilm.zero_state(1))[0] for bilm in (rounded, exact))
        difference += float((ours - theirs).square().sum())
        whole += float(theirs.square().sum())
    return (difference / whole) ** 0.5

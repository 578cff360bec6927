"""The LSTM state after a fixed text, from which every sentence starts with ``state=warm``."""

from collections.abc import Sequence

import torch
from torch import Tensor

from harness.encoders.bilm import BiLm, BiLmState
from harness.encoders.char_ids import BOS, EOS
from harness.encoders.kernels.one_thread_each import one_thread
from harness.encoders.word_vector_cache import word_vectors
from harness.nn.packing import Packing

# Plain running text, tokenised as ELMo's training text was; the state settles after a few sentences.
BURN_IN = (
    "The town council met on Monday evening to talk about the new bridge .",
    "Most of those who came had lived beside the river all their lives .",
    '" We were promised a decision two years ago , " said one of them .',
    "The mayor answered that the money was there , but the plans were not .",
    "In the end they agreed to meet again before the end of the month .",
    "A week later the first drawings were shown to the public , and few people liked them .",
    "It rained for most of that autumn , and the old road was closed twice .",
    "By then nobody doubted that something had to be done .",
)


@one_thread()
@torch.no_grad()
def burn_in_state(bilm: BiLm) -> BiLmState:
    """Return the state of one row after the fixed text; it does not depend on torch's number of threads."""
    state = bilm.zero_state(1)
    for sentence in BURN_IN:
        state = read_words(bilm, [BOS, *sentence.split(), EOS], state)[1]
    return state


@one_thread()
@torch.no_grad()
def after_boundary(bilm: BiLm, state: BiLmState) -> BiLmState:
    """Return the state after each direction has read the boundary token that it meets first.

    Args:
        bilm: The biLM.
        state: The state of one row.
    """
    return read_words(bilm, [BOS], state)[1][0], read_words(bilm, [EOS], state)[1][1]


def read_words(bilm: BiLm, words: Sequence[str], state: BiLmState) -> tuple[Tensor, BiLmState]:
    """Run a biLM over one row of words.

    Args:
        bilm: The biLM.
        words: The words, at least one; boundary tokens are words like all others.
        state: The state of the row before the words.

    Returns:
        Layers (layers, words, dim), and the state after the words.
    """
    types, rows = word_vectors(bilm.char_cnn, words)  # (types, projection_dim), (words,)
    layers, after = bilm(types, rows, Packing.of([len(rows)]), state)
    return layers, after

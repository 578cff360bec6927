"""The state after a fixed text: where every sentence starts under ``state=warm``.

The state is written down once per encoder, so that another machine's or another day's rounding never
changes the vectors of a store that is half filled.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from harness.encoders.bilm import BiLm, BiLmState, Packing
from harness.encoders.char_ids import BOS, EOS
from harness.encoders.kernels.lstm_steps import LstmState
from harness.encoders.word_vector_cache import word_vectors
from harness.utils.files import write_tensors

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


@torch.no_grad()
def burnt_in(bilm: BiLm) -> BiLmState:
    """Return the state after the fixed text, of one row."""
    state = bilm.zero_state(1)
    for sentence in BURN_IN:
        state = read_sentence(bilm, sentence, state)[1]
    return state


def read_sentence(bilm: BiLm, sentence: str, state: BiLmState) -> tuple[Tensor, BiLmState]:
    """Return the layers of one sentence, (layers, positions, dim) with its boundaries, and the state after it."""
    return _read(bilm, [BOS, *sentence.split(), EOS], state)


@torch.no_grad()
def after_boundary(bilm: BiLm, state: BiLmState) -> BiLmState:
    """Return the state of one row once each direction has read the boundary token that it meets first."""
    return _read(bilm, [BOS], state)[1][0], _read(bilm, [EOS], state)[1][1]


def _read(bilm: BiLm, words: Sequence[str], state: BiLmState) -> tuple[Tensor, BiLmState]:
    """Return the layers of words in a row, (layers, words, dim), and the state after them."""
    types, rows = word_vectors(bilm.char_cnn, words)  # (types, projection_dim)
    layers, after = bilm(types, rows, Packing.of([len(rows)], rows.device), state)
    return layers, after


def load_or_make_state(path: Path, make: Callable[[], BiLmState], *, device: torch.device) -> BiLmState:
    """Return the state kept at ``path``; make and keep it where there is none yet."""
    if not path.exists():
        made = make()
        write_tensors(
            path,
            {
                f"{direction}.{layer}.{part}": getattr(state, part)
                for direction, states in enumerate(made)
                for layer, state in enumerate(states)
                for part in ("hidden", "cell")
            },
        )
    tensors = load_file(path, device=str(device))
    layers = range(len(tensors) // 4)

    def states(direction: int) -> tuple[LstmState, ...]:
        return tuple(
            LstmState(tensors[f"{direction}.{layer}.hidden"], tensors[f"{direction}.{layer}.cell"]) for layer in layers
        )

    return states(0), states(1)

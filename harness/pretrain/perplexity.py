"""The perplexity of a biLM on text: of each direction, with the full softmax, under a state policy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

import torch
from torch import Tensor

from harness.encoders.bilm import BiLmState, map_state
from harness.encoders.burn_in import burn_in_state
from harness.encoders.char_ids import BOS, EOS
from harness.encoders.elmo import StatePolicy
from harness.encoders.word_vector_cache import word_vectors
from harness.nn.packing import Packing
from harness.pretrain.network import PretrainingNetwork
from harness.pretrain.vocabulary import UNK_ROW, Vocabulary
from harness.types import Sentence

_ROWS = 32  # sentences per batch; under ``carry``, row i continues from row i of the batch before


@dataclass(frozen=True)
class Perplexity:
    """The perplexities of one model on one text.

    Attributes:
        forward: exp of the mean negative log-likelihood of the forward LM.
        backward: The same for the backward LM.
        tokens: Number of predictions of each direction, sentence ends included.
        unknown: The fraction of them that is ``<UNK>``, in [0, 1].
    """

    forward: float
    backward: float
    tokens: int
    unknown: float

    @property
    def average(self) -> float:
        """The mean of the two directions, which Peters et al. 2018 report (section 3.4)."""
        return (self.forward + self.backward) / 2


@torch.no_grad()
def perplexity(
    network: PretrainingNetwork, sentences: Sequence[Sentence], vocabulary: Vocabulary, *, state: StatePolicy
) -> Perplexity:
    """Return the perplexities of a biLM on sentences, which are read as the frozen encoder reads them.

    Args:
        network: The network to evaluate. Dropout is off during the evaluation.
        sentences: Tokenised sentences, without boundaries.
        vocabulary: The words of the softmax. All other words count as ``<UNK>``.
        state: The state in which the LSTMs begin a sentence, as in ``ElmoEncoder``.
    """
    was_training = network.training
    network.eval()
    totals, count, unknown = torch.zeros(2, dtype=torch.float64), 0, 0
    device = network.softmax.weight.device
    start = burn_in_state(network.bilm) if state == "warm" else network.bilm.zero_state(1)
    start = map_state(start, lambda tensor: tensor.expand(_ROWS, -1).clone())
    for first in range(0, len(sentences), _ROWS):
        batch = sentences[first : first + _ROWS]
        rows = sorted(range(len(batch)), key=lambda row: -len(batch[row]))
        bounded = [(BOS, *batch[row], EOS) for row in rows]
        packing = Packing.of([len(words) for words in bounded])
        words = [word for sentence in bounded for word in sentence]
        before = map_state(start, itemgetter(rows))
        layers, after = network.bilm(*word_vectors(network.bilm.char_cnn, words), packing, before)
        if state == "carry":
            for old, new in zip(_tensors(start), _tensors(after), strict=True):
                old[rows] = new
        targets = torch.from_numpy(vocabulary.rows_of(words)).to(device)  # (positions,)
        for direction, (here, ahead) in enumerate(_predictions(packing, [len(words) for words in bounded])):
            width = network.options.projection_dim
            hidden = layers[-1, here, direction * width : (direction + 1) * width]  # (predictions, projection_dim)
            totals[direction] += network.softmax.nll(hidden, targets[ahead]).double().sum().cpu()
            if direction == 0:
                count += len(ahead)
                unknown += int((targets[ahead] == UNK_ROW).sum())
    network.train(was_training)
    means = (totals / max(count, 1)).tolist()
    forward, backward = (math.exp(mean) if mean < 700 else math.inf for mean in means)  # math.exp raises above 709
    return Perplexity(forward=forward, backward=backward, tokens=count, unknown=unknown / max(count, 1))


def _predictions(packing: Packing, lengths: Sequence[int]) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return, per direction, the positions that predict and the positions that are predicted."""
    first = torch.cat([torch.arange(s, s + n - 1) for s, n in zip(packing.starts, lengths, strict=True)])
    return (first, first + 1), (first + 1, first)


def _tensors(state: BiLmState) -> list[Tensor]:
    return [tensor for layers in state for one in layers for tensor in (one.hidden, one.cell)]

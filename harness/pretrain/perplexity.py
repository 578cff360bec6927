"""How well a biLM predicts text: perplexity of each direction, under a full softmax and a state policy."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
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
from harness.pretrain.vocabulary import Vocabulary
from harness.types import Sentence

_ROWS = 32  # sentences at a time; under ``carry``, row i goes on from row i


@dataclass(frozen=True)
class Perplexity:
    """Perplexities over ``tokens`` predictions of each direction, sentence ends included.

    Attributes:
        forward, backward: exp of the mean negative log-likelihood.
        tokens: predictions of each direction.
        unknown: the fraction of them that is ``<UNK>``.
    """

    forward: float
    backward: float
    tokens: int
    unknown: float

    @property
    def average(self) -> float:
        """The mean of the two, which Peters et al. 2018 give (section 3.4)."""
        return (self.forward + self.backward) / 2


@torch.no_grad()
def perplexity(
    network: PretrainingNetwork,
    sentences: Iterable[Sentence],
    vocabulary: Vocabulary,
    *,
    state: StatePolicy,
) -> Perplexity:
    """Return how well a biLM predicts sentences, read as the frozen encoder reads them.

    Args:
        network: evaluated without dropout.
        sentences: tokenised.
        vocabulary: of the softmax; other words count as ``<UNK>``.
        state: where a sentence's LSTMs start, as in ``ElmoEncoder``.
    """
    was_training = network.training
    network.eval()
    totals, count, unknown = torch.zeros(2, dtype=torch.float64), 0, 0
    device = network.softmax.weight.device
    start = burn_in_state(network.bilm) if state == "warm" else network.bilm.zero_state(1)
    start = map_state(start, lambda tensor: tensor.expand(_ROWS, -1).clone())
    for batch in _batches(sentences):
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
                unknown += int((targets[ahead] == vocabulary.unk).sum())
    network.train(was_training)
    forward, backward = (_exp(total / max(count, 1)) for total in totals.tolist())
    return Perplexity(forward=forward, backward=backward, tokens=count, unknown=unknown / max(count, 1))


def _exp(mean: float) -> float:
    """Return exp(mean), infinite where it is too large for a float."""
    return math.exp(mean) if mean < 700 else math.inf


def _batches(sentences: Iterable[Sentence]) -> Iterator[Sequence[Sentence]]:
    iterator = iter(sentences)
    while batch := list(islice(iterator, _ROWS)):
        yield batch


def _predictions(packing: Packing, lengths: Sequence[int]) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return, per direction, the positions that predict and those that are predicted."""
    first = torch.cat([torch.arange(s, s + n - 1) for s, n in zip(packing.starts, lengths, strict=True)])
    return (first, first + 1), (first + 1, first)


def _tensors(state: BiLmState) -> list[Tensor]:
    return [tensor for layers in state for one in layers for tensor in (one.hidden, one.cell)]

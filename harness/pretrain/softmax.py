"""The softmax over words, which both directions share: sampled in training, full in evaluation.

Source: Jozefowicz et al. 2016 (arXiv 1602.02410), section 3.1; TensorFlow's ``sampled_softmax_loss`` with its
log-uniform sampler, which bilm-tf trains with.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from harness.encoders.kernels.onednn_product import linear

_ROWS = 512  # positions whose logits are in memory at the same time


@dataclass(frozen=True)
class Negatives:
    """Words drawn without replacement, with the values that their expected counts depend on.

    Attributes:
        rows: int64 (negatives,): different rows of the vocabulary.
        tries: Number of draws that were needed.
        size: Number of words in the vocabulary.
    """

    rows: NDArray[np.int64]
    tries: float
    size: int

    def expected_log_counts(self, rows: Tensor) -> Tensor:
        """Return the log of how often the draw contains each row of the vocabulary on average, float32 (rows,)."""
        ranks = rows.double()
        chance = torch.log((ranks + 2) / (ranks + 1)) / math.log(self.size + 1)
        return torch.log(-torch.expm1(self.tries * torch.log1p(-chance))).float()


def log_uniform(size: int, count: int, generator: np.random.Generator) -> Negatives:
    """Draw different words, the k-th most frequent one with probability log((k + 2) / (k + 1)) / log(size + 1).

    Args:
        size: Number of words in the vocabulary, which is sorted by frequency.
        count: Number of different words to draw, at most ``size``. With ``size``, all words are returned.
        generator: Source of the random numbers.
    """
    if count == size:
        return Negatives(np.arange(size), math.inf, size)
    drawn = np.empty(0, dtype=np.int64)
    while True:
        more = np.exp(generator.random(2 * count) * math.log(size + 1)).astype(np.int64) - 1  # (draws,)
        drawn = np.concatenate([drawn, np.minimum(more, size - 1)])
        rows, first = np.unique(drawn, return_index=True)  # (different,)
        if len(rows) >= count:
            order = np.argsort(first)[:count]
            return Negatives(rows[order], int(first[order[-1]]) + 1, size)


class WordSoftmax(nn.Module):
    """A softmax layer over a vocabulary.

    Args:
        size: Number of words.
        dim: Width of the vectors that predict them.
    """

    def __init__(self, *, size: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size, dim))
        self.bias = nn.Parameter(torch.zeros(size, 1))  # a column, because only rows of a matrix have sparse gradients
        nn.init.normal_(self.weight, std=1 / math.sqrt(dim))

    def sampled_nll(self, vectors: Tensor, targets: Tensor, negatives: Negatives) -> Tensor:
        """Return the negative log-likelihood of targets against negatives, summed over positions.

        A negative that equals the target of a position is left out there.

        Args:
            vectors: (directions, positions, dim).
            targets: int64 (directions, positions): rows of the vocabulary.
            negatives: The sampled words, the same for all positions.

        Returns:
            The sum of each direction, float32 (directions,), in nats.
        """
        count = len(negatives.rows)
        sampled = torch.from_numpy(negatives.rows).to(targets.device)  # (negatives,)
        wanted = torch.cat([sampled, targets.flatten()])  # (negatives + targets,)
        rows, place = torch.unique(wanted, return_inverse=True)  # (rows,), (negatives + targets,)
        # One look-up for all of them gives one sparse gradient that names each row once.
        table = F.embedding(rows, self.weight, sparse=True)  # (rows, dim)
        bias = F.embedding(rows, self.bias, sparse=True)  # (rows, 1)
        bias = bias - negatives.expected_log_counts(rows)[:, None]  # (rows, 1)
        column = torch.full_like(rows, -1)  # (rows,): the place of a row among the negatives
        column[place[:count]] = torch.arange(count, device=rows.device)
        # F.embedding sums its gradient in the same order with any number of threads; indexing does not.
        negative = [F.embedding(place[:count], values) for values in (table, bias)]  # (negatives, dim), (negatives, 1)
        losses = []
        for hidden, true in zip(vectors, place[count:].view_as(targets), strict=True):
            known = [F.embedding(true, values) for values in (table, bias)]  # (positions, dim), (positions, 1)
            losses.append(_SampledNll.apply(hidden, *known, *negative, column[true]))
        return torch.stack(losses)

    @torch.no_grad()
    def nll(self, vectors: Tensor, targets: Tensor) -> Tensor:
        """Return the negative log-likelihood of each target under the full softmax, in nats.

        Args:
            vectors: (positions, dim).
            targets: int64 (positions,): rows of the vocabulary.

        Returns:
            The value of each position, float32 (positions,).
        """
        parts = []
        for block, wanted in zip(vectors.split(_ROWS), targets.split(_ROWS), strict=True):
            logits = torch.addmm(self.bias.squeeze(1), block, self.weight.t())  # (block, size)
            parts.append(F.cross_entropy(logits, wanted, reduction="none"))
        return torch.cat(parts)


class _SampledNll(torch.autograd.Function):
    """Loss and gradient in one pass, block by block, because the logits of a whole window do not fit in the cache."""

    @staticmethod
    def forward(
        ctx: Any, vectors: Tensor, true_weight: Tensor, true_bias: Tensor, weight: Tensor, bias: Tensor, hits: Tensor
    ) -> Tensor:
        total = vectors.new_zeros(())
        true_bias, bias = true_bias.squeeze(1), bias.squeeze(1)  # (positions,), (negatives,)
        d_vectors, d_true = torch.empty_like(vectors), torch.empty_like(vectors)
        d_true_bias = torch.empty_like(true_bias)
        d_weight, d_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        for start in range(0, len(vectors), _ROWS):
            block = slice(start, start + _ROWS)
            here, known = vectors[block], true_weight[block]  # (block, dim) each
            logits = linear(here, weight, bias).to(vectors.dtype)  # (block, negatives)
            hit = (hits[block] >= 0).nonzero().squeeze(1)  # (hits,)
            logits[hit, hits[block][hit]] = -torch.inf
            true = (here * known).sum(dim=1) + true_bias[block]  # (block,)
            most = torch.maximum(logits.amax(dim=1), true)  # (block,)
            scores = logits.sub_(most[:, None]).exp_()  # (block, negatives): probabilities, times ``norm``
            true_score = torch.exp(true - most)  # (block,)
            norm = scores.sum(dim=1) + true_score  # (block,)
            total += (most + norm.log() - true).sum()
            d_true_bias[block] = true_score / norm - 1
            scaled = here / norm[:, None]  # (block, dim)
            d_vectors[block] = linear(scores, weight.t()) / norm[:, None] + d_true_bias[block, None] * known
            d_true[block] = d_true_bias[block, None] * here
            d_weight += linear(scores.t(), scaled.t())
            d_bias += scores.t() @ (1 / norm)
        ctx.save_for_backward(d_vectors, d_true, d_true_bias[:, None], d_weight, d_bias[:, None])
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_total: Tensor) -> Any:
        return *(gradient * d_total for gradient in ctx.saved_tensors), None

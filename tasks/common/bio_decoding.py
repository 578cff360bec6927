"""The best BIO tags of tokens that were scored independently of each other."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from harness.nn.masking import lengths_of_mask


@torch.no_grad()
def best_bio(scores: Tensor, mask: Tensor, labels: Sequence[str]) -> list[tuple[int, ...]]:
    """Return the BIO sequence of each row with the highest sum of scores.

    This is the Viterbi algorithm. An O or a B may follow every tag, so that one maximum over all tags serves them all,
    and an I only its own B and I. A step is therefore linear in the number of tags, and not quadratic as with a CRF.

    Args:
        scores: Float (batch, tokens, labels), for example log-probabilities.
        mask: Bool (batch, tokens), right-padded; rows may be empty.
        labels: The tags, with a B for every I.

    Returns:
        The indices of the labels of each row, one for each of its tokens.

    Raises:
        ValueError: A token follows padding.
    """
    lengths = lengths_of_mask(mask).tolist()  # (batch,)
    if not mask.any():
        return [()] * len(lengths)
    inner = [i for i, label in enumerate(labels) if label.startswith("I-")]
    insides = torch.tensor(inner, device=scores.device)  # (types,)
    begins = torch.tensor([labels.index(f"B-{labels[i][2:]}") for i in inner], device=scores.device)  # (types,)
    same = torch.arange(len(labels), device=scores.device)  # (labels,)
    best = scores[:, 0].index_fill(1, insides, -math.inf)  # (batch, labels): the best sequence that ends in the label
    pointers = []
    for emission, inside in zip(scores.unbind(1)[1:], mask.unsqueeze(2).unbind(1)[1:], strict=True):
        top, place = best.max(dim=1, keepdim=True)  # (batch, 1), (batch, 1)
        best = best - top  # (batch, labels): near 0, so that long sums keep their digits
        begun, continued = best[:, begins], best[:, insides]  # (batch, types) each
        after = torch.zeros_like(best)  # (batch, labels): the score of the best tag before each label
        after[:, insides] = torch.maximum(begun, continued)
        previous = place.expand_as(best).clone()  # (batch, labels): which tag that is
        previous[:, insides] = torch.where(continued > begun, insides, begins)
        best = torch.where(inside, after + emission, best)  # (batch, labels)
        pointers.append(torch.where(inside, previous, same))  # (batch, labels): padding repeats the last tag
    path = [best.argmax(dim=1)]  # (batch,) each
    for previous in reversed(pointers):
        path.append(previous.gather(1, path[-1].unsqueeze(1)).squeeze(1))  # (batch,)
    rows = torch.stack(path[::-1], dim=1).tolist()  # (batch, tokens)
    return [tuple(row[:length]) for row, length in zip(rows, lengths, strict=True)]

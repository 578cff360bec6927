"""Masks and lengths of right-padded batches."""

from collections.abc import Iterable

import torch
from torch import Tensor

from harness.types import Sentence


def mask_of_lengths(lengths: Tensor, size: int | None = None) -> Tensor:
    """Return the mask of right-padded sequences.

    Args:
        lengths: Int64 (...), the number of tokens of each sequence, 0 or more.
        size: Number of places of each sequence; None: the greatest length.

    Returns:
        Bool (..., size), True at the first ``lengths`` places.
    """
    if size is None:
        size = int(lengths.max()) if lengths.numel() else 0
    return torch.arange(size, device=lengths.device) < lengths.unsqueeze(-1)  # (..., size)


def mask_of_sentences(sentences: Iterable[Sentence]) -> Tensor:
    """Return the mask of sentences that are padded to the longest: bool (batch, tokens), True at a token."""
    return mask_of_lengths(torch.tensor([len(sentence) for sentence in sentences], dtype=torch.int64))


def lengths_of_mask(mask: Tensor) -> Tensor:
    """Return the number of tokens in each row of a right-padded mask.

    Args:
        mask: Bool (batch, tokens), True at a token.

    Returns:
        Int64 (batch,).

    Raises:
        ValueError: A token follows padding, so a layer that counts places would read the wrong ones.
    """
    lengths = mask.sum(dim=1)  # (batch,)
    if not torch.equal(mask_of_lengths(lengths, mask.size(1)), mask):
        row = int((mask[:, 1:] & ~mask[:, :-1]).any(dim=1).nonzero()[0])
        raise ValueError(f"mask: row {row} has a token after padding; put all padding at the end of the row")
    return lengths

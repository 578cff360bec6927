"""How much padding batches contain."""

from collections.abc import Sequence

from harness.training.batching import Lengths


def padding_waste(lengths: Sequence[Lengths], batches: Sequence[Sequence[int]]) -> float:
    """Return the fraction of padded positions among all positions of the batches, over all texts."""
    padded = sum(len(batch) * sum(map(max, zip(*(lengths[i] for i in batch), strict=True))) for batch in batches)
    return 1 - sum(sum(lengths[i]) for batch in batches for i in batch) / padded if padded else 0.0

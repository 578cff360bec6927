"""A linear-chain conditional random field: the last layer of a tagger."""

import math

import torch
from torch import Tensor, nn

from harness.nn.crf_forward_backward import log_partition_in_probabilities
from harness.nn.masking import lengths_of_mask


class ConditionalRandomField(nn.Module):
    """Scores of tag sequences, with a learned score for each pair of neighbouring tags.

    The score of a sequence is the sum of its emissions and transitions. Its probability is the softmax over all
    sequences. Constraints forbid sequences when decoding. As in AllenNLP, they do not change the likelihood: the model
    learns from the data that forbidden sequences are unlikely.

    Args:
        num_tags: Number of tags, at least 1.
        allowed: Bool (tags, tags), True where the tag of the row may precede the tag of the column; None: all.
        allowed_start: Bool (tags,), True where a sequence may start with the tag; None: all.
        allowed_end: Bool (tags,), True where a sequence may end with the tag; None: all.

    Raises:
        ValueError: A constraint is not a bool tensor of its shape.

    Source: Lafferty et al. 2001; algorithms as in Collins, "The Forward-Backward Algorithm".
    """

    allowed: Tensor
    allowed_start: Tensor
    allowed_end: Tensor

    def __init__(
        self,
        *,
        num_tags: int,
        allowed: Tensor | None = None,
        allowed_start: Tensor | None = None,
        allowed_end: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.num_tags = num_tags
        self.transitions = nn.Parameter(torch.empty(num_tags, num_tags))  # (tags, tags): from, to
        nn.init.xavier_normal_(self.transitions)
        self._add_constraint("allowed", allowed, (num_tags, num_tags))
        self._add_constraint("allowed_start", allowed_start, (num_tags,))
        self._add_constraint("allowed_end", allowed_end, (num_tags,))

    def _add_constraint(self, name: str, given: Tensor | None, shape: tuple[int, ...]) -> None:
        """Keep a constraint as a buffer outside the checkpoint; without a constraint everything is allowed."""
        constraint = torch.ones(shape, dtype=torch.bool) if given is None else given
        if constraint.dtype != torch.bool or constraint.shape != shape:
            found = f"{constraint.dtype} {tuple(constraint.shape)}"
            raise ValueError(f"ConditionalRandomField: {name} is {found}; give a bool tensor of shape {shape}")
        self.register_buffer(name, constraint.clone(), persistent=False)

    def log_likelihood(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Return the log-probability of the tags of each row.

        Args:
            emissions: Float (batch, tokens, tags).
            tags: Int64 (batch, tokens), in [0, num_tags) at tokens; any value at padding.
            mask: Bool (batch, tokens), right-padded; rows may be empty.

        Returns:
            Float (batch,), at most 0; 0 for an empty row.

        Raises:
            ValueError: A token follows padding.
        """
        # Shifting all emissions of a token does not change the result, and keeps the digits of long sums in float32.
        emissions = emissions - emissions.detach().amax(dim=2, keepdim=True)  # (batch, tokens, tags)
        return self._score(emissions, tags, mask) - self.log_partition(emissions, mask)  # (batch,)

    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Return the logarithm of the sum of the exponentiated scores of all tag sequences.

        The gradient with respect to ``emissions`` is the marginal probability of each tag.

        Args:
            emissions: Float (batch, tokens, tags).
            mask: Bool (batch, tokens), right-padded; rows may be empty.

        Returns:
            Float (batch,); 0 for an empty row.

        Raises:
            ValueError: A token follows padding.
        """
        lengths = lengths_of_mask(mask)  # (batch,)
        if emissions.size(1) == 0:
            return emissions.sum(dim=(1, 2))  # (batch,): zeros that have a gradient
        steps = _time_major(emissions, mask)  # (tokens, batch, tags)
        total = log_partition_in_probabilities(steps, lengths, self.transitions)  # (batch,), or None
        return _log_partition_in_logarithms(steps, mask, self.transitions) if total is None else total

    @torch.no_grad()
    def viterbi(self, emissions: Tensor, mask: Tensor) -> list[tuple[int, ...]]:
        """Return the best allowed tag sequence of each row.

        If several sequences are best, return the one with the lowest last tag; among these, the one with the lowest tag
        before it, and so on to the first tag.

        Args:
            emissions: Float (batch, tokens, tags).
            mask: Bool (batch, tokens), right-padded; rows may be empty.

        Returns:
            The tags of each row, one for each of its tokens.

        Raises:
            ValueError: A token follows padding, no sequence of the length of a row is allowed, or an emission is not
                finite.
        """
        lengths = lengths_of_mask(mask)  # (batch,)
        if emissions.size(1) == 0:
            return [()] * emissions.size(0)
        transitions = self.transitions.masked_fill(~self.allowed, -math.inf)  # (tags, tags)
        zeros = emissions.new_zeros(self.num_tags)  # (tags,)
        start, end = zeros.masked_fill(~self.allowed_start, -math.inf), zeros.masked_fill(~self.allowed_end, -math.inf)
        first, *rest = _time_major(emissions, mask).unbind(0)  # each (batch, tags)
        best = start + first  # (batch, tags): best score of a sequence that ends in the tag
        same = torch.arange(self.num_tags, device=best.device)  # (tags,)
        pointers = []
        for emission, inside in zip(rest, _inside(mask), strict=True):
            scores, previous = (best.unsqueeze(2) + transitions).max(dim=1)  # (batch, tags), (batch, tags)
            scores = scores - scores.amax(dim=1, keepdim=True) + emission  # (batch, tags), shifted to stay near 0
            best = torch.where(inside, scores, best)  # (batch, tags)
            pointers.append(torch.where(inside, previous, same))  # (batch, tags): padding repeats the last tag
        score, tag = (best + end).max(dim=1)  # (batch,), (batch,)
        failed = (~score.isfinite() & (lengths > 0)).nonzero().flatten().tolist()
        if failed:
            row = failed[0]
            raise ValueError(
                f"viterbi: row {row} ({int(lengths[row])} tokens) has no tag sequence of finite score; "
                "check that the constraints allow one and that the emissions are finite"
            )
        path = [tag]
        for previous in reversed(pointers):
            path.append(previous.gather(1, path[-1].unsqueeze(1)).squeeze(1))  # (batch,)
        rows = torch.stack(path[::-1], dim=1).tolist()  # (batch, tokens)
        return [tuple(row[:length]) for row, length in zip(rows, lengths.tolist(), strict=True)]

    def _score(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Return the score (batch,) of the tags of each row; 0 for an empty row."""
        tags = tags.masked_fill(~mask, 0)  # (batch, tokens)
        pairs = tags[:, :-1] * self.num_tags + tags[:, 1:]  # (batch, tokens - 1)
        # index_select, because the gradient of plain indexing is summed in no fixed order on the CPU.
        moves = self.transitions.flatten().index_select(0, pairs.flatten()).view_as(pairs)  # (batch, tokens - 1)
        emitted = emissions.gather(2, tags.unsqueeze(2)).squeeze(2)  # (batch, tokens)
        return emitted.masked_fill(~mask, 0.0).sum(dim=1) + moves.masked_fill(~mask[:, 1:], 0.0).sum(dim=1)  # (batch,)


def _log_partition_in_logarithms(steps: Tensor, mask: Tensor, transitions: Tensor) -> Tensor:
    """Return the log partition, (batch,), step by step, for scores of any size; steps are (tokens, batch, tags)."""
    alpha, *rest = steps.unbind(0)  # each (batch, tags)
    shifts = []
    for emission, inside in zip(rest, _inside(mask), strict=True):
        # Alpha grows with the sequence; subtracting its maximum keeps its digits. The shift is added again below, so
        # neither the result nor the gradient depends on it.
        shifts.append(alpha.detach().amax(dim=1))  # (batch,)
        alpha = alpha - shifts[-1].unsqueeze(1)  # (batch, tags)
        paths = alpha.unsqueeze(2) + transitions  # (batch, tags, tags): from, to
        alpha = torch.where(inside, torch.logsumexp(paths, dim=1) + emission, alpha)  # (batch, tags)
    total = torch.logsumexp(alpha, dim=1)  # (batch,)
    if shifts:
        total = total + torch.stack(shifts).sum(dim=0)  # (batch,)
    return total.masked_fill(~mask[:, 0], 0.0)


def _time_major(emissions: Tensor, mask: Tensor) -> Tensor:
    """Return the emissions as (tokens, batch, tags), 0 at padding, where even a NaN must be harmless.

    Split the result with one ``unbind``: indexing it at each step would create a gradient of the full size per step.
    """
    filled = emissions.masked_fill(~mask.unsqueeze(2), 0.0)  # (batch, tokens, tags)
    return filled.transpose(0, 1).contiguous()  # (tokens, batch, tags)


def _inside(mask: Tensor) -> tuple[Tensor, ...]:
    """Return, for each place after the first, bool (batch, 1): whether the row has a token there."""
    return mask[:, 1:].t().unsqueeze(2).unbind(0)  # each (batch, 1)

"""A linear-chain conditional random field: the last layer of a tagger."""

import math

import torch
from torch import Tensor, nn

from harness.nn.crf_forward_backward import fits_probabilities, log_partition_of
from harness.nn.masking import lengths_of_mask

_FORBIDDEN = -1e4  # in training: probability 0 in floating point, yet no inf - inf in the gradient


class ConditionalRandomField(nn.Module):
    """Scores of tag sequences, with a learned score for each pair of neighbouring tags.

    The score of a sequence is the sum of its emissions and transitions (and of a start and an end
    score, where they are learned); its probability is the softmax over all sequences.

    Constraints forbid sequences in decoding. As in AllenNLP they do not touch the likelihood by
    default: the model learns on its own that forbidden sequences are unlikely. With
    ``constrain_training`` the softmax runs over the allowed sequences only, and a forbidden gold
    sequence costs about 1e4.

    Args:
        num_tags: number of tags, at least 1.
        allowed: bool (tags, tags), True where the row's tag may precede the column's; None: all.
        allowed_start: bool (tags,), True where a sequence may start; None: all.
        allowed_end: bool (tags,), True where a sequence may end; None: all.
        start_end_transitions: learn a score for the first and the last tag too.
        constrain_training: leave forbidden sequences out of the likelihood.

    Raises:
        ValueError: a constraint is not a bool tensor of its shape.

    Source: Lafferty et al. 2001; algorithms as in Collins, "The Forward-Backward Algorithm".
    """

    transitions: Tensor
    start_transitions: Tensor
    end_transitions: Tensor
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
        start_end_transitions: bool = False,
        constrain_training: bool = False,
    ) -> None:
        super().__init__()
        self.num_tags = num_tags
        self.constrain_training = constrain_training
        self.transitions = nn.Parameter(torch.empty(num_tags, num_tags))  # (tags, tags): from, to
        nn.init.xavier_normal_(self.transitions)
        for name in ("start_transitions", "end_transitions"):
            if start_end_transitions:
                self.register_parameter(name, nn.Parameter(torch.randn(num_tags)))  # (tags,)
            else:
                self.register_buffer(name, torch.zeros(num_tags), persistent=False)  # (tags,)
        self._add_constraint("allowed", allowed, (num_tags, num_tags))
        self._add_constraint("allowed_start", allowed_start, (num_tags,))
        self._add_constraint("allowed_end", allowed_end, (num_tags,))

    def _add_constraint(self, name: str, given: Tensor | None, shape: tuple[int, ...]) -> None:
        """Keep a constraint as a buffer outside the checkpoint, all True where none is given."""
        constraint = torch.ones(shape, dtype=torch.bool) if given is None else given
        if constraint.dtype != torch.bool or constraint.shape != shape:
            found = f"{constraint.dtype} {tuple(constraint.shape)}"
            raise ValueError(f"ConditionalRandomField: {name} is {found}; give a bool tensor of shape {shape}")
        self.register_buffer(name, constraint.clone(), persistent=False)

    def log_likelihood(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Return the log-probability of each row's tags.

        Args:
            emissions: float (batch, tokens, tags).
            tags: int64 (batch, tokens), in [0, num_tags) at tokens; anything at padding.
            mask: bool (batch, tokens), right-padded; rows may be empty.

        Returns:
            float (batch,), at most 0; 0 for an empty row.

        Raises:
            ValueError: a token follows padding.
        """
        # A shift of all emissions of a token cancels; without it, long sums lose digits in float32.
        emissions = emissions - emissions.detach().amax(dim=2, keepdim=True)  # (batch, tokens, tags)
        return self._score(emissions, tags, mask) - self.log_partition(emissions, mask)  # (batch,)

    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Return the logarithm of the summed exponentiated scores of all tag sequences.

        The gradient with respect to ``emissions`` is the marginal probability of each tag.

        Args:
            emissions: float (batch, tokens, tags).
            mask: bool (batch, tokens), right-padded; rows may be empty.

        Returns:
            float (batch,); 0 for an empty row.

        Raises:
            ValueError: a token follows padding.
        """
        lengths = lengths_of_mask(mask)  # (batch,)
        if emissions.size(1) == 0:
            return emissions.sum(dim=(1, 2))  # (batch,): zeros that still have a gradient
        potentials = self._training_potentials()
        steps = _time_major(emissions, mask)  # (tokens, batch, tags)
        if fits_probabilities(steps, *potentials):
            return log_partition_of(steps, lengths, *potentials)
        return self._log_partition_in_logarithms(steps, mask, *potentials).masked_fill(lengths == 0, 0.0)  # (batch,)

    @staticmethod
    def _log_partition_in_logarithms(
        steps: Tensor, mask: Tensor, transitions: Tensor, start: Tensor, end: Tensor
    ) -> Tensor:
        """Return the log partition for scores of any size, (batch,)."""
        first, *rest = steps.unbind(0)  # each (batch, tags)
        alpha = start + first  # (batch, tags)
        shifts = []
        for emission, inside in zip(rest, _inside(mask), strict=True):
            # Kept near 0, alpha does not lose digits as it grows with the sequence. The shift is added
            # again below, so the result does not depend on it and neither does the gradient.
            shifts.append(alpha.detach().amax(dim=1))  # (batch,)
            alpha = alpha - shifts[-1].unsqueeze(1)  # (batch, tags)
            paths = alpha.unsqueeze(2) + transitions  # (batch, tags, tags): from, to
            alpha = torch.where(inside, torch.logsumexp(paths, dim=1) + emission, alpha)  # (batch, tags)
        total = torch.logsumexp(alpha + end, dim=1)  # (batch,)
        if shifts:
            total = total + torch.stack(shifts).sum(dim=0)  # (batch,)
        return total

    @torch.no_grad()
    def viterbi(self, emissions: Tensor, mask: Tensor) -> list[tuple[int, ...]]:
        """Return the best allowed tag sequence of each row.

        Of several best sequences it returns the one with the lowest last tag, among these the one with
        the lowest tag before it, and so on to the first.

        Args:
            emissions: float (batch, tokens, tags).
            mask: bool (batch, tokens), right-padded; rows may be empty.

        Returns:
            the tags of each row, one for each of its tokens.

        Raises:
            ValueError: a token follows padding, no sequence of a row's length is allowed, or an emission
                is not finite.
        """
        lengths = lengths_of_mask(mask)  # (batch,)
        if emissions.size(1) == 0:
            return [()] * emissions.size(0)
        transitions, start, end = self._constrained_potentials(-math.inf)
        first, *rest = _time_major(emissions, mask).unbind(0)  # each (batch, tags)
        best = start + first  # (batch, tags): score of the best sequence so far that ends in the tag
        same = torch.arange(self.num_tags, device=best.device)  # (tags,)
        pointers = []
        for emission, inside in zip(rest, _inside(mask), strict=True):
            scores, previous = (best.unsqueeze(2) + transitions).max(dim=1)  # (batch, tags), (batch, tags)
            scores = scores - scores.amax(dim=1, keepdim=True) + emission  # (batch, tags), kept near 0
            best = torch.where(inside, scores, best)  # (batch, tags)
            pointers.append(torch.where(inside, previous, same))  # (batch, tags): padding repeats the tag
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
        """Return the score (batch,) of each row's tags; 0 for an empty row."""
        if emissions.size(1) == 0:
            return emissions.sum(dim=(1, 2))  # (batch,)
        transitions, start, end = self._training_potentials()
        tags = tags.masked_fill(~mask, 0)  # (batch, tokens)
        last = tags.gather(1, mask.sum(dim=1, keepdim=True).sub(1).clamp(min=0)).squeeze(1)  # (batch,)
        pairs = tags[:, :-1] * self.num_tags + tags[:, 1:]  # (batch, tokens - 1)
        # index_select, because on the CPU the gradient of plain indexing adds up in no fixed order.
        moved = transitions.flatten().index_select(0, pairs.flatten()).view_as(pairs)  # (batch, tokens - 1)
        emitted = emissions.gather(2, tags.unsqueeze(2)).squeeze(2)  # (batch, tokens)
        ends = start.index_select(0, tags[:, 0]) + end.index_select(0, last)  # (batch,)
        score = emitted.masked_fill(~mask, 0.0).sum(dim=1) + moved.masked_fill(~mask[:, 1:], 0.0).sum(dim=1)
        return score + ends.masked_fill(~mask[:, 0], 0.0)  # (batch,)

    def _training_potentials(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return transitions (tags, tags), start (tags,) and end (tags,) as the likelihood sees them."""
        if self.constrain_training:
            return self._constrained_potentials(_FORBIDDEN)
        return self.transitions, self.start_transitions, self.end_transitions

    def _constrained_potentials(self, forbidden: float) -> tuple[Tensor, Tensor, Tensor]:
        """Return transitions (tags, tags), start (tags,) and end (tags,), ``forbidden`` where not allowed."""
        return (
            self.transitions.masked_fill(~self.allowed, forbidden),
            self.start_transitions.masked_fill(~self.allowed_start, forbidden),
            self.end_transitions.masked_fill(~self.allowed_end, forbidden),
        )


def _time_major(emissions: Tensor, mask: Tensor) -> Tensor:
    """Return the emissions as (tokens, batch, tags), 0 at padding, so that even a NaN there is harmless.

    To be taken apart by one ``unbind``, not by an index at each step, whose gradients would each be as large as the
    whole.
    """
    filled = emissions.masked_fill(~mask.unsqueeze(2), 0.0)  # (batch, tokens, tags)
    return filled.transpose(0, 1).contiguous()  # (tokens, batch, tags)


def _inside(mask: Tensor) -> tuple[Tensor, ...]:
    """Return bool (batch, 1) for each place but the first: whether the row reaches it."""
    return mask[:, 1:].t().unsqueeze(2).unbind(0)  # each (batch, 1)

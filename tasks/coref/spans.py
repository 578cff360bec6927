"""The spans of a document that may be mentions, their scores, and which of them are kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.nn.feedforward import FeedForward


@dataclass(frozen=True)
class Spans:
    """Spans of consecutive tokens.

    Attributes:
        starts: Int64 (spans,), the first token.
        widths: Int64 (spans,), the number of tokens after it.
    """

    starts: Tensor
    widths: Tensor

    @property
    def ends(self) -> Tensor:
        """Int64 (spans,): the last token."""
        return self.starts + self.widths

    def at(self, places: Tensor) -> "Spans":
        """Return those at the given places, int64 (places,)."""
        return Spans(self.starts[places], self.widths[places])


def candidates(sentences: Tensor, *, max_width: int) -> Spans:
    """Return every span that lies within one sentence, in the order of its first and then of its last token.

    Args:
        sentences: Int64 (tokens,), the number of the sentence of each token.
        max_width: The greatest number of tokens of a span.
    """
    padded = F.pad(sentences, (0, max_width - 1), value=-1)  # (tokens + max_width - 1,)
    inside = padded.unfold(0, max_width, 1) == sentences.unsqueeze(1)  # (tokens, max_width)
    starts, widths = inside.nonzero(as_tuple=True)  # (spans,) each
    return Spans(starts, widths)


class SpanScorer(nn.Module):
    """Vectors of spans, and a score that tells how likely each is a mention.

    The vector of a span joins the contextual vectors of its first and its last token, a weighted mean of the vectors of
    its words before the LSTM (the attention finds its head), and a vector for its width.

    The scores of all spans take products over tokens only: the first layer of the network is linear, so it is applied
    to the parts of a span before they are put together.

    Args:
        context_dim: Width of the contextual vector of a token.
        word_dim: Width of the vector of a word.
        max_width: The greatest number of tokens of a span.
        feature_dim: Width of the vector for the width.
        ffnn_dim: Width of each layer of the feed-forward network.
        ffnn_layers: Number of its layers, at least 1.
        dropout: Probability in [0, 1) of dropping a value of its layers, and of the vector for the width.

    Source: Lee et al. 2017 (arXiv 1707.07045), section 4.
    """

    def __init__(
        self,
        *,
        context_dim: int,
        word_dim: int,
        max_width: int,
        feature_dim: int,
        ffnn_dim: int,
        ffnn_layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.max_width = max_width
        self.parts = (context_dim, context_dim, word_dim, feature_dim)
        self.attention = nn.Linear(context_dim, 1)
        self.width = nn.Embedding(max_width, feature_dim)
        self.dropout = nn.Dropout(dropout)
        dims = [ffnn_dim] * ffnn_layers
        self.network = FeedForward(input_dim=sum(self.parts), dims=dims, dropouts=[dropout] * ffnn_layers)
        self.score = nn.Linear(ffnn_dim, 1)

    @property
    def output_dim(self) -> int:
        """Width of the vector of a span."""
        return sum(self.parts)

    def forward(self, context: Tensor, words: Tensor, spans: Spans) -> tuple[Tensor, Tensor, Tensor]:
        """Score spans.

        Args:
            context: Float (tokens, context_dim).
            words: Float (tokens, word_dim).
            spans: The spans.

        Returns:
            The scores (spans,), and what ``vectors`` needs: the attention to each place of a span (spans, max_width),
            and the features of its width (spans, feature_dim).
        """
        first = self.network.layers[0]
        assert isinstance(first, nn.Linear)
        of_start, of_end, of_head, of_width = first.weight.split(self.parts, dim=1)  # (ffnn_dim, part) each
        attention = self._attention(context)  # (tokens, max_width, max_width)
        # The weighted mean of a product is the product of the weighted mean.
        heads = attention @ self._windows(F.linear(words, of_head))  # (tokens, max_width, ffnn_dim)
        places = spans.starts * self.max_width + spans.widths  # (spans,)
        features = self.dropout(self.width(spans.widths))  # (spans, feature_dim)
        hidden = (
            F.linear(features, of_width, first.bias)
            + F.linear(context, of_start).index_select(0, spans.starts)
            + F.linear(context, of_end).index_select(0, spans.ends)
            + heads.flatten(0, 1).index_select(0, places)
        )  # (spans, ffnn_dim)
        scores = self.score(self.network.layers[1:](hidden)).squeeze(1)  # (spans,)
        return scores, attention.flatten(0, 1).index_select(0, places), features

    def vectors(self, context: Tensor, words: Tensor, spans: Spans, attention: Tensor, features: Tensor) -> Tensor:
        """Return the vectors of spans, float (spans, output_dim).

        Args:
            context: Float (tokens, context_dim).
            words: Float (tokens, word_dim).
            spans: The spans.
            attention: Float (spans, max_width), from ``forward``.
            features: Float (spans, feature_dim), from ``forward``.
        """
        within = torch.arange(self.max_width, device=words.device)  # (max_width,)
        places = (spans.starts.unsqueeze(1) + within).clamp(max=len(words) - 1)  # (spans, max_width)
        windows = F.embedding(places, words)  # (spans, max_width, word_dim)
        heads = (attention.unsqueeze(1) @ windows).squeeze(1)  # (spans, word_dim)
        ends = [context.index_select(0, spans.starts), context.index_select(0, spans.ends)]  # (spans, context_dim) each
        return torch.cat([*ends, heads, features], dim=1)

    def _attention(self, context: Tensor) -> Tensor:
        """Return the weight of each place in each span from each token: (tokens, max_width, max_width)."""
        scores = F.pad(self.attention(context).squeeze(1), (0, self.max_width - 1))  # (tokens + max_width - 1,)
        windows = scores.unfold(0, self.max_width, 1).unsqueeze(1)  # (tokens, 1, max_width)
        outside = torch.ones(self.max_width, self.max_width, dtype=torch.bool, device=context.device).triu(1)
        return windows.masked_fill(outside, float("-inf")).softmax(dim=2)

    def _windows(self, vectors: Tensor) -> Tensor:
        """Return the vectors of each token and of those after it, (tokens, max_width, dim); of the last, repeated."""
        within = torch.arange(self.max_width, device=vectors.device)  # (max_width,)
        places = torch.arange(len(vectors), device=vectors.device).unsqueeze(1) + within  # (tokens, max_width)
        return F.embedding(places.clamp(max=len(vectors) - 1), vectors)


def best_without_crossing(starts: Sequence[int], ends: Sequence[int], order: Sequence[int], *, most: int) -> list[int]:
    """Return which spans are kept: the first ones of an order, without those that cross an earlier one.

    Two spans cross if they overlap and neither contains the other.

    Args:
        starts: The first token of each span.
        ends: The last token of each span.
        order: The spans, those with the best score first.
        most: How many are kept at most.

    Returns:
        Positions in ``starts``, in ascending order.
    """
    tokens = max(ends, default=-1) + 1
    last_end, first_start = [-1] * tokens, [tokens] * tokens  # of the kept spans that start, or end, at a token
    kept: list[int] = []
    for i in order:
        if len(kept) == most:
            break
        start, end = starts[i], ends[i]
        if end > start and (max(last_end[start + 1 : end + 1]) > end or min(first_start[start:end]) < start):
            continue
        kept.append(i)
        last_end[start], first_start[end] = max(last_end[start], end), min(first_start[end], start)
    return sorted(kept)

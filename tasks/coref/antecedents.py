"""The scores of the possible antecedents of each mention."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from harness.nn.feedforward import FeedForward
from tasks.coref.pair_products import pair_products

_DISTANCES = torch.tensor([1, 2, 3, 4, 5, 8, 16, 32, 64])  # where the bins 1 to 9 begin; the first bin is 0
_BLOCK = 2**24  # numbers in the largest intermediate result of the layers after the first


class AntecedentScorer(nn.Module):
    """A score for each pair of a mention and an earlier one.

    The network reads the vectors of both, their elementwise product, and vectors for the distance in mentions, for
    whether the speaker is the same, and for the genre.

    Memory: the scores and the first layer of all pairs are kept, ``mentions * max_antecedents * (ffnn_dim + 1)``
    numbers, and as many for the gradient; all else is computed in blocks of a fixed size.

    Args:
        span_dim: Width of the vector of a mention.
        max_antecedents: How many of the mentions before a mention are scored, the nearest ones.
        genres: Number of genres, with that of other documents.
        feature_dim: Width of each of the vectors for features.
        ffnn_dim: Width of each layer of the feed-forward network.
        ffnn_layers: Number of its layers, at least 1.
        dropout: Probability in [0, 1) of dropping a value of its layers, and of the features.

    Source: Lee et al. 2017 (arXiv 1707.07045), section 4; the bins of distances, ``coref_model.py`` of e2e-coref.
    """

    def __init__(
        self,
        *,
        span_dim: int,
        max_antecedents: int,
        genres: int,
        feature_dim: int,
        ffnn_dim: int,
        ffnn_layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.max_antecedents = max_antecedents
        self.parts = (span_dim, span_dim, span_dim, 3 * feature_dim)
        self.distance = nn.Embedding(len(_DISTANCES) + 1, feature_dim)
        self.same_speaker = nn.Embedding(2, feature_dim)
        self.genre = nn.Embedding(genres, feature_dim)
        self.dropout = nn.Dropout(dropout)
        dims = [ffnn_dim] * ffnn_layers
        self.network = FeedForward(input_dim=sum(self.parts), dims=dims, dropouts=[dropout] * ffnn_layers)
        self.score = nn.Linear(ffnn_dim, 1)

    def forward(self, vectors: Tensor, mention_scores: Tensor, speakers: Tensor, genre: Tensor) -> Tensor:
        """Score the antecedents of each mention of a document.

        Args:
            vectors: Float (mentions, span_dim), in the order of the document.
            mention_scores: Float (mentions,).
            speakers: Int64 (mentions,), the speaker of each.
            genre: Int64 (), the genre of the document.

        Returns:
            Float (mentions, 1 + antecedents): first 0, for no antecedent, and then the nearest mention before, the
            second nearest, and so on; minus infinity where there is none.
        """
        count = len(vectors)
        each = torch.arange(count, device=vectors.device).clamp(max=self.max_antecedents)  # (mentions,)
        mention = torch.arange(count, device=vectors.device).repeat_interleave(each)  # (pairs,)
        back = torch.arange(len(mention), device=vectors.device) - (each.cumsum(0) - each)[mention] + 1  # (pairs,)
        pair_scores = self._pair_scores(vectors, mention, back, speakers, genre)  # (pairs,)
        pair_scores = pair_scores + mention_scores[mention] + mention_scores[mention - back]
        scores = vectors.new_full((count, 1 + int(each.max())), float("-inf"))  # (mentions, 1 + antecedents)
        scores[:, 0] = 0.0
        return scores.index_put((mention, back), pair_scores)

    def _pair_scores(self, vectors: Tensor, mention: Tensor, back: Tensor, speakers: Tensor, genre: Tensor) -> Tensor:
        """Return the score of each pair without those of its mentions, (pairs,)."""
        first = self.network.layers[0]
        assert isinstance(first, nn.Linear)
        of_mention, of_antecedent, of_product, of_features = first.weight.split(self.parts, dim=1)  # (ffnn_dim, part)
        products = pair_products(vectors, of_product, mention, mention - back)  # (pairs, ffnn_dim)
        own = F.linear(vectors, of_mention, first.bias)  # (mentions, ffnn_dim)
        other = F.linear(vectors, of_antecedent)  # (mentions, ffnn_dim)
        bins = torch.bucketize(back, _DISTANCES.to(back.device), right=True)  # (pairs,)
        same = (speakers[mention] == speakers[mention - back]).long()  # (pairs,)

        def scores(products: Tensor, mention: Tensor, back: Tensor, bins: Tensor, same: Tensor) -> Tensor:
            of_genre = self.genre(genre).expand(len(bins), -1)  # (pairs, feature_dim)
            features = torch.cat([self.distance(bins), self.same_speaker(same), of_genre], dim=1)
            hidden = products + F.linear(self.dropout(features), of_features)  # (pairs, ffnn_dim)
            hidden = hidden + F.embedding(mention, own) + F.embedding(mention - back, other)
            result: Tensor = self.score(self.network.layers[1:](hidden)).squeeze(1)  # (pairs,)
            return result

        size = max(1, _BLOCK // products.size(1))
        blocks = list(zip(*(part.split(size) for part in (products, mention, back, bins, same)), strict=True))
        if len(blocks) == 1 or not torch.is_grad_enabled():
            return torch.cat([scores(*block) for block in blocks])
        return torch.cat([checkpoint(scores, *block, use_reentrant=False) for block in blocks])


def links_log_likelihood(scores: Tensor, entities: Tensor) -> Tensor:
    """Return the sum over mentions of the log-probability that the antecedent is any of the right ones.

    Args:
        scores: Float (mentions, 1 + antecedents), as ``AntecedentScorer`` returns them.
        entities: Int64 (mentions,), the gold entity of each mention, counted from 1; 0 for a span that is no mention.
    """
    count, width = scores.shape
    places = torch.arange(count, device=scores.device).unsqueeze(1) - torch.arange(width, device=scores.device)
    before = entities[places.clamp(min=0)]  # (mentions, 1 + antecedents)
    right = (before == entities.unsqueeze(1)) & (entities > 0).unsqueeze(1) & (places >= 0)
    right[:, 0] = ~right[:, 1:].any(dim=1)  # no antecedent is right if no right one is left
    gold = scores.masked_fill(~right, float("-inf")).logsumexp(dim=1)  # (mentions,)
    return (gold - scores.logsumexp(dim=1)).sum()

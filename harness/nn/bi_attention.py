"""Attention between a passage and a question, and of a passage to itself, by the trilinear similarity."""

import torch
from torch import Tensor, nn

from harness.nn.attention import TrilinearSimilarity, masked_softmax

_MAX_SCORES = 2**22  # number of similarities that self-attention holds at the same time


class BiAttention(nn.Module):
    """Attention flow in both directions: ``[h; u; h * u; h * q]``.

    h is a token of the passage. u is the mean of the question's tokens, weighted by the attention of this token. q is
    the mean of the passage's tokens, each weighted by its greatest similarity to a token of the question; it is the
    same for every h.

    Args:
        dim: Width of the vectors of both texts.

    Source: Seo et al. 2017 (arXiv 1611.01603), section 2, layer 4.
    """

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.output_dim = 4 * dim
        self.similarity = TrilinearSimilarity(dim=dim)

    def forward(self, passage: Tensor, question: Tensor, passage_mask: Tensor, question_mask: Tensor) -> Tensor:
        """Return each token of a passage with what it attends to in the question.

        Args:
            passage: Float (batch, tokens, dim).
            question: Float (batch, question_tokens, dim).
            passage_mask: Bool (batch, tokens), True at a token.
            question_mask: Bool (batch, question_tokens), True at a token.

        Returns:
            Float (batch, tokens, 4 * dim).
        """
        scores = self.similarity(passage, question)  # (batch, tokens, question_tokens)
        to_question = masked_softmax(scores, question_mask.unsqueeze(1))  # (batch, tokens, question_tokens)
        attended = to_question @ question  # (batch, tokens, dim)
        greatest = scores.masked_fill(~question_mask.unsqueeze(1), torch.finfo(scores.dtype).min).amax(dim=2)
        to_passage = masked_softmax(greatest, passage_mask)  # (batch, tokens)
        summary = to_passage.unsqueeze(1) @ passage  # (batch, 1, dim)
        return torch.cat([passage, attended, passage * attended, passage * summary], dim=2)  # (batch, tokens, 4 * dim)


class SelfAttention(nn.Module):
    """Attention of each token to all other tokens of its text, or to nothing: ``[x; a; x * a]``.

    The weight of token j for token i is ``exp(s_ij) / (exp(c) + sum_k exp(s_ik))``, where k is never i itself and c is
    learned. If no token resembles i, it attends to nothing and a is near 0. The similarity needs no bias, because
    changing c has the same effect.

    Args:
        dim: Width of the vectors.

    Source: Clark and Gardner 2017 (arXiv 1710.10723), section 3.1; c and its initial value -1 as in
    ``StaticAttentionSelf`` of their code, document-qa.
    """

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.output_dim = 3 * dim
        self.similarity = TrilinearSimilarity(dim=dim)
        self.nothing = nn.Parameter(torch.tensor(-1.0))

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return each token with what it attends to in its own text.

        Args:
            vectors: Float (batch, tokens, dim).
            mask: Bool (batch, tokens), True at a token.

        Returns:
            Float (batch, tokens, 3 * dim).
        """
        batch, tokens, _ = vectors.shape
        # A long text is processed in parts: 20,000 tokens have 400 million pairs.
        rows = max(1, _MAX_SCORES // max(1, batch * tokens))
        parts = [self._attend(vectors, mask, first, rows) for first in range(0, tokens, rows)]
        attended = torch.cat(parts, dim=1) if len(parts) != 1 else parts[0]  # (batch, tokens, dim)
        return torch.cat([vectors, attended, vectors * attended], dim=2)  # (batch, tokens, 3 * dim)

    def _attend(self, vectors: Tensor, mask: Tensor, first: int, rows: int) -> Tensor:
        """Return the means that ``rows`` tokens, starting with token ``first``, attend to: (batch, rows, dim)."""
        scores = self.similarity(vectors[:, first : first + rows], vectors)  # (batch, rows, tokens)
        places = torch.arange(mask.size(1), device=mask.device)  # (tokens,)
        itself = places[first : first + rows].unsqueeze(1) == places  # (rows, tokens)
        scores = scores.masked_fill(itself | ~mask.unsqueeze(1), torch.finfo(scores.dtype).min)
        total = scores.logsumexp(dim=2, keepdim=True)  # (batch, rows, 1)
        # In a text of one token every score is masked. Then ``something`` is 0, and the mean that it scales is ignored.
        something = (total - self.nothing).sigmoid()  # (batch, rows, 1)
        return something * ((scores - total).exp() @ vectors)  # (batch, rows, dim)

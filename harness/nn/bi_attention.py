"""Attention between a passage and a question, and of a passage with itself, by the trilinear similarity."""

import torch
from torch import Tensor, nn

from harness.nn.attention import TrilinearSimilarity, masked_softmax

_SCORES = 2**22  # similarities that self-attention holds at a time


class BiAttention(nn.Module):
    """Attention flow in both directions: ``[h; u; h * u; h * q]``.

    h is a token of the passage, u the mean of the question's tokens as this token attends to them, and q the mean of
    the passage's tokens, each weighted by its greatest similarity to a token of the question: the same everywhere.

    Args:
        dim: width of both texts' vectors.

    Source: Seo et al. 2017 (arXiv 1611.01603), section 2, layer 4.
    """

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.output_dim = 4 * dim
        self.similarity = TrilinearSimilarity(dim=dim)  # no bias: a softmax does not see it

    def forward(self, passage: Tensor, question: Tensor, passage_mask: Tensor, question_mask: Tensor) -> Tensor:
        """Tell each token of a passage what the question has to do with it.

        Args:
            passage: float (batch, tokens, dim).
            question: float (batch, question_tokens, dim).
            passage_mask: bool (batch, tokens).
            question_mask: bool (batch, question_tokens).

        Returns:
            float (batch, tokens, 4 * dim).
        """
        scores = self.similarity(passage, question)  # (batch, tokens, question_tokens)
        to_question = masked_softmax(scores, question_mask.unsqueeze(1))  # (batch, tokens, question_tokens)
        attended = to_question @ question  # (batch, tokens, dim)
        greatest = scores.masked_fill(~question_mask.unsqueeze(1), torch.finfo(scores.dtype).min).amax(dim=2)
        to_passage = masked_softmax(greatest, passage_mask)  # (batch, tokens)
        summary = to_passage.unsqueeze(1) @ passage  # (batch, 1, dim)
        return torch.cat([passage, attended, passage * attended, passage * summary], dim=2)  # (batch, tokens, 4 * dim)


class SelfAttention(nn.Module):
    """Attention of each token to all others of its text, or to nothing: ``[x; a; x * a]``.

    The weight of token j for token i is ``exp(s_ij) / (exp(c) + sum_k exp(s_ik))``, where k is never i itself, and c
    is learnt: where no token resembles i, it attends to nothing and a is near 0. A bias of the similarity would be c
    again with another sign.

    Args:
        dim: width of the vectors.

    Source: Clark and Gardner 2017 (arXiv 1710.10723), section 3.1; document-qa, ``StaticAttentionSelf``, for c and its
    initial value -1.
    """

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.output_dim = 3 * dim
        self.similarity = TrilinearSimilarity(dim=dim)
        self.nothing = nn.Parameter(torch.tensor(-1.0))

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Map float (batch, tokens, dim) and bool (batch, tokens) to (batch, tokens, 3 * dim)."""
        batch, tokens, _ = vectors.shape
        # Of a long text, not all pairs at once: 20,000 tokens have 400 million.
        rows = max(1, _SCORES // max(1, batch * tokens))
        parts = [self._attend(vectors, mask, first, rows) for first in range(0, tokens, rows)]
        attended = torch.cat(parts, dim=1) if len(parts) != 1 else parts[0]  # (batch, tokens, dim)
        return torch.cat([vectors, attended, vectors * attended], dim=2)  # (batch, tokens, 3 * dim)

    def _attend(self, vectors: Tensor, mask: Tensor, first: int, rows: int) -> Tensor:
        """Return what some tokens attend to: (batch, rows, dim)."""
        scores = self.similarity(vectors[:, first : first + rows], vectors)  # (batch, rows, tokens)
        places = torch.arange(mask.size(1), device=mask.device)
        itself = places[first : first + rows].unsqueeze(1) == places  # (rows, tokens)
        scores = scores.masked_fill(itself | ~mask.unsqueeze(1), torch.finfo(scores.dtype).min)
        total = scores.logsumexp(dim=2, keepdim=True)  # (batch, rows, 1)
        # Of a text of one token, every score is masked: then something is 0, and what it weighs does not matter.
        something = (total - self.nothing).sigmoid()  # (batch, rows, 1)
        return something * ((scores - total).exp() @ vectors)  # (batch, rows, dim)

"""BiDAF with self-attention, the model of the paper.

Source: Clark and Gardner 2017 (arXiv 1710.10723), section 3, as Peters et al. 2018 use it (section 4 and supplement
A.4; document-qa, ``ablate_elmo_model``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from harness.config.bounds import Dropout, Positive
from harness.nn.bi_attention import BiAttention, SelfAttention
from harness.nn.dropout import VariationalDropout
from harness.nn.recurrent import BiGru
from harness.types import Batch, TokenVectors
from tasks.squad.token_embedding import CharCnnOptions, TokenEmbedding

_STD = 0.05  # standard deviation of the initial weights of the GRUs


@dataclass(frozen=True, kw_only=True)
class SelfAttentionOptions:
    """Sizes of BiDAF with self-attention.

    Args:
        hidden_dim: The number of cells of every BiGRU in each direction. The layers between them are twice as wide.
        dropout: The dropout before and after the BiGRUs, the same at every token of a text.
        max_answer_tokens: The greatest number of tokens of an answer; null for no limit.
        chars: The sizes of the character CNN.
    """

    hidden_dim: Positive = 90
    dropout: Dropout = 0.2
    max_answer_tokens: Positive | None = 17
    chars: CharCnnOptions = field(default_factory=CharCnnOptions)


class BidafSelfAttention(nn.Module):
    """Words -> shared BiGRU -> attention flow -> self-attention, added to it -> BiGRU for starts -> BiGRU for ends.

    Args:
        words: The embedding of passage and question.
        output_dim: The width of the vectors that are joined to the output of the shared BiGRU; 0 for none.
        hidden_dim: The number of cells of every BiGRU in each direction. The layers between them are twice as wide.
        dropout: The dropout before and after the BiGRUs, the same at every token of a text, in [0, 1).
    """

    def __init__(self, *, words: TokenEmbedding, output_dim: int, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        width = 2 * hidden_dim
        self.dropout = VariationalDropout(dropout=dropout)
        self.words = words
        self.encoder = BiGru(input_dim=words.output_dim, hidden_dim=hidden_dim, std=_STD)
        self.attention = BiAttention(dim=width + output_dim)
        self.merge = _linear(self.attention.output_dim, width)
        self.reader = BiGru(input_dim=width, hidden_dim=hidden_dim, std=_STD)
        self.self_attention = SelfAttention(dim=width)
        self.merge_self = _linear(self.self_attention.output_dim, width)
        self.starting = BiGru(input_dim=width, hidden_dim=hidden_dim, std=_STD)
        self.ending = BiGru(input_dim=2 * width, hidden_dim=hidden_dim, std=_STD)
        self.to_start, self.to_end = _linear(width, 1, bias=False), _linear(width, 1, bias=False)

    def forward(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the scores of each token of the passage as start and as end, float (batch, tokens) each.

        Args:
            vectors: The token vectors of the texts ``passage`` and ``question``.
            batch: The questions.
        """
        mask = batch.masks["passage"]
        passage, question = (self._encode(text, vectors, batch) for text in ("passage", "question"))
        flow = self.attention(passage, question, mask, batch.masks["question"])  # (batch, tokens, attention.output_dim)
        merged = self.merge(flow).relu()  # (batch, tokens, width)
        read = self.dropout(self.reader(self.dropout(merged), mask))  # (batch, tokens, width)
        merged = merged + self.merge_self(self.self_attention(read, mask)).relu()  # (batch, tokens, width)
        merged = self.dropout(merged)  # (batch, tokens, width)
        starting = self.starting(merged, mask)  # (batch, tokens, width)
        ending = self.ending(torch.cat([merged, starting], dim=2), mask)  # (batch, tokens, width)
        return self.to_start(starting).squeeze(2), self.to_end(ending).squeeze(2)

    def _encode(self, text: str, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return one text after the shared BiGRU, (batch, tokens, width + output_dim)."""
        words = self.dropout(self.words(text, vectors, batch))  # (batch, tokens, words.output_dim)
        encoded: Tensor = self.dropout(self.encoder(words, batch.masks[text]))  # (batch, tokens, width)
        return vectors[text].join_output(encoded)


def _linear(input_dim: int, output_dim: int, *, bias: bool = True) -> nn.Linear:
    """Return a linear layer with Xavier uniform weights and bias 0. Scores before a softmax need no bias."""
    layer = nn.Linear(input_dim, output_dim, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer

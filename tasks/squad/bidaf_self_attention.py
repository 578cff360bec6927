"""BiDAF with self-attention: the model of the paper.

Source: Clark and Gardner 2017 (arXiv 1710.10723), section 3, as Peters et al. 2018 use it (section 4 and supplement
A.4; document-qa, ``ablate_elmo_model``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from harness.config.instantiate import check_bounds
from harness.nn.bi_attention import BiAttention, SelfAttention
from harness.nn.dropout import VariationalDropout
from harness.nn.recurrent import BiGru
from harness.types import Batch, Prediction, TokenVectors
from tasks.squad.answer_span import answers, span_loss
from tasks.squad.word_characters import CharOptions, Words

_STD = 0.05  # of the initial weights of the GRUs


@dataclass(frozen=True, kw_only=True)
class SelfAttentionOptions:
    """Sizes of BiDAF with self-attention.

    Attributes:
        hidden_dim: cells of every BiGRU, a direction; the layers between them are twice as wide.
        dropout: before and after the BiGRUs, the same at every token of a text.
        max_answer_tokens: length of an answer, at most; null: any.
        chars: the character CNN.
    """

    hidden_dim: int = 90
    dropout: float = 0.2
    max_answer_tokens: int | None = 17
    chars: CharOptions = field(default_factory=CharOptions)


class BidafSelfAttention(nn.Module):
    """Words -> shared BiGRU -> attention flow -> self-attention, added to it -> BiGRU for starts -> BiGRU for ends.

    Args:
        input_dim: width of the token vectors.
        output_dim: width of the vectors that join the shared BiGRU's output, 0 for none.
        options: sizes.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(self, *, input_dim: int, output_dim: int, options: SelfAttentionOptions) -> None:
        super().__init__()
        most = float("inf")
        check_bounds(
            [
                ("task.bidaf_self_attention.hidden_dim", options.hidden_dim, 1, most),
                ("task.bidaf_self_attention.dropout", options.dropout, 0, 0.999),
                ("task.bidaf_self_attention.max_answer_tokens", options.max_answer_tokens, 1, most),
            ]
        )
        options.chars.check("task.bidaf_self_attention.chars")
        hidden_dim, width = options.hidden_dim, 2 * options.hidden_dim
        self.max_answer_tokens = options.max_answer_tokens
        self.dropout = VariationalDropout(dropout=options.dropout)
        self.words = Words(input_dim=input_dim, chars=options.chars)
        self.encoder = BiGru(input_dim=self.words.output_dim, hidden_dim=hidden_dim, std=_STD)
        self.attention = BiAttention(dim=width + output_dim)
        self.merge = _linear(self.attention.output_dim, width)
        self.reader = BiGru(input_dim=width, hidden_dim=hidden_dim, std=_STD)
        self.self_attention = SelfAttention(dim=width)
        self.merge_self = _linear(self.self_attention.output_dim, width)
        self.starting = BiGru(input_dim=width, hidden_dim=hidden_dim, std=_STD)
        self.ending = BiGru(input_dim=2 * width, hidden_dim=hidden_dim, std=_STD)
        self.to_start, self.to_end = _linear(width, 1, bias=False), _linear(width, 1, bias=False)

    def encode(self, text: str, vectors: TokenVectors, batch: Batch) -> Tensor:
        """Return one text after the shared BiGRU: (batch, tokens, dim)."""
        words = self.dropout(self.words(text, vectors, batch))  # (batch, tokens, words.output_dim)
        encoded: Tensor = self.dropout(self.encoder(words, batch.masks[text]))  # (batch, tokens, width)
        return encoded if vectors.output is None else torch.cat([encoded, vectors.output], dim=2)

    def scores(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return how good each token of the passage is as a start and as an end, (batch, tokens) each."""
        mask = batch.masks["passage"]
        passage, question = (self.encode(text, vectors[text], batch) for text in ("passage", "question"))
        flow = self.attention(passage, question, mask, batch.masks["question"])  # (batch, tokens, attention.output_dim)
        merged = self.merge(flow).relu()  # (batch, tokens, width)
        read = self.dropout(self.reader(self.dropout(merged), mask))  # (batch, tokens, width)
        merged = merged + self.merge_self(self.self_attention(read, mask)).relu()  # (batch, tokens, width)
        merged = self.dropout(merged)  # (batch, tokens, width)
        starting = self.starting(merged, mask)  # (batch, tokens, width)
        ending = self.ending(torch.cat([merged, starting], dim=2), mask)  # (batch, tokens, width)
        return self.to_start(starting).squeeze(2), self.to_end(ending).squeeze(2)

    def loss(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the mean negative log-likelihood of start and end."""
        return span_loss(*self.scores(vectors, batch), batch)

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return the likeliest span of each row."""
        return answers(*self.scores(vectors, batch), batch, max_tokens=self.max_answer_tokens)


def _linear(input_dim: int, output_dim: int, *, bias: bool = True) -> nn.Linear:
    """Return a linear layer, Xavier uniform, bias 0; a score before a softmax needs none."""
    layer = nn.Linear(input_dim, output_dim, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer

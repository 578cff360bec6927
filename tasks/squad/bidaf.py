"""BiDAF: bidirectional attention flow.

Source: Seo et al. 2017 (arXiv 1611.01603), section 2; sizes and the way to the end of the span as in AllenNLP's
``bidaf_elmo`` configuration.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from harness.config.instantiate import check_bounds
from harness.nn.attention import masked_softmax
from harness.nn.bi_attention import BiAttention
from harness.nn.highway import Highway
from harness.nn.recurrent import BiLstm
from harness.types import Batch, Prediction, TokenVectors
from tasks.squad.answer_span import answers, span_loss
from tasks.squad.word_characters import CharOptions, Words


@dataclass(frozen=True, kw_only=True)
class BidafOptions:
    """Sizes of BiDAF.

    Attributes:
        hidden_dim: cells of every BiLSTM, a direction.
        modelling_layers: layers of the modelling BiLSTM.
        highway_layers: highway layers on the words; 0: none.
        dropout: on the output of each layer.
        max_answer_tokens: length of an answer, at most; null: any.
        chars: the character CNN.
    """

    hidden_dim: int = 100
    modelling_layers: int = 2
    highway_layers: int = 2
    dropout: float = 0.2
    max_answer_tokens: int | None = 30
    chars: CharOptions = field(default_factory=CharOptions)


class Bidaf(nn.Module):
    """Words -> highway -> phrase BiLSTM -> attention flow -> modelling BiLSTM -> start; and by one more BiLSTM, end.

    Args:
        input_dim: width of the token vectors.
        output_dim: width of the vectors that join the phrase layer's output, 0 for none.
        options: sizes.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(self, *, input_dim: int, output_dim: int, options: BidafOptions) -> None:
        super().__init__()
        most = float("inf")
        check_bounds(
            [
                ("task.bidaf.hidden_dim", options.hidden_dim, 1, most),
                ("task.bidaf.modelling_layers", options.modelling_layers, 1, most),
                ("task.bidaf.highway_layers", options.highway_layers, 0, most),
                ("task.bidaf.dropout", options.dropout, 0, 0.999),
                ("task.bidaf.max_answer_tokens", options.max_answer_tokens, 1, most),
            ]
        )
        options.chars.check("task.bidaf.chars")
        self.max_answer_tokens = options.max_answer_tokens
        self.words = Words(input_dim=input_dim, chars=options.chars)
        self.highway = Highway(dim=self.words.output_dim, num_layers=options.highway_layers)
        self.phrase = BiLstm(input_dim=self.words.output_dim, hidden_dim=options.hidden_dim)
        self.attention = BiAttention(dim=self.phrase.output_dim + output_dim)
        merged_dim = self.attention.output_dim
        self.modelling = BiLstm(
            input_dim=merged_dim,
            hidden_dim=options.hidden_dim,
            num_layers=options.modelling_layers,
            dropout=options.dropout,
        )
        modelled_dim = self.modelling.output_dim
        self.ending = BiLstm(input_dim=merged_dim + 3 * modelled_dim, hidden_dim=options.hidden_dim)
        self.to_start = nn.Linear(merged_dim + modelled_dim, 1, bias=False)  # a softmax does not see a constant
        self.to_end = nn.Linear(merged_dim + self.ending.output_dim, 1, bias=False)
        self.dropout = nn.Dropout(options.dropout)

    def encode(self, text: str, vectors: TokenVectors, batch: Batch) -> Tensor:
        """Return one text after the phrase layer, which both texts share: (batch, tokens, dim)."""
        words = self.highway(self.words(text, vectors, batch))  # (batch, tokens, words.output_dim)
        encoded = self.phrase(words, batch.masks[text])  # (batch, tokens, 2 * hidden_dim)
        if vectors.output is not None:
            encoded = torch.cat([encoded, vectors.output], dim=2)  # (batch, tokens, 2 * hidden_dim + output_dim)
        dropped: Tensor = self.dropout(encoded)  # (batch, tokens, 2 * hidden_dim + output_dim)
        return dropped

    def scores(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return how good each token of the passage is as a start and as an end, (batch, tokens) each."""
        mask = batch.masks["passage"]
        passage, question = (self.encode(text, vectors[text], batch) for text in ("passage", "question"))
        merged = self.attention(passage, question, mask, batch.masks["question"])  # (batch, tokens, merged_dim)
        modelled = self.dropout(self.modelling(merged, mask))  # (batch, tokens, modelled_dim)
        starts = self.to_start(self.dropout(torch.cat([merged, modelled], dim=2))).squeeze(2)  # (batch, tokens)
        at_start = masked_softmax(starts, mask).unsqueeze(1) @ modelled  # (batch, 1, modelled_dim)
        after_start = torch.cat(
            [merged, modelled, at_start.expand_as(modelled), modelled * at_start], dim=2
        )  # (batch, tokens, merged_dim + 3 * modelled_dim)
        ending = self.dropout(self.ending(after_start, mask))  # (batch, tokens, 2 * hidden_dim)
        ends = self.to_end(self.dropout(torch.cat([merged, ending], dim=2))).squeeze(2)  # (batch, tokens)
        return starts, ends

    def loss(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the mean negative log-likelihood of start and end."""
        return span_loss(*self.scores(vectors, batch), batch)

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return the likeliest span of each row."""
        return answers(*self.scores(vectors, batch), batch, max_tokens=self.max_answer_tokens)

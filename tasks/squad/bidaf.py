"""BiDAF, bidirectional attention flow.

Source: Seo et al. 2017 (arXiv 1611.01603), section 2. The sizes, and how the scores of the end depend on the start, are
those of AllenNLP's ``bidaf_elmo`` configuration.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from harness.config.bounds import Count, Dropout, Positive
from harness.nn.attention import masked_softmax
from harness.nn.bi_attention import BiAttention
from harness.nn.highway import Highway
from harness.nn.recurrent import BiLstm
from harness.types import Batch, TokenVectors
from tasks.squad.token_embedding import CharCnnOptions, TokenEmbedding


@dataclass(frozen=True, kw_only=True)
class BidafOptions:
    """Sizes of BiDAF.

    Args:
        hidden_dim: The number of cells of every BiLSTM in each direction.
        modelling_layers: The number of layers of the modelling BiLSTM.
        highway_layers: The number of highway layers on the words.
        dropout: The dropout on the output of each layer.
        max_answer_tokens: The greatest number of tokens of an answer; null for no limit.
        chars: The sizes of the character CNN.
    """

    hidden_dim: Positive = 100
    modelling_layers: Positive = 2
    highway_layers: Count = 2
    dropout: Dropout = 0.2
    max_answer_tokens: Positive | None = 30
    chars: CharCnnOptions = field(default_factory=CharCnnOptions)


class Bidaf(nn.Module):
    """Words -> highway -> phrase BiLSTM -> attention flow -> modelling BiLSTM -> start -> one more BiLSTM -> end.

    Args:
        words: The embedding of passage and question.
        output_dim: The width of the vectors that are joined to the output of the phrase BiLSTM; 0 for none.
        hidden_dim: The number of cells of every BiLSTM in each direction.
        modelling_layers: The number of layers of the modelling BiLSTM.
        highway_layers: The number of highway layers on the words; 0 for none.
        dropout: The dropout on the output of each layer, in [0, 1).
    """

    def __init__(
        self,
        *,
        words: TokenEmbedding,
        output_dim: int,
        hidden_dim: int,
        modelling_layers: int,
        highway_layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.words = words
        self.highway = Highway(dim=words.output_dim, num_layers=highway_layers)
        self.phrase = BiLstm(input_dim=words.output_dim, hidden_dim=hidden_dim)
        self.attention = BiAttention(dim=self.phrase.output_dim + output_dim)
        merged_dim = self.attention.output_dim
        self.modelling = BiLstm(
            input_dim=merged_dim, hidden_dim=hidden_dim, num_layers=modelling_layers, dropout=dropout
        )
        modelled_dim = self.modelling.output_dim
        self.ending = BiLstm(input_dim=merged_dim + 3 * modelled_dim, hidden_dim=hidden_dim)
        # No bias, because a softmax ignores a constant.
        self.to_start = nn.Linear(merged_dim + modelled_dim, 1, bias=False)
        self.to_end = nn.Linear(merged_dim + self.ending.output_dim, 1, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the scores of each token of the passage as start and as end, float (batch, tokens) each.

        Args:
            vectors: The token vectors of the texts ``passage`` and ``question``.
            batch: The questions.
        """
        mask = batch.masks["passage"]
        passage, question = (self._encode(text, vectors, batch) for text in ("passage", "question"))
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

    def _encode(self, text: str, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return one text after the phrase layer, which both texts share: (batch, tokens, dim)."""
        words = self.highway(self.words(text, vectors, batch))  # (batch, tokens, words.output_dim)
        encoded = self.phrase(words, batch.masks[text])  # (batch, tokens, 2 * hidden_dim)
        encoded = vectors[text].join_output(encoded)  # (batch, tokens, 2 * hidden_dim + output_dim)
        dropped: Tensor = self.dropout(encoded)  # (batch, tokens, 2 * hidden_dim + output_dim)
        return dropped

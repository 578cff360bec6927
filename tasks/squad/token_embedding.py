"""Token vectors, joined with vectors from a character CNN: the lowest layer of the heads."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from harness.config.bounds import Count, Dropout, Positive
from harness.nn.char_cnn import CharCnnWords
from harness.types import Batch, TokenVectors


@dataclass(frozen=True, kw_only=True)
class CharCnnOptions:
    """Sizes of the character CNN.

    Args:
        filters: The number of filters; 0 for no character CNN.
        dim: The width of a character vector.
        width: The number of characters under a filter.
        max_chars: The number of bytes after which a word is cut.
        dropout: The dropout on the character vectors.
        output_dropout: The dropout on the word vectors that the CNN returns.
    """

    filters: Count = 0
    dim: Positive = 16
    width: Positive = 5
    max_chars: Positive = 50
    dropout: Dropout = 0.0
    output_dropout: Dropout = 0.0


class TokenEmbedding(nn.Module):
    """Token vectors, joined with the output of a character CNN if there is one.

    Args:
        input_dim: The width of the token vectors.
        char_cnn: The character CNN, or None.
        char_dropout: The dropout on the output of the character CNN, in [0, 1).
    """

    def __init__(self, *, input_dim: int, char_cnn: CharCnnWords | None = None, char_dropout: float = 0.0) -> None:
        super().__init__()
        self.output_dim = input_dim + (char_cnn.output_dim if char_cnn else 0)
        self.char_cnn = char_cnn
        self.dropout = nn.Dropout(char_dropout)

    def forward(self, text: str, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the vectors of one text, float (batch, tokens, output_dim).

        Args:
            text: The name of the text field.
            vectors: The token vectors of each text field.
            batch: The examples, with the input ``TEXT_chars`` if there is a character CNN.
        """
        if self.char_cnn is None:
            return vectors[text].input
        chars = self.dropout(self.char_cnn(batch.inputs[f"{text}_chars"]))  # (batch, tokens, filters)
        return torch.cat([vectors[text].input, chars], dim=2)  # (batch, tokens, output_dim)

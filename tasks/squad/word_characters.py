"""What enters a head of reading comprehension: token vectors, and words from their characters if wanted."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from harness.config.instantiate import check_bounds
from harness.nn.char_cnn import CharCnnWords, char_ids
from harness.types import Batch, Sentence, TokenVectors


@dataclass(frozen=True, kw_only=True)
class CharOptions:
    """The character CNN.

    Attributes:
        filters: number of filters; 0: no CNN.
        dim: width of a character's vector.
        width: characters under a filter.
        max_chars: bytes after which a word is cut.
        dropout: on the characters' vectors.
        output_dropout: on the words' vectors.
    """

    filters: int = 0
    dim: int = 16
    width: int = 5
    max_chars: int = 50
    dropout: float = 0.0
    output_dropout: float = 0.0

    def check(self, where: str) -> None:
        """Check the values.

        Raises:
            ConfigError: one is out of range.
        """
        most = float("inf")
        check_bounds(
            [
                (f"{where}.filters", self.filters, 0, most),
                *((f"{where}.{name}", getattr(self, name), 1, most) for name in ("dim", "width", "max_chars")),
                *((f"{where}.{name}", getattr(self, name), 0, 0.999) for name in ("dropout", "output_dropout")),
            ]
        )

    def inputs(self, sentences: dict[str, list[Sentence]]) -> dict[str, Tensor]:
        """Return what a batch has to hold: the characters of each text, int64 (batch, tokens, chars)."""
        return {f"{text}_chars": char_ids(rows, self.max_chars) for text, rows in sentences.items() if self.filters}


class Words(nn.Module):
    """Token vectors with the character CNN's beside them.

    Args:
        input_dim: width of the token vectors.
        chars: the character CNN.
    """

    def __init__(self, *, input_dim: int, chars: CharOptions) -> None:
        super().__init__()
        self.output_dim = input_dim + chars.filters
        self.char_cnn = (
            CharCnnWords(char_dim=chars.dim, filters=chars.filters, width=chars.width, dropout=chars.dropout)
            if chars.filters
            else None
        )
        self.dropout = nn.Dropout(chars.output_dropout)

    def forward(self, text: str, vectors: TokenVectors, batch: Batch) -> Tensor:
        """Return the words of one text field, (batch, tokens, output_dim)."""
        if self.char_cnn is None:
            return vectors.input
        chars = self.dropout(self.char_cnn(batch.inputs[f"{text}_chars"]))  # (batch, tokens, filters)
        return torch.cat([vectors.input, chars], dim=2)  # (batch, tokens, output_dim)

"""Word vectors from bytes: the small trainable character CNN of a task head. ELMo has its own."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.nn.masking import mask_of_lengths
from harness.nn.pooling import max_pool

_NUM_IDS = 257  # 0 is padding; byte b is b + 1


def char_ids(sentences: Sequence[Sequence[str]], max_chars: int = 50) -> Tensor:
    """Return the UTF-8 bytes of each token as ids. Bytes need no character vocabulary.

    Args:
        sentences: The tokens of each row.
        max_chars: Number of bytes, at least 1, after which a token is cut.

    Returns:
        Int64 (batch, tokens, chars) in [0, 256], 0 at padding. ``chars`` is the number of bytes of the longest token,
        and at least 1. A token without characters looks like padding.
    """
    rows = [[token.encode()[:max_chars] for token in sentence] for sentence in sentences]
    words = [word for row in rows for word in row]
    tokens = max(map(len, rows), default=0)
    chars = max(map(len, words), default=0)
    sizes = [[len(word) for word in row] + [0] * (tokens - len(row)) for row in rows]
    lengths = torch.tensor(sizes, dtype=torch.int64).view(len(rows), tokens)  # (batch, tokens)
    ids = torch.zeros(len(rows), tokens, max(chars, 1), dtype=torch.int64)  # (batch, tokens, chars)
    ids[mask_of_lengths(lengths, ids.size(2))] = torch.tensor(list(b"".join(words)), dtype=torch.int64) + 1
    return ids


class CharCnnWords(nn.Module):
    """Word vectors by a convolution over characters, a ReLU and the maximum over places.

    One window starts at each character of the word. The last windows extend over the end of the word into zeros, so a
    word that is shorter than the filters has windows too. Windows that start in padding never count.

    There are three conventions, and their vectors differ. AllenNLP 2.10.1 counts only the windows that lie within the
    word; the vector of a word of one or two characters is then zero with filters of width 3. AllenNLP 0.9.0 counts all
    windows of the padded batch; the vector of a word then depends on the longest word of its batch. Here, as in
    neither of them, every word has a vector, and it depends on nothing but the word.

    Args:
        char_dim: Width of the vector of a character, at least 1.
        filters: Number of filters, at least 1.
        width: Number of characters under a filter, at least 1.
        dropout: Probability in [0, 1) of dropping a value of a character's vector.

    Source: AllenNLP 0.9.0, training_config/ner_elmo.jsonnet (16, 128, 3), for the sizes.
    """

    def __init__(self, *, char_dim: int = 16, filters: int = 128, width: int = 3, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(_NUM_IDS, char_dim, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.convolution = nn.Conv1d(char_dim, filters, width)
        nn.init.xavier_uniform_(self.embedding.weight)
        nn.init.zeros_(self.embedding.weight.data[0])

    @property
    def output_dim(self) -> int:
        """Width of the vector of a word."""
        return self.convolution.out_channels

    def forward(self, char_ids: Tensor) -> Tensor:
        """Compute the vector of each word.

        Args:
            char_ids: Int64 (batch, tokens, chars) as returned by ``char_ids``, with at least one place for characters.

        Returns:
            Float (batch, tokens, output_dim), 0 where all ids of a token are 0.
        """
        # Most words occur more than once in a batch: each distinct word is computed once.
        words, places = _distinct(char_ids.flatten(0, 1))  # (words, chars), (batch * tokens,)
        width, count = self.convolution.kernel_size[0], words.size(1)
        chars = F.pad(self.dropout(self.embedding(words)), (0, 0, 0, width - 1))  # (words, chars + width - 1, char_dim)
        # A product instead of a convolution, for which oneDNN generates code for each number of words and characters.
        seen = torch.cat([chars[:, i : i + count] for i in range(width)], dim=2)  # (words, chars, width * char_dim)
        weight = self.convolution.weight.transpose(1, 2).flatten(1)  # (filters, width * char_dim)
        windows = F.linear(seen, weight, self.convolution.bias)  # (words, chars, filters): one per first character
        vectors = F.relu(max_pool(windows, words != 0))  # (words, filters), 0 for a word that is all padding
        # F.embedding, because the gradient of plain indexing is summed in no fixed order on the CPU.
        return F.embedding(places.view(char_ids.shape[:2]), vectors)  # (batch, tokens, filters)


def _distinct(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return what ``torch.unique(rows, dim=0, return_inverse=True)`` returns, for ids below 2^16, ten times as fast."""
    bytes_of_row = f"V{2 * rows.size(1)}"  # big-endian, so that bytes have the order of the ids
    keys = rows.cpu().numpy().astype(">u2").view(bytes_of_row).ravel()  # (rows,)
    _, first, places = np.unique(keys, return_index=True, return_inverse=True)  # (words,), (words,), (rows,)
    return rows[torch.from_numpy(first).to(rows.device)], torch.from_numpy(places).to(rows.device)

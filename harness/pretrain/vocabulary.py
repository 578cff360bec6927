"""The words that the softmax predicts: by frequency, as the sampled softmax assumes."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.encoders.char_ids import BOS, EOS
from harness.errors import DataFormatError
from harness.utils.files import write_text

UNK = "<UNK>"
SPECIAL = (BOS, EOS, UNK)  # the first three lines of a vocabulary file, as in bilm-tf


class Vocabulary:
    """Words by descending frequency, behind ``<S>``, ``</S>`` and ``<UNK>``."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._rows = {word: row for row, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    @property
    def unk(self) -> int:
        """The row of ``<UNK>``."""
        return self._rows[UNK]

    def rows_of(self, words: Iterable[str]) -> NDArray[np.int64]:
        """Return the row of each word, that of ``<UNK>`` where it has none: int64 (words,)."""
        return np.array([self._rows.get(word, self.unk) for word in words], dtype=np.int64)

    @classmethod
    def most_frequent(cls, words: Sequence[str], counts: Sequence[int], *, size: int) -> "Vocabulary":
        """Keep the ``size`` most frequent words, special ones included; equal counts go by spelling."""
        ranked = sorted(range(len(words)), key=lambda row: (-counts[row], words[row]))
        kept = [words[row] for row in ranked if words[row] not in SPECIAL]
        return cls([*SPECIAL, *kept[: size - len(SPECIAL)]])

    def write(self, path: Path) -> None:
        """Write one word a line, the layout of bilm-tf's vocabulary file."""
        write_text(path, "".join(f"{word}\n" for word in self.words))

    @classmethod
    def read(cls, path: Path) -> "Vocabulary":
        """Read a vocabulary file.

        Raises:
            DataFormatError: the first three lines are not the special words.
        """
        try:
            words = path.read_bytes().decode().split("\n")[:-1]
        except (OSError, UnicodeDecodeError) as error:
            raise DataFormatError(f"{path}: no readable vocabulary ({error})") from None
        if tuple(words[:3]) != SPECIAL or len(set(words)) != len(words):
            raise DataFormatError(f"{path}: expected different words, one a line, the first three {', '.join(SPECIAL)}")
        return cls(words)

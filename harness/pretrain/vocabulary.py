"""The words that the softmax predicts, sorted by frequency as the sampled softmax assumes."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.encoders.char_ids import BOS, EOS
from harness.errors import DataFormatError
from harness.utils.files import write_text

UNK = "<UNK>"
SPECIAL = (BOS, EOS, UNK)  # the first three lines of a vocabulary file, as in bilm-tf
BOS_ROW, EOS_ROW, UNK_ROW = range(3)


class Vocabulary:
    """A list of different words: ``<S>``, ``</S>`` and ``<UNK>``, then the others by descending frequency."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._rows = {word: row for row, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def rows_of(self, words: Iterable[str]) -> NDArray[np.int64]:
        """Return the row of each word, int64 (words,). An unknown word gets the row of ``<UNK>``."""
        return np.array([self._rows.get(word, UNK_ROW) for word in words], dtype=np.int64)

    @classmethod
    def most_frequent(cls, words: Sequence[str], counts: Sequence[int], *, size: int) -> "Vocabulary":
        """Return the vocabulary of the most frequent words. Words of equal frequency are sorted by spelling.

        Args:
            words: The different words of a text.
            counts: How often each of them occurs.
            size: Largest number of words to keep, the three special ones included.
        """
        ranked = sorted(range(len(words)), key=lambda row: (-counts[row], words[row]))
        kept = [words[row] for row in ranked if words[row] not in SPECIAL]
        return cls([*SPECIAL, *kept[: size - len(SPECIAL)]])

    def write(self, path: Path) -> None:
        """Write one word per line, the layout of bilm-tf's vocabulary file."""
        write_text(path, "".join(f"{word}\n" for word in self.words))

    @classmethod
    def read(cls, path: Path) -> "Vocabulary":
        """Read a vocabulary file.

        Raises:
            DataFormatError: The file cannot be read, repeats a word, or does not begin with the special words.
        """
        try:
            words = path.read_bytes().decode().split("\n")[:-1]
        except (OSError, UnicodeDecodeError) as error:
            raise DataFormatError(f"{path}: the vocabulary cannot be read ({error})") from None
        if tuple(words[:3]) != SPECIAL or len(set(words)) != len(words):
            raise DataFormatError(
                f"{path}: expected one word per line, all different, the first three {' '.join(SPECIAL)}"
            )
        return cls(words)

"""The characters and words of a model of ELMoForManyLangs.

Source: Che et al. 2018 (arXiv 1807.03121); ids exactly as in the reference code (package ``elmoformanylangs``).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from harness.encoders.char_ids import BOS, EOS
from harness.encoders.kernels.async_copy import device_copy
from harness.errors import WeightsError
from harness.utils.text_files import numbered_lines

_UNKNOWN, _PADDING = "<oov>", "<pad>"
_BOUNDARIES = {"<bos>": "<bos>", "<eos>": "<eos>", BOS: "<bos>", EOS: "<eos>"}
# The reference code looks up the begin mark of a word under the name of the end mark, and the end mark under that of
# the begin mark. The models were trained with this, so it must stay.
_BEGIN_WORD, _END_WORD = "<eow>", "<bow>"
WORD_ENTRIES = (_UNKNOWN, _PADDING)  # what every word.dic must hold
CHAR_ENTRIES = (*WORD_ENTRIES, "<bos>", "<eos>", _BEGIN_WORD, _END_WORD)  # what every char.dic must hold


class Lexicon(nn.Module):
    """Maps words to the ids of their characters, and to the part of their vectors that depends on the whole word.

    A character is a Unicode code point. A word is cut after ``max_chars - 2`` of them, also when it is looked up as a
    whole. The words ``<bos>`` and ``<eos>`` stand for the sentence boundaries, as do ``<S>`` and ``</S>``.

    Args:
        chars: The id of each character, and of each of ``CHAR_ENTRIES``.
        words: The id of each word, and of each of ``WORD_ENTRIES``.
        word_table: Float (len(words), projection_dim), what each word adds to its vector.
        max_chars: Number of slots of a word, including its begin and end marks; at least 3.
    """

    def __init__(
        self, *, chars: Mapping[str, int], words: Mapping[str, int], word_table: Tensor, max_chars: int
    ) -> None:
        super().__init__()
        self._chars, self._words, self._max_chars, self.n_chars = chars, words, max_chars, len(chars)
        self.word_table = nn.Buffer(word_table, persistent=False)

    def char_ids(self, words: Sequence[str], *, widest: int) -> Tensor:
        """Return the ids of characters, int64 (words, chars), each plus one, because 0 stands for a masked token.

        Slots that are padding in every word are left out, except as many as the widest filter covers.

        Args:
            words: The words, at least one.
            widest: Width of the widest filter that will be applied to the ids.
        """
        contents = [[read] if (read := self._read(word)) in _BOUNDARIES else list(read) for word in words]
        slots = min(self._max_chars, max(map(len, contents)) + 2 + widest)
        ids = torch.full((len(words), slots), self._chars[_PADDING])  # (words, chars)
        for row, content in zip(ids, contents, strict=True):
            marked = [self._chars.get(char, self._chars[_UNKNOWN]) for char in (_BEGIN_WORD, *content, _END_WORD)]
            row[: len(marked)] = torch.tensor(marked)  # (marked,)
        return ids + 1

    def word_vectors(self, words: Sequence[str]) -> Tensor:
        """Return what each word as a whole adds to its vector, float (words, projection_dim)."""
        ids = torch.tensor([self._words.get(self._read(word), self._words[_UNKNOWN]) for word in words])  # (words,)
        return self.word_table[device_copy(ids, self.word_table.device)]

    def _read(self, word: str) -> str:
        """Return a word as the model reads it."""
        return _BOUNDARIES.get(word, word[: self._max_chars - 2])


def read_ids(path: Path, *, entries: Sequence[str]) -> dict[str, int]:
    """Read a ``char.dic`` or ``word.dic``: on each line an entry, a tab and its id.

    An id alone is that of the ideographic space, because the reference code removes white space from lines.

    Args:
        path: The file.
        entries: What it must hold.

    Raises:
        WeightsError: A line is something else, an id is not below the number of entries, or an entry is missing.
        DataFormatError: The file is not text.
    """
    ids: dict[str, int] = {}
    for number, line in numbered_lines(path):
        *entry, index = line.strip().split("\t")
        if len(entry) > 1 or not (index.isascii() and index.isdigit() and len(index) < 10):
            raise WeightsError(f"{path}:{number}: expected an entry, a tab and its number; download the model again")
        ids[entry[0] if entry else "\u3000"] = int(index)
    if missing := [entry for entry in entries if entry not in ids]:
        raise WeightsError(f"{path}: there is no {missing[0]}; give a model of ELMoForManyLangs")
    if max(ids.values()) >= len(ids):
        raise WeightsError(f"{path}: it has {len(ids)} entries, but a number {max(ids.values())}; download it again")
    return ids

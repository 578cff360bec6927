"""Find the sentences of a text in which a word is nearest to the same word in a given context.

Static vectors give a word one neighbourhood; a contextual encoder gives one to each occurrence of the word.

Source: Peters et al. 2018, section 5.3 and Table 4.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.errors import DataFormatError
from harness.protocols import Encoder
from harness.types import Sentence
from harness.utils.text_files import numbered_lines


def read_occurrences(path: Path, word: str) -> list[Sentence]:
    """Return the distinct sentences of a text that contain a word.

    Args:
        path: A file of tokenised sentences, one per line, plain or ``.gz``.
        word: The word, as it is written in the text.

    Raises:
        DataFormatError: The file cannot be read, or the word is not in it.
    """
    if not path.is_file():
        raise DataFormatError(f"{path}: no such file; give --text a file of tokenised sentences, one per line")
    sentences = (tuple(line.split()) for _, line in numbered_lines(path))
    found = list(dict.fromkeys(sentence for sentence in sentences if word in sentence))
    if not found:
        raise DataFormatError(f"{path}: no sentence contains '{word}'; choose another word or text")
    return found


def vectors_of(encoder: Encoder, sentences: Sequence[Sentence], word: str, *, layer: int) -> Tensor:
    """Return one layer's vector of a word at its first place in each sentence, (sentences, dim).

    Args:
        encoder: The frozen encoder.
        sentences: Tokenised sentences that contain the word.
        word: The word.
        layer: The index of the layer; negative indices count from the top.
    """
    vectors = torch.empty(len(sentences), encoder.dim)
    for index, layers in encoder.encode(sentences):
        vectors[index] = layers[layer, sentences[index].index(word)]
    return vectors


def nearest_sentences(query: Tensor, vectors: Tensor, count: int) -> list[tuple[int, float]]:
    """Return the rows that are nearest to a query by cosine, with their cosines, nearest first.

    Args:
        query: A vector, (dim,).
        vectors: The rows to search, (sentences, dim).
        count: How many rows to return; fewer if there are fewer.
    """
    cosines = F.cosine_similarity(vectors, query[None], dim=1)  # (sentences,)
    best = cosines.topk(min(count, len(vectors)))
    return list(zip(best.indices.tolist(), best.values.tolist(), strict=True))

"""Plain text to tokenised sentences, one file at a time and never all in memory."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, DataFormatError
from harness.utils.text_files import numbered_lines

_PARAGRAPHS_AT_ONCE = 1000
_PARAGRAPH_CHARS = 100_000  # a longer line is cut at a space, to bound memory


def files_of(patterns: Sequence[str], *, option: str) -> list[Path]:
    """Return the files that paths and globs name, in order; one that is named twice is there twice.

    Raises:
        ConfigError: none were named.
        DataFormatError: a pattern matches no file.
    """
    if not patterns:
        raise ConfigError(f"{option} is not given; add {option}=[FILE,...] (plain text or .gz; globs in quotes)")
    paths: list[Path] = []
    for pattern in patterns:
        matches = sorted(glob.glob(str(Path(pattern).expanduser()), recursive=True))  # noqa: PTH207
        files = [Path(match) for match in matches if Path(match).is_file()]
        if not files:
            raise DataFormatError(f"{option}: no file matches '{pattern}'")
        paths += files
    return paths


def sentences(path: Path, *, tokenize: bool) -> Iterator[list[str]]:
    """Yield the sentences of a text file as lists of words; empty lines are passed over.

    Args:
        path: UTF-8 text, plain or ``.gz``.
        tokenize: False where a line is a sentence whose tokens are separated by spaces; True where it is a
            paragraph of raw text, to be cut into sentences and tokens.

    Raises:
        DataFormatError: the file is not UTF-8, or a damaged ``.gz``.
        ConfigError: tokenising needs the extra ``pretrain``.
    """
    lines = (line for _, line in numbered_lines(path))
    yield from tokenized(lines) if tokenize else filter(None, map(str.split, lines))


def tokenized(paragraphs: Iterable[str]) -> Iterator[list[str]]:
    """Cut raw English text into sentences and tokens, by spaCy's rules for English.

    A sentence ends at ``.``, ``!``, ``?`` or ``…``, with the quotes and brackets that close behind it, or
    with its paragraph; a straight quote behind an end counts as closing, even where it opens the next sentence.
    Contractions are split as in the Penn Treebank; quotes stay as they are written.
    """
    tokenizer = english()
    pieces = (piece for paragraph in paragraphs for piece in _pieces(" ".join(paragraph.split())))
    while batch := list(islice(pieces, _PARAGRAPHS_AT_ONCE)):
        for document in tokenizer.pipe(batch):
            for sentence in document.sents:
                words = [token.text for token in sentence if not token.is_space]
                if words:
                    yield words


def english() -> Any:
    """Return spaCy's rule-based English tokeniser and sentence splitter; it needs no model.

    Raises:
        ConfigError: spaCy is not installed.
    """
    try:
        import spacy
    except ModuleNotFoundError:
        raise ConfigError("text.tokenize=true needs spaCy; pip install 'elmo-harness[pretrain]'") from None
    tokenizer: Any = spacy.blank("en")
    tokenizer.add_pipe("sentencizer")
    tokenizer.tokenizer.add_special_case("<unk>", [{"ORTH": "<unk>"}])  # as some corpora mark rare words
    tokenizer.max_length = 2 * _PARAGRAPH_CHARS
    return tokenizer


def _pieces(paragraph: str) -> Iterator[str]:
    """Cut a paragraph that is longer than any real one at spaces."""
    while len(paragraph) > _PARAGRAPH_CHARS:
        end = paragraph.rfind(" ", 0, _PARAGRAPH_CHARS)
        end = end if end > 0 else _PARAGRAPH_CHARS
        yield paragraph[:end]
        paragraph = paragraph[end:].lstrip()
    if paragraph:
        yield paragraph

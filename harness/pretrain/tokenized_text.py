"""Plain text as tokenised sentences, read line by line and never held in memory."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, DataFormatError
from harness.utils.text_files import numbered_lines

_PARAGRAPH_CHARS = 100_000  # a longer line is cut at a space, to bound memory


def files_of(patterns: Sequence[str], *, option: str) -> list[Path]:
    """Return the files that paths and globs name, in order.

    Args:
        patterns: Paths or globs. A file that is named twice is returned twice.
        option: The name of the option that holds the patterns, for error messages.

    Raises:
        ConfigError: There is no pattern.
        DataFormatError: A pattern matches no file.
    """
    if not patterns:
        raise ConfigError(f"{option} is not given; add {option}=[FILE,...] (plain text or .gz; quote globs)")
    paths: list[Path] = []
    for pattern in patterns:
        matches = sorted(glob.glob(str(Path(pattern).expanduser()), recursive=True))  # noqa: PTH207
        files = [Path(match) for match in matches if Path(match).is_file()]
        if not files:
            raise DataFormatError(f"{option}: no file matches '{pattern}'; check the path")
        paths += files
    return paths


def sentences(path: Path, *, tokenize: bool) -> Iterator[list[str]]:
    """Yield the sentences of a text file as lists of words. Empty lines are skipped.

    Args:
        path: UTF-8 text, plain or ``.gz``.
        tokenize: If False, each line is a sentence whose tokens are separated by spaces. If True, each line is a
            paragraph of raw text, which is split into sentences and tokens.

    Raises:
        DataFormatError: The file is missing, not UTF-8, or a damaged ``.gz``.
        ConfigError: ``tokenize`` is True and spaCy is not installed.
    """
    lines = (line for _, line in numbered_lines(path))
    yield from _tokenized(lines) if tokenize else filter(None, map(str.split, lines))


def _tokenized(paragraphs: Iterable[str]) -> Iterator[list[str]]:
    """Split raw English text into sentences and tokens, by spaCy's rules for English.

    A sentence ends at ``.``, ``!``, ``?`` or ``…`` and the closing quotes and brackets that follow, or with its
    paragraph. A straight quote after such an end counts as closing, even if it opens the next sentence. Contractions
    are split as in the Penn Treebank. Quotes stay as they are written.
    """
    tokenizer = _english()
    pieces = (piece for paragraph in paragraphs for piece in _pieces(" ".join(paragraph.split())))
    for document in tokenizer.pipe(pieces):
        texts = ([token.text for token in sentence if not token.is_space] for sentence in document.sents)
        yield from filter(None, texts)


def _english() -> Any:
    """Return spaCy's rule-based English tokeniser and sentence splitter. It needs no model."""
    try:
        import spacy
    except ModuleNotFoundError:
        raise ConfigError("tokenising raw text needs spaCy; pip install 'elmo-harness[pretrain]'") from None
    tokenizer: Any = spacy.blank("en")
    tokenizer.add_pipe("sentencizer")
    tokenizer.tokenizer.add_special_case("<unk>", [{"ORTH": "<unk>"}])  # some corpora mark rare words with it
    tokenizer.max_length = 2 * _PARAGRAPH_CHARS
    return tokenizer


def _pieces(paragraph: str) -> Iterator[str]:
    """Cut a very long paragraph at spaces."""
    while len(paragraph) > _PARAGRAPH_CHARS:
        end = paragraph.rfind(" ", 0, _PARAGRAPH_CHARS)
        end = end if end > 0 else _PARAGRAPH_CHARS
        yield paragraph[:end]
        paragraph = paragraph[end:].lstrip()
    if paragraph:
        yield paragraph

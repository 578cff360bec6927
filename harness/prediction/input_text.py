"""Sentences of a file that is to be encoded or labelled: plain text, JSON lines, or columns."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from harness.errors import DataFormatError
from harness.types import Sentence
from harness.utils.text_files import numbered_lines
from harness.utils.tokenizers import Tokenizer

TextFormat = Literal["text", "jsonl", "columns"]
_BY_SUFFIX: dict[str, TextFormat] = {".jsonl": "jsonl", ".conll": "columns", ".tsv": "columns", ".bio": "columns"}


def format_of(path: Path) -> TextFormat:
    """Return the format that the name of a file stands for: ``text`` unless it ends in a known suffix."""
    return _BY_SUFFIX.get(Path(path.name.removesuffix(".gz")).suffix, "text")


def read_sentences(path: Path, *, form: TextFormat, tokenize: Tokenizer | None) -> Iterator[Sentence]:
    """Yield the sentences of a file one by one. An empty line of ``text`` is a sentence without tokens.

    Args:
        path: A UTF-8 file, plain or ``.gz``.
        form: ``text``: one sentence on each line; ``jsonl``: objects with ``tokens`` (a list) or ``text`` (a string);
            ``columns``: one token on each line, in the first column, and a blank line between sentences.
        tokenize: Splits raw text; None if tokens are separated by spaces.

    Raises:
        DataFormatError: The file cannot be read, or a line is not in this format; the message names the line.
    """
    if form == "columns":
        yield from _columns(path)
        return
    for number, line in numbered_lines(path):
        if form == "text":
            yield _split(line, tokenize)
        elif line.strip():
            yield _of_json(line, tokenize, where=f"{path}:{number}")


def _split(text: str, tokenize: Tokenizer | None) -> Sentence:
    """Return the tokens of a raw or tokenised text."""
    return tuple(text.split()) if tokenize is None else tuple(text[start:end] for start, end in tokenize(text))


def _of_json(line: str, tokenize: Tokenizer | None, *, where: str) -> Sentence:
    """Return the sentence of one JSON object."""
    fix = 'write {"tokens": ["A", "list", "."]} or {"text": "A text."} on each line'
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataFormatError(f"{where}: not JSON ({error}); {fix}") from None
    if isinstance(row, dict) and isinstance(row.get("tokens"), list):
        if not all(isinstance(token, str) for token in row["tokens"]):
            raise DataFormatError(f"{where}: a token is not a string; {fix}")
        return tuple(row["tokens"])
    if isinstance(row, dict) and isinstance(row.get("text"), str):
        return _split(row["text"], tokenize)
    raise DataFormatError(f"{where}: no tokens and no text; {fix}")


def _columns(path: Path) -> Iterator[Sentence]:
    """Yield the first column of each sentence."""
    tokens: list[str] = []
    for _, line in numbered_lines(path):
        columns = line.split("\t") if "\t" in line else line.split()
        if columns and columns[0].strip() and columns[0] != "-DOCSTART-":
            tokens.append(columns[0].strip())
        elif tokens:
            yield tuple(tokens)
            tokens = []
    if tokens:
        yield tuple(tokens)

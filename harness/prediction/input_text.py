"""Texts of a file that is to be encoded or labelled: plain text, JSON lines, or columns."""

import argparse
import itertools
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from harness.config.instantiate import build
from harness.config.schema import HarnessConfig
from harness.errors import ConfigError, DataFormatError
from harness.protocols import Task
from harness.types import Example, Sentence, Split, sentences_of
from harness.utils.text_files import is_comment, is_json, json_value, lines_of, numbered_lines, suffix_of, tab_columns
from harness.utils.tokenized_text import TokenizedText
from harness.utils.tokenizers import Tokenizer, tokenizer_named

log = logging.getLogger(__name__)

TextFormat = Literal["text", "jsonl", "columns"]
_COLUMNS = (".conll", ".tsv", ".bio")
_OTHERS = (".csv", ".conllu", ".xml")


def format_of(path: Path) -> TextFormat:
    """Return the format that the name of a file stands for: ``text`` unless it ends in a known suffix.

    Raises:
        ConfigError: Only a task knows where the texts are in such a file.
    """
    if suffix_of(path) in _OTHERS:
        raise ConfigError(
            f"{path}: the texts in it are not on lines of their own; read them as a task does, with "
            f"--split train task=NAME data=files data.train={path}, or add --format"
        )
    if is_json(path):
        return "jsonl"
    return "columns" if suffix_of(path) in _COLUMNS else "text"


def add_tokenize_option(parser: argparse.ArgumentParser) -> None:
    """Let a command take ``--tokenize``, which means English if no name follows."""
    parser.add_argument(
        "--tokenize",
        metavar="NAME",
        nargs="?",
        const="english",
        help="split raw text: english (if no NAME is given), whitespace, characters, spacy:CODE",
    )


def requested_sentences(
    config: HarnessConfig, *, path: str, split: Split | None, form: TextFormat | None, tokenizer: str | None
) -> Iterator[Sentence]:
    """Yield the sentences of a file, or all texts of a split of the task; this is what ``export`` encodes.

    Args:
        config: A typed configuration, whose task is used for ``split``.
        path: The path of the file; ignored for a split.
        split: The split; None for the file.
        form: The format of the file; None: the one that its name stands for.
        tokenizer: The name of the tokeniser of raw text; None if tokens are separated by spaces.

    Raises:
        HarnessError: The data are missing or damaged, or there is no such task or tokeniser.
    """
    if split is not None:
        task: Task = build(config.task, kind=Task, where="task", plugins=config.plugins)
        for example in task.examples(split):
            for text in example.texts.values():
                yield from sentences_of(text)
        return
    file = Path(path).expanduser()
    tokenize = tokenizer_named(tokenizer) if tokenizer else None
    yield from read_sentences(file, form=form or format_of(file), tokenize=tokenize)


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
    for example in read_texts(path, form=form, tokenize=tokenize or tokenizer_named("whitespace")):
        yield example.texts["tokens"]


def read_texts(
    path: Path | None, *, form: TextFormat, tokenize: Tokenizer, names: Sequence[str] = ("tokens",)
) -> Iterator[Example]:
    """Yield unlabelled examples one by one; their origin has a ``TokenizedText`` for each of their texts.

    Args:
        path: A UTF-8 file, plain or ``.gz``; None for standard input.
        form: As for ``read_sentences``; if an example has several texts, the format is ``jsonl``, and an object has a
            string or a list of tokens under the name of each text.
        tokenize: Splits raw text.
        names: The names of the texts of an example.

    Raises:
        DataFormatError: The file cannot be read, or a line is not in this format; the message names the line.
    """
    source = "standard input" if path is None else str(path)
    lines = _standard_input(source) if path is None else numbered_lines(path)
    if form == "columns":
        for number, tokens in enumerate(_columns(lines, source), start=1):
            yield _example(str(number), {names[0]: TokenizedText.of_tokens(tokens)})
        return
    for number, line in lines:
        if form == "text":
            yield _example(str(number), {names[0]: TokenizedText.of(line, tokenize)})
        elif line.strip():
            yield _of_json(line, tokenize, names, where=f"{source}:{number}", number=number)


def _standard_input(name: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of standard input, after its byte order mark."""
    for number, line in lines_of(sys.stdin.buffer, name=name):
        yield number, line.removeprefix("\ufeff") if number == 1 else line


def _example(own_id: str, origin: dict[str, TokenizedText]) -> Example:
    return Example(id=own_id, texts={name: text.tokens for name, text in origin.items()}, origin=origin)


def _of_json(line: str, tokenize: Tokenizer, names: Sequence[str], *, where: str, number: int) -> Example:
    """Return the example of one JSON object; without an id of its own, it has the number of its line."""
    fix = 'write {"tokens": ["A", "list", "."]} or {"text": "A text."} on each line'
    if len(names) > 1:
        fix = f"write {json.dumps(dict.fromkeys(names, 'A text.'))} on each line"
    try:
        row = json_value(line)
    except json.JSONDecodeError as error:
        raise DataFormatError(f"{where}: not JSON ({error}); {fix}") from None
    if not isinstance(row, dict):
        raise DataFormatError(f"{where}: not a JSON object; {fix}")
    if len(names) > 1:
        given = {name: (row.get(name), None) for name in names}
    else:
        given = {names[0]: (row["tokens"], row.get("text")) if "tokens" in row else (row.get("text"), None)}
    try:
        origin = {name: tokenized(value, tokenize, within) for name, (value, within) in given.items()}
    except ValueError as error:
        raise DataFormatError(f"{where}: {error}; {fix}") from None
    return _example(str(row.get("id", number)), origin)


def tokenized(value: Any, tokenize: Tokenizer, within: Any = None) -> TokenizedText:
    """Return a raw text or a list of tokens with the positions of the tokens.

    Args:
        value: A string, or a sequence of tokens.
        tokenize: Splits a string.
        within: The raw text in which the tokens occur; without it, they are joined by spaces.

    Raises:
        ValueError: It is neither, or a token is not in the text.
    """
    if isinstance(value, str):
        return TokenizedText.of(value, tokenize)
    if not isinstance(value, list | tuple):
        raise ValueError("no tokens and no text")
    if not all(isinstance(token, str) for token in value):
        raise ValueError("a token is not a string")
    return TokenizedText.of_tokens(value, within if isinstance(within, str) else None)


def _columns(lines: Iterator[tuple[int, str]], source: str) -> Iterator[Sentence]:
    """Yield the first column of each sentence; comments before a sentence are left out, as in training data."""
    tokens: list[str] = []
    before: list[str] = []  # lines that begin with "#", until the next token tells whether they are comments
    comments, width, tabs = 0, 0, False
    for number, line in itertools.chain(lines, [(0, "")]):
        if line.startswith("#begin document"):
            raise DataFormatError(
                f"{source}:{number}: a document of CoNLL-2012, whose first column is its name and not a word; "
                "read it as the data of a task that has this format"
            )
        first = _split(line, 0, tabs="\t" in line)[0].strip()
        is_between = not first or first == "-DOCSTART-"
        if not tokens and not is_between and line.startswith(("# ", "#\t", "#end document")):
            before.append(line)
            continue
        if not tokens and not is_between:
            tabs = "\t" in line.rstrip()
            width = len(_split(line, 0, tabs=tabs))
        if before:
            tokens = _tokens_of(before, width, tabs=tabs)
            comments += len(before) - len(tokens)
            before = []
        if not is_between:
            tokens.append(first)
        elif tokens:
            yield tuple(tokens)
            tokens = []
    if comments:
        log.info("%s: left out %s comments", source, f"{comments:,}")


def _split(line: str, width: int, *, tabs: bool) -> list[str]:
    return tab_columns(line, width) if tabs else line.split() or [""]


def _tokens_of(lines: Sequence[str], width: int, *, tabs: bool) -> list[str]:
    """Return the tokens of lines that begin with "#", without the comments at their start.

    Args:
        lines: The lines.
        width: The number of columns of the file; 0 if no other line has shown them yet, so that only tabs can tell.
        tabs: Whether tabs separate the columns.
    """
    rows = [(line, _split(line, width, tabs=tabs or (not width and "\t" in line))) for line in lines]

    def is_left_out(row: tuple[str, list[str]]) -> bool:
        line, columns = row
        return (not width and "\t" not in line) or is_comment(line, columns, width=width or len(columns), tag=-1)

    return [columns[0].strip() for _, columns in itertools.dropwhile(is_left_out, rows)]

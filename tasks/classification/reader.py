"""Read labelled texts, or pairs of texts, from a table of the user's own."""

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataFormatError
from harness.types import Example
from harness.utils.tokenized_text import TokenizedText
from harness.utils.tokenizers import Tokenizer
from tasks.common.heads.text_classifier import PAIR
from tasks.common.table_files import Column, Row, Wanted, read_table

log = logging.getLogger(__name__)

_TEXT: Sequence[Column] = ("text", "sentence")


@dataclass(frozen=True, kw_only=True)
class TextColumns:
    """Where the texts and the label are in a table.

    Args:
        text: The column of the text, or of the first text of a pair; None for ``text`` or ``sentence``.
        pair: The column of the second text; None if there is none.
        label: The column of the label.
    """

    text: Column | None = None
    pair: Column | None = None
    label: Column = "label"


def read_examples(
    path: Path, columns: TextColumns, *, tokenize: Tokenizer, prefix: str, labelled: bool = True
) -> list[Example]:
    """Return the examples of a table in file order, at least one.

    A text is a string, or in JSON lines also a list of tokens, which is not split further.

    Args:
        path: A CSV or TSV file, or JSON lines; see ``read_table``.
        columns: The columns of the texts and of the label.
        tokenize: Splits a text into tokens.
        prefix: The start of the ids. The first example is ``PREFIX-0``.
        labelled: Whether every example needs a label. If not, the target of an example without one is None, and the
            examples keep their raw texts in ``origin``.

    Returns:
        Examples with the text ``tokens``, or with the texts ``premise`` and ``hypothesis`` for pairs.

    Raises:
        ConfigError: The columns are wrongly given.
        DataFormatError: The file is not in this format, lacks a column, or a text or a label is empty.
    """
    wanted = [Wanted(option="task.text", names=_TEXT if columns.text is None else (columns.text,))]
    fields = {"task.text": "tokens"}
    if columns.pair is not None:
        wanted.append(Wanted(option="task.pair", names=(columns.pair,)))
        fields = dict(zip(("task.text", "task.pair"), PAIR, strict=True))
    wanted.append(Wanted(option="task.label", names=(columns.label,), optional=not labelled))
    examples = []
    for i, row in enumerate(read_table(path, wanted)):
        origin = {field: _tokenized(row, option, tokenize) for option, field in fields.items()}
        examples.append(
            Example(
                id=f"{prefix}-{i}",
                texts={field: text.tokens for field, text in origin.items()},
                target=_label(row, labelled=labelled),
                origin=None if labelled else origin,  # training does not need it, and it takes memory
            )
        )
    _check_for_header(examples, columns, path)
    return examples


def _check_for_header(examples: Sequence[Example], columns: TextColumns, path: Path) -> None:
    """Warn if the first row of a file that is said to have no header looks like one."""
    first = examples[0].target
    if isinstance(columns.label, int) and len(examples) > 10 and sum(e.target == first for e in examples) == 1:
        log.warning(
            "%s: only the first row has the label '%s'; if the row is a header, give the names of columns, such as "
            "task.label=%s",
            path.name,
            first,
            first,
        )


def _tokenized(row: Row, option: str, tokenize: Tokenizer) -> TokenizedText:
    """Return a text with its tokens, of which there must be at least one."""
    value = row.values[option]
    if isinstance(value, str):
        text = TokenizedText.of(value, tokenize)
    elif isinstance(value, list) and all(isinstance(token, str) and token.strip() for token in value):
        text = TokenizedText.of_tokens(value)
    else:
        shown = json.dumps(value, ensure_ascii=False)
        raise DataFormatError(f"{_place(row, option)} is {shown}; give text in quotes, or a list of tokens")
    if not text.tokens:
        raise DataFormatError(f"{_place(row, option)} is empty; fill it in, or remove the row")
    return text


def _label(row: Row, *, labelled: bool) -> str | None:
    """Return the label of a row as text; numbers and truth values of JSON lines are labels too."""
    value = row.values["task.label"]
    if isinstance(value, list | Mapping):
        raise DataFormatError(f"{_place(row, 'task.label')} is {json.dumps(value)}; give one label for each text")
    label = _as_text(value).strip()
    if label:
        return sys.intern(label)
    if labelled:
        raise DataFormatError(f"{_place(row, 'task.label')} is empty; fill it in, or remove the row")
    return None


def _as_text(value: Any) -> str:
    """Return a value of JSON as text; null is empty."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _place(row: Row, option: str) -> str:
    """Return the place of a value: its file, line and column."""
    name = row.names[option]
    return f"{row.where}: the column {name if isinstance(name, int) else repr(name)}"

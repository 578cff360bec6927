"""Sentences with one tag per token, from column files or JSON lines, and their tags in BIO."""

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from harness.errors import DataFormatError, nearest
from harness.types import Sentence
from tasks.common.column_files import ColumnSentence
from tasks.common.table_files import json_objects
from tasks.common.tag_schemes import TagError, TagScheme, convert, detect

log = logging.getLogger(__name__)


def read_json_sentences(path: Path, *, tokens: str, tags: str, labelled: bool = True) -> list[ColumnSentence]:
    """Return the sentences of a file of JSON lines in file order, at least one.

    Args:
        path: A UTF-8 file, plain or ``.gz``, with one object on each line.
        tokens: The name of the list of tokens in an object.
        tags: The name of the list of tags; a tag is text or a number.
        labelled: Whether to read the tags.

    Raises:
        DataFormatError: The file cannot be read or has no sentence, or a line is not in this format.
    """
    sentences = []
    for where, values in json_objects(path):
        words = _strings(values, tokens, "task.tokens", where)
        found = _strings(values, tags, "task.tags", where) if labelled else ()
        if not words:
            raise DataFormatError(f"{where}: '{tokens}' is empty; remove the line")
        if labelled and len(found) != len(words):
            raise DataFormatError(
                f"{where}: '{tokens}' has {len(words)} items but '{tags}' has {len(found)}; give one tag for each token"
            )
        line = int(where.rpartition(":")[2])
        sentences.append(ColumnSentence(tokens=words, tags=found, line=line, on_one_line=True))
    if not sentences:
        raise DataFormatError(f"{path}: no sentences in it; give one JSON object with tokens and tags on each line")
    return sentences


def _strings(values: dict[str, Any], name: str, option: str, where: str) -> tuple[str, ...]:
    """Return a list of an object as strings. Equal strings are one object in memory."""
    if name not in values:
        shown = ", ".join(f"'{one}'" for one in values)
        similar = nearest(name, values)
        hint = similar if similar.startswith("; did") else ""
        raise DataFormatError(
            f"{where}: no '{name}' among {shown or 'none'}{hint}; set {option}=NAME (task=tagging), or rename it"
        )
    value = values[name]
    if not isinstance(value, list):
        raise DataFormatError(f"{where}: '{name}' is {json.dumps(value, ensure_ascii=False)}; give a list of strings")
    for position, item in enumerate(value, start=1):
        is_number = isinstance(item, int) and not isinstance(item, bool) and option == "task.tags"
        if not is_number and not (isinstance(item, str) and item.strip()):
            raise DataFormatError(
                f"{where}: '{name}' number {position} is {json.dumps(item, ensure_ascii=False)}; "
                "give text that is not empty"
            )
    return tuple(sys.intern(str(item)) for item in value)


def in_bio(
    sentences: Sequence[ColumnSentence], *, path: Path, scheme: TagScheme | Literal["auto"] = "auto"
) -> list[tuple[Sentence, tuple[str, ...]]]:
    """Return the tokens and the BIO tags of each sentence.

    Args:
        sentences: The sentences of a file.
        path: The file, which errors name.
        scheme: The scheme of the tags, or ``auto`` to detect it.

    Raises:
        DataFormatError: A tag is ill-formed, or there is no entity.
    """
    found = detect(s.tags for s in sentences) if scheme == "auto" else scheme
    log.info("%s: %s sentences, tags in %s", path.name, f"{len(sentences):,}", found)
    tagged = []
    for sentence in sentences:
        try:
            tagged.append((sentence.tokens, convert(sentence.tags, found, "bio")))
        except TagError as error:
            raise DataFormatError(
                f"{path}:{sentence.place(error.position)}: {error}; correct the tag (the file was read as {found})"
            ) from None
    if all(tag == "O" for _, tags in tagged for tag in tags):
        raise DataFormatError(
            f"{path}: no entity in {len(tagged)} sentences, so F1 is undefined; "
            "put the tag in the last column, or set data.columns"
        )
    return tagged

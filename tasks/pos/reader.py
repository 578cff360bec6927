"""The words of a CoNLL-U file, and one kind of tag."""

import sys
from pathlib import Path
from typing import Literal

from harness.errors import DataFormatError
from harness.types import Sentence
from tasks.common.column_files import check_words
from tasks.common.conllu import FORM, UPOS, XPOS, conllu_sentences, filled

Tagset = Literal["upos", "xpos"]
TaggedSentence = tuple[Sentence, tuple[str, ...] | None]

_TAGS: dict[Tagset, int] = {"upos": UPOS, "xpos": XPOS}


def read_conllu(path: Path, tagset: Tagset = "upos", *, labelled: bool = True) -> list[TaggedSentence]:
    """Read the words of a CoNLL-U file and their tags; see ``conllu_sentences`` for what is left out.

    Args:
        path: A UTF-8 file, plain or ``.gz``.
        tagset: Which column to read: ``upos``, universal tags, or ``xpos``, those of the language.
        labelled: Whether every word needs a tag. If not, the tags are not read.

    Returns:
        The words and the tags of each sentence (None if not read), in file order; at least one sentence.

    Raises:
        DataFormatError: The file is not in the format, or a word or a tag is missing. The message names the file and
            the line.
    """
    sentences: list[TaggedSentence] = []
    for rows in conllu_sentences(path):
        words = tuple(sys.intern(filled(columns[FORM], "word (column 2)", where)) for where, columns in rows)
        tags = tuple(sys.intern(_tag(columns, tagset, where)) for where, columns in rows) if labelled else None
        sentences.append((words, tags))
    check_words(
        (words for words, _ in sentences), where=str(path), fix="give a treebank whose second column is its text"
    )
    return sentences


def _tag(columns: list[str], tagset: Tagset, where: str) -> str:
    """Return the tag of a word, which must not be missing."""
    tag = filled(columns[_TAGS[tagset]], f"{tagset} tag (column {_TAGS[tagset] + 1})", where)
    if tag == "_":
        other = "xpos" if tagset == "upos" else "upos"
        raise DataFormatError(f"{where}: the {tagset} tag is missing ('_'); fill it in, or choose task.tagset={other}")
    return tag

"""Read labelled trees in the bracketed style of the Penn Treebank, the format of the Stanford Sentiment Treebank.

A file has one tree per line. A node is ``(LABEL WORD)`` or ``(LABEL NODE NODE ...)``; its label is a digit from 0 to 4.
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

from harness.errors import DataFormatError
from harness.types import Sentence
from harness.utils.text_files import numbered_lines
from harness.utils.treebank import unescaped

_LABELS = {str(label): label for label in range(5)}
# An opening bracket with its label, a closing bracket, or a word. A word may contain no-break spaces ("8\xa01/2").
_PIECE = re.compile(r"\([ \t]*(?P<label>[^() \t\r\n]*)|\)|[^() \t\r\n]+")


class Phrase(NamedTuple):
    """A node of a tree.

    Attributes:
        start: The index of its first token.
        end: The index after its last token.
        label: The label, 0 to 4.
    """

    start: int
    end: int
    label: int


class Tree(NamedTuple):
    """A sentence and its nodes.

    Attributes:
        tokens: The words of the sentence.
        phrases: The nodes, each before its children. The first is the whole sentence.
    """

    tokens: Sentence
    phrases: tuple[Phrase, ...]


def read_trees(path: Path, *, unescape: bool = True) -> list[Tree]:
    """Return the trees of a file in file order, at least one.

    Args:
        path: A UTF-8 file with one tree per line, plain or ``.gz``. Blank lines are skipped.
        unescape: Whether to undo the escapes of the Penn Treebank in words; see ``unescaped``.

    Raises:
        DataFormatError: The file is missing, unreadable, empty or in another format. The message names file and line.

    Source: Socher et al. 2013, the release ``trainDevTestTrees_PTB``.
    """
    trees = [
        parse_tree(line, where=f"{path}:{number}", unescape=unescape)
        for number, line in numbered_lines(path)
        if line.strip()
    ]
    if not trees:
        raise DataFormatError(f"{path}: no trees in it; give a file with one tree per line, as (3 (2 It) (4 works))")
    return trees


def parse_tree(text: str, *, where: str, unescape: bool = True) -> Tree:
    """Return the tree that a line contains.

    Args:
        text: The tree in brackets.
        where: The file and line of the tree, which errors name.
        unescape: Whether to undo the escapes of the Penn Treebank in words; see ``unescaped``.

    Raises:
        DataFormatError: The text is not exactly one complete tree.
    """
    tokens: list[str] = []
    phrases: list[Phrase] = []
    opened: list[int] = []  # indices of the nodes that are not closed yet
    before = ""  # the kind of the previous piece: open, close or word
    for piece in _PIECE.finditer(text):
        kind = "open" if piece["label"] is not None else "close" if piece[0] == ")" else "word"
        _check_order(before, kind, piece[0], begun=bool(phrases), inside=bool(opened), where=where)
        if kind == "open":
            opened.append(len(phrases))
            phrases.append(Phrase(len(tokens), -1, _label(piece["label"], where)))
        elif kind == "close":
            index = opened.pop()
            phrases[index] = phrases[index]._replace(end=len(tokens))
        else:
            tokens.append(sys.intern(unescaped(piece[0]) if unescape else piece[0]))  # one object per word type
        before = kind
    if opened or not phrases:
        raise _no_tree(f"{len(opened)} bracket(s) are not closed" if opened else "there is no bracket", where)
    return Tree(tuple(tokens), tuple(phrases))


def _label(text: str, where: str) -> int:
    """Return a label as a number."""
    if text not in _LABELS:
        what = f"a label is '{text}'" if text else "a bracket has no label"
        raise DataFormatError(f"{where}: {what}; expected a whole number from 0 to 4")
    return _LABELS[text]


def _check_order(before: str, kind: str, piece: str, *, begun: bool, inside: bool, where: str) -> None:
    """Raise an error if a piece cannot follow the one before; a word is alone in its node, and there is one root."""
    if kind == "open":
        if begun and not inside:
            raise _no_tree("a second tree begins", where)
        if before == "word":
            raise _no_tree("a bracket opens after a word in the same node", where)
    elif kind == "close":
        if not inside:
            raise _no_tree("there is a closing bracket without an opening one", where)
        if before == "open":
            raise _no_tree("a node has a label but no word", where)
    elif before != "open":
        raise _no_tree(f"the word '{piece}' is not in a node for it alone", where)


def _no_tree(what: str, where: str) -> DataFormatError:
    """Return the error for a line that is not one tree."""
    return DataFormatError(f"{where}: {what}; give one complete tree per line, as (3 (2 It) (4 works))")

"""Labelled trees in the bracketed style of the Penn Treebank, as the Stanford Sentiment Treebank has them.

One tree a line; a node is ``(LABEL WORD)`` or ``(LABEL NODE NODE ...)``, its label a digit from 0 to 4.
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

from harness.errors import DataFormatError
from harness.types import Sentence
from harness.utils.text_files import numbered_lines

_LABELS = {str(label): label for label in range(5)}
# An opening bracket with its label, a closing one, or a word. Words may hold no-break spaces ("8\xa01/2").
_PIECE = re.compile(r"\([ \t]*(?P<label>[^() \t\r\n]*)|\)|[^() \t\r\n]+")
_BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}


class Phrase(NamedTuple):
    """A node of a tree: the tokens from ``start`` to before ``end``, and their label."""

    start: int
    end: int
    label: int


class Tree(NamedTuple):
    """A sentence and its nodes, each before its children; the first is the whole sentence."""

    tokens: Sentence
    phrases: tuple[Phrase, ...]


def read_trees(path: Path, *, unescape: bool = True) -> list[Tree]:
    """Read a file of trees, plain or ``.gz``.

    Args:
        path: a UTF-8 file, one tree a line; blank lines count for nothing.
        unescape: whether words are read as they were before they became Penn Treebank tokens; see ``unescaped``.

    Returns:
        The trees, in file order; at least one.

    Raises:
        DataFormatError: the file is missing, unreadable, empty or not of this format, naming file and line.

    Source: Socher et al. 2013, the release ``trainDevTestTrees_PTB``.
    """
    trees = [
        parse_tree(line, where=f"{path}:{number}", unescape=unescape)
        for number, line in numbered_lines(path)
        if line.strip()
    ]
    if not trees:
        raise DataFormatError(f"{path}: no trees in it; give a file with one tree a line, as (3 (2 It) (4 works))")
    return trees


def parse_tree(text: str, *, where: str, unescape: bool = True) -> Tree:
    """Read one tree.

    Args:
        text: the tree in brackets.
        where: its place, named in errors.
        unescape: as in ``read_trees``.

    Raises:
        DataFormatError: it is not one whole tree.
    """
    tokens: list[str] = []
    phrases: list[Phrase] = []
    opened: list[int] = []  # the nodes that are not closed yet, by index
    before = ""  # kind of the piece before: open, close or word
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
            tokens.append(sys.intern(unescaped(piece[0]) if unescape else piece[0]))  # each word is held once
        before = kind
    if opened or not phrases:
        raise _no_tree(f"{len(opened)} bracket(s) are not closed" if opened else "there is no bracket", where)
    return Tree(tuple(tokens), tuple(phrases))


def unescaped(word: str) -> str:
    """Return a word without the Penn Treebank's escapes: ``-LRB-`` and its like, ``\\/`` and ``\\*``.

    The quotes of two backticks and of two apostrophes stay: they are tokens, not escapes.
    """
    if word in _BRACKETS:
        return _BRACKETS[word]
    return word.replace("\\/", "/").replace("\\*", "*") if "\\" in word else word


def _label(text: str, where: str) -> int:
    if text not in _LABELS:
        what = f"a label is '{text}'" if text else "a bracket has no label"
        raise DataFormatError(f"{where}: {what}; expected a whole number from 0 to 4")
    return _LABELS[text]


def _check_order(before: str, kind: str, piece: str, *, begun: bool, inside: bool, where: str) -> None:
    """Refuse a piece that cannot stand where it does: a word stands alone in its node, and there is one root."""
    if kind == "open":
        if begun and not inside:
            raise _no_tree("a second tree begins", where)
        if before == "word":
            raise _no_tree("a bracket opens after a word in the same node", where)
    elif kind == "close":
        if not inside:
            raise _no_tree("a bracket closes that none opens", where)
        if before == "open":
            raise _no_tree("a node has a label and no word", where)
    elif before != "open":
        raise _no_tree(f"the word '{piece}' stands outside a node of its own", where)


def _no_tree(what: str, where: str) -> DataFormatError:
    return DataFormatError(f"{where}: {what}; give one whole tree a line, as (3 (2 It) (4 works))")

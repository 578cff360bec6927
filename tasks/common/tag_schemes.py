"""Entities as tags: the schemes IOB1, BIO (IOB2), IOBES and BIOUL, and the spans that they stand for.

A tag is ``O`` or a prefix, ``-`` and a type. How the schemes write one entity of one token, one of three
tokens, and two neighbours of the same type:

    iob1     I        I I I      I B
    bio      B        B I I      B B
    iobes    S        B I E      S S
    bioul    U        B I L      U U
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from harness.errors import DataFormatError

TagScheme = Literal["iob1", "bio", "iobes", "bioul"]

_PREFIXES: dict[TagScheme, str] = {"iob1": "BI", "bio": "BI", "iobes": "BIES", "bioul": "BIUL"}
# The prefixes of an entity's only, first, inner and last token.
_FORMS: dict[TagScheme, str] = {"iob1": "IIII", "bio": "BBII", "iobes": "SBIE", "bioul": "UBIL"}


class Span(NamedTuple):
    """An entity: tokens ``start`` (inclusive) to ``end`` (exclusive), and its type."""

    start: int
    end: int
    type: str


class TagError(ValueError):
    """A tag that its scheme does not have, or does not allow where it stands.

    Attributes:
        position: 0-based index of the tag in its sequence.
    """

    def __init__(self, message: str, *, position: int) -> None:
        super().__init__(message)
        self.position = position


class _Tag(NamedTuple):
    prefix: str
    type: str


_OUTSIDE = _Tag("O", "")


def detect(sequences: Iterable[Sequence[str]]) -> TagScheme:
    """Return the scheme of a whole split.

    Well-formed data with at least one entity has exactly one answer. Of B, I and O alone, one entity
    that starts with I makes the split ``iob1``: read so, a BIO file with such slips loses no entity.
    Tags of no scheme are passed over here; ``spans`` refuses them, at their place.

    Args:
        sequences: the tags of every sentence. Give all: a few sentences may look like another scheme.

    Returns:
        The scheme; ``bio`` where there is no entity.
    """
    prefixes, starts_inside = set(), False
    for tags in sequences:
        before = ""
        for tag in tags:
            prefix, _, kind = tag.partition("-")
            prefixes.add(prefix)
            starts_inside |= prefix == "I" and kind != before
            before = kind
    if prefixes & {"E", "S"}:
        return "iobes"
    if prefixes & {"L", "U"}:
        return "bioul"
    return "iob1" if starts_inside else "bio"


def spans(tags: Sequence[str], scheme: TagScheme) -> list[Span]:
    """Return the entities that a tag sequence stands for, in order.

    ``bio``, ``iobes`` and ``bioul`` are read strictly. ``iob1`` is read as conlleval reads: B always
    starts an entity, so that no gold entity is lost where a file marks more starts than it has to.

    Raises:
        TagError: a tag is not of the scheme, or may not stand where it stands.

    Source:
        conlleval.pl (CoNLL-2000/2003), the functions startOfChunk and endOfChunk, for iob1.
    """
    found: list[Span] = []
    start, left = 0, _OUTSIDE
    for position, tag in enumerate([*tags, "O"]):  # the O closes an entity at the end
        right = _parse(tag, scheme, position)
        if scheme != "iob1" and not _may_follow(left, right, scheme):
            raise TagError(_complaint(tags, position, scheme), position=min(position, len(tags) - 1))
        if right.prefix not in "IEL" or right.type != left.type:
            if left.type:
                found.append(Span(start, position, left.type))
            start = position
        left = right
    return found


def file_spans(tags: Sequence[str], scheme: TagScheme, *, path: Path | str, line: int) -> list[Span]:
    """Return ``spans`` of a sentence of a column file.

    Args:
        tags: the sentence's tags.
        scheme: the file's scheme.
        path: the file, for the message.
        line: 1-based line of the first tag; the others follow on consecutive lines.

    Raises:
        DataFormatError: the tags are ill-formed; names the file and the line.
    """
    try:
        return spans(tags, scheme)
    except TagError as error:
        raise DataFormatError(
            f"{path}:{line + error.position}: {error}; correct the tag there (the file was read as {scheme})"
        ) from error


def encode(spans: Iterable[Span], length: int, scheme: TagScheme) -> tuple[str, ...]:
    """Write entities as tags; the inverse of ``spans``.

    Args:
        spans: entities in any order; they may touch, not overlap.
        length: number of tokens.
        scheme: how to write them.

    Raises:
        ValueError: a span is empty, out of range or without a type, or two overlap.
    """
    only, first, inner, last = tuple(_FORMS[scheme])
    tags = ["O"] * length
    for start, end, kind in sorted(spans):
        if not (0 <= start < end <= length and kind) or any(tag != "O" for tag in tags[start:end]):
            raise ValueError(f"span ({start}, {end}, {kind!r}) is empty, overlaps or exceeds {length} tokens")
        prefixes = only if end - start == 1 else first + inner * (end - start - 2) + last
        if scheme == "iob1" and start > 0 and tags[start - 1][2:] == kind:
            prefixes = "B" + prefixes[1:]
        tags[start:end] = [f"{prefix}-{kind}" for prefix in prefixes]
    return tuple(tags)


def convert(tags: Sequence[str], source: TagScheme, target: TagScheme) -> tuple[str, ...]:
    """Rewrite tags in another scheme; from iob1 to iob1, drop the B that are not needed.

    Raises:
        TagError: the tags are ill-formed in ``source``.
    """
    return encode(spans(tags, source), len(tags), target)


def all_tags(types: Iterable[str], scheme: TagScheme) -> tuple[str, ...]:
    """Return every tag of a scheme over these types: O first, then by type, sorted."""
    return ("O", *(f"{prefix}-{kind}" for kind in sorted(set(types)) for prefix in _PREFIXES[scheme]))


def legal_transitions(labels: Sequence[str], scheme: TagScheme) -> tuple[Tensor, Tensor, Tensor]:
    """Return what a CRF may decode: exactly the sequences that ``encode`` can write.

    They are those that ``spans`` accepts, but for ``iob1``, which ``spans`` reads leniently: pass gold
    tags through ``convert`` before such a CRF sees them.

    Args:
        labels: the CRF's tags, in the order of its scores.
        scheme: the scheme of these tags.

    Returns:
        Bool tensors, True where allowed: (labels, labels) from row to column, (labels,) at the start
        and (labels,) at the end of a sentence.

    Raises:
        TagError: a label is not of the scheme.
    """
    tags = [_parse(label, scheme, position) for position, label in enumerate(labels)]
    pairs = [[_may_follow(left, right, scheme) for right in tags] for left in tags]
    allowed = torch.tensor(pairs, dtype=torch.bool)  # (labels, labels)
    start = torch.tensor([_may_follow(_OUTSIDE, tag, scheme) for tag in tags], dtype=torch.bool)  # (labels,)
    end = torch.tensor([_may_follow(tag, _OUTSIDE, scheme) for tag in tags], dtype=torch.bool)  # (labels,)
    return allowed, start, end


def _parse(tag: str, scheme: TagScheme, position: int) -> _Tag:
    """Split a tag at its first ``-``; types may contain more of them."""
    if tag == "O":
        return _OUTSIDE
    prefix, _, kind = tag.partition("-")
    if prefix not in tuple(_PREFIXES[scheme]) or not kind:
        forms = ", ".join(f"{letter}-TYPE" for letter in _PREFIXES[scheme])
        raise TagError(f"'{tag}' is not a tag of {scheme} (O, {forms})", position=position)
    return _Tag(prefix, kind)


def _may_follow(left: _Tag, right: _Tag, scheme: TagScheme) -> bool:
    """Whether ``encode`` can write ``right`` directly after ``left``; both ends of a sentence act as O."""
    same = left.type == right.type  # O has no type, so it is the same as O alone
    if scheme == "bio":
        return right.prefix != "I" or same
    if scheme == "iob1":
        return right.prefix != "B" or same
    is_open, goes_on = left.prefix in "BI", right.prefix in "IEL"
    return is_open == goes_on and (same or not goes_on)


def _complaint(tags: Sequence[str], position: int, scheme: TagScheme) -> str:
    """Say why the tag at ``position`` may not stand there."""
    if position == len(tags):
        return f"a sentence of {scheme} tags cannot end with '{tags[-1]}'"
    if position == 0:
        return f"a sentence of {scheme} tags cannot start with '{tags[0]}'"
    return f"'{tags[position]}' cannot follow '{tags[position - 1]}' in {scheme}"

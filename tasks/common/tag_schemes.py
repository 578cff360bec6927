"""Entities as tags in the schemes IOB1, BIO (IOB2), IOBES and BIOUL, and as spans.

A tag is ``O``, or a prefix, ``-`` and a type. The schemes write an entity of one token, an entity of three tokens, and
two entities of the same type that are next to each other in this way:

    iob1     I        I I I      I B
    bio      B        B I I      B B
    iobes    S        B I E      S S
    bioul    U        B I L      U U
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

TagScheme = Literal["iob1", "bio", "iobes", "bioul"]

_PREFIXES: dict[TagScheme, str] = {"iob1": "BI", "bio": "BI", "iobes": "BIES", "bioul": "BIUL"}
# The prefixes of an entity's only, first, inner and last token.
_FORMS: dict[TagScheme, str] = {"iob1": "IIII", "bio": "BBII", "iobes": "SBIE", "bioul": "UBIL"}


class Span(NamedTuple):
    """An entity.

    Args:
        start: The index of its first token, from 0.
        end: The index of the token after its last one.
        type: Its type, such as ``PER``.
    """

    start: int
    end: int
    type: str


class TagError(ValueError):
    """A tag that its scheme does not have, or does not allow at its position.

    Args:
        message: What is wrong.
        position: The 0-based index of the tag in its sequence.
    """

    def __init__(self, message: str, *, position: int) -> None:
        super().__init__(message)
        self.position = position


class _Tag(NamedTuple):
    """The two parts of a tag."""

    prefix: str
    type: str


_OUTSIDE = _Tag("O", "")


def detect(sequences: Iterable[Sequence[str]]) -> TagScheme:
    """Return the scheme of a whole split.

    Well-formed data with at least one entity have exactly one scheme. If the only prefixes are B and I and an entity
    starts with I, the scheme is ``iob1``. A BIO file with such an error then loses no entity. Tags of no scheme are
    ignored here, because ``spans`` reports them with their position.

    Args:
        sequences: The tags of all sentences, because a few sentences may look like another scheme.

    Returns:
        The scheme; ``bio`` if there is no entity.
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
    """Return the entities of a tag sequence, in order.

    ``bio``, ``iobes`` and ``bioul`` are read strictly. ``iob1`` is read as conlleval reads it: B always starts an
    entity, so a file that has B where I is enough loses no gold entity.

    Args:
        tags: The tag of each token of a sentence.
        scheme: The scheme of the tags.

    Raises:
        TagError: A tag does not belong to the scheme, or is not allowed at its position.

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


def encode(spans: Iterable[Span], length: int, scheme: TagScheme) -> tuple[str, ...]:
    """Return the tags of entities; the inverse of ``spans``.

    Args:
        spans: The entities, in any order. They must not overlap.
        length: The number of tokens in the sentence.
        scheme: The scheme of the returned tags.

    Raises:
        ValueError: A span is empty, out of range or without a type, or two spans overlap.
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
    """Convert tags from one scheme to another; from iob1 to iob1, replace each B that is not needed by I.

    Args:
        tags: The tag of each token of a sentence.
        source: The scheme of the given tags.
        target: The scheme of the returned tags.

    Raises:
        TagError: The tags are ill-formed in ``source``.
    """
    return encode(spans(tags, source), len(tags), target)


def all_tags(types: Iterable[str], scheme: TagScheme) -> tuple[str, ...]:
    """Return all tags of a scheme.

    Args:
        types: The entity types; repeated ones count once.
        scheme: The scheme of the returned tags.

    Returns:
        O, then the tags of each type, with the types in alphabetical order.
    """
    return ("O", *(f"{prefix}-{kind}" for kind in sorted(set(types)) for prefix in _PREFIXES[scheme]))


def legal_transitions(labels: Sequence[str], scheme: TagScheme) -> tuple[Tensor, Tensor, Tensor]:
    """Return which sequences a CRF may decode: exactly those that ``encode`` can write.

    ``spans`` accepts the same sequences, except for ``iob1``, which it reads leniently. Therefore convert gold tags
    with ``convert`` before you train such a CRF.

    Args:
        labels: The tags of the CRF, in the order of its scores.
        scheme: The scheme of these tags.

    Returns:
        Three bool tensors, True where allowed: (labels, labels) for a step from the tag of the row to the tag of the
        column, (labels,) for the first tag of a sentence, and (labels,) for its last tag.

    Raises:
        TagError: A label does not belong to the scheme.
    """
    tags = [_parse(label, scheme, position) for position, label in enumerate(labels)]
    pairs = [[_may_follow(left, right, scheme) for right in tags] for left in tags]
    allowed = torch.tensor(pairs, dtype=torch.bool)  # (labels, labels)
    start = torch.tensor([_may_follow(_OUTSIDE, tag, scheme) for tag in tags], dtype=torch.bool)  # (labels,)
    end = torch.tensor([_may_follow(tag, _OUTSIDE, scheme) for tag in tags], dtype=torch.bool)  # (labels,)
    return allowed, start, end


def _parse(tag: str, scheme: TagScheme, position: int) -> _Tag:
    """Split a tag at its first ``-``; a type may contain more of them."""
    if tag == "O":
        return _OUTSIDE
    prefix, _, kind = tag.partition("-")
    if prefix not in tuple(_PREFIXES[scheme]) or not kind:
        forms = ", ".join(f"{letter}-TYPE" for letter in _PREFIXES[scheme])
        raise TagError(f"'{tag}' is not a tag of {scheme} (O, {forms})", position=position)
    return _Tag(prefix, kind)


def _may_follow(left: _Tag, right: _Tag, scheme: TagScheme) -> bool:
    """Return whether ``encode`` can write ``right`` after ``left``; both ends of a sentence count as O."""
    same = left.type == right.type  # O has the empty type, so it equals only O
    if scheme == "bio":
        return right.prefix != "I" or same
    if scheme == "iob1":
        return right.prefix != "B" or same
    is_open, continues = left.prefix in "BI", right.prefix in "IEL"
    return is_open == continues and (same or not continues)


def _complaint(tags: Sequence[str], position: int, scheme: TagScheme) -> str:
    """Return why the tag at ``position`` is not allowed there."""
    if position == len(tags):
        return f"a sentence of {scheme} tags cannot end with '{tags[-1]}'"
    if position == 0:
        return f"a sentence of {scheme} tags cannot start with '{tags[0]}'"
    return f"'{tags[position]}' cannot follow '{tags[position - 1]}' in {scheme}"

"""Tag schemes, compared with all short sequences and with seqeval."""

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from typing import get_args

import pytest
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB2, IOBES, Token, Tokens

from tasks.common.tag_schemes import (
    Span,
    TagError,
    TagScheme,
    all_tags,
    convert,
    detect,
    encode,
    legal_transitions,
    spans,
)

SCHEMES: tuple[TagScheme, ...] = get_args(TagScheme)
TYPES = ("X", "a-b")  # a type may hold the hyphen that ends the prefix
LENGTH = 4
each_scheme = pytest.mark.parametrize("scheme", SCHEMES)


def span_sets(length: int, start: int = 0) -> Iterator[tuple[Span, ...]]:
    """Yield every set of disjoint entities over ``length`` tokens."""
    if start == length:
        yield ()
        return
    yield from span_sets(length, start + 1)
    for end, kind in product(range(start + 1, length + 1), TYPES):
        for rest in span_sets(length, end):
            yield (Span(start, end, kind), *rest)


def sequences(scheme: TagScheme) -> Iterator[tuple[str, ...]]:
    """Yield every sequence of the scheme's tags, up to LENGTH."""
    for length in range(LENGTH + 1):
        yield from product(all_tags(TYPES, scheme), repeat=length)


def accepts(tags: Sequence[str], scheme: TagScheme) -> bool:
    try:
        spans(tags, scheme)
    except TagError:
        return False
    return True


def written(scheme: TagScheme) -> set[tuple[str, ...]]:
    return {encode(found, length, scheme) for length in range(LENGTH + 1) for found in span_sets(length)}


def test_the_number_of_span_sets_is_correct() -> None:
    # f(n) = f(n-1) + 2 (f(n-1) + ... + f(0)): a token outside, or an entity of either type and any length.
    assert [len(list(span_sets(n))) for n in range(LENGTH + 1)] == [1, 3, 11, 41, 153]


@each_scheme
def test_legal_transitions_allow_exactly_what_encode_writes(scheme: TagScheme) -> None:
    labels = all_tags(TYPES, scheme)[::-1]  # any order
    allowed, start, end = legal_transitions(labels, scheme)

    def legal(tags: Sequence[str]) -> bool:
        path = [labels.index(tag) for tag in tags]
        steps = all(allowed[i, j] for i, j in pairwise(path))
        return not path or bool(start[path[0]] and end[path[-1]] and steps)

    assert {tags for tags in sequences(scheme) if legal(tags)} == written(scheme)


@pytest.mark.parametrize("scheme", ["bio", "iobes", "bioul"])
def test_strict_schemes_accept_exactly_what_encode_writes(scheme: TagScheme) -> None:
    assert {tags for tags in sequences(scheme) if accepts(tags, scheme)} == written(scheme)


def as_conlleval(tags: Sequence[str]) -> list[Span]:
    return [Span(start, end + 1, kind) for kind, start, end in get_entities(list(tags))]


def test_iob1_reads_every_sequence_as_conlleval_does() -> None:
    for tags in sequences("iob1"):
        assert spans(tags, "iob1") == as_conlleval(tags), tags


@pytest.mark.parametrize("scheme", ["iob1", "bio", "iobes"])  # get_entities does not know U
def test_seqeval_finds_the_same_spans(scheme: TagScheme) -> None:
    for tags in written(scheme):
        assert spans(tags, scheme) == as_conlleval(tags), tags


@pytest.mark.parametrize(("scheme", "strict"), [("bio", IOB2), ("iobes", IOBES), ("bioul", BILOU)])
def test_strict_seqeval_finds_the_same_spans(scheme: TagScheme, strict: type[Token]) -> None:
    for tags in written(scheme):
        expected = [Span(entity.start, entity.end, entity.tag) for entity in Tokens(list(tags), strict).entities]
        assert spans(tags, scheme) == expected, tags


@pytest.mark.parametrize(("source", "target"), list(product(SCHEMES, SCHEMES)))
def test_round_trips_are_exact(source: TagScheme, target: TagScheme) -> None:
    for found in span_sets(LENGTH):
        tags = encode(found, LENGTH, source)
        assert tuple(spans(tags, source)) == found
        assert convert(tags, source, target) == encode(found, LENGTH, target)
        assert convert(convert(tags, source, target), target, source) == tags


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("iob1", "I-P I-P O I-P B-P I-P I-L"),
        ("bio", "B-P I-P O B-P B-P I-P B-L"),
        ("iobes", "B-P E-P O S-P B-P E-P S-L"),
        ("bioul", "B-P L-P O U-P B-P L-P U-L"),
    ],
)
def test_an_example_by_hand(scheme: TagScheme, tags: str) -> None:
    found = [Span(0, 2, "P"), Span(3, 4, "P"), Span(4, 6, "P"), Span(6, 7, "L")]
    assert spans(tags.split(), scheme) == found
    assert encode(reversed(found), 7, scheme) == tuple(tags.split())
    assert detect([["O"], tags.split()]) == scheme


@each_scheme
def test_one_entity_is_enough_to_detect_a_scheme(scheme: TagScheme) -> None:
    for found in span_sets(LENGTH):
        if found:
            assert detect([(), ("O", "O"), encode(found, LENGTH, scheme)]) == scheme


@pytest.mark.parametrize(
    ("split", "scheme"),
    [
        ([], "bio"),
        ([["O", "O"]], "bio"),
        ([["B-X", "I-X"], ["O", "I-X"]], "iob1"),
        ([["B-X", "I-Y"]], "iob1"),
        ([["B-X"], ["I-X"]], "iob1"),  # a new sentence, so I starts an entity
        ([["B-X", "I-X"], ["S-X"]], "iobes"),
        ([["B-X", "I-X"], ["U-X"]], "bioul"),
    ],
)
def test_detect_looks_at_the_whole_split(split: list[list[str]], scheme: TagScheme) -> None:
    assert detect(iter(split)) == scheme


@pytest.mark.parametrize(
    ("scheme", "tags", "position", "message"),
    [
        ("bio", "I-X O", 0, "cannot start with 'I-X'"),
        ("bio", "O B-X I-Y", 2, "'I-Y' cannot follow 'B-X' in bio"),
        ("iobes", "O B-X", 1, "cannot end with 'B-X'"),
        ("iobes", "B-X O", 1, "'O' cannot follow 'B-X' in iobes"),
        ("bioul", "U-X L-X", 1, "'L-X' cannot follow 'U-X' in bioul"),
        ("bio", "O PER", 1, "'PER' is not a tag of bio"),
        ("bio", "B-", 0, "'B-' is not a tag of bio"),
        ("bio", "-X", 0, "'-X' is not a tag of bio"),
        ("iob1", "O E-X", 1, "'E-X' is not a tag of iob1"),
        ("bioul", "S-X", 0, "'S-X' is not a tag of bioul"),
        ("bio", "BI-X", 0, "'BI-X' is not a tag of bio"),
        ("bio", "O-X", 0, "'O-X' is not a tag of bio"),
    ],
)
def test_the_position_of_ill_formed_tags_is_reported(scheme: TagScheme, tags: str, position: int, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        spans(tags.split(), scheme)
    assert isinstance(caught.value, TagError)
    assert caught.value.position == position


@pytest.mark.parametrize(
    "wrong",
    [[(0, 0, "X")], [(2, 1, "X")], [(-1, 1, "X")], [(2, 4, "X")], [(0, 1, "")], [(0, 2, "X"), (1, 3, "Y")]],
)
@each_scheme
def test_encode_refuses_invalid_spans(wrong: list[tuple], scheme: TagScheme) -> None:
    with pytest.raises(ValueError, match="span"):
        encode([Span(*span) for span in wrong], 3, scheme)


@each_scheme
def test_legal_transitions_of_a_part_of_the_tags(scheme: TagScheme) -> None:
    labels = all_tags(TYPES, scheme)
    part = labels[2:5]
    whole, sliced = legal_transitions(labels, scheme), legal_transitions(part, scheme)
    assert sliced[0].tolist() == whole[0][2:5, 2:5].tolist()
    assert [sliced[1].tolist(), sliced[2].tolist()] == [whole[1][2:5].tolist(), whole[2][2:5].tolist()]
    with pytest.raises(TagError, match="'PER' is not a tag"):
        legal_transitions(["O", "PER"], scheme)


def test_all_tags_are_sorted_by_type() -> None:
    assert all_tags(["Z", "A", "Z"], "iobes") == ("O", "B-A", "I-A", "E-A", "S-A", "B-Z", "I-Z", "E-Z", "S-Z")

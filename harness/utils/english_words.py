"""A tokeniser of English text that returns the offsets of each token, so that no character is lost.

It follows the rules of spaCy's English tokeniser, which split the training text of the bundled encoder: punctuation
marks are tokens, hyphens separate words, a contraction is a token (``is n't``), and abbreviations keep their full stop.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from sys import intern
from unicodedata import category

_CHUNK = re.compile(r"\S+")
_LONGEST = 20  # no listed word is longer; this limit keeps the time linear in the length of the text

_MARKS = frozenset("!\"#&'*,:;<>?_`%§…–—¡¿、。·।")
_MARK_CATEGORIES = frozenset(("Ps", "Pe", "Pi", "Pf", "So"))  # brackets, quotation marks, symbols such as emoji
_DOTS = re.compile(r"\.{2,}")
_PRICE = re.compile(r"(?:US|AU|CA|NZ|HK|[ACRS])\$(?=\d)")
_PLUS = re.compile(r"\+(?=\D)")

# Words that end in a full stop: initials (U.S., a.m., J.) and these abbreviations.
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+(?:[^\W\d_]{1,2}\.)?")
_ABBREVIATIONS = frozenset(
    """
    Adm. Bros. Co. Corp. Dr. Gen. Gov. Inc. Jr. Ltd. Messrs. Mr. Mrs. Ms. Mt. Ph.D. Prof. Rep. Rev. Sen. St. vs.
    Jan. Feb. Mar. Apr. Jun. Jul. Aug. Sep. Sept. Oct. Nov. Dec. Ala. Ariz. Ark. Calif. Colo. Conn. Del. Fla. Ga. Ia.
    Id. Ill. Ind. Kan. Kans. Ky. La. Mass. Md. Mich. Minn. Miss. Mont. Neb. Nebr. Nev. Okla. Ore. Pa. Tenn. Va. Wash.
    Wis.
    """.split()
)
_WHOLE = frozenset("'s ’s 'm 're 've 'll 'd n't n’t 'em ’em 'cause ’cause o'clock o’clock ma'am ma’am and/or".split())

_CONTRACTION = re.compile(r"(?<=\w)(?:n['’]t|['’](?:s|m|d|re|ve|ll))$", re.IGNORECASE)
_RUN_TOGETHER = {
    word.replace("|", ""): word.index("|")
    for word in """
    can|not ca|nt wo|nt do|nt does|nt did|nt is|nt are|nt was|nt were|nt has|nt have|nt had|nt could|nt would|nt
    should|nt must|nt need|nt might|nt ai|nt i|m i|ve you|re they|re you|ve they|ve he|s she|s that|s what|s there|s
    who|s where|s how|s when|s gon|na got|ta
    """.split()
}
_UNITS = "km km² km³ m m² m³ dm cm cm² mm nm ft kg g mg lb oz kph mph km/h hPa kPa mbar GB MB KB TB T G M K".split()
_NUMBER_AND_UNIT = re.compile(rf"\d(?:[\d.,]*\d)?(?P<unit>{'|'.join(map(re.escape, _UNITS))})")
_TIME = re.compile(r"(?:0?[1-9]|1[0-2])(?P<unit>[ap]m|[ap]\.m\.)", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https?://|ftp://|www\.)\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+")

_INSIDE = re.compile(
    r"""
    \.{2,} | […—()\[\]{}"“”]
    | \.(?=["”\[:])  # the end of a sentence before a note
    | (?<=\d) [-+*^–—] (?=[\d-])
    | (?<=[^\W\d_]) (?:-{1,3}|[–—~]{1,3}) (?=[^\W\d_])
    | (?<=\d) [-–—] (?=[^\W\d_])
    | (?<=[^\W\d_]) , (?=[^\W\d_])
    | (?<=[^\W_]) [:<>=/] (?=[^\W\d_])
    | (?<=[^\W\d_]) \. (?=[^\W\d_])  # only at the end of a sentence: see _inside
    """,
    re.VERBOSE,
)


def tokenize(text: str) -> list[tuple[int, int]]:
    """Return the offsets of each token, in order; there is only whitespace between tokens.

    Args:
        text: Raw English text.

    Returns:
        The offsets ``(start, end)`` of each token in characters. ``text[start:end]`` is the token. It is never empty
        and has no whitespace.
    """
    return [
        (start + first, start + last)
        for chunk in _CHUNK.finditer(text)
        for start in (chunk.start(),)
        for first, last in _split(chunk.group())
    ]


def words(text: str) -> tuple[str, ...]:
    """Return the tokens of a text; equal tokens of all texts are one object, which saves memory."""
    return tuple(intern(text[start:end]) for start, end in tokenize(text))


@lru_cache(maxsize=1 << 16)
def _split(chunk: str) -> tuple[tuple[int, int], ...]:
    """Split the text between two spaces: first remove tokens from both ends, then split the rest."""
    start, end = 0, len(chunk)
    before, after = [], []
    while not _is_whole(chunk, start, end) and (size := _leading(chunk, start, end)):
        before.append((start, start + size))
        start += size
    while not _is_whole(chunk, start, end) and (size := _trailing(chunk, start, end)):
        after.append((end - size, end))
        end -= size
    return (*before, *_inside(chunk, start, end), *reversed(after))


def _is_whole(chunk: str, start: int, end: int) -> bool:
    """Return whether ``chunk[start:end]`` is one token, including its punctuation marks."""
    if end - start > _LONGEST:
        return False
    word = chunk[start:end]
    return word.lower() in _WHOLE or word in _ABBREVIATIONS or _INITIALS.fullmatch(word) is not None


def _leading(chunk: str, start: int, end: int) -> int:
    """Return the length of the punctuation mark at the start of ``chunk[start:end]``, 0 if there is none."""
    if start == end:
        return 0
    match = _DOTS.match(chunk, start, end) or _PRICE.match(chunk, start, end)
    if match:
        return match.end() - start
    mark = chunk[start]
    return int(_is_mark(mark) or category(mark) == "Sc" or _PLUS.match(chunk, start, end) is not None)


def _trailing(chunk: str, start: int, end: int) -> int:
    """Return the length of the mark, contraction or unit at the end of ``chunk[start:end]``, 0 if there is none."""
    if start == end:
        return 0
    if chunk[end - 1] == ".":
        first = end - 1
        while first > start and chunk[first - 1] == ".":
            first -= 1
        return end - first
    contraction = _CONTRACTION.search(chunk, max(start + 1, end - 3), end)
    if contraction:
        return end - contraction.start()
    if end - start <= _LONGEST:
        unit = _NUMBER_AND_UNIT.fullmatch(chunk, start, end) or _TIME.fullmatch(chunk, start, end)
        if unit:
            return end - unit.start("unit")
    mark = chunk[end - 1]
    return int(_is_mark(mark) or (category(mark) == "Sc" and chunk[end - 2].isdigit()))


def _is_mark(character: str) -> bool:
    """Return whether a character is always a token by itself."""
    return character in _MARKS or category(character) in _MARK_CATEGORIES


def _inside(chunk: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the tokens in ``chunk[start:end]``, which has no punctuation marks at its ends."""
    word = chunk[start:end] if end - start <= _LONGEST else ""
    if cut := _RUN_TOGETHER.get(word.lower()):
        yield start, start + cut
        start += cut
    elif not _is_whole(chunk, start, end) and not _ADDRESS.match(chunk, start, end):
        for match in _INSIDE.finditer(chunk, start, end):
            first, last = match.span()
            before, after = chunk[first - 1], chunk[last : last + 1]
            if match.group() == "." and after.isalpha() and not (before.islower() and after.isupper()):
                continue
            if start < first:
                yield start, first
            yield first, last
            start = last
    if start < end:
        yield start, end

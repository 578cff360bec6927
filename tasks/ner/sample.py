"""A small synthetic data set for named entities: persons (PER), places (LOC) and organisations (ORG).

The grammar below generates it; no sentence is from a corpus. The same names (Jordan, Paris, Lincoln) are persons,
places and organisations, equally often. So only the context tells the type of a name, and it is often several tokens
away. A name that is part of a thing (a Lincoln penny) is not an entity. Some names occur only in dev and test.

A phrase is plain text in which ``(a|b)`` is a choice and ``{symbol}`` stands for one of the phrases of that symbol.
``{A}`` and ``{B}`` are entities of any type; ``{A.does}`` is what an entity of that type does.
"""

import random
import re
from collections.abc import Iterator, Sequence

from harness.types import Sentence
from tasks.common.sample_data import check_split, choose, deck
from tasks.common.tag_schemes import Span, encode

SIZES = {"train": 1500, "dev": 300, "test": 300}
SEEDS = {"train": 1, "dev": 2, "test": 3}
TYPES = ("PER", "LOC", "ORG")

NAMES = (
    "Adelaide", "Alexandria", "Austin", "Bolton", "Brooklyn", "Camden", "Charlotte", "Chelsea", "Chester",
    "Clayton", "Dallas", "Darwin", "De Soto", "Devon", "Florence", "Georgia", "Hamilton", "Houston",
    "Jackson", "Jordan", "Kent", "Kingston", "La Salle", "Lancaster", "Lincoln", "Madison", "Nelson",
    "Orlando", "Paris", "Preston", "Savannah", "Sydney", "Van Buren", "Washington",
)  # fmt: skip
UNSEEN_NAMES = (
    "Denver", "Melbourne", "Santiago", "St. Clair", "Stafford", "Victoria", "Warwick", "Wellington",
)  # fmt: skip

# Longer names with a word that tells the type; one of LONG_EVERY mentions is of this kind.
LONG_EVERY = 8
LONG = {
    "PER": ("Anna X", "Maria X", "Omar X", "Peter X"),
    "LOC": ("Lake X", "Port X", "X Bay", "X Hills"),
    "ORG": ("X Airways", "X Bank", "X Motors", "X United"),
}

PHRASES = {
    "PER.kind": (
        "(her|his|our) (brother|cousin|dentist|neighbour)",
        "the (old|new|best) (goalkeeper|soprano|postman|cook)",
        "the (first|second|last) (girl|boy|rider) (in the photograph|on the list)",
    ),
    "LOC.kind": (
        "(her|his|our) (village|island|suburb|birthplace)",
        "the (old|new|best) (port|town|seaside resort|capital)",
        "the (first|second|last) (valley|town|peninsula) (in the photograph|on the list)",
    ),
    "ORG.kind": (
        "(her|his|our) (employer|insurer|publisher|football club)",
        "the (old|new|best) (airline|bank|brewery|newspaper)",
        "the (first|second|last) (company|charity|shipyard) (in the photograph|on the list)",
    ),
    "PER.kinds": ("(singers|nurses|painters|judges|poets)",),
    "LOC.kinds": ("(towns|islands|harbours|valleys|villages)",),
    "ORG.kinds": ("(airlines|banks|clubs|publishers|firms)",),
    "PER.it": ("(he|she)",),
    "LOC.it": ("it",),
    "ORG.it": ("it",),
    "PER.does": (
        "broke (an arm|a leg|a finger) (while skating|on the stairs|in March)",
        "learned to (swim|read|drive) at (six|nine|forty)",
        "was born (in a taxi|on a Sunday|after the storm)",
        "married a (nurse|baker|teacher) (in June|last year|twice)",
        "fell asleep (on the sofa|during the play|before supper)",
        "has a (sore throat|bad temper|loud laugh)",
        "wore a (red scarf|thick coat|silk dress) (on Monday|all winter)",
        "forgot the (keys|umbrella|birthday cake) (again|at home)",
        "(laughed|cried|sneezed) (for an hour|through the film)",
        "(writes|sings|paints) (better|worse) than (most|some) (students|teachers)",
    ),
    "LOC.does": (
        "lies (north|south|east) of the (river|border|desert)",
        "has (two|three) (bridges|harbours|railway stations)",
        "was flooded (in March|twice last year|after the storm)",
        "sees little (rain|snow|sun) (in June|all winter)",
        "is an hour (from the coast|away by ferry|away by train)",
        "has (narrow|steep|crooked) streets and (a castle|an old wall)",
        "covers (forty|ninety) square miles of (marsh|forest|farmland)",
        "is surrounded by (vineyards|mountains|rice fields)",
        "looks (green|grey|tiny) from the (air|hill|sea)",
        "(grew|shrank) to (nine|sixty) thousand inhabitants",
    ),
    "ORG.does": (
        "(raised|cut|froze) its prices (in June|again|by a tenth)",
        "hired (forty|ninety) (engineers|clerks|drivers)",
        "reported (a loss|record profits) (in March|on Monday|last year)",
        "(won|lost) the (final|derby) by (two|three) goals",
        "(fired|sued|replaced) its (coach|chairman|accountants)",
        "opened a (second|new) (factory|warehouse|branch) (in June|on Sunday)",
        "went bankrupt (after the merger|within a year|twice)",
        "(sold|bought) (forty|sixty) (lorries|patents|office blocks)",
        "pays a (dividend|bonus) every (spring|winter)",
        "has (nine|sixty) thousand (employees|shareholders)",
    ),
    "aside": (
        "it seems",
        "as far as we know",
        "according to the (report|radio|letter)",
        "(I|we) (hear|believe)",
        "if the story is right",
        "strange as it sounds",
        "to (my|our) surprise",
        "by all accounts",
    ),
    "opener": ("by the way", "in the end", "to be honest", "on page (two|six|nine)", "in this story"),
    "adverb": ("(apparently|certainly|indeed|probably|reportedly)",),
}

FRAMES = {
    "far": (  # the words next to the name are the same for every type
        "{A} , {aside} , {A.does} .",
        "{opener} , {A} {adverb} {A.does} .",
        "it was {A} , {aside} , that {A.does} .",
        "the {A} (we mean|in this story|on the first page) {A.does} .",
        "few people (remember|mention|recall) {A} today , (though|yet|but) {A.it} {A.does} .",
        "{A.kind} , {aside} , is (called|named) {A} .",
        "of all the {A.kinds} we (know|discussed) , I (liked|remember|prefer) {A} best .",
        "when we asked about {A.kind} , they (only|both) named {A} (at once|again) .",
        "by {A} , {aside} , they (always|usually) mean {A.kind} .",
    ),
    "near": (
        "{opener} , (Mr.|Mrs.|Dr.) {PER} (arrived late|said nothing|smiled) (again|at last) .",
        "{PER} 's (mother|husband|daughter) , {aside} , {PER.does} .",
        "the (mayor|streets|climate) of {LOC} (surprised|pleased|bored) the visitors , {aside} .",
        "{aside} , they (walked|drove|sailed) (to|from|around) {LOC} (in June|on Sunday|again) .",
        "shares in {ORG} (rose|fell|doubled) (in June|on Monday|again) , {aside} .",
        "the (chairman|lawyers|owners) of {ORG} (met|agreed|resigned) (in March|on Sunday) , {aside} .",
    ),
    "pair": (
        "{A} {adverb} {A.does} , while {B} {adverb} {B.does} .",
        "{A} {adverb} {A.does} , and {B} {adverb} {B.does} .",
        "not {A} but {A} , {aside} , is {A.kind} we (meant|remember) .",
        "{PER} and {PER} (met|argued|danced) (in|near) {LOC} (in June|on Monday|last year) .",
        "{PER} (moved|flew|sailed) from {LOC} to {LOC} (in March|on Sunday|last year) .",
        "{PER} (resigned from|owes money to|works for) {ORG} , {aside} .",
        "{ORG} (moved its offices|sent two lawyers) to {LOC} (in June|again) , {aside} .",
        "{ORG} (beat|outbid|sued) {ORG} (in March|on Monday|twice) , {aside} .",
    ),
    "thing": (  # names that are not entities
        "(she|he) (lost|found|sold) the old {NAME} (penny|stamp|coin) (on the stairs|at home) .",
        "we (ordered|tried|praised) the {NAME} (salad|cake|soup) (again|twice) , {aside} .",
        "the {NAME} (waltz|recipe|knot) is (hard|easy) to (learn|forget) , {aside} .",
    ),
    "none": (  # ordinary words, some with a capital because they start the sentence
        "{A.kind} , {aside} , {A.does} .",
        "(hope|grace|summer|rose) is a (good|strange) name for a (nurse|port|bank) , {aside} .",
    ),
}
# The number of sentences of each kind in twenty sentences.
MIX = ("far",) * 10 + ("near",) * 3 + ("pair",) * 4 + ("thing",) * 2 + ("none",)

_SYMBOL = re.compile(r"\{([A-Za-z.]+)\}")
_CHOICE = re.compile(r"\(([^()]+)\)")


def sentences(split: str) -> list[tuple[Sentence, tuple[str, ...]]]:
    """Return a split of the synthetic data, the same in every call and on every machine.

    Args:
        split: ``train``, ``dev`` or ``test``.

    Returns:
        The tokens and the BIO tags of each sentence.

    Raises:
        ConfigError: There is no such split.
    """
    check_split(split, SIZES)
    rng = random.Random(SEEDS[split])
    names = NAMES if split == "train" else NAMES + UNSEEN_NAMES
    kinds = deck(MIX, rng)
    frames = {kind: deck(texts, rng) for kind, texts in FRAMES.items()}
    types = deck(TYPES, rng)
    mentions = {kind: _mentions(kind, names, rng) for kind in (*TYPES, "NAME")}
    result = []
    for _ in range(SIZES[split]):
        frame = next(frames[next(kinds)])
        for letter in ("{A", "{B"):
            if letter in frame:
                frame = frame.replace(letter, "{" + next(types))
        result.append(_fill(_expand(frame, rng), mentions))
    return result


def _mentions(kind: str, names: Sequence[str], rng: random.Random) -> Iterator[str]:
    """Yield the names of one type without end, sometimes in a longer form."""
    forms = deck(("X",) * (LONG_EVERY - 1) + ("",), rng)
    longer = deck(LONG.get(kind, ("X",)), rng)
    for name, form in zip(deck(names, rng), forms, strict=False):
        yield (form or next(longer)).replace("X", name)


def _expand(text: str, rng: random.Random) -> str:
    """Replace each symbol by one of its phrases and each ``(a|b)`` by one of its options, but keep entities."""

    def phrase(match: re.Match[str]) -> str:
        return choose(PHRASES[match[1]], rng) if match[1] in PHRASES else match[0]

    return _CHOICE.sub(lambda match: choose(match[1].split("|"), rng), _SYMBOL.sub(phrase, text))


def _fill(text: str, mentions: dict[str, Iterator[str]]) -> tuple[Sentence, tuple[str, ...]]:
    """Replace ``{PER}``, ``{LOC}``, ``{ORG}`` and ``{NAME}`` by names; return tokens and tags."""
    tokens: list[str] = []
    tags: list[str] = []
    for word in text.split():
        kind = word[1:-1] if word.startswith("{") else ""
        words = next(mentions[kind]).split() if kind else [word]
        entity = [Span(0, len(words), kind)] if kind in TYPES else []
        tokens += words
        tags += encode(entity, len(words), "bio")
    tokens[0] = tokens[0][0].upper() + tokens[0][1:]
    return tuple(tokens), tuple(tags)


def conll(split: str) -> str:
    """Return a split as the content of a CoNLL column file."""
    pairs = [zip(*sentence, strict=True) for sentence in sentences(split)]
    return "\n".join("".join(f"{token} {tag}\n" for token, tag in pair) for pair in pairs)

"""A small synthetic data set for coreference: short stories about two persons and a place.

No sentence is from a corpus. In half of the stories, the place has the same name as one of the persons, and two persons
may both be women or both be men. Therefore equal words are often different entities, and different words the same one:
what decides is whether a name follows ``in`` or does something, which adjective a person was introduced with, and who
the sentence before was about. A visitor, who is mentioned once, is an entity of one mention.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.types import Document, Example, Sentence
from tasks.common.sample_data import check_split, choose, some
from tasks.coref.documents import TEXT, coref_target

SIZES = {"train": 240, "dev": 60, "test": 60}
SEEDS = {"train": 1, "dev": 2, "test": 3}
SENTENCES = 6  # of a story after its three introductions

NAMES = (
    "Paris Jordan Lincoln Georgia Florence Chester Austin Madison Sydney Victoria Savannah Milan Dallas Carson".split()
)
UNSEEN_NAMES = "Chelsea Kent Houston Adelaide".split()  # only in dev and test
ADJECTIVES = "old young tall quiet famous tired".split()
KINDS = {"she": ("woman", "girl"), "he": ("man", "boy"), "it": ("town", "village", "island", "valley")}
PLACE_ADJECTIVES = "small large green distant".split()
VISITORS = "a doctor|a stranger|a merchant|an artist|a soldier".split("|")
# {A} is the person whom the sentence is about, {B} the other one, {L} the place, {V} a visitor.
ABOUT_A_PERSON = (
    "{A} slept until noon .",
    "{A} went to {L} by train .",
    "in {L} , {A} bought some bread .",
    "{A} wrote a long letter to {B} .",
    "{A} asked {B} about the road to {L} .",
    "after dinner , {A} played cards with {B} .",
    "{A} met {V} near {L} .",
    "{A} laughed and left the house .",
)
ABOUT_THE_PLACE = (
    "the streets of {L} were empty .",
    "{L} has only one school .",
    "the rain in {L} never stopped .",
)


@dataclass
class _Entity:
    """A person or a place, and where the story has mentioned it."""

    name: str
    pronoun: str
    description: str
    mentions: list[tuple[int, int]] = field(default_factory=list)


def documents(split: str) -> list[Example]:
    """Return a split of the synthetic data, the same in every call and on every machine.

    Args:
        split: ``train``, ``dev`` or ``test``.

    Raises:
        ConfigError: There is no such split.
    """
    check_split(split, SIZES)
    rng = random.Random(SEEDS[split])
    names = NAMES if split == "train" else NAMES + UNSEEN_NAMES
    return [_story(f"{split}-{i}", names, rng) for i in range(SIZES[split])]


def _story(own_id: str, names: Sequence[str], rng: random.Random) -> Example:
    """Return one story with its entities."""
    first, second, third = some(names, 3, rng)
    adjectives = some(ADJECTIVES, 2, rng)
    pronouns = [choose(("she", "he"), rng) for _ in adjectives]
    kinds = [KINDS[pronoun][0 if rng.random() < 0.7 else 1] for pronoun in pronouns]
    persons = [
        _Entity(name, pronoun, f"the {adjective} {kind}")
        for name, pronoun, adjective, kind in zip((first, second), pronouns, adjectives, kinds, strict=True)
    ]
    place_kind = choose(KINDS["it"], rng)
    place = _Entity(choose((first, third), rng), "it", f"the {place_kind}")
    visitors: list[_Entity] = []
    story: list[Sentence] = []
    for person, adjective, kind in zip(persons, adjectives, kinds, strict=True):
        article = "an" if adjective[0] in "aeiou" else "a"
        _add(story, "{A} was " + f"{article} {adjective} {kind} .", {"A": (person, person.name)})
    article = choose(PLACE_ADJECTIVES, rng)
    _add(story, "{L} was " + f"a {article} {place_kind} .", {"L": (place, place.name)})
    last = place
    for _ in range(SENTENCES):
        template = choose(ABOUT_THE_PLACE, rng) if rng.random() < 0.2 else choose(ABOUT_A_PERSON, rng)
        about, other = some(persons, 2, rng)
        if last in persons and rng.random() < 0.5:
            about, other = last, next(person for person in persons if person is not last)
        visitor = _Entity("", "", choose(VISITORS, rng))
        forms = {
            "A": (about, about.pronoun if about is last and rng.random() < 0.7 else _form(about, rng)),
            "B": (other, _form(other, rng)),
            "L": (place, place.pronoun if place is last and rng.random() < 0.5 else _form(place, rng)),
            "V": (visitor, visitor.description),
        }
        _add(story, template, forms)
        visitors += [visitor] if visitor.mentions else []
        last = about if "{A}" in template else place
    clusters = [entity.mentions for entity in (*persons, place, *visitors)]
    return Example(id=own_id, texts={TEXT: Document(story)}, target=coref_target(clusters))


def _form(entity: _Entity, rng: random.Random) -> str:
    """Return the name of an entity, or its description."""
    return entity.name if rng.random() < 0.6 else entity.description


def _add(story: list[Sentence], template: str, forms: dict[str, tuple[_Entity, str]]) -> None:
    """Add a sentence to a story, and its mentions to their entities."""
    words: list[str] = []
    before = sum(map(len, story))
    for part in template.split():
        if part[0] != "{":
            words.append(part)
            continue
        entity, form = forms[part[1:-1]]
        start = before + len(words)
        words += form.split()
        entity.mentions.append((start, before + len(words) - 1))
    words[0] = words[0][0].upper() + words[0][1:]
    story.append(tuple(words))


def conll(split: str) -> str:
    """Return a split as the content of a file in the columns of CoNLL-2012; unknown columns have a ``-``."""
    return "".join(map(_conll, documents(split)))


def _conll(example: Example) -> str:
    """Return the lines of one document."""
    document = example.texts[TEXT]
    assert isinstance(document, Document)
    marks: list[list[str]] = [[] for _ in document]
    mentions = [(a, b, number) for number, entity in enumerate(example.target["clusters"]) for a, b in entity]
    for start, end, number in sorted(mentions, key=lambda one: (one[0], -one[1])):
        marks[start].append(f"({number})" if start == end else f"({number}")
    for start, end, number in sorted(mentions, key=lambda one: (one[1], -one[0])):
        marks[end] += [] if start == end else [f"{number})"]
    lines, place = [f"#begin document ({example.id});"], 0
    for sentence in document.sentences:
        for number, word in enumerate(sentence):
            columns = [example.id, "0", str(number), word, *"-------", "|".join(marks[place]) or "-"]
            lines.append("\t".join(columns))
            place += 1
        lines.append("")
    return "\n".join([*lines, "#end document", ""])

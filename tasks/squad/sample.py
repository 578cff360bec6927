"""Generate a small synthetic data set for reading comprehension, in the layout of SQuAD v1.1.

The grammar below was written for this project; no sentence is from a corpus. A passage tells what two people did, where
and when. It names several people, places and years, so the type of the answer alone does not identify it: the reader
must match the person and the action of the question. A sentence often reports two actions, and both people often did
the same thing.
"""

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.common.sample_data import check_split, choose, deck, some

PASSAGES = {"train": 320, "dev": 60, "test": 60}
QUESTIONS = 4  # per passage
SEEDS = {"train": 1, "dev": 2, "test": 3}
_PASSAGES_PER_ARTICLE = 10

WOMEN = ("Anna", "Clara", "Emma", "Helen", "Ida", "Julia", "Laura", "Maria", "Nora", "Sarah")
MEN = ("Carl", "David", "Edward", "George", "Henry", "John", "Martin", "Peter", "Robert", "Thomas")
SURNAMES = (
    "Baker", "Brown", "Carter", "Clark", "Cooper", "Fisher", "Foster", "Grant", "Harris", "Hill", "Hunter", "King",
    "Lewis", "Martin", "Miller", "Moore", "Palmer", "Parker", "Porter", "Reed", "Scott", "Shaw", "Stone", "Taylor",
    "Turner", "Walker", "Ward", "White", "Wilson", "Young",
)  # fmt: skip
PLACES = (
    "Amsterdam", "Athens", "Berlin", "Boston", "Brussels", "Cairo", "Chicago", "Dublin", "Edinburgh", "Florence",
    "Geneva", "Hamburg", "Lisbon", "London", "Madrid", "Manchester", "Milan", "Moscow", "Naples", "New York", "Oxford",
    "Paris", "Philadelphia", "Prague", "Rome", "San Francisco", "Toronto", "Vienna", "Warsaw", "York",
)  # fmt: skip
BIRTHS, LIFETIME = range(1810, 1920), 75  # years

# For each action: sentences with a place {P} and a year {Y}, and questions for the place, the year and the person {W}.
# Apart from the names, a question shares almost no word with the sentence that answers it.
ACTIONS: dict[str, tuple[tuple[str, ...], dict[str, tuple[str, ...]]]] = {
    "birth": (
        ("was born in {P} in {Y}", "came into the world in {Y} in {P}"),
        {
            "place": ("What is the birthplace of {W}?", "Where did the parents of {W} have this child?"),
            "year": ("What is the year of birth of {W}?", "When did the parents of {W} have this child?"),
            "person": ("Whose birthplace is {P}?", "Whose parents lived at {P}?"),
        },
    ),
    "study": (
        ("studied law in {P} until {Y}", "was a student in {P} until {Y}"),
        {
            "place": ("Where did {W} go to university?", "Which city had {W} at its university?"),
            "year": ("When did {W} leave the university?", "What year ended the education of {W}?"),
            "person": ("Who went to the university of {P}?", "Whose university was that of {P}?"),
        },
    ),
    "shop": (
        ("opened a small shop in {P} in {Y}", "began to sell books in {P} in {Y}"),
        {
            "place": ("Where did {W} start a business?", "Which city had the store of {W}?"),
            "year": ("When did {W} start a business?", "What is the first year of the store of {W}?"),
            "person": ("Who started a business at {P}?", "Whose store was at {P}?"),
        },
    ),
    "wedding": (
        ("married a doctor in {P} in {Y}", "became the {spouse} of a painter in {P} in {Y}"),
        {
            "place": ("Where was the wedding of {W}?", "Which city saw {W} at the altar?"),
            "year": ("When was the wedding of {W}?", "What year saw {W} at the altar?"),
            "person": ("Whose wedding was at {P}?", "Who stood at the altar at {P}?"),
        },
    ),
    "death": (
        ("died in {P} in {Y}", "lost a long fight with a fever in {P} in {Y}"),
        {
            "place": ("Where is the grave of {W}?", "Which city saw the funeral of {W}?"),
            "year": ("When was the funeral of {W}?", "What is the year on the grave of {W}?"),
            "person": ("Whose grave is at {P}?", "Whose funeral was at {P}?"),
        },
    ),
}
KINDS = ("place", "place", "year", "year", "person")
PEOPLE, ACTIONS_EACH, PASSAGE_PLACES = 2, 2, 4
_PARTS = re.compile(r"(\{[PY]\})")
JOINTS = (" and ", ", and then ", " and later ")


@dataclass(frozen=True, kw_only=True)
class _Fact:
    """One action of a person, with its place and its year."""

    person: str
    action: str
    place: str
    year: str


_Piece = tuple[str, _Fact | None, str]  # a text, and the fact and its part (place or year) that the text states


def articles(split: str) -> dict[str, Any]:
    """Return a split of the sample data in the layout of SQuAD v1.1. Every call on every machine returns the same.

    Args:
        split: ``train``, ``dev`` or ``test``.

    Raises:
        ConfigError: There is no such split.
    """
    check_split(split, PASSAGES)
    rng = random.Random(SEEDS[split])
    kinds = deck(KINDS, rng)
    paragraphs = [_paragraph(f"{split}-{number}", kinds, rng) for number in range(PASSAGES[split])]
    data = [
        {"title": f"Lives, part {number + 1}", "paragraphs": paragraphs[first : first + _PASSAGES_PER_ARTICLE]}
        for number, first in enumerate(range(0, len(paragraphs), _PASSAGES_PER_ARTICLE))
    ]
    return {"version": "1.1", "data": data}


def _paragraph(name: str, kinds: Iterator[str], rng: random.Random) -> dict[str, Any]:
    """Return a passage about two people and its questions."""
    facts: list[_Fact] = []
    pieces: list[_Piece] = []
    places = some(PLACES, PASSAGE_PLACES, rng)
    free = {action: deck(places, rng) for action in ACTIONS}  # no two people do the same thing in the same place
    first_names = some([(name, "She") for name in WOMEN] + [(name, "He") for name in MEN], PEOPLE, rng)
    for (first_name, pronoun), surname in zip(first_names, some(SURNAMES, PEOPLE, rng), strict=True):
        actions = sorted(some(tuple(ACTIONS), ACTIONS_EACH, rng), key=list(ACTIONS).index)
        birth = choose(BIRTHS, rng)
        when = [str(birth + age) for age in sorted(some(range(LIFETIME), ACTIONS_EACH, rng))]
        person = f"{first_name} {surname}"
        life = [_Fact(person=person, action=d, place=next(free[d]), year=y) for d, y in zip(actions, when, strict=True)]
        pieces += _life(life, pronoun, rng)
        facts += life
    text = ""
    starts: dict[tuple[_Fact, str], int] = {}
    for piece, fact, part in pieces:
        if fact is not None:
            starts[fact, part] = len(text)
        text += piece
    # The full name of a person occurs once, where the text about this person begins.
    starts |= {(fact, "person"): text.index(fact.person) for fact in facts}
    asked = zip(some(facts, QUESTIONS, rng), kinds, strict=False)
    questions = [_question(f"{name}-{i}", fact, part, starts[fact, part], rng) for i, (fact, part) in enumerate(asked)]
    return {"context": text.strip(), "qas": questions}


def _life(life: Sequence[_Fact], pronoun: str, rng: random.Random) -> Iterator[_Piece]:
    """Yield the text about one person, in one or two sentences."""
    cut = choose((1, 2, 2), rng)  # 1: the second action has its own sentence
    for number, facts in enumerate(filter(None, (life[:cut], life[cut:]))):
        surname = life[0].person.split()[-1]
        yield (life[0].person if number == 0 else choose((pronoun, pronoun, surname), rng)), None, ""
        for fact in facts:
            yield (" " if fact is facts[0] else choose(JOINTS, rng)), None, ""
            action = choose(ACTIONS[fact.action][0], rng).replace("{spouse}", "wife" if pronoun == "She" else "husband")
            for text in _PARTS.split(action):
                value = {"{P}": (fact.place, "place"), "{Y}": (fact.year, "year")}.get(text)
                yield (text, None, "") if value is None else (value[0], fact, value[1])
        yield ". ", None, ""


def _question(own_id: str, fact: _Fact, part: str, start: int, rng: random.Random) -> dict[str, Any]:
    """Return a question for one part of a fact."""
    text = choose(ACTIONS[fact.action][1][part], rng).replace("{W}", fact.person).replace("{P}", fact.place)
    return {"id": own_id, "question": text, "answers": [{"text": getattr(fact, part), "answer_start": start}]}


def json_text(split: str) -> str:
    """Return a split as the content of a file in the layout of SQuAD v1.1."""
    return json.dumps(articles(split), indent=1) + "\n"

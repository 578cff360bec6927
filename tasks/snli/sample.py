"""A small synthetic data set for natural language inference: entailment, neutral, contradiction.

Made by this project, by the rules below; no sentence is from a corpus. Who is which of three people, what a negation
belongs to, and which of two kinds holds the other decide the label. The words alone do not: the same premise has
hypotheses of all labels, mostly made of its own words, and the same hypothesis has premises of all labels. Some people
occur in dev and test only.

``python -m tasks.snli.sample FOLDER`` writes train.jsonl, dev.jsonl and test.jsonl in the published format.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import NamedTuple, TypeVar

from tasks.common.sample_data import check_split, choose, deck, some, write_splits
from tasks.snli.reader import LABELS, SentencePair

T = TypeVar("T")

SIZES = {"train": 1500, "dev": 300, "test": 300}
SEEDS = {"train": 1, "dev": 2, "test": 3}

PEOPLE = (
    "actor", "artist", "baker", "builder", "cleaner", "cook", "dancer", "doctor", "driver", "farmer", "girl", "guard",
    "judge", "lawyer", "nurse", "painter", "pilot", "sailor", "singer", "soldier", "student", "tailor", "teacher",
    "waiter",
)  # fmt: skip
UNSEEN_PEOPLE = ("boy", "captain", "clerk", "fisherman", "gardener", "hunter")

COMPARISONS = (
    "is taller than", "is shorter than", "is older than", "is younger than", "is stronger than", "is weaker than",
    "runs faster than", "arrived before", "arrived after", "lives above", "lives below",
)  # fmt: skip

DEEDS = {
    "answer the letter": "answered the letter",
    "clean the kitchen": "cleaned the kitchen",
    "close the window": "closed the window",
    "cross the river": "crossed the river",
    "feed the horse": "fed the horse",
    "find the key": "found the key",
    "finish the soup": "finished the soup",
    "light the fire": "lit the fire",
    "lock the gate": "locked the gate",
    "paint the fence": "painted the fence",
    "pay the bill": "paid the bill",
    "read the report": "read the report",
    "repair the clock": "repaired the clock",
    "wash the car": "washed the car",
    "water the plants": "watered the plants",
    "win the game": "won the game",
}
# What comes before a deed, by what it says of the deed: done, open, not done.
ATTITUDES = {
    "entailment": ("managed to", "remembered to"),
    "neutral": ("wanted to", "planned to", "hoped to"),
    "contradiction": ("failed to", "forgot to", "refused to"),
}

# A kind, the wider kind that it belongs to, and what they may be said to do.
KINDS = {
    ("poodle", "dog"): ("barked", "slept", "ran away", "was fed", "got wet"),
    ("spaniel", "dog"): ("barked", "slept", "ran away", "was fed", "got wet"),
    ("sparrow", "bird"): ("sang", "flew off", "was fed", "came back", "got wet"),
    ("pigeon", "bird"): ("sang", "flew off", "was fed", "came back", "got wet"),
    ("rose", "flower"): ("was red", "died", "was sold", "smelled good", "was cut"),
    ("tulip", "flower"): ("was red", "died", "was sold", "smelled good", "was cut"),
    ("truck", "vehicle"): ("was sold", "broke down", "was red", "was washed", "stopped"),
    ("bus", "vehicle"): ("was sold", "broke down", "was red", "was washed", "stopped"),
    ("violinist", "musician"): ("sang", "slept", "came back", "was tired", "got wet"),
    ("drummer", "musician"): ("sang", "slept", "came back", "was tired", "got wet"),
}
Statement = tuple[str, bool]  # how many do it, and whether of the wider kind
STATEMENTS: tuple[Statement, ...] = tuple(product(("every", "at least one", "no"), (False, True)))
SHARES = ("all", "part", "none")

PLACES = ("in the park", "at the station", "in the village", "on the hill", "at the market", "near the lake")


class Draft(NamedTuple):
    """A pair before its first letters and full stops."""

    premise: str
    hypothesis: str


Rule = Callable[[str, tuple[str, str, str], random.Random], Draft]


def pairs(split: str) -> list[SentencePair]:
    """Return a split of the synthetic data: the same in every call, on every machine.

    Args:
        split: ``train``, ``dev`` or ``test``.

    Raises:
        ConfigError: there is no such split.
    """
    check_split(split, SIZES)
    rng = random.Random(SEEDS[split])
    people = deck(PEOPLE if split == "train" else PEOPLE + UNSEEN_PEOPLE, rng)
    plan = deck(tuple(product(RULES, LABELS)), rng)
    result = []
    for i in range(SIZES[split]):
        rule, label = next(plan)
        premise, hypothesis = rule(label, _three(people), rng)
        result.append(
            SentencePair(premise=_sentence(premise), hypothesis=_sentence(hypothesis), label=label, id=f"{split}-{i}")
        )
    return result


def compared(label: str, people: tuple[str, str, str], rng: random.Random) -> Draft:
    """One person ahead of two, or behind them: how those two compare is open."""
    one, second, third = people
    words = choose(COMPARISONS, rng)
    first, last = one, second
    premise = f"{one} {words} both {second} and {third}"
    if rng.random() < 0.5:
        first, last = second, one
        premise = f"both {second} and {third} {_plural(words)} {one}"
    order = {"entailment": (first, last), "neutral": (second, third), "contradiction": (last, first)}[label]
    return Draft(premise, f"{order[0]} {words} {order[1]}")


def attempted(label: str, people: tuple[str, str, str], rng: random.Random) -> Draft:
    """Two people, each with a deed of which the premise says that it was done, that it was not, or neither."""
    other = choose([one for one in LABELS if one != label], rng)
    deeds = _two(tuple(DEEDS), rng)
    clauses = [
        f"{who} {choose(ATTITUDES[what], rng)} {deed}"
        for who, what, deed in zip(people, (label, other), deeds, strict=False)
    ]
    clauses = clauses[:1] if rng.random() < 0.3 else clauses[:: choose((1, -1), rng)]
    return Draft(choose((", and ", ", but ", ", while "), rng).join(clauses), f"{people[0]} {DEEDS[deeds[0]]}")


def negated(label: str, people: tuple[str, str, str], rng: random.Random) -> Draft:
    """Two deeds of one person, one of them not done, beside somebody of whom nothing is said."""
    actor, other, _ = people
    deeds = [DEEDS[deed] for deed in _two(tuple(DEEDS), rng)]
    undone = choose((0, 1), rng)
    first, second = (f"never {deed}" if i == undone else deed for i, deed in enumerate(deeds))
    form = choose(
        (
            "{actor}, who {first}, knows {other} and {second}",
            "{other} knows {actor}, who {first} and {second}",
            "while {other} watched, {actor} {first} and {second}",
        ),
        rng,
    )
    told = {"entailment": 1 - undone, "neutral": choose((0, 1), rng), "contradiction": undone}[label]
    who = other if label == "neutral" else actor
    return Draft(form.format(actor=actor, other=other, first=first, second=second), f"{who} {deeds[told]}")


def quantified(label: str, _: tuple[str, str, str], rng: random.Random) -> Draft:
    """A kind and the wider kind around it: what holds of the one need not hold of the other."""
    kind = choose(tuple(KINDS), rng)
    hypothesis = choose(STATEMENTS, rng)
    premise = choose([one for one in STATEMENTS if follows(one, hypothesis) == label], rng)
    place, deed = choose(PLACES, rng), choose(KINDS[kind], rng)
    return Draft(*(f"{how} {kind[wide]} {place} {deed}" for how, wide in (premise, hypothesis)))


RULES: tuple[Rule, ...] = (compared, attempted, negated, quantified)


def follows(premise: Statement, hypothesis: Statement) -> str:
    """Return the label of two statements: look whether the second holds wherever the first does."""
    worlds = [world for world in product(SHARES, repeat=2) if _holds(premise, world)]
    true = sum(_holds(hypothesis, world) for world in worlds)
    return "entailment" if true == len(worlds) else "neutral" if true else "contradiction"


def _holds(statement: Statement, world: tuple[str, ...]) -> bool:
    """Whether a statement is true, given how much of the kind, and of what else is of the wider kind, does it."""
    how, wide = statement
    shares = set(world if wide else world[:1])
    return {"every": shares == {"all"}, "no": shares == {"none"}, "at least one": shares != {"none"}}[how]


def _plural(words: str) -> str:
    return words.replace("is ", "are ", 1).replace("runs ", "run ", 1).replace("lives ", "live ", 1)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _three(people: Iterator[str]) -> tuple[str, str, str]:
    """Return three different people."""
    chosen: dict[str, None] = {}
    while len(chosen) < 3:
        chosen[f"the {next(people)}"] = None
    first, second, third = chosen
    return first, second, third


def _two(items: Sequence[T], rng: random.Random) -> tuple[T, T]:
    """Return two different items."""
    first, second = some(items, 2, rng)
    return first, second


def _jsonl(split: str) -> str:
    """Return a split as the text of a jsonl file."""
    rows = [
        {"gold_label": pair.label, "sentence1": pair.premise, "sentence2": pair.hypothesis, "pairID": pair.id}
        for pair in pairs(split)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the three splits as jsonl, to be read with one's own eyes."""
    write_splits(
        arguments,
        what="the synthetic inference data in SNLI's jsonl",
        suffix=".jsonl",
        splits=SIZES,
        unit="pairs",
        text=_jsonl,
    )


if __name__ == "__main__":
    main()

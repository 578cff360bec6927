"""A small synthetic data set for natural language inference: entailment, neutral, contradiction.

Made by this project, by the rules below; no sentence is from a corpus. Who is which of three people, what a negation
belongs to, and which of two kinds holds the other decide the label. The words alone do not: the same premise has
hypotheses of all labels, mostly made of its own words, and the same hypothesis has premises of all labels. Some people
occur in dev and test only.

``python -m tasks.samples.snli FOLDER`` writes train.jsonl, dev.jsonl and test.jsonl in the published format.
"""

import argparse
import json
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple, TypeVar

from harness.errors import ConfigError, nearest
from tasks.snli_files import LABELS, SentencePair

T = TypeVar("T")

SIZES = {"train": 2400, "dev": 300, "test": 300}
SEEDS = {"train": 1, "dev": 2, "test": 3}

PEOPLE = (
    "actor", "artist", "baker", "builder", "cleaner", "cook", "dancer", "doctor", "driver", "farmer", "girl", "guard",
    "judge", "lawyer", "nurse", "painter", "pilot", "sailor", "singer", "soldier", "student", "tailor", "teacher",
    "waiter",
)  # fmt: skip
UNSEEN_PEOPLE = ("boy", "captain", "clerk", "fisherman", "gardener", "hunter")

# Who is ahead, and who is behind, told by either word.
COMPARISONS = (
    ("is taller than", "is shorter than"),
    ("is older than", "is younger than"),
    ("is stronger than", "is weaker than"),
    ("is richer than", "is poorer than"),
    ("runs faster than", "runs slower than"),
    ("arrived before", "arrived after"),
    ("finished before", "finished after"),
    ("lives above", "lives below"),
)

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
    "entailment": ("managed to", "remembered to", "did not fail to", "did not forget to"),
    "neutral": ("wanted to", "planned to", "hoped to", "promised to"),
    "contradiction": ("failed to", "forgot to", "refused to", "did not manage to"),
}
_OPPOSITE = {"entailment": "contradiction", "neutral": "neutral", "contradiction": "entailment"}

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
    if split not in SIZES:
        raise ConfigError(f"no split '{split}' in the sample data{nearest(split, SIZES)}")
    rng = random.Random(SEEDS[split])
    people = _deck(PEOPLE if split == "train" else PEOPLE + UNSEEN_PEOPLE, rng)
    plan = _deck(tuple(product(RULES, LABELS)), rng)
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
    ahead, behind = _choose(COMPARISONS, rng)[:: _choose((1, -1), rng)]
    premise = f"{one} {ahead} both {second} and {third}"
    if rng.random() < 0.5:
        premise = f"both {second} and {third} {_plural(behind)} {one}"
    order = {"entailment": (one, second), "neutral": (second, third), "contradiction": (second, one)}[label]
    hypothesis = f"{order[0]} {ahead} {order[1]}" if rng.random() < 0.5 else f"{order[1]} {behind} {order[0]}"
    return Draft(premise, hypothesis)


def attempted(label: str, people: tuple[str, str, str], rng: random.Random) -> Draft:
    """Two people, each with a deed of which the premise says that it was done, that it was not, or neither."""
    first, second, _ = people
    denied = rng.random() < 0.5
    of_first = _OPPOSITE[label] if denied else label
    of_second = _choose([one for one in LABELS if one != of_first], rng)
    own, other = _two(tuple(DEEDS), rng)
    told = own
    if label == "neutral" and rng.random() < 0.5:  # the deed that is told is the other person's
        of_first, of_second = _two(LABELS, rng)
        told = other
    clauses = [
        f"{first} {_choose(ATTITUDES[of_first], rng)} {own}",
        f"{second} {_choose(ATTITUDES[of_second], rng)} {other}",
    ][:: _choose((1, -1), rng)]
    return Draft(_choose((", and ", ", but ", ", while "), rng).join(clauses), f"{first} {_done(told, denied)}")


def negated(label: str, people: tuple[str, str, str], rng: random.Random) -> Draft:
    """Two deeds of one person, one of them not done, beside somebody of whom nothing is said."""
    actor, other, _ = people
    deeds = _two(tuple(DEEDS), rng)
    undone = _choose((0, 1), rng)
    first, second = (_done(deed, i == undone) for i, deed in enumerate(deeds))
    form = _choose(
        (
            "{actor}, who knows {other} and {first}, {second}",
            "{actor}, who {first}, knows {other} and {second}",
            "while {other} watched, {actor} {first} and {second}",
            "{actor} {first}, talked to {other}, and {second}",
        ),
        rng,
    )
    asked = _choose((0, 1), rng)
    who = other if label == "neutral" else actor
    denied = rng.random() < 0.5 if label == "neutral" else (asked == undone) == (label == "entailment")
    return Draft(
        form.format(actor=actor, other=other, first=first, second=second), f"{who} {_done(deeds[asked], denied)}"
    )


def quantified(label: str, _: tuple[str, str, str], rng: random.Random) -> Draft:
    """A kind and the wider kind around it: what holds of the one need not hold of the other."""
    kind = _choose(tuple(KINDS), rng)
    hypothesis = _choose(STATEMENTS, rng)
    premise = _choose([one for one in STATEMENTS if follows(one, hypothesis) == label], rng)
    place, deed = _choose(PLACES, rng), _choose(KINDS[kind], rng)
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


def _done(deed: str, denied: bool) -> str:
    return f"did not {deed}" if denied else DEEDS[deed]


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
    first, second = sorted(items, key=lambda _: rng.random())[:2]
    return first, second


def _choose(items: Sequence[T], rng: random.Random) -> T:
    # random() alone is promised to give the same numbers in every version of Python.
    return items[int(rng.random() * len(items))]


def _deck(items: Sequence[T], rng: random.Random) -> Iterator[T]:
    """Deal items at random for ever, each once before any comes again, so that counts stay balanced."""
    while True:
        yield from sorted(items, key=lambda _: rng.random())


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the three splits as jsonl, to be read with one's own eyes."""
    parser = argparse.ArgumentParser(description="Write the synthetic inference data in SNLI's jsonl.")
    parser.add_argument("folder", type=Path, help="where to write train.jsonl, dev.jsonl and test.jsonl")
    folder = parser.parse_args(arguments).folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for split in SIZES:
            rows = [
                {"gold_label": pair.label, "sentence1": pair.premise, "sentence2": pair.hypothesis, "pairID": pair.id}
                for pair in pairs(split)
            ]
            path = folder / f"{split}.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8", newline="\n")
            print(f"{path}: {len(rows)} pairs")  # noqa: T201
    except OSError as error:
        parser.error(f"cannot write to {folder}: {error}; name a folder that you may write to")


if __name__ == "__main__":
    main()

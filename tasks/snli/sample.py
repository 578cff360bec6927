"""Generate a small synthetic data set for natural language inference: entailment, neutral, contradiction.

The rules below were written for this project; no sentence is from a corpus. The label depends on which of three people
does what, which verb a negation belongs to, and which of two kinds includes the other. The words alone do not decide:
the same premise has hypotheses of all labels, mostly made of the premise's words, and the same hypothesis has premises
of all labels. Some people occur only in dev and test.
"""

import json
import random
from collections.abc import Callable, Iterator
from itertools import product

from tasks.common.sample_data import check_split, choose, deck, some
from tasks.snli.reader import LABELS, SentencePair

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

ACTIONS = {
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
# Words before a action: by them the action was done (entailment), may have been done, or was not done.
ATTITUDES = {
    "entailment": ("managed to", "remembered to"),
    "neutral": ("wanted to", "planned to", "hoped to"),
    "contradiction": ("failed to", "forgot to", "refused to"),
}

# A kind, the wider kind that includes it, and predicates that suit both.
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
Statement = tuple[str, bool]  # the quantifier, and whether it is about the wider kind
STATEMENTS: tuple[Statement, ...] = tuple(product(("every", "at least one", "no"), (False, True)))

PLACES = ("in the park", "at the station", "in the village", "on the hill", "at the market", "near the lake")


_Draft = tuple[str, str]  # premise and hypothesis, without capital letters and full stops
_People = tuple[str, str, str]
_Rule = Callable[[str, _People, random.Random], _Draft]  # a label, three people, and the source of chance


def pairs(split: str) -> list[SentencePair]:
    """Return a split of the sample data. Every call on every machine returns the same.

    Args:
        split: ``train``, ``dev`` or ``test``.

    Raises:
        ConfigError: There is no such split.
    """
    check_split(split, SIZES)
    rng = random.Random(SEEDS[split])
    people = deck(PEOPLE if split == "train" else PEOPLE + UNSEEN_PEOPLE, rng)
    plan = deck(tuple(product(_RULES, LABELS)), rng)
    result = []
    for i in range(SIZES[split]):
        rule, label = next(plan)
        premise, hypothesis = rule(label, _three(people), rng)
        result.append(
            SentencePair(premise=_sentence(premise), hypothesis=_sentence(hypothesis), label=label, id=f"{split}-{i}")
        )
    return result


def _compared(label: str, people: _People, rng: random.Random) -> _Draft:
    """Compare one person with two others; the premise does not say how the two compare with each other."""
    one, second, third = people
    words = choose(COMPARISONS, rng)
    first, last = one, second
    premise = f"{one} {words} both {second} and {third}"
    if rng.random() < 0.5:
        first, last = second, one
        premise = f"both {second} and {third} {_plural(words)} {one}"
    order = {"entailment": (first, last), "neutral": (second, third), "contradiction": (last, first)}[label]
    return premise, f"{order[0]} {words} {order[1]}"


def _attempted(label: str, people: _People, rng: random.Random) -> _Draft:
    """Give one or two people a action each. The premise says that it was done, that it was not, or neither."""
    other = choose([one for one in LABELS if one != label], rng)
    actions = some(tuple(ACTIONS), 2, rng)
    clauses = [
        f"{who} {choose(ATTITUDES[what], rng)} {action}"
        for who, what, action in zip(people, (label, other), actions, strict=False)
    ]
    clauses = clauses[:1] if rng.random() < 0.3 else clauses[:: choose((1, -1), rng)]
    return choose((", and ", ", but ", ", while "), rng).join(clauses), f"{people[0]} {ACTIONS[actions[0]]}"


def _negated(label: str, people: _People, rng: random.Random) -> _Draft:
    """Give one person two actions, one of them negated, and mention a second person who has no action."""
    actor, other, _ = people
    actions = [ACTIONS[action] for action in some(tuple(ACTIONS), 2, rng)]
    undone = choose((0, 1), rng)
    first, second = (f"never {action}" if i == undone else action for i, action in enumerate(actions))
    form = choose(
        (
            "{actor}, who {first}, knows {other} and {second}",
            "{other} knows {actor}, who {first} and {second}",
            "while {other} watched, {actor} {first} and {second}",
        ),
        rng,
    )
    action = {"entailment": 1 - undone, "neutral": choose((0, 1), rng), "contradiction": undone}[label]
    who = other if label == "neutral" else actor
    return form.format(actor=actor, other=other, first=first, second=second), f"{who} {actions[action]}"


def _quantified(label: str, _: _People, rng: random.Random) -> _Draft:
    """Make statements about a kind and the wider kind that includes it, each with a quantifier."""
    kind = choose(tuple(KINDS), rng)
    hypothesis = choose(STATEMENTS, rng)
    premise = choose([one for one in STATEMENTS if follows(one, hypothesis) == label], rng)
    place, action = choose(PLACES, rng), choose(KINDS[kind], rng)
    first, second = (f"{quantifier} {kind[wide]} {place} {action}" for quantifier, wide in (premise, hypothesis))
    return first, second


_RULES: tuple[_Rule, ...] = (_compared, _attempted, _negated, _quantified)


def follows(premise: Statement, hypothesis: Statement) -> str:
    """Return the label of two statements about the same kind, the same wider kind and the same predicate.

    A world says for which share of the kind, and of the rest of the wider kind, the predicate is true. The label
    depends on whether the hypothesis is true in all, some or none of the worlds where the premise is true.

    Args:
        premise: A quantifier, and whether it is about the wider kind.
        hypothesis: The same for the second statement.
    """
    worlds = [world for world in product(("all", "part", "none"), repeat=2) if _is_true(premise, world)]
    true = sum(_is_true(hypothesis, world) for world in worlds)
    return "entailment" if true == len(worlds) else "neutral" if true else "contradiction"


def _is_true(statement: Statement, world: tuple[str, ...]) -> bool:
    """Return whether a statement is true in a world: the shares of the kind, and of the rest of the wider kind."""
    quantifier, wide = statement
    shares = set(world if wide else world[:1])
    return {"every": shares == {"all"}, "no": shares == {"none"}, "at least one": shares != {"none"}}[quantifier]


def _plural(words: str) -> str:
    """Return a comparison with its verb in the plural."""
    return words.replace("is ", "are ", 1).replace("runs ", "run ", 1).replace("lives ", "live ", 1)


def _sentence(text: str) -> str:
    """Return a text with a capital letter and a full stop."""
    return f"{text[0].upper()}{text[1:]}."


def _three(people: Iterator[str]) -> _People:
    """Return three different people."""
    chosen: dict[str, None] = {}
    while len(chosen) < 3:
        chosen[f"the {next(people)}"] = None
    first, second, third = chosen
    return first, second, third


def jsonl(split: str) -> str:
    """Return a split as the content of a file in the published format, one JSON object per line."""
    rows = [
        {"gold_label": pair.label, "sentence1": pair.premise, "sentence2": pair.hypothesis, "pairID": pair.id}
        for pair in pairs(split)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)

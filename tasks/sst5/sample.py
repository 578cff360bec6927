"""Generate a small synthetic data set for sentiment with five labels, from very negative (0) to very positive (4).

The grammar below was written for this project; no sentence is from a corpus. Negation ("not dull"), degree ("very
dull", "almost superb"), contrast ("although ... , ...") and denial ("nobody can say that ...") decide the label. The
same words in another order have another label, so a bag of words does poorly. Some adjectives occur only in dev and
test. Every phrase has a label, as in the Stanford Sentiment Treebank.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tasks.common.sample_data import check_split, choose

SIZES = {"train": 700, "dev": 300, "test": 300}
SEEDS = {"train": 1, "dev": 2, "test": 3}

# Adjectives by the value that they have alone.
ADJECTIVES = {
    1: "charming funny clever warm witty graceful lively moving".split(),
    -1: "dull clumsy tedious bland slow stale lifeless awkward".split(),
    2: "superb brilliant wonderful splendid".split(),
    -2: "dreadful awful horrible dismal".split(),
}
UNSEEN_ADJECTIVES = {1: ["pleasant"], -1: ["boring"]}  # only in dev and test

SUBJECTS = (
    "the film", "the novel", "the play", "her second book", "his last film", "the new opera", "this memoir",
    "the sequel", "the comedy", "the ending", "the dialogue", "the first half", "the last scene", "the middle part",
    "the plot", "the writer\\/director 's first film",
)  # fmt: skip
FACTS = (
    "set in Vienna", "set in a small port", "about two old sailors", "about a lost letter", "about a family of bakers",
    "based on a diary", "told by a child", "told in letters", "the work of two friends", "longer than the first one",
)  # fmt: skip
ASIDES = ("as far as I remember", "or so I think", "I saw it twice", "to be honest")
INTENSIFIERS = ("very", "truly", "utterly", "extremely")
NEGATORS = ("not", "hardly", "far from", "by no means")
NEARLY = ("almost", "nearly")
REVERSERS = ("anything but", "the opposite of")
CONFIRMERS = ("nothing if not", "nothing short of")
DENIALS = ("nobody can say that", "I doubt that", "it would be wrong to say that", "few would claim that")
ASSERTIONS = ("nobody can deny that", "I do not doubt that", "it would be wrong to deny that", "few would deny that")
BEFORE_MAIN = ("but", "and yet", "but then")  # before a clause that is more important than the clause before it
CONCESSIVE = ("although", "even if", "even though")  # before a clause that is less important than the other clause


@dataclass(frozen=True)
class _Node:
    """A phrase with its value from -2 to 2, and either its word or its two parts."""

    value: int
    word: str = ""
    parts: tuple["_Node", ...] = ()

    def __str__(self) -> str:
        """Return the tree in brackets, with labels from 0 to 4."""
        return f"({self.value + 2} {self.word or ' '.join(map(str, self.parts))})"


def lines(split: str) -> list[str]:
    """Return a split of the sample data, one bracketed tree per line. Every call on every machine returns the same.

    Args:
        split: ``train``, ``dev`` or ``test``.

    Raises:
        ConfigError: There is no such split.
    """
    check_split(split, SIZES)
    writer = _Writer(rng=random.Random(SEEDS[split]), unseen=split != "train")
    order = sorted(range(SIZES[split]), key=lambda _: writer.random())
    return [writer.sentence(i % 5 - 2) for i in order]  # every label equally often


class _Writer:
    """Write sentences of a given value; ``unseen`` adds the adjectives of dev and test."""

    def __init__(self, *, rng: random.Random, unseen: bool) -> None:
        self._rng = rng
        self.random = rng.random
        self.verb = "is"
        self.subjects: Iterator[str] = iter(SUBJECTS)
        more = UNSEEN_ADJECTIVES if unseen else {}
        self.adjectives = {value: [*words, *more.get(value, [])] for value, words in ADJECTIVES.items()}

    def choose(self, options: Sequence[str]) -> str:
        """Return one of the options."""
        return choose(options, self._rng)

    def sentence(self, value: int) -> str:
        """Return the bracketed tree of a sentence of this value. It has one tense and repeats no subject."""
        self.verb = self.choose(("is", "was"))
        self.subjects = iter(sorted(SUBJECTS, key=lambda _: self.random()))
        body = self.clause(value) if self.random() < 0.25 else self.contrast(value)
        if self.random() < 0.15:
            aside = _join(0, _join(0, _Node(0, "-LRB-"), _neutral(self.choose(ASIDES))), _Node(0, "-RRB-"))
            body = _join(value, body, aside)
        return str(_capitalised(_join(value, body, _Node(0, "."))))

    def contrast(self, value: int) -> _Node:
        """Return two clauses: the more important one has this value, the other one a different value."""
        different = {0: (-2, -1, 1, 2)}.get(value, (-2, -1, 0) if value > 0 else (0, 1, 2))
        other = int(self.choose([str(v) for v in different]))
        main, minor = self.clause(value), self.clause(other)
        form = self.choose(("but", "although first", "although last"))
        if form == "but":
            opened = _join(other, minor, _Node(0, ","))
            return _join(value, opened, _join(value, _neutral(self.choose(BEFORE_MAIN)), main))
        conceded = _join(other, _neutral(self.choose(CONCESSIVE)), minor)
        if form == "although first":
            return _join(value, _join(other, conceded, _Node(0, ",")), main)
        return _join(value, _join(value, main, _Node(0, ",")), conceded)

    def clause(self, value: int) -> _Node:
        """Return a clause of this value; some clauses are denied, which changes the sign, or asserted."""
        if value == 0 or self.random() < 0.85:
            return self.plain_clause(value)
        if self.random() < 0.5:
            return _join(value, _neutral(self.choose(ASSERTIONS)), self.plain_clause(value))
        # A denial is as mild or as strong as the clause that it denies.
        return _join(value, _neutral(self.choose(DENIALS)), self.plain_clause(-value))

    def plain_clause(self, value: int) -> _Node:
        """Return a subject, a verb and a predicate."""
        return _join(value, _neutral(next(self.subjects)), _join(value, _Node(0, self.verb), self.predicate(value)))

    def predicate(self, value: int) -> _Node:
        """Return a predicate of this value."""
        sign = 1 if value > 0 else -1
        forms: dict[int, list[Callable[[], _Node]]] = {
            0: [lambda: _neutral(self.choose(FACTS)), self.neither],
            1: [
                lambda: self.adjective(sign),
                lambda: self.modified(value, NEARLY, self.adjective(2 * sign)),
                lambda: self.modified(value, NEGATORS, self.adjective(-sign)),
                lambda: self.modified(value, NEGATORS, self.intense(-sign)),
            ],
            2: [
                lambda: self.adjective(2 * sign),
                lambda: self.intense(sign),
                lambda: self.modified(value, CONFIRMERS, self.adjective(2 * sign)),
                lambda: self.modified(value, REVERSERS, self.adjective(-sign)),
            ],
        }
        suitable = forms[abs(value)]
        # The cube makes the first, direct forms more frequent. If all forms were equally frequent, no single word
        # would give a hint about its own sign.
        draw = self.random()
        return suitable[int(draw * draw * draw * len(suitable))]()

    def adjective(self, value: int) -> _Node:
        """Return an adjective of this value."""
        return _Node(value, self.choose(self.adjectives[value]))

    def intense(self, sign: int) -> _Node:
        """Return an adjective of this sign with an intensifier."""
        return self.modified(2 * sign, INTENSIFIERS, self.adjective(sign))

    def modified(self, value: int, modifiers: Sequence[str], phrase: _Node) -> _Node:
        """Return a phrase after one of the modifiers, which gives it this value."""
        return _join(value, _neutral(self.choose(modifiers)), phrase)

    def neither(self) -> _Node:
        """Return two adjectives of the same sign, both negated."""
        sign = 1 if self.random() < 0.5 else -1
        first = _join(-sign, _Node(0, "neither"), self.adjective(sign))
        return _join(0, first, _join(sign, _Node(0, "nor"), self.adjective(-sign)))


def _join(value: int, left: _Node, right: _Node) -> _Node:
    """Return a phrase of two parts."""
    return _Node(value, parts=(left, right))


def _neutral(text: str) -> _Node:
    """Return neutral words, each joined to the words after it."""
    word, _, rest = text.partition(" ")
    return _join(0, _Node(0, word), _neutral(rest)) if rest else _Node(0, word)


def _capitalised(node: _Node) -> _Node:
    """Return a phrase whose first word has a capital letter."""
    if node.parts:
        return _Node(node.value, parts=(_capitalised(node.parts[0]), *node.parts[1:]))
    return _Node(node.value, node.word[0].upper() + node.word[1:])

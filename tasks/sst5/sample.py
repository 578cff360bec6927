"""A small synthetic data set for sentiment in five degrees, from very negative (0) to very positive (4).

Made by this project, by the grammar below; no sentence is from a corpus. Negation ("not dull"), degree ("very
dull", "almost superb"), contrast ("although ... , ...") and denial ("nobody can say that ...") decide: the same
words in another order have another label, so that a bag of words does poorly. Some adjectives occur in dev and
test only.

Every phrase has a label, as in the Stanford Sentiment Treebank. ``python -m tasks.sst5.sample FOLDER`` writes
train.txt, dev.txt and test.txt, one bracketed tree a line.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tasks.common.sample_data import check_split, choose, write_splits

SIZES = {"train": 700, "dev": 300, "test": 300}
SEEDS = {"train": 1, "dev": 2, "test": 3}

# Adjectives by the value that they have alone; those of the second line are in dev and test only.
ADJECTIVES = {
    1: "charming funny clever warm witty graceful lively moving".split(),
    -1: "dull clumsy tedious bland slow stale lifeless awkward".split(),
    2: "superb brilliant wonderful splendid".split(),
    -2: "dreadful awful horrible dismal".split(),
}
UNSEEN_ADJECTIVES = {1: ["pleasant"], -1: ["boring"]}

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
BEFORE_MAIN = ("but", "and yet", "but then")  # joins a clause that outweighs the one before it
CONCESSIVE = ("although", "even if", "even though")  # opens a clause that the other outweighs


@dataclass(frozen=True)
class Node:
    """A phrase: its value from -2 to 2, and either its word or its two parts."""

    value: int
    word: str = ""
    parts: tuple["Node", ...] = ()

    def __str__(self) -> str:
        """Return the tree in brackets, labels from 0 to 4."""
        return f"({self.value + 2} {self.word or ' '.join(map(str, self.parts))})"


def lines(split: str) -> list[str]:
    """Return a split of the synthetic data, one bracketed tree a line: the same in every call, on every machine.

    Args:
        split: ``train``, ``dev`` or ``test``.

    Raises:
        ConfigError: there is no such split.
    """
    check_split(split, SIZES)
    writer = Writer(seed=SEEDS[split], unseen=split != "train")
    order = sorted(range(SIZES[split]), key=lambda _: writer.random())
    return [writer.sentence(i % 5 - 2) for i in order]  # every label equally often


class Writer:
    """Writes sentences of a wanted value.

    Args:
        seed: of every choice.
        unseen: whether the adjectives of dev and test are used too.
    """

    def __init__(self, *, seed: int, unseen: bool) -> None:
        self._rng = random.Random(seed)
        self.random = self._rng.random
        self.verb = "is"
        self.subjects: Iterator[str] = iter(SUBJECTS)
        more = UNSEEN_ADJECTIVES if unseen else {}
        self.adjectives = {value: [*words, *more.get(value, [])] for value, words in ADJECTIVES.items()}

    def choose(self, options: Sequence[str]) -> str:
        """Return one of the options."""
        return choose(options, self._rng)

    def sentence(self, value: int) -> str:
        """Return the bracketed tree of a sentence of this value, in one tense and no subject twice."""
        self.verb = self.choose(("is", "was"))
        self.subjects = iter(sorted(SUBJECTS, key=lambda _: self.random()))
        body = self.clause(value) if self.random() < 0.25 else self.contrast(value)
        if self.random() < 0.15:
            aside = join(0, join(0, Node(0, "-LRB-"), flat(self.choose(ASIDES))), Node(0, "-RRB-"))
            body = join(value, body, aside)
        return str(capitalised(join(value, body, Node(0, "."))))

    def contrast(self, value: int) -> Node:
        """Return two clauses, the weightier one of this value and the other against it."""
        against = {0: (-2, -1, 1, 2)}.get(value, (-2, -1, 0) if value > 0 else (0, 1, 2))
        other = int(self.choose([str(v) for v in against]))
        main, minor = self.clause(value), self.clause(other)
        form = self.choose(("but", "although first", "although last"))
        if form == "but":
            opened = join(other, minor, Node(0, ","))
            return join(value, opened, join(value, flat(self.choose(BEFORE_MAIN)), main))
        conceded = join(other, flat(self.choose(CONCESSIVE)), minor)
        if form == "although first":
            return join(value, join(other, conceded, Node(0, ",")), main)
        return join(value, join(value, main, Node(0, ",")), conceded)

    def clause(self, value: int) -> Node:
        """Return a clause, now and then reported: what is denied has the other sign, what is asserted its own."""
        if value == 0 or self.random() < 0.85:
            return self.plain_clause(value)
        if self.random() < 0.5:
            return join(value, flat(self.choose(ASSERTIONS)), self.plain_clause(value))
        # A denial is as mild or as strong as what it denies.
        return join(value, flat(self.choose(DENIALS)), self.plain_clause(-value))

    def plain_clause(self, value: int) -> Node:
        """Return subject, verb and predicate."""
        return join(value, flat(next(self.subjects)), join(value, Node(0, self.verb), self.predicate(value)))

    def predicate(self, value: int) -> Node:
        """Return a predicate of this value."""
        sign = 1 if value > 0 else -1
        forms: dict[int, list[Callable[[], Node]]] = {
            0: [self.fact, self.neither],
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
        among = forms[abs(value)]
        # The cube favours the first, straight forms: were all as likely, no word would hint at its own sign.
        draw = self.random()
        return among[int(draw * draw * draw * len(among))]()

    def adjective(self, value: int) -> Node:
        """Return an adjective of this value."""
        return Node(value, self.choose(self.adjectives[value]))

    def intense(self, sign: int) -> Node:
        """Return an adjective of this sign, made strong."""
        return self.modified(2 * sign, INTENSIFIERS, self.adjective(sign))

    def modified(self, value: int, modifiers: Sequence[str], phrase: Node) -> Node:
        """Return a phrase that one of the modifiers gives this value."""
        return join(value, flat(self.choose(modifiers)), phrase)

    def fact(self) -> Node:
        """Return what says nothing for or against."""
        return flat(self.choose(FACTS))

    def neither(self) -> Node:
        """Return a pair of adjectives, both denied."""
        sign = 1 if self.random() < 0.5 else -1
        first = join(-sign, Node(0, "neither"), self.adjective(sign))
        return join(0, first, join(sign, Node(0, "nor"), self.adjective(-sign)))


def join(value: int, left: Node, right: Node) -> Node:
    """Return a phrase of two parts."""
    return Node(value, parts=(left, right))


def flat(text: str) -> Node:
    """Return neutral words, each joined to those after it."""
    word, _, rest = text.partition(" ")
    return join(0, Node(0, word), flat(rest)) if rest else Node(0, word)


def capitalised(node: Node) -> Node:
    """Return a phrase with a capital at its beginning."""
    if node.parts:
        return Node(node.value, parts=(capitalised(node.parts[0]), *node.parts[1:]))
    return Node(node.value, node.word[0].upper() + node.word[1:])


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the three splits as files of trees, to be read with one's own eyes."""
    write_splits(
        arguments,
        what="the synthetic sentiment data as trees, one a line",
        suffix=".txt",
        splits=SIZES,
        unit="trees",
        text=lambda split: "".join(f"{tree}\n" for tree in lines(split)),
    )


if __name__ == "__main__":
    main()

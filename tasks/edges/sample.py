"""A small synthetic data set of labelled pairs of words: their relation, which the forms of the words do not tell.

The sentences are those of the part-of-speech sample. Rules of a few lines derive four relations from its tags: they are
no parser, and no sentence is from a corpus. ``span1`` is always the word on the left, so the order tells nothing.
"""

import json
from collections.abc import Sequence

from tasks.edges.reader import Labelled, Target
from tasks.pos import sample as tagged_words

_ENDS = ("PUNCT", "CCONJ", "SCONJ")  # a relation does not reach over these


def labelled(split: str) -> list[Labelled]:
    """Return the words and the targets of each sentence of a split; every sentence has a target.

    Raises:
        ConfigError: There is no such split.
    """
    pairs = [(words, _targets(tags)) for words, tags in tagged_words.tagged(split)]
    return [(words, targets) for words, targets in pairs if targets]


def jsonl(split: str) -> str:
    """Return a split as the content of a file of JSON lines."""
    return "".join(
        json.dumps({"text": " ".join(words), "targets": targets}, ensure_ascii=False) + "\n"
        for words, targets in labelled(split)
    )


def _targets(tags: Sequence[str]) -> list[Target]:
    """Return the relations of a sentence in the order of their words."""
    found: dict[tuple[int, int], str] = {}
    for i, tag in enumerate(tags):
        noun = _next(tags, i, ("NOUN",))
        if tag == "ADJ" and noun == i + 1:
            found[i, noun] = "amod"
        elif tag == "PRON" and noun is not None and set(tags[i + 1 : noun]) <= {"ADJ"}:
            found[i, noun] = "poss"
        elif tag == "VERB":
            subject, thing = _last(tags, i, ("NOUN", "PRON")), _next(tags, i, ("NOUN", "PRON"))
            found |= {(subject, i): "nsubj"} if subject is not None else {}
            found |= {(i, thing): "obj"} if thing is not None else {}
    return [{"span1": [a, a + 1], "span2": [b, b + 1], "label": label} for (a, b), label in sorted(found.items())]


def _next(tags: Sequence[str], i: int, wanted: Sequence[str]) -> int | None:
    """Return the first wanted word after a word, in the same clause."""
    for j in range(i + 1, len(tags)):
        if tags[j] in wanted:
            return j
        if tags[j] in _ENDS:
            break
    return None


def _last(tags: Sequence[str], i: int, wanted: Sequence[str]) -> int | None:
    """Return the last wanted word before a word, in the same clause."""
    mirrored = _next(tags[::-1], len(tags) - 1 - i, wanted)
    return None if mirrored is None else len(tags) - 1 - mirrored

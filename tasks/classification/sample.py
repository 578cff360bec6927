"""Sample data for classification: the sentences of the sentiment sample with three labels, or pairs with two labels.

The pairs are those of the sample of natural language inference; neutral and contradiction are one label.
"""

import csv
import io
from collections.abc import Sequence

from harness.types import Sentence
from harness.utils.english_words import words
from tasks.snli import sample as snli
from tasks.sst5 import sample as sst5
from tasks.sst5.reader import parse_tree

Labelled = tuple[tuple[Sentence, ...], str]  # the tokens of each text, and the label

_SENTIMENT = ("negative", "negative", "neutral", "positive", "positive")  # of very negative to very positive


def labelled(split: str, *, pair: bool) -> list[Labelled]:
    """Return a split of the sample data. Every call on every machine returns the same.

    Args:
        split: ``train``, ``dev`` or ``test``.
        pair: Whether to return pairs of texts.

    Raises:
        ConfigError: There is no such split.
    """
    if pair:
        return [
            ((words(one.premise), words(one.hypothesis)), "yes" if one.label == "entailment" else "no")
            for one in snli.pairs(split)
        ]
    trees = [parse_tree(line, where=f"sample {split}") for line in sst5.lines(split)]
    return [((tree.tokens,), _SENTIMENT[tree.phrases[0].label]) for tree in trees]


def table(split: str, names: Sequence[str]) -> str:
    """Return a split as the content of a table: CSV for single texts, TSV for pairs.

    Args:
        split: ``train``, ``dev`` or ``test``.
        names: The names of the columns: one or two texts, and the label.
    """
    pair = len(names) == 3
    content = io.StringIO()
    writer = csv.writer(content, delimiter="\t" if pair else ",", lineterminator="\n")
    writer.writerow(names)
    writer.writerows([*(" ".join(text) for text in texts), label] for texts, label in labelled(split, pair=pair))
    return content.getvalue()

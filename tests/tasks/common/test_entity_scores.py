"""Scores of entities, compared with seqeval to the last bit."""

import warnings
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from tasks.common.entity_scores import score_tags

TAGS = st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y", "B-a-b", "I-a-b"])
SENTENCES = st.lists(st.lists(st.tuples(TAGS, TAGS), max_size=6), min_size=1, max_size=6)


def reported(gold: list[list[str]], predicted: list[list[str]], **options: Any) -> dict[str, dict[str, float]]:
    """Return the report of seqeval under the names of types; the empty name is that of all types."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an average over no types, if there is no entity
        report: Any = classification_report(gold, predicted, output_dict=True, zero_division=0, **options)
    return {"": report["micro avg"], **{name: row for name, row in report.items() if not name.endswith(" avg")}}


@given(SENTENCES)
def test_the_scores_are_those_of_seqeval(sentences: list[list[tuple[str, str]]]) -> None:
    gold, predicted = ([[pair[side] for pair in sentence] for sentence in sentences] for side in (0, 1))
    strict = reported(gold, predicted, mode="strict", scheme=IOB2)
    expected = {}
    for kind, row in reported(gold, predicted).items():
        prefix = f"{kind}/" if kind else ""
        expected |= {f"{prefix}{name}": row[name] for name in ("precision", "recall")}
        expected[f"{prefix}f1"] = row["f1-score"]
        expected[f"{prefix}f1_strict"] = strict[kind]["f1-score"] if kind in strict else 0.0
    scores = score_tags(gold, predicted)
    assert scores == expected
    assert list(scores) == list(expected)

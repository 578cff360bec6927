"""The scores of semantic roles: cases by hand, and 200 random pairs that the official script has scored."""

import json
from pathlib import Path

import pytest

from tasks.srl.metric import Argument, arguments_of, compare_arguments, score_roles

OFFICIAL = json.loads((Path(__file__).parents[2] / "fixtures" / "srl_eval.json").read_text())

# Gold tags, predicted tags, and the correct, excess and missed arguments (reference: the rules of srl-eval.pl).
CASES = {
    "all right": ("B-A0 B-V B-A1 I-A1", "B-A0 B-V B-A1 I-A1", (2, 0, 0)),
    "another role is one excess and one missed": ("B-A0 B-V B-A1", "B-A0 B-V B-A2", (1, 1, 1)),
    "so is another end": ("B-A0 B-V B-A1 I-A1", "B-A0 B-V B-A1 O", (1, 1, 1)),
    "V does not count": ("B-A0 B-V O", "B-A0 O B-V", (1, 0, 0)),
    "nor does V in two pieces": ("B-V B-A1 B-C-V", "B-V B-A1 O", (1, 0, 0)),
    "C- is joined": ("B-A1 B-V B-C-A1", "B-A1 B-V B-C-A1", (1, 0, 0)),
    "a missing C- is one excess and one missed": ("B-A1 B-V B-C-A1", "B-A1 B-V O", (0, 1, 1)),
    "so is one that is too much": ("B-A1 B-V O", "B-A1 B-V B-C-A1", (0, 1, 1)),
    "the same ends without a gap are another argument": ("B-A1 I-A1 I-A1 B-V", "B-A1 O B-C-A1 B-V", (0, 1, 1)),
    "a second C- continues too": ("B-A1 B-V B-C-A1 O B-C-A1", "B-A1 B-V B-C-A1 O B-C-A1", (1, 0, 0)),
    "a C- alone is its role": ("B-A1 B-V O", "B-C-A1 B-V O", (1, 0, 0)),
    "a C- before its role is one too": ("B-A1 B-V B-A1", "B-C-A1 B-V B-A1", (2, 0, 0)),
    "C- continues the latest": ("B-A1 B-A1 B-V B-C-A1", "B-A1 B-A1 B-V B-C-A1", (2, 0, 0)),
    "R- is a role": ("B-A0 B-R-A0 B-V", "B-A0 B-R-A0 B-V", (2, 0, 0)),
    "a missing R- is missed": ("B-A0 B-R-A0 B-V", "B-A0 O B-V", (1, 0, 1)),
    "R- for the role itself": ("B-A0 B-R-A0 B-V", "B-A0 B-A0 B-V", (1, 1, 1)),
    "C-R- continues R-": ("B-R-A1 B-V B-C-R-A1", "B-R-A1 B-V B-C-R-A1", (1, 0, 0)),
    "nothing predicted": ("B-A0 B-V B-A1", "O O O", (0, 0, 2)),
    "nothing to find": ("O B-V O", "B-A0 B-V O", (0, 1, 0)),
    "an I of another role begins a piece": ("B-A0 B-A1 B-V", "B-A0 I-A1 B-V", (2, 0, 0)),
}


@pytest.mark.parametrize("case", CASES)
def test_cases_by_hand(case: str) -> None:
    gold, predicted, counts = CASES[case]
    assert tuple(part.total() for part in compare_arguments(gold.split(), predicted.split())) == counts


def test_counts_are_those_of_the_official_script() -> None:
    assert len(OFFICIAL["pairs"]) == 200
    for gold, predicted, *counts in OFFICIAL["pairs"]:
        assert [part.total() for part in compare_arguments(gold.split(), predicted.split())] == counts, (
            gold,
            predicted,
        )


def test_scores_are_those_of_the_official_script() -> None:
    scores = score_roles((gold.split(), predicted.split()) for gold, predicted, *_ in OFFICIAL["pairs"])
    assert {name for name in scores if "/" in name} == {
        f"{role}/{score}"
        for role in OFFICIAL["all"]
        if role not in ("Overall", "V")
        for score in ("precision", "recall", "f1")
    }
    for role, (*_, precision, recall, f1) in OFFICIAL["all"].items():
        if role != "V":
            prefix = "" if role == "Overall" else f"{role}/"
            found = [round(100 * scores[f"{prefix}{name}"], 2) for name in ("precision", "recall", "f1")]
            assert found == [precision, recall, f1], role


def test_scores_by_hand() -> None:
    """Three gold arguments, four predicted ones, two in both."""
    scores = score_roles(
        [("B-A0 B-V B-A1".split(), "B-A0 B-V B-A2".split()), ("B-A1 B-V O".split(), "B-A1 B-V B-A1".split())]
    )
    assert (scores["precision"], scores["recall"]) == (2 / 4, 2 / 3)
    assert scores["f1"] == pytest.approx(4 / 7)
    assert (scores["A1/precision"], scores["A1/recall"], scores["A2/f1"]) == (1 / 2, 1 / 2, 0.0)
    assert score_roles([])["f1"] == 0.0


def test_arguments_and_their_pieces() -> None:
    tags = "B-A1 I-A1 B-V B-C-A1 B-R-A1".split()
    assert arguments_of(tags) == [
        Argument("A1", ((0, 2), (3, 4))),
        Argument("V", ((2, 3),)),
        Argument("R-A1", ((4, 5),)),
    ]


@pytest.mark.parametrize(
    ("predicted", "words"), [(["O"], "2 gold and 1 predicted tags"), (["O", "X-A"], "'X-A' is not")]
)
def test_what_cannot_be_compared_is_an_error(predicted: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        compare_arguments(["B-A0", "B-V"], predicted)

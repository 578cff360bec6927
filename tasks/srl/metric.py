"""Scores of semantic roles by the rules of ``srl-eval.pl``, the script of the CoNLL-2005 shared task.

An argument is correct if its role and all its pieces are those of a gold argument. A piece ``C-X`` continues the latest
``X`` before it; without one, it is an ``X`` itself. ``R-X`` is a role of its own. The predicate (``V``, also in several
pieces) is given, so it does not count.

The script has two more rules: if a predicted proposition is missing, or its predicate is another word, all its
arguments are missed. They cannot apply here, because every predicate is given.

Source: Carreras and Màrquez 2005, and the script, whose counts for random pairs are in tests/fixtures/srl_eval.json.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tasks.common.tag_schemes import spans

PREDICATE = "V"

Tags = Sequence[str]
Counts = tuple[Counter[str], Counter[str], Counter[str]]  # correct, excess and missed arguments, by role


class Argument(NamedTuple):
    """An argument of a predicate.

    Args:
        role: Its role, such as ``ARG0`` or ``R-ARG0``.
        pieces: For each of its pieces, the index of the first token, and the index after the last one.
    """

    role: str
    pieces: tuple[tuple[int, int], ...]


def arguments_of(tags: Tags) -> list[Argument]:
    """Return the arguments that BIO tags mark, with the predicate among them, in the order of their first pieces.

    As in the script, and as AllenNLP writes its input, an I that does not continue the tag before it starts a piece.
    """
    found: list[Argument] = []
    latest: dict[str, int] = {}  # the place of the latest argument of each role
    for start, end, label in spans(tags, "iob1"):
        role = label.removeprefix("C-")
        if role != label and role in latest:
            place = latest[role]
            found[place] = Argument(role, (*found[place].pieces, (start, end)))
        else:
            latest[role] = len(found)
            found.append(Argument(role, ((start, end),)))
    return found


def compare_arguments(gold: Tags, predicted: Tags) -> Counts:
    """Count the correct, the excess and the missed arguments of one predicate, by role.

    Args:
        gold: The correct BIO tags of its sentence.
        predicted: The predicted BIO tags.

    Raises:
        ValueError: The numbers of tags differ, or a tag is not BIO.
    """
    if len(gold) != len(predicted):
        raise ValueError(
            f"compare_arguments: {len(gold)} gold and {len(predicted)} predicted tags; give the same number"
        )
    expected, found = ({one for one in arguments_of(tags) if one.role != PREDICATE} for tags in (gold, predicted))
    parts = (expected & found, found - expected, expected - found)
    correct, excess, missed = (Counter(argument.role for argument in part) for part in parts)
    return correct, excess, missed


def score_roles(pairs: Iterable[tuple[Tags, Tags]]) -> dict[str, float]:
    """Score the arguments of all predicates together: micro-averaged precision, recall and F1, overall and by role.

    Args:
        pairs: For each predicate, the gold and the predicted BIO tags of its sentence.

    Returns:
        ``precision``, ``recall`` and ``f1``, overall and as ``ROLE/...``, as fractions.
    """
    correct: Counter[str] = Counter()
    excess: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for gold, predicted in pairs:
        for total, found in zip((correct, excess, missed), compare_arguments(gold, predicted), strict=True):
            total.update(found)
    scores = _scores(correct.total(), excess.total(), missed.total())
    for role in sorted({*correct, *excess, *missed}):
        scores |= {
            f"{role}/{name}": value for name, value in _scores(correct[role], excess[role], missed[role]).items()
        }
    return scores


def _scores(correct: int, excess: int, missed: int) -> dict[str, float]:
    """Return precision, recall and F1; each is 0 if it is undefined."""
    predicted, gold = correct + excess, correct + missed
    return {
        "precision": correct / predicted if predicted else 0.0,
        "recall": correct / gold if gold else 0.0,
        "f1": 2 * correct / (predicted + gold) if predicted + gold else 0.0,
    }

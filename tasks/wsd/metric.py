"""The score of word senses: precision, recall and F1 over the tagged words, as in Raganato et al. 2017."""

from collections.abc import Collection, Mapping, Sequence


def credit(gold: Collection[str], answers: Sequence[str]) -> float:
    """Return the part of the answers for a word that is right; one answer that is among the gold senses has 1.

    Args:
        gold: The senses of the word; each of them is right.
        answers: The senses that a system gives; at least one.
    """
    return sum(answer in gold for answer in answers) / len(answers)


def score_senses(gold: Mapping[str, Collection[str]], answers: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Score the senses of words.

    Args:
        gold: The senses of each word by its id; at least one word.
        answers: The senses that a system gives, by the same ids. A word without an answer lowers the recall, not the
            precision; an answer for another id is left out.

    Returns:
        ``f1``, ``precision`` and ``recall``. All three are equal if every word has an answer.

    Source: Raganato et al. 2017 (EACL E17-1010), section 4, and the scorer that is published with its data.
    """
    given = {own_id: keys for own_id, keys in answers.items() if own_id in gold and keys}
    right = sum(credit(gold[own_id], keys) for own_id, keys in given.items())
    return {
        "f1": 2 * right / (len(given) + len(gold)),  # the harmonic mean of the next two
        "precision": right / len(given) if given else 0.0,
        "recall": right / len(gold),
    }

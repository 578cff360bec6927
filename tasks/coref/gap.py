"""GAP: does the entity of an ambiguous pronoun contain the one name or the other? A test for a trained head.

Source: Webster et al. 2018 (arXiv 1810.05201); the counts are those of ``gap_scorer.py``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import DataFormatError
from harness.types import Document, Example, Prediction
from harness.utils.english_words import tokenize
from harness.utils.text_files import numbered_lines
from harness.utils.tokenized_text import TokenizedText
from tasks.coref.documents import TEXT, coref_target, sentences_in
from tasks.coref.metric import score_of

HEADER = "ID\tText\tPronoun\tPronoun-offset\tA\tA-offset\tA-coref\tB\tB-offset\tB-coref\tURL".split("\t")
_FEMININE = ("she", "her", "hers", "herself")


def is_gap(path: Path) -> bool:
    """Return whether a ``.tsv`` file begins with the header of GAP."""
    named = path.name.removesuffix(".gz").endswith(".tsv") and path.is_file()
    return named and next(numbered_lines(path), (0, ""))[1].split("\t") == HEADER


def read_gap(path: Path) -> list[Example]:
    """Return the texts of a file of GAP; the target has the token of the pronoun, and the tokens and gold of each name.

    Args:
        path: A ``.tsv`` file.

    Raises:
        DataFormatError: A line is not in the format of GAP; the message names it.
    """
    examples = []
    for number, line in numbered_lines(path):
        row = line.split("\t")
        if number == 1 or not line.strip():
            continue
        try:
            own_id, text, pronoun, place, a, a_place, a_gold, b, b_place, b_gold, _ = row
            whole = TokenizedText.of(text, tokenize)
            spans = [_tokens(whole, int(at), name) for at, name in ((place, pronoun), (a_place, a), (b_place, b))]
            gold = [{"TRUE": True, "FALSE": False}[word] for word in (a_gold, b_gold)]
        except (ValueError, KeyError) as error:
            raise DataFormatError(f"{path}:{number}: not a line of GAP ({error}); download it again") from None
        gap = {"pronoun": spans[0], "names": spans[1:], "gold": gold, "feminine": pronoun.lower() in _FEMININE}
        target = {**coref_target(None), "gap": gap}
        document = Document(sentences_in(whole))
        examples.append(Example(id=own_id, texts={TEXT: document}, target=target, origin={TEXT: whole}))
    return examples


def _tokens(text: TokenizedText, start: int, words: str) -> tuple[int, int]:
    """Return the first and the last token of words that begin at a character."""
    found = text.tokens_in(start, start + len(words))
    if found is None or text.text[start : start + len(words)] != words:
        raise ValueError(f"'{words}' is not at character {start}")
    return found


def score_gap(gold: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, float]:
    """Return the F1 of the decisions for both names: for all, feminine and masculine pronouns, and the ratio of both.

    A name is found if its tokens are a mention of an entity that also has the pronoun as a mention.

    Args:
        gold: The texts.
        predictions: The prediction for each text, in the same order.
    """
    counts: dict[str, list[list[int]]] = {"all": [], "feminine": [], "masculine": []}
    for example, prediction in zip(gold, predictions, strict=True):
        gap: dict[str, Any] = example.target["gap"]
        entities = [{tuple(mention) for mention in entity} for entity in prediction.value or ()]
        own = next((entity for entity in entities if gap["pronoun"] in entity), set())
        for name, right in zip(gap["names"], gap["gold"], strict=True):
            found = name in own
            row = [found and right, right, found and right, found]
            counts["all"].append(row)
            counts["feminine" if gap["feminine"] else "masculine"].append(row)
    scores = {name: score_of(_sum(rows)) for name, rows in counts.items()}
    feminine, masculine = scores["feminine"][2], scores["masculine"][2]
    values = {"f1": scores["all"][2], "recall": scores["all"][0], "precision": scores["all"][1]}
    ratio = feminine / masculine if masculine else 0.0
    return {**values, "feminine/f1": feminine, "masculine/f1": masculine, "feminine_to_masculine": ratio}


def _sum(rows: Sequence[Sequence[int]]) -> Any:
    import numpy as np

    return np.array(rows, dtype=np.float64).reshape(-1, 4).sum(axis=0)

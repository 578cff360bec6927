"""An example holds tuples of words, and a document is one of them that knows its sentences."""

import copy
import pickle
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.runs.predictions import examples_digest
from harness.types import Document, Example, Sentence, places_of, sentences_of


@pytest.mark.parametrize(
    ("text", "found"), [("The bank", "str"), (["The", "bank"], "list"), ((3, 4), "tuple of int"), (None, "NoneType")]
)
def test_a_text_that_is_not_a_tuple_of_words_is_refused(text: Any, found: str) -> None:
    """A string would otherwise be encoded as its characters."""
    with pytest.raises(HarnessError) as caught:
        Example(id="7", texts={"tokens": text})
    assert str(caught.value) == f"example 7: texts['tokens'] is a {found}; expected a tuple of words"


def test_a_document_is_its_tokens_and_knows_its_sentences() -> None:
    document = Document([("The", "bank"), (), ("It", "closed", ".")])
    assert document == ("The", "bank", "It", "closed", ".")
    assert sentences_of(document) == (("The", "bank"), (), ("It", "closed", "."))
    assert sentences_of(("The", "bank")) == (("The", "bank"),)
    for again in (pickle.loads(pickle.dumps(document)), copy.deepcopy(document)):
        assert (again, sentences_of(again)) == (document, sentences_of(document))


def test_the_place_of_a_sentence_is_its_row_and_its_tokens() -> None:
    texts = [("a", "b"), Document([("c",), ("d", "e")])]
    places = list(places_of(texts))
    assert [(row, sentence) for row, _, sentence in places] == [(0, ("a", "b")), (1, ("c",)), (1, ("d", "e"))]
    assert all(texts[row][place] == sentence for row, place, sentence in places)


def test_the_digest_of_a_document_covers_where_its_sentences_end() -> None:
    splits: list[list[Sentence]] = [[("a", "b"), ("c",)], [("a",), ("b", "c")], [("a", "b", "c")]]
    digests = {examples_digest([Example(id="1", texts={"tokens": Document(one)})]) for one in splits}
    assert len(digests) == 3

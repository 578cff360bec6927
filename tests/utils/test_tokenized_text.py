"""Texts: from characters to tokens and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.utils.english_words import tokenize
from harness.utils.tokenized_text import TokenizedText

TEXT = "Beyoncé’s  first album sold 1990–1995,\n\tin the U.S.A. (US$100 million)."


@given(st.text())
def test_a_word_is_the_text_at_its_offsets(text: str) -> None:
    passage = TokenizedText.of(text, tokenize)
    assert passage.tokens == tuple(text[start:end] for start, end in passage.offsets.tolist())
    assert passage.offsets.shape == (len(passage.tokens), 2)


@given(st.text(), st.integers(0, 30), st.integers(1, 30))
def test_the_tokens_in_a_range_are_those_with_a_character_in_it(text: str, start: int, size: int) -> None:
    passage = TokenizedText.of(text, tokenize)
    sharing = [i for i, (a, b) in enumerate(passage.offsets.tolist()) if max(a, start) < min(b, start + size)]
    span = passage.tokens_in(start, start + size)
    assert span == ((sharing[0], sharing[-1]) if sharing else None)


@pytest.mark.parametrize(
    ("answer", "covered"),
    [
        ("Beyoncé", "Beyoncé"),
        ("first album", "first album"),
        ("’s  first", "’s  first"),
        ("1995", "1995"),
        ("sold 1990–", "sold 1990–"),
        ("1995,\n\tin", "1995,\n\tin"),
        ("U.S.A", "U.S.A."),
        ("$100 million", "US$100 million"),
        ("irst a", "first album"),
    ],
)
def test_an_answer_becomes_whole_words(answer: str, covered: str) -> None:
    passage, start = TokenizedText.of(TEXT, tokenize), TEXT.index(answer)
    span = passage.tokens_in(start, start + len(answer))
    assert span is not None
    assert passage.text_of(*span) == covered


def test_a_truncated_passage_keeps_its_text_and_its_first_words() -> None:
    whole = TokenizedText.of(TEXT, tokenize)
    cut = whole.truncated(3)
    assert (cut.text, cut.tokens) == (TEXT, whole.tokens[:3])
    assert cut.text_of(0, 2) == whole.text_of(0, 2) == "Beyoncé’s  first"


def test_twenty_thousand_words() -> None:
    passage = TokenizedText.of("word " * 20_000, tokenize)
    assert len(passage.tokens) == 20_000
    assert len({id(token) for token in passage.tokens}) == 1  # equal words are one object in memory
    assert passage.tokens_in(5 * 19_999, 5 * 19_999 + 4) == (19_999, 19_999)

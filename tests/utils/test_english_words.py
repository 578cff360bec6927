"""The tokeniser: no character is lost, tokens are those of spaCy, and time is linear in the text."""

import gzip
import json
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.utils.english_words import tokenize, words

CASES = [
    ("A man isn't at the dog's house.", "A man is n't at the dog 's house ."),
    ("They can't, won't and cannot; dont!", "They ca n't , wo n't and can not ; do nt !"),
    ("I'm sure we’ll see who'd've gone.", "I 'm sure we ’ll see who 'd 've gone ."),
    ("Mr. J. Smith (U.S.A.) left at 5 p.m., didn't he?", "Mr. J. Smith ( U.S.A. ) left at 5 p.m. , did n't he ?"),
    ("It weighs 3,000.5kg, or $1.50 (US$2) at 10am.", "It weighs 3,000.5 kg , or $ 1.50 ( US$ 2 ) at 10 am ."),
    ("A well-known 16-year-old's T-shirt", "A well - known 16 - year - old 's T - shirt"),
    ("from 1990–1995, 2-3% more", "from 1990 – 1995 , 2 - 3 % more"),
    ("He said, \"Wait...\" and/or 'go'…", "He said , \" Wait ... \" and/or ' go ' …"),
    (
        "The end.Next one,then a=b at http://www.x.org/a?b=c.",
        "The end . Next one , then a = b at http://www.x.org/a?b=c .",
    ),
    ("It was a mass. In Mass. it rained; James' dog", "It was a mass . In Mass. it rained ; James ' dog"),
    ("Paris.[citation needed] Rome.:32", "Paris . [ citation needed ] Rome . :32"),
    ("“Café”—naïve 北京", "“ Café ” — naïve 北京"),
    ("--- 'em 's n't", "--- 'em 's n't"),
    ("", ""),
    (" \t\n\u00a0 ", ""),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_tokens(text: str, expected: str) -> None:
    assert " ".join(words(text)) == expected


MARKS = st.sampled_from(
    [*" .,'’\"()[]-–—$%&/:;…!?", "n't", "'s", "U.S.", "...", "a.m.", "10", "5", "km", "Mr.", "word"]
)
TEXTS = st.one_of(st.text(), st.lists(MARKS).map("".join))


@given(TEXTS)
def test_there_is_only_whitespace_between_tokens(text: str) -> None:
    spans = tokenize(text)
    assert all(start < end for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert not any(character.isspace() for start, end in spans for character in text[start:end])
    assert "".join(text[start:end] for start, end in spans) == "".join(text.split())


@given(TEXTS, TEXTS)
def test_text_between_spaces_is_split_independently(first: str, second: str) -> None:
    assert words(f"{first} {second}") == (*words(first), *words(second))


@pytest.mark.parametrize("unit", ["(", ")", ".", "a", "a.", "'", "n't", "a-", ".'", "1,", "$", "a@", "'s", "(a)"])
def test_time_is_linear(unit: str) -> None:
    """100,000 characters without a space: quadratic time would take minutes."""
    text = unit * (100_000 // len(unit))
    started = time.perf_counter()
    spans = tokenize(text)
    assert time.perf_counter() - started < 3.0
    assert sum(end - start for start, end in spans) == len(text)


def agreement(texts: Sequence[str]) -> float:
    """Return the F1 of token offsets against spaCy's."""
    spacy = pytest.importorskip("spacy")
    split = spacy.blank("en")
    hits = own_total = other_total = 0
    for text in dict.fromkeys(texts):
        own = set(tokenize(text))
        other = {(token.idx, token.idx + len(token)) for token in split(text) if not token.is_space}
        hits, own_total, other_total = hits + len(own & other), own_total + len(own), other_total + len(other)
    return 2 * hits / (own_total + other_total)


@pytest.mark.realdata
def test_captions_are_split_as_spacy_does(shared: Path) -> None:
    with gzip.open(shared / "data" / "snli" / "snli_1.0_dev.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    f1 = agreement([row[side] for row in rows for side in ("sentence1", "sentence2")])
    print(f"F1 of token offsets: {f1:.5f}")
    assert f1 > 0.9995


@pytest.mark.realdata
def test_articles_are_split_as_spacy_does_but_for_numbers_and_notes(shared: Path) -> None:
    """spaCy does not split "1990–1995" and "Paris.[note"; then the answers "1990" and "Paris" are not tokens."""
    with gzip.open(shared / "data" / "squad" / "dev-v1.1.json.gz", "rt", encoding="utf-8") as file:
        articles = json.load(file)["data"]
    f1 = agreement([paragraph["context"] for article in articles for paragraph in article["paragraphs"]])
    print(f"F1 of token offsets: {f1:.5f}")
    assert f1 > 0.995

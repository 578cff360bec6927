from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.utils.tokenizers import tokenizer_named

EXPECTED = {
    "english": ["Isn't Zürich 24km away?", ["Is", "n't", "Zürich", "24", "km", "away", "?"]],
    "whitespace": [" a  b.\tc\n", ["a", "b.", "c"]],
    "characters": ["我 爱\nNLP", list("我爱NLP")],
    "spacy:de": ["Das ist z.B. gut.", ["Das", "ist", "z.B.", "gut", "."]],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_tokens_of_an_example(name):
    text, tokens = EXPECTED[name]
    assert [text[start:end] for start, end in tokenizer_named(name)(text)] == tokens


@given(st.text())
def test_offsets_cover_everything_but_white_space(text):
    for name in EXPECTED:
        offsets = tokenizer_named(name)(text)
        assert all(start < end for start, end in offsets)
        assert all(end <= start for (_, end), (start, _) in pairwise(offsets))
        covered = "".join(text[start:end] for start, end in offsets)
        assert "".join(covered.split()) == "".join(text.split())


@pytest.mark.parametrize(("name", "text"), [("english2", "did you mean 'english'"), ("spacy:xx1", "spacy:xx1")])
def test_an_unknown_tokeniser_is_one_line(name, text):
    with pytest.raises(ConfigError, match=text) as error:
        tokenizer_named(name)
    assert "\n" not in str(error.value)

"""An example holds tuples of words."""

from typing import Any

import pytest

from harness.errors import HarnessError
from harness.types import Example


@pytest.mark.parametrize(
    ("text", "found"), [("The bank", "str"), (["The", "bank"], "list"), ((3, 4), "tuple of int"), (None, "NoneType")]
)
def test_a_text_that_is_not_a_tuple_of_words_is_refused(text: Any, found: str) -> None:
    """A string would otherwise be encoded as its characters."""
    with pytest.raises(HarnessError) as caught:
        Example(id="7", texts={"tokens": text})
    assert str(caught.value) == f"example 7: texts['tokens'] is a {found}; expected a tuple of words"

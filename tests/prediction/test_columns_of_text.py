"""Column files without a task are read as the readers of tasks read them: an independent reader is the witness."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataFormatError
from harness.prediction.input_text import read_sentences
from tasks.common.column_files import read_columns

LINES = ("a\tO", "b\tB-X", "#\tO", "#\tO\t", "b\tO\t", "# id 1", "#end document", "", "\t", "-DOCSTART-\tO")


def sentences(path: Path) -> list[tuple[str, ...]]:
    return list(read_sentences(path, form="columns", tokenize=None))


@given(st.lists(st.sampled_from(LINES), max_size=9))
def test_tokens_and_comments_are_those_of_the_readers_of_tasks(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.conll"
    path.write_text("\n".join(["a\tO", "", *lines]))  # the first line shows the columns, as in nearly every file
    try:
        expected = [sentence.tokens for sentence in read_columns(path)]
    except DataFormatError:
        return  # such as a comment inside of a sentence, which is no error in text without a task
    assert sentences(path) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("w O\n\n# O\n", [("w",), ("#",)]),
        ("#\tO\n\na\tO\n", [("#",), ("a",)]),
        ("# x y\n\na\n", [("a",)]),
        ("# x O\n# y\na O\n#\tb\n", [("a", "#")]),
        ("# only a comment\n", []),
    ],
)
def test_lines_that_begin_with_the_sign_of_comments(content: str, expected: list[tuple[str]], tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text(content)
    assert sentences(tmp_path / "a.conll") == expected

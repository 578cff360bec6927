"""The reader of tables: every format gives the same rows, and every error names file, line and column."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, DataFormatError
from tasks.common.table_files import Wanted, read_table

NAMED = (
    Wanted(option="task.text", names=("text", "sentence")),
    Wanted(option="task.label", names=("label",)),
)
NUMBERED = (Wanted(option="task.text", names=(2,)), Wanted(option="task.label", names=(-1,)))


def rows(path: Path, content: str | bytes, wanted: Any = NAMED) -> list[tuple[Any, ...]]:
    """Write a file; return the line and the values of each row."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = [(int(row.where.rpartition(":")[2]), *row.values.values()) for row in read_table(path, wanted)]
    assert all(row.where.startswith(f"{path}:") for row in read_table(path, wanted))
    return found


@pytest.mark.parametrize(
    ("name", "content", "lines"),
    [
        ("x.csv", "id,text,label\n1,a b,yes\n2,c,no\n", [2, 3]),
        ("x.csv", "\ufeffid,text,label\r\n1,a b,yes\r\n\r\n2,c,no\r\n", [2, 4]),
        ("x.csv", 'id,"text", label \n1,"a b",yes\n,,\n2,c,"no"', [2, 4]),
        ("x.csv", "id;text;label\n1;a b;yes\n2;c;no\n", [2, 3]),  # as a spreadsheet in German writes it
        ("x.tsv", "id\ttext\tlabel\n1\ta b\tyes\n2\tc\tno\n", [2, 3]),
        ("x.tsv", "id\ttext\tlabel\t\n1\ta b\tyes\n\t\n2\tc\tno\t \t\n", [2, 4]),
        ("x.txt", "id\ttext\tlabel\n1\ta b\tyes\n2\tc\tno\n", [2, 3]),
        ("x", "label,sentence\nyes,a b\nno,c\n", [2, 3]),
        ("x.jsonl", '{"text": "a b", "label": "yes"}\n\n{"label": "no", "text": "c", "more": 1}\n', [1, 3]),
        ("x", '{"text": "a b", "label": "yes"}\n{"label": "no", "sentence": "c"}\n', [1, 2]),
    ],
)
def test_every_format_gives_the_same_rows(name: str, content: str, lines: list[int], tmp_path: Path) -> None:
    expected = [(lines[0], "a b", "yes"), (lines[1], "c", "no")]
    assert rows(tmp_path / name, content) == expected
    assert rows(tmp_path / f"{name}.gz", gzip.compress(content.encode())) == expected


def test_numbers_are_columns_of_a_file_without_a_header(tmp_path: Path) -> None:
    assert rows(tmp_path / "x.csv", "1,a b,x,yes\n2,c,,no\n", NUMBERED) == [(1, "a b", "yes"), (2, "c", "no")]


def test_quoted_values_of_csv_hold_separators_line_ends_and_quotes(tmp_path: Path) -> None:
    content = 'text,label\n"a,\n\nb ""c""",yes\n"d, e",no\n'
    assert rows(tmp_path / "x.csv", content) == [(2, 'a,\n\nb "c"', "yes"), (5, "d, e", "no")]


def test_a_quote_of_tsv_is_a_character(tmp_path: Path) -> None:
    content = 'text\tlabel\n"a, b\tyes\nc "d"\tno\n'
    assert rows(tmp_path / "x.tsv", content) == [(2, '"a, b', "yes"), (3, 'c "d"', "no")]


def test_a_column_may_be_optional(tmp_path: Path) -> None:
    wanted = (NAMED[0], Wanted(option="task.label", names=("label",), optional=True))
    assert rows(tmp_path / "x.csv", "text,stars\na,5\n", wanted) == [(2, "a", None)]
    assert rows(tmp_path / "x.jsonl", '{"text": "a"}\n{"text": "b", "label": 1}\n', wanted) == [
        (1, "a", None),
        (2, "b", 1),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", "", "x.csv: no rows in it"),
        ("x.csv", "text,label\n\n", "x.csv: no rows in it"),
        ("x.csv", "review,label\na,b\n", ":1: no column 'text' or 'sentence' among 'review', 'label'; set task.text="),
        (
            "x.csv",
            "text,labels\na,b\n",
            "no column 'label' among 'text', 'labels'; did you mean 'labels'?; set task.la",
        ),
        ("x.csv", "great film,1\n", r"set task.text=COLUMN (its number if the file has no header)"),
        ("x.csv", "text\tlabel\na\tb\n", "or, if tabs separate the columns, name the file .tsv"),
        ("x.tsv", "text;label\na;b\n", "or, if semicolons separate the columns, name the file .csv"),
        ("x.csv", "text,label\na,b\n\nc\n", ":4: 1 column(s), but the first row has 2"),
        (
            "x.csv",
            "text,label\na, b,c\n",
            ":2: 3 column(s), but the first row has 2; put a value with ',' in it between",
        ),
        (
            "x.tsv",
            'text\tlabel\n"a\nb"\tc\n',
            ":2: 1 column(s), but the first row has 2; separate the columns by one tab",
        ),
        ("x.csv", 'text,label\na,b\n"c,d\ne,f\n', ":3: the row that starts here is not CSV (unexpected end of data)"),
        ("x.csv", "text,label,text\na,b,c\n", ":1: two columns have the name 'text'; rename one of them"),
        ("x.csv", "text,label\na,b\rc,d\n", ":2: a carriage return in a row; end each row by a line feed"),
        ("x.csv", 'text,label\n"a" b,c\n', ":2: the row that starts here is not CSV"),
        (
            "x.jsonl",
            '{"text": "a", "label": 1}\n{"text": "b"}\n',
            ":2: no column 'label' among 'text'; set task.label=",
        ),
        ("x.jsonl", '{"text": "a", "label": 1}\n{"text": "b\n', ":2: not JSON ("),
        ("x.json", '[{"text": "a", "label": 1}]\n', ":1: not a JSON object; write one JSON object on each line"),
        ("x.csv", b"text,label\n\xff,a\n", ":2: not UTF-8 at byte 1"),
        ("x.csv", b"PK\x03\x04", ": is a zip archive"),
        ("x.csv", b"text\0,label\n", ":1: holds a zero byte"),
    ],
)
def test_every_error_is_one_line(name: str, content: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataFormatError) as caught:
        rows(tmp_path / name, content)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value)


def test_a_missing_number_names_the_columns(tmp_path: Path) -> None:
    for number in (3, -3, 0):
        wanted = (Wanted(option="task.text", names=(number,)), NUMBERED[1])
        with pytest.raises(DataFormatError, match=rf"x\.csv:1: no column {number} among 'a b', 'yes'; set task\.text="):
            rows(tmp_path / "x.csv", "a b,yes\n", wanted)


def test_names_and_numbers_do_not_mix(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"task\.text=text, task\.label=-1: give names for a file with a header, or"):
        rows(tmp_path / "x.csv", "text,label\na,b\n", (NAMED[0], NUMBERED[1]))
    with pytest.raises(ConfigError, match=r"x\.jsonl: JSON lines have names, not numbers; set task\.text=NAME"):
        rows(tmp_path / "x.jsonl", '{"text": "a", "label": 1}\n', NUMBERED)

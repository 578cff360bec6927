"""The reader of NER files: tags in every scheme, and errors that name the file and the line."""

import json
from pathlib import Path

import pytest

from harness.config.instantiate import build
from harness.errors import DataFormatError
from harness.protocols import Task
from tasks.common.tag_schemes import TagScheme
from tasks.ner.reader import read_tagged
from tests.support.runs import config_of


@pytest.mark.parametrize(
    ("scheme", "tags"), [("iob1", "I-X I-X O"), ("bio", "B-X I-X O"), ("iobes", "B-X E-X O"), ("bioul", "B-X L-X O")]
)
def test_tags_of_every_scheme_become_bio(scheme: TagScheme, tags: str, tmp_path: Path) -> None:
    path = tmp_path / "data.conll"
    path.write_text("".join(f"w {tag}\n" for tag in tags.split()))
    assert read_tagged(path) == read_tagged(path, scheme) == [(("w", "w", "w"), ("B-X", "I-X", "O"))]


def test_json_lines_are_read_like_columns(tmp_path: Path) -> None:
    columns, lines = tmp_path / "a.conll", tmp_path / "a.jsonl"
    columns.write_text("Ann I-PER\nran O\n\nBonn I-LOC\nDüren B-LOC\n")
    rows = [
        {"tokens": ["Ann", "ran"], "tags": ["I-PER", "O"]},
        {"tokens": ["Bonn", "Düren"], "tags": ["I-LOC", "B-LOC"]},
    ]
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_tagged(lines) == read_tagged(columns)
    lines.write_text(json.dumps({"tokens": ["Ann"], "tags": ["Q-PER"]}))
    with pytest.raises(DataFormatError, match=r"a\.jsonl:1, token 1: .*Q-PER"):
        read_tagged(lines)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a O\nb O\n\nc O\n", r"no entity in 2 sentences.*last column"),
        ("a B-X\nb Q-X\n", r"bad\.conll:2: .*Q-X"),
        ("a O\nb X\n", r"bad\.conll:2: .*X"),
        ("a B-X\nb E-X\n\nc I-X\n", r"bad\.conll:4: .*iobes"),
    ],
)
def test_bad_tags_are_errors_with_file_and_line(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.conll"
    path.write_text(content)
    with pytest.raises(DataFormatError, match=message):
        read_tagged(path)


@pytest.mark.parametrize(
    ("scheme", "tags", "line", "message"),
    [
        ("bio", "I-X O", 7, "cannot start with 'I-X'"),
        ("bio", "O B-X I-Y", 9, "'I-Y' cannot follow 'B-X' in bio"),
        ("iobes", "O B-X", 8, "cannot end with 'B-X'"),
        ("bioul", "U-X L-X", 8, "'L-X' cannot follow 'U-X' in bioul"),
        ("iob1", "O E-X", 8, "'E-X' is not a tag of iob1"),
    ],
)
def test_the_line_of_an_ill_formed_tag_is_named(
    scheme: TagScheme, tags: str, line: int, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.conll"
    path.write_text("a O\n" * 5 + "\n" + "".join(f"w {tag}\n" for tag in tags.split()))
    with pytest.raises(DataFormatError, match=rf"x\.conll:{line}: .*{message}.*; correct the tag .* as {scheme}"):
        read_tagged(path, scheme)


def test_data_columns_reaches_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "germeval.tsv"
    path.write_text("# 2009\n1\tBonn\tB-LOC\tO\n2\tist\tO\tO\n")
    overrides = ["data=files", f"data.train={path}", f"data.dev={path}", f"data.test={path}", "data.columns=[2,3]"]
    task = build(config_of(tmp_path, "task=ner", *overrides).task, kind=Task, where="task")
    (example,) = task.examples("train")
    assert example.texts["tokens"] == ("Bonn", "ist")
    assert example.target == ("B-LOC", "O")

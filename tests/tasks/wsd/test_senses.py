"""Sense keys and the sense index: the order of the senses, and what is refused."""

import gzip
from pathlib import Path

import pytest

from harness.errors import DataFormatError
from tasks.wsd.senses import lemma_of, read_sense_index

LINES = """\
long%2:37:02:: 01828423 1 6
long%3:00:00:: 02005757 4 0
long%3:00:01:: 01433493 2 105
long%3:00:02:: 01437963 1 118
long%5:00:00:tall:00 02386126 3 2
'hood%1:15:00:: 08641944 1 0
"""


@pytest.mark.parametrize(
    ("key", "lemma"),
    [
        ("art%1:09:00::", ("art", "NOUN")),
        ("peculiar%5:00:00:strange:00", ("peculiar", "ADJ")),
        ("peculiar%3:00:00::", ("peculiar", "ADJ")),
        ("take_place%2:30:00::", ("take_place", "VERB")),
        (".22%1:06:00::", (".22", "NOUN")),
        ("hard%4:02:00::", ("hard", "ADV")),
        ("art%6:09:00::", None),
        ("art", None),
        ("art%1:09", None),
        ("year%1:28:02::;1:28:01::", None),
        ("a b%1:09:00::", None),
        ("", None),
    ],
)
def test_lemma_and_part_of_speech_of_a_key(key: str, lemma: tuple[str, str] | None) -> None:
    assert lemma_of(key) == lemma


def test_both_kinds_of_adjectives_are_numbered_together(tmp_path: Path) -> None:
    path = tmp_path / "index.sense.gz"
    path.write_bytes(gzip.compress(LINES.encode()))
    index = read_sense_index(path)
    ordered = ("long%3:00:02::", "long%3:00:01::", "long%5:00:00:tall:00", "long%3:00:00::")
    assert index.senses["long", "ADJ"] == ordered
    assert set(index.first_senses) == {"long%2:37:02::", "long%3:00:02::", "'hood%1:15:00::"}
    assert "long%3:00:00::" in index
    assert "long%3:00:03::" not in index


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("long 1 1 1", "file:2: 'long 1 1 1' is no line of a sense index"),
        ("long%2:37:03:: 1 x 1", "is no line of a sense index"),
        ("long%2:37:03:: 1", "is no line of a sense index"),
        ("long%2:37:02:: 1 2 3", "file:2: the sense key long%2:37:02:: is there twice"),
    ],
)
def test_a_wrong_line_is_named(line: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(f"long%2:37:02:: 01828423 1 6\n{line}\n")
    with pytest.raises(DataFormatError, match=problem):
        read_sense_index(tmp_path / "file")


def test_an_empty_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("\n")
    with pytest.raises(DataFormatError, match="no senses in it"):
        read_sense_index(tmp_path / "file")


@pytest.mark.realdata
def test_the_index_of_wordnet(shared: Path) -> None:
    index = read_sense_index(shared / "data" / "wsd" / "wordnet-3.0-index.sense.gz")
    assert len(index.senses) == 155287  # WordNet's own count of lemmas by part of speech
    assert sum(map(len, index.senses.values())) == 206941
    assert index.senses["bank", "NOUN"][0] == "bank%1:17:01::"

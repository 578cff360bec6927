"""The reader of column files: special cases of the format, and one line for every error."""

import gzip
import tracemalloc
from pathlib import Path

import pytest

from harness.errors import ConfigError, DataFormatError
from tasks.common.column_files import ColumnSentence, read_columns
from tasks.common.tag_schemes import detect, spans

AB = [ColumnSentence(tokens=("a", "b"), tags=("O", "B-X"), line=1)]


def read(folder: Path, content: bytes, name: str = "data.conll") -> list[ColumnSentence]:
    path = folder / name
    path.write_bytes(content)
    return read_columns(path)


@pytest.mark.parametrize(
    "content",
    [
        b"a O\nb B-X\n",
        b"a O\nb B-X",  # no line feed at the end
        b"a\tO\nb\tB-X\n\n",
        b"a\tO\nb\tB-X\n\t\n\t\t\n \t\n",  # a line with only a tab ends a sentence, as in WNUT-17
        b"a O\r\nb B-X\r\n\r\n",
        b"\xef\xbb\xbfa O\nb B-X\n",
        b"a NNP O\nb NNP B-X\n",
        b"a NNP I-NP O\nb NNP I-NP B-X\n",
        b"a   NN  O \nb   NNP B-X\n",  # aligned by spaces
        b"a\t\tO\nb\t\tB-X\n",  # only the first and the last column count
        b" a\tO\nb \tB-X \n",
        b"a\tO\t\nb\tB-X\t \t\n",  # white space after the last column
        b"a\tO\nb\tB-X\t\n",
        b"a O\t\nb B-X\t\n",
    ],
)
def test_one_sentence_in_every_form_of_the_format(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path, content) == AB


def test_sentences_have_the_line_of_their_first_token(tmp_path: Path) -> None:
    content = b"\n-DOCSTART- -X- -X- O\n\na X Y O\nb X Y B-X\n \n\nc X Y O\n-DOCSTART- -X- -X- O\nd X Y I-X\ne X Y O\n"
    sentences = read(tmp_path, content)
    assert [sentence.tokens for sentence in sentences] == [("a", "b"), ("c",), ("d", "e")]
    assert [sentence.tags for sentence in sentences] == [("O", "B-X"), ("O",), ("I-X", "O")]
    assert [sentence.line for sentence in sentences] == [4, 8, 10]


def test_docstart_lines_do_not_determine_the_columns(tmp_path: Path) -> None:
    assert read(tmp_path, b"-DOCSTART-\n\na\tO\nb\tB-X\n")[0].tokens == ("a", "b")


@pytest.mark.parametrize("name", ["data.conll.gz", "data.conll"])
def test_gzip_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, gzip.compress(b"a O\nb B-X\n"), name) == AB
    assert read(tmp_path, b"a O\nb B-X\n", name) == AB


GERMEVAL = """\
#\thttp://de.wikipedia.org/wiki/Bonn [2009-10-17]
1\tNordrhein\tB-LOC\tO
2\tWestfalen\tI-LOC\tB-LOC

#\tn-tv.de [2010-01-01]
1\tKleve\tO\tO
"""


@pytest.mark.parametrize(("columns", "tags"), [((2, 3), ("B-LOC", "I-LOC")), ((-3, -1), ("O", "B-LOC"))])
def test_the_columns_of_word_and_tag_can_be_chosen(
    tmp_path: Path, columns: tuple[int, int], tags: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "germeval.tsv").write_text(GERMEVAL)
    with caplog.at_level("INFO"):
        first, second = read_columns(tmp_path / "germeval.tsv", columns)
    assert first == ColumnSentence(tokens=("Nordrhein", "Westfalen"), tags=tags, line=2)
    assert second == ColumnSentence(tokens=("Kleve",), tags=("O",), line=6)
    assert "germeval.tsv: left out 2 comments" in caplog.text


def test_with_columns_a_file_may_have_any_number_of_them(tmp_path: Path) -> None:
    (tmp_path / "wide").write_text("x y z a 1 2 O 3\nx y z b 1 2 B-X 3\n")
    assert read_columns(tmp_path / "wide", (4, -2)) == AB


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((0, 2), r"data\.columns has 0, but .*germeval\.tsv:2 has 4 column\(s\); set data\.columns=\[WORD,TAG\]"),
        ((1, 5), "data.columns has 5, but"),
        ((-5, 1), "data.columns has -5, but"),
        ((3, -2), "column 3 of .* cannot be both word and tag"),
    ],
)
def test_columns_that_a_file_does_not_have_are_refused(tmp_path: Path, columns: tuple[int, int], message: str) -> None:
    (tmp_path / "germeval.tsv").write_text(GERMEVAL)
    with pytest.raises(ConfigError, match=message):
        read_columns(tmp_path / "germeval.tsv", columns)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (GERMEVAL, r"none of its words has a letter \(the first are: 1, 2\); set data\.columns="),
        ("1 EU B-ORG\n2 is O\n", "none of its words has a letter"),
        ("_ O\n\n_ B-X\n", "none of its words has a letter"),
        ("a O\n\n_ O\n_ B-X\n_ O\n", r"all 3 words of a sentence are '_'; set data\.columns="),
    ],
)
def test_words_that_are_not_words_are_refused(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "data").write_text(content)
    with pytest.raises(DataFormatError, match=f"data: {says}"):
        read_columns(tmp_path / "data")


@pytest.mark.parametrize("comment", ["# id 12", "# id 12\tdomain=en", "#\tid 12", "#begin document (a b); part 0"])
@pytest.mark.parametrize("body", ["a O\nb B-X\n", "a\tO\nb\tB-X\n", "a NN O\nb NN B-X\n"])
def test_comments_before_a_sentence_are_left_out(tmp_path: Path, comment: str, body: str) -> None:
    first, second = read(tmp_path, f"{comment}\n{comment}\n{body}\n{comment}\n{body}".encode())
    assert (first.tokens, first.tags, first.line) == (("a", "b"), ("O", "B-X"), 3)
    assert (second.tokens, second.line) == (("a", "b"), 7)


def test_a_number_sign_with_a_tag_is_a_token(tmp_path: Path) -> None:
    content = b"# O\n#one B-X\n# O\n\n# B-X\na O\n"
    assert [sentence.tokens for sentence in read(tmp_path, content)] == [("#", "#one", "#"), ("#", "a")]
    with pytest.raises(DataFormatError, match=r":2: 3 column\(s\) where line 1 has 2"):
        read(tmp_path, b"a O\n# id 5\n")  # inside a sentence nothing is left out


def test_a_token_of_a_tab_separated_file_may_hold_spaces(tmp_path: Path) -> None:
    assert read(tmp_path, b"New York\tB-LOC\nis\tO\n")[0].tokens == ("New York", "is")


@pytest.mark.parametrize("odd", ["\u0085", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\r", "\u00a0", "\u3000"])
@pytest.mark.parametrize("separator", [" ", "\t"])
def test_only_a_line_feed_ends_a_line(tmp_path: Path, odd: str, separator: str) -> None:
    content = f"x{odd}y{separator}O\n{odd}{separator}B-X\n".encode()
    assert read(tmp_path, content)[0].tokens == (f"x{odd}y", odd)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no sentences"),
        (b"\n\t\n", "no sentences"),
        (b"-DOCSTART- -X- O O\n\n", "no sentences"),
        (b"a O\n\nb\n", r":3: 1 column\(s\) where line 1 has 2"),
        (b"\na X O\nb O\n", r":3: 2 column\(s\) where line 2 has 3"),
        (b"a O\nb X O\n", r":2: 3 column\(s\) where line 1 has 2"),
        (b"a O\nb\tO\n", r":2: 1 column\(s\) where line 1 has 2"),
        (b"a O\nb \n", r":2: 1 column\(s\) where line 1 has 2"),  # no tag
        (b"\n\na\nb\n", r":3: 1 column\(s\); give 2 to 4"),
        (b"a 1 2 3 O\n", r":1: 5 column\(s\); give 2 to 4"),
        (b"a\tO\n\tO\n", ":2: the token is empty"),
        (b"a\tO\n \tO\n", ":2: the token is empty"),
        (b"a\tO\n\nb\t\n", ":3: the tag is empty"),
        (b"a\tO\nb\t \n", ":2: the tag is empty"),
        (b"a O\nb O\ncaf\xe9 O\n", ":3: not UTF-8 at byte 4"),
        ("\ufeffa O\n".encode("utf-16-le"), ": is UTF-16; convert it"),
    ],
)
def test_every_error_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataFormatError, match=message) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(str(tmp_path / "data.conll"))
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value)  # between the problem and the fix


def test_a_missing_file_is_an_error_with_the_most_similar_name(tmp_path: Path) -> None:
    (tmp_path / "train.conll").touch()
    with pytest.raises(DataFormatError, match=r"no such file; did you mean 'train\.conll'\?; check the path"):
        read_columns(tmp_path / "trian.conll")
    with pytest.raises(DataFormatError, match="no such file; check the path"):
        read_columns(tmp_path / "absent" / "train.conll")


def test_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="is a folder"):
        read_columns(str(tmp_path))


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_a_damaged_gzip_file_is_an_error(tmp_path: Path, damage: str) -> None:
    good = gzip.compress(b"a O\nb B-X\n" * 9)
    content = {"cut": good[:-6], "overwritten": good[:10] + b"\xff" * 30}[damage]
    with pytest.raises(DataFormatError, match="cannot be read") as caught:
        read(tmp_path, content, "data.conll.gz")
    assert "\n" not in str(caught.value)


def test_memory_is_bounded_by_the_result(tmp_path: Path) -> None:
    path = tmp_path / "data.conll"
    path.write_bytes(b"-DOCSTART- -X- O\n\n" * 40_000 + b"a X O\n")  # 720 kB for one token
    tracemalloc.start()
    try:
        assert len(read_columns(path)) == 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 300_000


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("split", "sentences", "tokens", "entities"),
    [("train", 3394, 62730, 1975), ("dev", 1009, 15733, 836), ("test", 1287, 23394, 1079)],
)
def test_wnut17_has_its_published_counts(split: str, sentences: int, tokens: int, entities: int, shared: Path) -> None:
    path = shared / "data" / "ner" / "wnut17" / f"{split}.conll"
    read = read_columns(path)
    scheme = detect(sentence.tags for sentence in read)
    found = [span for s in read for span in spans(s.tags, scheme)]
    assert (len(read), sum(len(s.tokens) for s in read)) == (sentences, tokens)
    assert (scheme, len(found)) == ("bio", entities)

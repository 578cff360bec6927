"""Reading documents: the columns of CoNLL-2012, folders and archives, and what is wrong with a file."""

import gzip
import io
import logging
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataFormatError
from harness.types import Document, Example
from tasks.coref.documents import TEXT, read_documents

# The layout of OntoNotes: speaker in the tenth column, a predicate's arguments before the last one.
ONTONOTES = """#begin document (bc/cctv/00/cctv_0000); part 000
bc/cctv/00/cctv_0000   0   0     Ann    NNP  (TOP(S(NP*  -   -   -   Speaker#1   (PERSON)  (ARG0*)   (0)
bc/cctv/00/cctv_0000   0   1   waved    VBD      (VP*  wave  01   1   Speaker#1     *      (V*)     -
bc/cctv/00/cctv_0000   0   2      /.      .       *))  -   -   -   Speaker#1     *        *      -

bc/cctv/00/cctv_0000   0   0     The     DT   (TOP(NP*  -   -   -   Speaker#2     *   (1|(0
bc/cctv/00/cctv_0000   0   1   nurse     NN        *)  -   -   -   Speaker#2     *    0)
bc/cctv/00/cctv_0000   0   2      's    POS        *)  -   -   -   Speaker#2     *    -
bc/cctv/00/cctv_0000   0   3     dog     NN        *)  -   -   -   Speaker#2     *    1)

#end document
#begin document (bc/cctv/00/cctv_0000); part 001
bc/cctv/00/cctv_0000   1   0    Bye     UH   (TOP*)  -   -   -   Speaker#2     *    -

#end document
"""


def lines(*marked: str, name: str = "d", end: bool = True) -> str:
    """Return a document of one sentence per text, with words as ``word`` or ``word/marks``."""
    body = []
    for sentence in marked:
        for number, token in enumerate(sentence.split()):
            word, _, marks = token.partition("/")
            body.append(f"{name}\t0\t{number}\t{word}\t{marks or '_'}\n")
        body.append("\n")
    return f"#begin document ({name}); part 0\n" + "".join(body) + ("#end document\n" if end else "")


def read(folder: Path, content: str, **options: Any) -> list[Example]:
    path = folder / "data.conll"
    path.write_text(content)
    return read_documents(path, **options)


def test_words_mentions_speakers_genre_and_parts_are_read(tmp_path: Path) -> None:
    first, second = read(tmp_path, ONTONOTES)
    assert first.texts[TEXT] == ("Ann", "waved", ".", "The", "nurse", "'s", "dog")
    document = first.texts[TEXT]
    assert isinstance(document, Document)
    assert document.sentences == (("Ann", "waved", "."), ("The", "nurse", "'s", "dog"))
    assert first.target["clusters"] == [((0, 0), (3, 4)), ((3, 6),)]
    assert first.target["speakers"] == ("Speaker#1",) * 3 + ("Speaker#2",) * 4
    assert (first.target["genre"], first.id, second.id) == (
        "bc",
        "bc/cctv/00/cctv_0000#000",
        "bc/cctv/00/cctv_0000#001",
    )
    assert second.target == {"clusters": [], "speakers": (), "genre": "bc"}


def test_nested_mentions_of_one_entity_and_one_word_documents(tmp_path: Path) -> None:
    (nested,) = read(tmp_path, lines("the/(7 dog/(7)|7)"))
    assert nested.target["clusters"] == [((0, 1), (1, 1))]
    (one,) = read(tmp_path, lines("dog/(7)"))
    assert (len(one.texts[TEXT]), one.target["clusters"]) == (1, [((0, 0),)])


def test_without_labels_the_last_column_is_not_read(tmp_path: Path) -> None:
    (example,) = read(tmp_path, lines("the/(7 dog/??"), labelled=False)
    assert (example.texts[TEXT], example.target["clusters"]) == (("the", "dog"), None)


def test_entities_that_share_a_mention_are_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = "ann/(1) bob/(2)|(3) he/(3) cat/(4) she/(1)|(5) her/(5) his/(3)|(2) him/(2)|(6) carl/(6)"
    (example,) = read(tmp_path, lines(text))
    whole = [((0, 0), (4, 4), (5, 5)), ((1, 1), (2, 2), (6, 6), (7, 7), (8, 8)), ((3, 3),)]
    assert example.target["clusters"] == whole
    assert "3 entities have a mention of another one and are joined to it" in caplog.text


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (lines("the/(7 dog barks"), 2, "a mention of entity 7 begins here and never ends before"),
        (lines("the/7) dog"), 2, "'7)' ends a mention that never began; add (7 before it"),
        (lines("the dog/7"), 3, "'7' marks no mention"),
        (lines("the dog").replace("\tdog\t_", ""), 3, "3 column(s); give at least 5"),
        (lines("the/(7) dog").replace("(7)", "(7)\t"), 2, "a tab after '(7)', the last column; remove the tab"),
        (lines("the dog").replace("\tdog\t", "\t \t"), 3, "5 column(s); give at least 5, the word in column 4"),
        (lines("dog", end=False), 1, "this document has no '#end document'"),
        (lines("dog", end=False) + lines("dog"), 4, "a document begins inside another one"),
        (lines("dog") + "d\t0\t0\tdog\t_\n", 5, "a word outside of a document"),
        (lines("dog", name=" "), 1, "this document has no id"),
        (lines("dog") + lines("cat"), 5, "a second document 'd#0'; give each its own id or part"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, content: str, line: int, message: str) -> None:
    with pytest.raises(DataFormatError) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(f"{tmp_path}/data.conll:{line}: {message}")


def test_nothing_is_lost_in_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    crossing = lines("a/(1 b/(2 c/1) d/2)", name="crossing") + lines("a/(1 b", "c d/1)", name="longer")
    examples = read(tmp_path, crossing + lines(name="empty"))
    assert [example.target["clusters"] for example in examples] == [[((0, 2),), ((1, 3),)], [((0, 3),)]]
    assert "1 mentions cross another one" in caplog.text
    assert "1 mentions are in several sentences" in caplog.text
    assert "1 documents without words are left out" in caplog.text
    with pytest.raises(DataFormatError, match="no document in it"):
        read(tmp_path, lines(name="empty"))


def test_a_folder_and_an_archive_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "folder" / "inner"
    folder.mkdir(parents=True)
    names = ("b.conll", "a.v4_gold_conll")
    for name in names:
        (folder / name).write_text(lines("dog/(1)", name=name))
    (folder / "README").write_text("no document")
    archive = tmp_path / "all.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, arcname="all")
    damaged = bytearray(archive.read_bytes())
    damaged[-8] ^= 1  # the first byte of gzip's checksum
    (tmp_path / "damaged.tar.gz").write_bytes(damaged)
    with pytest.raises(DataFormatError, match=r"damaged\.tar\.gz: cannot be unpacked \(CRC check failed"):
        read_documents(tmp_path / "damaged.tar.gz")
    for path in (tmp_path / "folder", archive):
        assert [example.id for example in read_documents(path)] == ["a.v4_gold_conll#0", "b.conll#0"]
    with gzip.open(tmp_path / "one.conll.gz", "wt") as compressed:
        compressed.write(lines("dog"))
    assert len(read_documents(tmp_path / "one.conll.gz")) == 1
    (tmp_path / "one.conll.gz").rename(folder / "one.conll.gz")
    assert len(read_documents(tmp_path / "folder")) == 3
    with pytest.raises(DataFormatError, match=r"no file in this folder ends in \.conll or _conll"):
        read_documents(Path(tempfile.mkdtemp(dir=tmp_path)))


def test_an_error_in_an_archive_names_the_file_in_it(tmp_path: Path) -> None:
    content = lines("the/(7 dog").encode()
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        about = tarfile.TarInfo("x/one.conll")
        about.size = len(content)
        archive.addfile(about, io.BytesIO(content))
    with pytest.raises(DataFormatError, match=r"all\.tar/x/one\.conll:2: a mention of entity 7 begins here"):
        read_documents(tmp_path / "all.tar")
    (tmp_path / "cut.tar.gz").write_bytes(b"\x1f\x8b not an archive")
    (tmp_path / "no.tar").write_text("not an archive")
    for name in ("cut.tar.gz", "no.tar"):
        with pytest.raises(DataFormatError, match="cannot be unpacked") as caught:
            read_documents(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataFormatError, match="no such file"):
        read_documents(tmp_path / "missing.conll")

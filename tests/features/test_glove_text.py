"""Files of word vectors that are almost in GloVe's format: each is read as it is meant, or refused in one line."""

import gzip
import io
import os
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from harness.errors import DataFormatError
from harness.features.static_vectors import StaticVectors

TEXT = "the 1 2\nNew York 3 4\n"


def vectors_of(folder: Path, content: bytes, name: str = "vectors.txt") -> StaticVectors:
    (folder / name).write_bytes(content)
    return StaticVectors(name="test", path=folder / name, cache_dir=folder / "cache")


def refusal(folder: Path, content: bytes, name: str = "vectors.txt") -> str:
    with pytest.raises(DataFormatError) as caught:
        vectors_of(folder, content, name)
    message = str(caught.value)
    assert str(folder / name) in message
    assert ";" in message  # between the problem and the fix
    return message


def zipped(content: bytes, *, flags: int = 0, method: int | None = None) -> bytes:
    """Return an archive with one file, and with other flags or another method in its headers."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("vectors.txt", content)
    raw = bytearray(file.getvalue())
    for start in (raw.index(b"PK\x03\x04") + 6, raw.index(b"PK\x01\x02") + 8):
        raw[start] |= flags
        if method is not None:
            raw[start + 2] = method
    return bytes(raw)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("packed", [bytes, gzip.compress, zipped])
@pytest.mark.parametrize("name", ["vectors.txt", "vectors.gz", "vectors.zip"])
def test_the_content_says_how_a_file_is_packed_and_a_byte_order_mark_is_no_text(
    tmp_path: Path, mark: bytes, packed: type[bytes], name: str
) -> None:
    vectors, found = vectors_of(tmp_path, packed(mark + TEXT.encode()), name).lookup(["the", "New York"])
    assert found.tolist() == [True, True]
    assert vectors.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "text",
    [
        "the\t1\t2\nNew York\t3\t4\n",
        "the\t1 2\nNew York\t3 4\n",
        "the\t1\t2\t\nNew York\t3\t4\t\r\n",
        "2\t2\nthe\t1\t2\nNew York\t3\t4\n",
        TEXT + "\n",
        TEXT + "\n \r\n\n",
        "\ufeff2 2\n" + TEXT,
    ],
)
def test_tabs_and_blank_lines_at_the_end_change_nothing(tmp_path: Path, text: str) -> None:
    plain = vectors_of(tmp_path, TEXT.encode()).fingerprint
    assert vectors_of(tmp_path, text.encode()).fingerprint == plain


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\nthe 1 2\n", "line 1: is blank, but lines follow"),
        (b"the 1 2\n\n\na 1 2\n", "line 2: is blank, but lines follow"),
        (TEXT.encode("utf-16"), "is UTF-16"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
        (b"caf\xe9 1 2\n", "line 1: the word is not UTF-8"),
        (zipped(b"the 1 2\n", flags=1), "cannot be unpacked"),
        (zipped(b"the 1 2\n", method=99), "cannot be unpacked"),
        (zipped(b"the 1 2\n")[:-25], "is damaged"),
        (b"the" + b" 1" * 20_000, "line 1: 20,000 numbers; expected a word and at most 16,384"),
        (b"the" + b" 1.0" * 3_000_000, ":1: the line has over 1,048,576 bytes"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    assert says in refusal(tmp_path, content)
    assert not list((tmp_path / "cache" / "vectors").glob("*.partial"))


def test_a_small_file_cannot_fill_the_memory(tmp_path: Path) -> None:
    packed = gzip.compress(b"a" * 2**28)  # 260 kB
    tracemalloc.start()
    try:
        refusal(tmp_path, packed)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**25


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataFormatError, match="pipe: not a regular file"):
        StaticVectors(name="test", path=tmp_path / "pipe", cache_dir=tmp_path / "cache")


def test_lines_of_repeated_words_are_counted_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    (tmp_path / "vectors.txt").write_text("the 1 2\nbank 3 4\nthe 5 6\n")
    vectors = StaticVectors(name="test", path=tmp_path / "vectors.txt", cache_dir=tmp_path)
    assert vectors.lookup(["the"])[0].tolist() == [[1.0, 2.0]]
    assert "left out 1 lines, whose words occur before" in caplog.text

"""The one reader of text and the one reader of JSON: what is not text, lines, byte order marks, and errors."""

import gzip
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import CacheError, DataFormatError
from harness.utils import text_files
from harness.utils.text_files import json_value, numbered_lines, read_json
from tests.support.privileges import modes_hold


def lines_of(folder: Path, content: bytes, name: str = "data.txt") -> list[tuple[int, str]]:
    (folder / name).write_bytes(content)
    return list(numbered_lines(folder / name))


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
@pytest.mark.parametrize("name", ["data.txt", "data.gz", "data"])
def test_lines_end_at_line_feeds_and_a_byte_order_mark_is_no_text(
    tmp_path: Path, packed: Callable[[bytes], bytes], name: str
) -> None:
    content = "\ufeffa\u2028b\r\n\n\ufeffc\rd\n\x85".encode()
    assert lines_of(tmp_path, packed(content), name) == [(1, "a\u2028b"), (2, ""), (3, "\ufeffc\rd"), (4, "\x85")]
    assert lines_of(tmp_path, packed(b""), name) == []
    assert lines_of(tmp_path, packed(b"\xef\xbb\xbf"), name) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04\x14\x00", "data.txt: is a zip archive; unpack it"),
        (b"BZh91AY&SY", "data.txt: is compressed by bzip2; unpack it"),
        (b"\xfd7zXZ\x00\x00", "data.txt: is compressed by xz; unpack it"),
        (b"\x28\xb5\x2f\xfd\x04", "data.txt: is compressed by zstd; unpack it"),
        (b"\x89HDF\r\n\x1a\n", "data.txt: is an HDF5 file; give a text file"),
        (b"PAR1\x15\x04", "data.txt: is a Parquet table; write it as text first"),
        ("text".encode("utf-16"), "data.txt: is UTF-16; convert it, for example with iconv -f utf-16 -t utf-8"),
        ("\ufefftext".encode("utf-16-be"), "data.txt: is UTF-16; convert it"),
        ("a\nb\n".encode("utf-16-le"), "data.txt:1: holds a zero byte, as no text does; give a text file, or convert"),
        (b"one\n\x00\n", "data.txt:2: holds a zero byte"),
        (b"one\ncaf\xe9\n", "data.txt:2: not UTF-8 at byte 4 of the line; convert the file, for example with iconv"),
        (b"\x1f\x8b\x08\x00damaged", "data.txt: cannot be read"),
        (gzip.compress(b"text", mtime=0)[:-5], "data.txt: cannot be read"),
    ],
)
def test_what_is_not_text_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(DataFormatError) as caught:
        lines_of(tmp_path, content)
    assert str(caught.value).startswith(f"{tmp_path}/{says}")
    assert "; " in str(caught.value)


def test_lines_and_json_are_bounded_before_they_are_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "LONGEST", 2**16)
    (tmp_path / "long").write_bytes(gzip.compress(b"a" * 2**26, mtime=0))
    (tmp_path / "many").write_bytes(gzip.compress(b"\n" * 2**18, mtime=0))
    tracemalloc.start()
    try:
        with pytest.raises(DataFormatError, match=r"long:1: the line has over 65,536 bytes; end each line"):
            list(numbered_lines(tmp_path / "long"))
        with pytest.raises(DataFormatError, match=r"many:\d+: the file has over 65,536 characters; split it"):
            read_json(tmp_path / "many", fix="split it")
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_what_is_not_a_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, says in (
        (tmp_path / "pipe", "pipe: not a regular file; "),
        (Path("/dev/zero"), "zero: not a regular"),
        (tmp_path, ": is a folder; "),
    ):
        with pytest.raises(DataFormatError, match=says):
            list(numbered_lines(path))


def test_a_file_of_another_user_is_not_called_missing_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "data.txt"
    path.parent.mkdir()
    path.touch(mode=0o000)
    with modes_hold(), pytest.raises(DataFormatError, match=r"data\.txt: not readable by you; change its permissions"):
        list(numbered_lines(path))
    path.parent.chmod(0o311)
    with modes_hold(), pytest.raises(DataFormatError, match=r"absent\.txt: no such file; check the path"):
        list(numbered_lines(path.with_name("absent.txt")))
    path.parent.chmod(0o755)


@given(content=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)), packed=st.booleans())
def test_any_bytes_are_lines_or_one_error(
    content: bytes, packed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    try:
        lines = list(numbered_lines(path))
    except DataFormatError:
        return
    joined = "\n".join(line for _, line in lines).encode()
    plain = content.removeprefix(b"\xef\xbb\xbf")
    assert joined.replace(b"\n", b"") == plain.replace(b"\r\n", b"").replace(b"\n", b"").removesuffix(b"\r")


WHOLE = ['"\\ud83d\\ude00"', '"\\uD83D\\uDE00"', '"\\\\ud83d"', '"\\\\\\\\ud83d"', '"\\u00e9"']


@pytest.mark.parametrize("text", WHOLE)
def test_json_with_whole_characters_is_read(text: str) -> None:
    assert json_value(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ('{"a":\n"\\ud83d"}', r"half a character, \ud83d", 2),
        ('"\\ude00\\ud83d"', r"half a character, \ude00", 1),
        ('"\\uD83D\\n"', r"half a character, \uD83D", 1),
        ('\n\n"\\\\\\ud83d"', r"half a character, \ud83d", 3),
        ('{"\\ud83d": 1}', r"half a character, \ud83d", 1),
        ("[" * 100_000, "nested too deeply", 1),
        ("1" * 301, "a number has hundreds of digits", 1),
        ('{"a": 1,\n"b": 2, "a": 3}', "an object has two values for 'a'", 1),
        ("{\n}}", "Extra data", 2),
    ],
)
def test_json_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path, text: str, says: str, line: int) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataFormatError) as caught:
        read_json(tmp_path / "a.json", fix="give another")
    assert str(caught.value) == f"{tmp_path}/a.json:{line}: not JSON ({says}); give another"


def test_json_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('\ufeff{"a": 1}', encoding="utf-8")
    assert read_json(tmp_path / "a.json", fix="") == {"a": 1}


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe", b"\0", b"caf\xe9", b"{", b"PK\x03\x04"])
def test_a_file_that_the_program_wrote_has_its_own_error_and_advice(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(CacheError, match=r"a\.json.*; delete it$"):
        read_json(tmp_path / "a.json", fix="delete it", error=CacheError)

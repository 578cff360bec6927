"""Converted vectors: every changed byte is noticed before it is used, and a cache may be shared and read only."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import CacheError, DataFormatError, HarnessError
from harness.features.static_vectors import StaticVectors
from tests.support.privileges import modes_hold

WORDS = [f"word{i}" for i in range(5)] + ["absent"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.txt"
    path.write_text("".join(f"word{i} {i} {i + 0.5} -1\n" for i in range(5)))
    return path


def read(source: Path) -> tuple[str, list[list[float]]]:
    """Return the fingerprint and all vectors."""
    static = StaticVectors(name="test", path=source, cache_dir=source.parent / "cache", oov="mean")
    return static.fingerprint, static.lookup(WORDS)[0].tolist()


def converted(source: Path) -> Path:
    """Convert the file; return the folder."""
    read(source)
    (folder,) = (path for path in (source.parent / "cache" / "vectors").iterdir() if path.is_dir())
    return folder


@pytest.mark.parametrize("name", ["vectors.npy", "words.txt", "checksums.bin", "meta.json"])
def test_every_changed_byte_is_noticed(source: Path, name: str) -> None:
    folder = converted(source)
    expected, whole = read(source), (folder / name).read_bytes()
    for position in range(len(whole)):
        for flip in (1, 0x80):
            changed = bytearray(whole)
            changed[position] ^= flip
            (folder / name).write_bytes(changed)
            try:
                found = read(source)
            except CacheError as error:
                found = expected if f"{folder}" in str(error) and "delete" in str(error) else error
            assert found == expected, position  # such as a space in meta.json, or a byte of NumPy's header
    (folder / name).write_bytes(whole)
    assert read(source) == expected


@pytest.mark.parametrize("name", ["vectors.npy", "words.txt", "checksums.bin", "meta.json"])
@pytest.mark.parametrize("content", [None, b"", b"x", b"{}", b"[1]", b"\xff\xfe", b"\0" * 40, b"[" * 100_000])
def test_a_damaged_file_is_one_line_that_says_what_to_delete(source: Path, name: str, content: bytes | None) -> None:
    folder = converted(source)
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(CacheError, match=f"{folder}.*delete") as caught:
        read(source)
    assert "\n" not in str(caught.value)


def test_neighbours_compare_all_vectors(source: Path) -> None:
    folder = converted(source)
    with (folder / "vectors.npy").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    static = StaticVectors(name="test", path=source, cache_dir=source.parent / "cache")
    assert static.lookup(["word1"])[1].all()  # another row
    with pytest.raises(CacheError, match=r"vectors\.npy, row 4"):
        static.neighbours("word1", 2)


@pytest.fixture
def read_only(source: Path) -> Iterator[Path]:
    """Return the folder of converted vectors, in a cache in which nothing can be written."""
    folder = converted(source)
    folders = [folder, folder.parent, folder.parent.parent]
    for path in folders:
        path.chmod(0o555)
    with modes_hold():
        yield folder
    for path in folders:
        path.chmod(0o755)


def test_a_cache_that_is_read_only_is_used(source: Path, read_only: Path) -> None:
    with pytest.raises(PermissionError):
        (read_only.parent / "new").touch()
    for lock in read_only.parent.glob("*.lock"):
        lock.chmod(0o000)
    assert read(source)[1][1] == [1, 1.5, -1]
    source.touch()  # its digest is computed again and cannot be remembered
    assert read(source)[1][1] == [1, 1.5, -1]


def test_what_is_not_in_a_read_only_cache_cannot_be_converted(source: Path, read_only: Path) -> None:
    source.write_text("other 1 2\n")
    with pytest.raises(CacheError, match=r"cannot convert .*: Permission denied; .*cache_dir"):
        read(source)


@pytest.mark.parametrize("name", ["vectors.npy", "words.txt", "checksums.bin", "meta.json"])
def test_a_file_of_another_user_is_not_called_damaged(source: Path, name: str) -> None:
    path = converted(source) / name
    path.chmod(0o000)
    with modes_hold(), pytest.raises(CacheError, match=f"{path}: not readable by you; .*cache_dir"):
        read(source)


def test_a_source_of_another_user_is_named(source: Path) -> None:
    source.chmod(0o000)
    with modes_hold(), pytest.raises(DataFormatError, match=r"vectors\.txt: cannot be read \(Permission denied\)"):
        read(source)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"0123  vectors.txt\n", b"[]", b'{"sha256": 3}'])
def test_a_damaged_record_of_the_digest_is_one_line(source: Path, content: bytes) -> None:
    (record,) = converted(source).parent.glob("*.sha256")
    record.write_bytes(content)
    with pytest.raises(HarnessError, match=f"{record}.*delete it"):
        read(source)

"""A checkpoint is read back unchanged, and no changed byte of it is accepted."""

import errno
import resource
from pathlib import Path

import pytest
import torch

from harness.errors import HarnessError
from harness.utils.checkpoint import reading_checkpoint, write_checkpoint
from tests.support.training import equal

STATE = {"epoch": 3, "weights": {"a": torch.arange(6.0).view(2, 3)}, "history": [{"loss": 0.1}], "none": None}


def read(path: Path) -> dict[str, object]:
    with reading_checkpoint(path, device="cpu") as state:
        return state


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_checkpoint(tmp_path / "new" / "checkpoint.pt", STATE)
    return tmp_path / "new" / "checkpoint.pt"


def test_it_is_read_back_unchanged(path: Path) -> None:
    assert equal(read(path), STATE)
    assert [one.name for one in path.parent.iterdir()] == ["checkpoint.pt"]


def test_no_changed_byte_is_accepted(path: Path) -> None:
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        for bit in (1, 128):
            path.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
            with pytest.raises(HarnessError, match=r"it is damaged.*delete it to restart"):
                read(path)


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 500, -33, -32, -1])
def test_no_part_of_it_is_accepted(size: int, path: Path) -> None:
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(HarnessError, match="delete it to restart"):
        read(path)


def test_a_longer_file_and_another_format_are_refused(path: Path, tmp_path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(HarnessError, match="it is damaged"):
        read(path)
    torch.save(STATE, tmp_path / "plain.pt")
    with pytest.raises(HarnessError, match="an older version of the harness wrote it"):
        read(tmp_path / "plain.pt")


@pytest.mark.parametrize("error", [KeyError("epoch"), RuntimeError("size\nmismatch"), TypeError("x"), IndexError("y")])
def test_what_does_not_fit_is_one_line(error: Exception, path: Path) -> None:
    with (
        pytest.raises(HarnessError, match=f"{type(error).__name__}: .*; delete it to restart") as caught,
        reading_checkpoint(path, device="cpu"),
    ):
        raise error
    assert "\n" not in str(caught.value)


def test_a_lack_of_memory_is_not_blamed_on_the_checkpoint(path: Path) -> None:
    with pytest.raises(torch.OutOfMemoryError), reading_checkpoint(path, device="cpu"):
        raise torch.OutOfMemoryError


@pytest.mark.parametrize("size", [0, 1, 1000, -1])
def test_a_disk_without_space_leaves_the_last_checkpoint(size: int, path: Path) -> None:
    """The limit on the size of a file stands for a full disk: the same write fails."""
    whole = path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size % whole, limits[1]))
    try:
        with pytest.raises(OSError) as caught:  # noqa: PT011
            write_checkpoint(path, STATE | {"epoch": 4})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    assert equal(read(path), STATE)
    assert [one.name for one in path.parent.iterdir()] == ["checkpoint.pt"]

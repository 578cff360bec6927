"""Files are written completely or not at all, with the mode of the umask, and errors say where and what to do."""

import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from harness.encoders.weights import write_weights
from harness.errors import DataFormatError, one_line
from harness.utils.checkpoint import write_checkpoint
from harness.utils.files import replacing, write_json, write_tensors, write_text

TENSORS = {"weight": torch.zeros(2000)}
WRITERS: dict[str, Callable[[Path], None]] = {
    "text": lambda path: write_text(path, "x" * 8000),
    "json": lambda path: write_json(path, ["x" * 8000]),
    "safetensors": lambda path: write_tensors(path, TENSORS),
    "checkpoint": lambda path: write_checkpoint(path, TENSORS),
    "hdf5": lambda path: write_weights(path, TENSORS),
}


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_has_the_mode_of_the_umask(writer: str, umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        WRITERS[writer](tmp_path / "file")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "writer", [name if name == "json" else pytest.param(name, marks=pytest.mark.slow) for name in WRITERS]
)
def test_a_disk_without_space_is_named_with_the_remedy(writer: str, tmp_path: Path) -> None:
    """The largest size of a file stands in for the space on the disk; both end ``write`` in the same way."""
    code = """
import resource, sys
from pathlib import Path
from harness.errors import one_line
from tests.utils.test_files import WRITERS
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
try:
    WRITERS[sys.argv[1]](Path(sys.argv[2]))
except OSError as error:
    print(one_line(error), flush=True)  # HDF5 may crash when the process ends
"""
    path = tmp_path / "file"
    path.write_text("before")
    done = subprocess.run([sys.executable, "-c", code, writer, str(path)], capture_output=True, text=True, timeout=120)
    fix = "free some space there, or choose another folder (results_dir=DIR, cache_dir=DIR, or out=DIR)"
    assert done.stdout == f"{path}: File too large; {fix}\n", done.stderr
    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(tmp_path: Path) -> None:
    error = PermissionError(13, "Permission denied", str(tmp_path / ".file.tmp"))
    assert one_line(error).endswith("Permission denied; choose a folder in which you may write "
                                    "(results_dir=DIR, cache_dir=DIR, or out=DIR)")  # fmt: skip
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"Not a directory|File exists") as raised:
        write_text(tmp_path / "file" / "below", "")
    assert str(tmp_path / "file") in one_line(raised.value)


def test_errors_about_something_else_are_not_changed(tmp_path: Path) -> None:
    for error in (DataFormatError("bad line"), FileNotFoundError(2, "No such file", "source"), ConnectionError("gone")):
        with pytest.raises(type(error)) as raised, replacing(tmp_path / "file"):
            raise error
        assert raised.value is error
    assert list(tmp_path.iterdir()) == []


def test_what_killed_processes_left_is_removed_by_the_next_writer(tmp_path: Path) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    dead, alive, host = process.pid, os.getppid(), socket.gethostname()
    removed = [f".a.pt.{dead}.tmp", f".a.pt.{host}.{dead}.tmp", ".a.pt.elsewhere.old.7.tmp"]
    kept = [f".a.pt.{host}.{alive}.tmp", ".a.pt.elsewhere.7.tmp", f".b.a.pt.{dead}.tmp", f".a.pt.x.{dead}.tmp.gz"]
    for name in (*removed, *kept):
        (tmp_path / name).write_text("half")
    day = time.time() - 25 * 3600
    os.utime(tmp_path / ".a.pt.elsewhere.old.7.tmp", (day, day))
    write_text(tmp_path / "a.pt", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "a.pt"])


def test_a_killed_writer_leaves_one_file_that_the_next_one_removes(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from harness.utils.files import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "[a].json")], timeout=120, check=False)
    (left,) = tmp_path.iterdir()
    assert left.read_text() == "half"
    write_json(tmp_path / "[a].json", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["[a].json"]


def test_a_left_over_of_a_process_that_no_machine_has_is_removed(tmp_path: Path) -> None:
    left = tmp_path / f".file.{'9' * 30}.tmp"
    left.touch()
    write_text(tmp_path / "file", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_tensors_that_share_memory_are_each_written(tmp_path: Path) -> None:
    """Such as the weights of two layers that are tied."""
    weight = torch.arange(6.0).reshape(2, 3)
    write_tensors(tmp_path / "x.safetensors", {"a": weight, "b": weight, "c": weight[1:], "d": torch.ones(1)})
    found = load_file(tmp_path / "x.safetensors")
    assert all(torch.equal(found[name], value) for name, value in {"a": weight, "b": weight, "c": weight[1:]}.items())

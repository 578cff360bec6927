"""Two users with one cache, and folders that may only be read.

Where the tests run as root, the commands give up root's right to ignore permissions, and another user's files are
files that were given away.
"""

import os
import stat
from pathlib import Path
from shutil import rmtree

import pytest

from tests.attacks.commands import COMMANDS, Workplace
from tests.support.forked_commands import Ended

_SOMEBODY = 65534  # the id of a user without rights

only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")


def give_away(folder: Path) -> None:
    """Make another user the owner of everything in a folder."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, _SOMEBODY, _SOMEBODY)


def make_read_only(folder: Path) -> None:
    """Take away the right to write anything in a folder."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)


def assert_explained(ended: Ended, *words: str) -> None:
    """Check that a command failed with one line that says these words."""
    assert ended.status in (1, 2), ended.text
    assert "Traceback" not in ended.text
    assert ended.text.count("error: ") == 1
    assert [word for word in words if word not in ended.error] == [], ended.error


@pytest.mark.parametrize(("name", "umask"), [("train", 0o002), ("train", 0o027), ("sweep", 0o002), ("pretrain", 0o027)])
def test_files_have_the_permissions_that_the_user_wants(name: str, umask: int, work: Workplace) -> None:
    before = set(work.folder.rglob("*"))
    assert work.run(name, umask=umask).status == 0
    for path in set(work.folder.rglob("*")) - before:
        wanted = (0o777 if path.is_dir() else 0o666) & ~umask
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


@only_root
def test_a_cache_of_another_user_can_be_read(work: Workplace) -> None:
    expected, _ = work.unbroken("train")
    work.start_again()
    work.encode()
    give_away(work.folder / "cache")
    ended = work.run("train", privileged=False)
    assert ended.status == 0, ended.text
    assert work.differences(expected) == []


def test_a_read_only_cache_can_be_read(work: Workplace) -> None:
    expected, _ = work.unbroken("train")
    work.start_again()
    work.encode()
    make_read_only(work.folder / "cache")
    ended = work.run("train", privileged=False)
    assert ended.status == 0, ended.text
    assert work.differences(expected) == []


@only_root
def test_two_users_can_write_to_one_cache(work: Workplace) -> None:
    """Each user's umask is 0, as where a group shares a folder."""
    expected, _ = work.unbroken("train")
    work.start_again()
    assert work.run_together([(*COMMANDS["encode"], "shard=1/2")], umask=0)[0].status == 0
    give_away(work.folder / "cache")
    ended = work.run("train", privileged=False, umask=0)
    assert ended.status == 0, ended.text
    assert work.differences(expected) == []


@only_root
@pytest.mark.parametrize("folder", ["cache/features", "cache/vectors"])
def test_a_private_cache_is_explained(folder: str, work: Workplace) -> None:
    work.encode()
    for path in (work.folder / folder).rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    give_away(work.folder / folder)
    assert_explained(work.run("train", privileged=False), folder, "cache_dir")


@pytest.mark.parametrize("folder", ["cache/features", "cache/vectors"])
def test_a_cache_that_lacks_something_and_is_read_only_is_explained(folder: str, work: Workplace) -> None:
    work.encode()
    rmtree(work.folder / folder)
    (work.folder / folder).mkdir()
    make_read_only(work.folder / "cache")
    assert_explained(work.run("train", privileged=False), folder, "cache_dir")


def test_a_read_only_folder_of_results_is_explained(work: Workplace) -> None:
    (work.folder / "results").mkdir(mode=0o500)
    assert_explained(work.run("train", privileged=False), "results", "results_dir")


def test_a_read_only_folder_for_a_trained_encoder_is_explained(work: Workplace) -> None:
    (work.folder / "out").mkdir(mode=0o500)
    assert_explained(work.run("pretrain", privileged=False), "out", "out=DIR")


@pytest.mark.parametrize(("name", "file"), [("train", "dev.conll"), ("train", "vectors.txt"), ("pretrain", "text.txt")])
def test_a_file_that_cannot_be_read_is_named(name: str, file: str, work: Workplace) -> None:
    (work.folder / file).chmod(0)
    assert_explained(work.run(name, privileged=False), file, "ermission")

"""Every excerpt in tasks/README.md is in the file that it names."""

import re
from pathlib import Path

import pytest

from harness.protocols import Task

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "tasks" / "README.md").read_text(encoding="utf-8")
EXCERPTS = [match.groups() for match in re.finditer(r"```\w+\n# (\S+)\n(.*?)```", README, re.DOTALL)]


def test_every_excerpt_names_its_file() -> None:
    assert len(EXCERPTS) == README.count("```") / 2 >= 7


@pytest.mark.parametrize(("name", "excerpt"), EXCERPTS, ids=range(len(EXCERPTS)))
def test_an_excerpt_is_in_its_file(name: str, excerpt: str) -> None:
    """Compare line by line; a line of three dots stands for lines that are left out."""
    source, end = (ROOT / name).read_text(encoding="utf-8"), 0
    for part in excerpt.split("...\n"):
        start = source.find(f"\n{part}", end)
        assert start >= 0, part
        end = start + len(part)


def test_every_member_of_a_task_is_in_the_table() -> None:
    members = {name for name in (*vars(Task), *Task.__annotations__) if not name.startswith("_")}
    assert "build_head" in members
    for name in members:
        assert re.search(rf"^\|.*`{name}[(`]", README, re.MULTILINE), name


def test_every_file_that_is_named_exists() -> None:
    paths = set(re.findall(r"`((?:tasks|tests|conf|harness)/[\w./]+)`", README))
    assert len(paths) > 8
    assert [path for path in paths if not (ROOT / path).exists()] == []

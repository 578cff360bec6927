"""``python -m harness encode``: it fills the store in parts, and reports a wrong request."""

from pathlib import Path

import pytest

from harness.commands.encode import main
from tests.support.runs import SMALL, small_run


def encode(folder: Path, *arguments: str) -> int:
    return main([*SMALL, f"cache_dir={folder}/cache", f"results_dir={folder}/results", *arguments])


def test_two_parts_make_the_whole_and_a_run_encodes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert encode(tmp_path, "shard=1/2") == 0
    assert encode(tmp_path, "shard=2/2") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("part 1 of 2: ")
    assert second.startswith("part 2 of 2: ")
    assert not (tmp_path / "results").exists()
    record = small_run(tmp_path, f"cache_dir={tmp_path}/cache")
    assert record.timing["tokens_encoded"] == 0
    assert record.timing["cache_hit_rate"] == 1.0
    assert encode(tmp_path) == 0
    assert " 0 tokens encoded" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("shard=0/2", "shard=0/2: expected shard=I/N"),
        ("shard=3/2", "expected shard=I/N"),
        ("shard=half", "expected shard=I/N"),
        ("cache=none", "nothing to encode"),
        ("tsk=ner", "tsk: there is no such option; did you mean 'task'?"),
    ],
)
def test_a_wrong_request_is_one_line(
    argument: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert encode(tmp_path, argument) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert message in line

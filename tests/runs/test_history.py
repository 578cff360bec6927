"""The history of a run is read back, and one of wrong content is one line with the fix."""

from pathlib import Path

import pytest

from harness.errors import DataFormatError
from harness.runs.record import read_history

ROW = '{"epoch": 1, "dev/f1": 0.5}\n'


def test_a_value_of_each_epoch_is_read(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").write_text(ROW + ROW.replace("0.5", "0.75"))
    assert read_history(tmp_path, "dev/f1") == [0.5, 0.75]
    assert read_history(tmp_path / "none", "dev/f1") == []


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "3",
        "null",
        '"dev/f1"',
        '{"epoch": 1}',
        '{"dev/f1": null}',
        '{"dev/f1": [0.5]}',
        '{"dev/f1": {}}',
        '{"dev/f1": "x"}',
        '{"dev/f1": NaN}',
        '{"dev/f1": 1e999}',
        '{"dev/f1": 1e308}',
        '{"dev/f1": ' + "9" * 5000 + "}",
        '{"dev/f1": ' + "9" * 400 + "}",
        "[" * 100_000,
        "",
    ],
)
def test_wrong_content_is_one_line(line: str, tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").write_text(ROW + line + "\n" + ROW)
    with pytest.raises(DataFormatError, match=r"history\.jsonl: not a history .*overwrite=true") as caught:
        read_history(tmp_path, "dev/f1")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


def test_another_encoding_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").write_bytes(b"\xff\xfe" + ROW.encode())
    with pytest.raises(DataFormatError, match="not a history"):
        read_history(tmp_path, "dev/f1")

"""The table on a terminal: nothing is lost on a narrow one."""

import sys

import pytest
from rich.cells import cell_len
from rich.text import Text

from harness.analysis.report.tables import Table
from harness.analysis.report.terminal import print_table

TABLE = Table(
    "Scores",
    ["number", "encoder", "mixing.layer_norm", "accuracy on all of dev", "accuracy on all of test"],
    [
        ["first", "elmo_mini", "none", "94.03 ± 0.06", "94.13 ± 0.07"],
        ["second", "random", "token", "82.07 ± 0.49", "82.17 ± 0.56"],
    ],
    text_columns=3,
)


@pytest.mark.parametrize("width", [120, 80, 60, 40])
def test_every_cell_is_on_a_terminal_of_this_width(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(TABLE, "A note.")
    shown = Text.from_ansi(capsys.readouterr().out).plain
    lines = shown.splitlines()
    assert max(map(cell_len, lines)) <= width
    for row in TABLE.rows:
        assert all(cell in shown for cell in row)  # the names are short enough for these widths
    assert lines[-1] == "A note."


def test_without_a_terminal_nothing_is_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(TABLE)
    row = next(line for line in capsys.readouterr().out.splitlines() if "elmo_mini" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == TABLE.rows[0]

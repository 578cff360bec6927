"""What a person sees: an error is one line, whatever it quotes, and a closed pipe is no error."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness import cli
from harness.runs.record import read_record
from harness.utils.console import CommandParser, exit_status_of, printable
from harness.utils.signals import Interrupted
from tests.support.runs import SMALL

COMMAND = [sys.executable, "-m", "harness"]


def test_an_error_is_one_line_without_control_characters() -> None:
    assert printable("a\nb\tc\x1b[31md\r") == "a\\nb\\tc\\x1b[31md\\r"
    assert printable("a lone \ud83d in Zürich, 日本") == "a lone \\ud83d in Zürich, 日本"


@pytest.mark.parametrize("long", ["x" * 5000, "'" + "two words " * 500 + "'"])
def test_the_middle_of_a_long_value_is_left_out(long: str) -> None:
    shown = printable(f"file:3: the tag {long} is unknown; fix it")
    assert shown == f"file:3: the tag {long[:100]}...{long[-100:]} is unknown; fix it"


def test_a_long_message_of_short_values_is_whole() -> None:
    message = "the encoder's name isn't known; did you mean " + ", ".join(f"'name{i}'" for i in range(100))
    assert printable(message) == message


def test_a_wrong_argument_of_a_command_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        CommandParser(prog="python -m harness x").parse_args(["--foo"])
    assert exit_.value.code == 2
    expected = "error: unrecognized arguments: --foo (python -m harness x --help lists all arguments)\n"
    assert capsys.readouterr().err == expected


def test_the_output_may_end_early() -> None:
    """As in ``python -m harness --help | head -1``; the read end is closed before the first byte is written."""
    with subprocess.Popen([*COMMAND, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["report", "--help"], ["encode", "--help"], ["pretrain", "--help"],
              ["trainer.lr=-1"], ["pretrain", "trainer.lr=-1", "out=x"]], ids=" ".join,
)  # fmt: skip
def test_torch_is_not_imported_where_it_is_not_needed(words: list[str]) -> None:
    """Importing it takes seconds, which a person would wait for a text or for a refusal."""
    code = "import sys, harness.cli\ntry: harness.cli.main()\nfinally: sys.exit(9 if 'torch' in sys.modules else 3)"
    ended = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 3, ended.stderr


def test_the_version_is_ours(capfd: pytest.CaptureFixture[str]) -> None:
    from harness import __version__, cli

    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capfd.readouterr().out == f"elmo-harness {__version__}\n"


@pytest.mark.slow
def test_a_run_whose_output_is_not_read_is_a_success(tmp_path: Path) -> None:
    """As in ``python -m harness ... | head -1``; in a sweep, the next job must run too."""
    words = [*SMALL, "trainer.max_epochs=1", f"results_dir={tmp_path}/results", f"cache_dir={tmp_path}/cache"]
    with subprocess.Popen([*COMMAND, "-m", *words, "seed=1,2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None
        run.stdout.close()
        run.communicate(timeout=300)
    records = [read_record(path) for path in (tmp_path / "results").glob("ner/*/record.json")]
    assert [record.status for record in records] == ["ok", "ok"]


def test_ctrl_c_before_anything_can_be_lost_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.cli._status_of", interrupted)
    with pytest.raises(SystemExit) as exit_:
        cli.main(["-m"])
    assert exit_.value.code == 1
    assert capsys.readouterr().err == "error: stopped immediately; run the same command again to continue\n"


def test_an_unexpected_error_of_a_command_ends_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        raise KeyError("gold")

    assert exit_status_of(command) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: KeyError: 'gold', at {__file__}:")


def test_a_command_that_is_stopped_has_not_failed() -> None:
    """A caller that runs several commands must not begin the next one."""

    def command() -> None:
        raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        exit_status_of(command)

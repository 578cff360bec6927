"""Run commands of the harness in processes forked from one that has imported torch, which takes 0.1 s instead of 3 s.

``python -m tests.support.forked_commands`` is that process. It reads one list of commands per line as JSON, runs them
at the same time, and answers with one list of exit statuses and numbers of steps on disk.
"""

import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any

from harness.analysis.report.paper_numbers import published_numbers
from harness.config.compose import compose_values
from tests.support.disk_faults import DiskFaults, Fault
from tests.support.fast_setup import config_files_parsed_once

_ROOT = Path(__file__).resolve().parents[2]
_SLOW_IMPORTS = (
    "harness.commands.pretrain",
    "harness.pretrain.pretrain",
    "harness.sweep.sweeper",
    "hydra.main",
    "pydantic.dataclasses",
    "rich._emoji_codes",
    "rich.progress",
    "rich.table",
    "seqeval.metrics",
    "tasks.ner.task",
    "torch._inductor",
    "torch.profiler._cupti_monitor",
    "torch.utils.serialization.config",
)
_SECONDS = 300  # after which commands are given up
_ANY_OVERRIDES = ("seed=1", "threads=1", "encoder=random", "encoder.options.char_cnn.filters=[[1,8],[2,8]]")
_BLOCK = 5000  # bytes of features that are written at a time, so that few sentences are written in several steps


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command to run.

    Attributes:
        arguments: What follows ``python -m harness``.
        folder: The folder of all files of the command; its log is ``log.txt`` in it.
        fault, at: What happens at which step on disk; see ``DiskFaults``.
        privileged: Whether root keeps its right to read and write what it does not own and what is read only.
        umask: The permissions that new files do not get.
    """

    arguments: Sequence[str]
    folder: str
    fault: Fault = "kill"
    at: int = 0
    privileged: bool = True
    umask: int = 0o022


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status, the number of its steps on disk, and all that it printed."""

    status: int
    steps: int
    text: str

    @property
    def error(self) -> str:
        """The line that says what went wrong; empty if there is none."""
        return next((line for line in self.text.splitlines() if line.startswith("error: ")), "")


class ForkedCommands:
    """Starts the process that runs the commands, and ends it at the end of the block."""

    def __enter__(self) -> "ForkedCommands":
        module = [sys.executable, "-m", "tests.support.forked_commands"]
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._server = subprocess.Popen(
            module,
            cwd=_ROOT,
            env=one_thread,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that it ends together with its commands
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._kill()  # it holds nothing, and freeing the memory of torch takes seconds
        self._server.communicate()

    def _kill(self) -> None:
        os.killpg(self._server.pid, signal.SIGKILL)

    def run(self, *commands: Command) -> list[Ended]:
        """Run commands at the same time; return how each of them ended."""
        logs = [Path(command.folder) / f"log-{number}.txt" for number, command in enumerate(commands)]
        request = [asdict(command) | {"log": str(log)} for command, log in zip(commands, logs, strict=True)]
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print(json.dumps(request), file=self._server.stdin, flush=True)
        limit = Timer(_SECONDS, self._kill)
        limit.start()
        answer = self._server.stdout.readline()
        limit.cancel()
        assert answer, f"the process that runs the commands has died, or they took {_SECONDS} s: {commands}"
        ended = json.loads(answer)
        texts = [log.read_text(errors="replace") for log in logs]
        for log in logs:
            log.unlink()
        return [Ended(status, steps, text) for (status, steps), text in zip(ended, texts, strict=True)]


def _serve() -> None:
    """Answer requests until there are no more."""
    for slow in _SLOW_IMPORTS:
        import_module(slow)
    sys.modules["harness.features.store"].__dict__["_FLUSH"] = _BLOCK
    sys.modules["harness.runs.cost"].__dict__.update(_MOST=4, _PLACES=(0.5,))  # as in all tests
    published_numbers()  # which every sweep reads
    with config_files_parsed_once():
        for root, overrides in (("config", _ANY_OVERRIDES), ("pretrain", ["threads=1"])):
            compose_values(root, overrides)  # fills the tables of the parser of overrides
        gc.collect()
        gc.freeze()  # so that no command looks for garbage among the objects of the imports
        for line in sys.stdin:
            started = [_forked(request) for request in json.loads(line)]
            print(json.dumps([_ended(process, pipe) for process, pipe in started]), flush=True)


def _forked(request: dict[str, Any]) -> tuple[int, int]:
    """Start a command; return its process and the pipe that will say how many steps it took."""
    read, write = os.pipe()
    process = os.fork()
    if process:
        os.close(write)
        return process, read
    status = 1
    try:
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(log, stream)
        faults = DiskFaults(Path(request["folder"]), fault=request["fault"], at=request["at"])
        status = _run(request, faults)
        os.write(write, str(faults.steps).encode())
    finally:
        os._exit(status)


def _run(request: dict[str, Any], faults: DiskFaults) -> int:
    """Run a command in this process; return its exit status."""
    import traceback

    from harness import cli

    os.chdir(request["folder"])
    os.umask(request["umask"])
    if not request["privileged"]:
        _drop_privileges()
    faults.install()
    try:
        cli.main(request["arguments"])
    except SystemExit as exit_:
        return int(exit_.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _drop_privileges() -> None:
    """Give up every capability, so that the permissions of files hold for root too."""
    version_3, this_process, none = 0x20080522, 0, (ctypes.c_uint32 * 6)()
    if os.getuid() == 0 and ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(version_3, this_process), none):
        raise OSError("capset failed")


def _ended(process: int, pipe: int) -> tuple[int, int]:
    """Wait for a command; return its exit status and the number of its steps."""
    with os.fdopen(pipe) as steps:
        counted = int(steps.read() or 0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), counted


if __name__ == "__main__":
    _serve()

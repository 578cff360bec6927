"""How the jobs of a sweep ended, and the files by which their processes tell each other."""

import logging
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from harness.config.instantiate import typed_as
from harness.errors import ConfigError, DataFormatError
from harness.utils.files import read_written_json, write_json
from harness.utils.signals import is_alive

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        status: The result; ``running`` until the job has ended.
        exit_status: The exit status of the command if this is its only job.
        reason: Why the job did not succeed, in one line.
        folder: The folder of the run's files if it succeeded.
    """

    status: Literal["ok", "failed", "interrupted", "running"]
    exit_status: int = 0
    reason: str = ""
    folder: str = ""


@dataclass(frozen=True)
class JobState:
    """The content of a job's file: how it ended, or that it is running, and the process that wrote this.

    Attributes:
        overrides: The overrides of the job, for people; no code reads them.
        outcome: How the job ended.
        host: The name of the machine.
        pid: The id of the process on that machine.
    """

    overrides: list[str]
    outcome: Outcome
    host: str
    pid: int

    @property
    def is_alive(self) -> bool:
        """Whether another process of this machine is still running the job."""
        another = self.host == socket.gethostname() and self.pid != os.getpid()
        return self.outcome.status == "running" and another and is_alive(self.pid)


def write_job_state(path: Path, overrides: tuple[str, ...], outcome: Outcome) -> None:
    """Write how a job ended, or that it is running in this process.

    Args:
        path: The file of the job.
        overrides: The overrides of the job.
        outcome: How it ended.
    """
    write_json(path, asdict(JobState(list(overrides), outcome, socket.gethostname(), os.getpid())))


def read_job_state(path: Path) -> JobState | None:
    """Return the state of a job; None if its file does not exist, or is damaged, which is logged."""
    if not path.exists():
        return None
    try:
        return typed_as(JobState, read_written_json(path, fix="delete it"))
    except (ConfigError, DataFormatError) as error:
        log.warning("%s: not the state of a job, so it is skipped (%s)", path, error)
        return None

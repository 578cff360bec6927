"""The command line: a subcommand by its name, or a run (a sweep with ``-m``) that Hydra composes.

Exit status: 0 if every run succeeded; 1 if a run failed or was stopped; 2 if the request was wrong and nothing ran.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Any

from harness import __version__
from harness.commands import COMMANDS
from harness.config.compose import run_jobs
from harness.config.options import known_keys
from harness.config.request import read_request
from harness.errors import HarnessError, nearest
from harness.utils.console import bad_request, exit_status_of, print_error


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``python -m harness`` and exit.

    A first word without ``=`` that does not begin with ``-``, ``+`` or ``~`` is a subcommand; everything else goes to
    Hydra. For a sweep, ``harness.sweep`` takes over after Hydra has read the request.

    Args:
        arguments: The words of the command line after the program's name; None reads them from ``sys.argv``.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # for terminals that cannot show bars and dashes
    status = 1
    try:
        status = _status_of(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except BrokenPipeError:  # the program that reads the output has ended, as in --help | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print_error("stopped immediately; run the same command again to continue")
    sys.exit(status)


def _status_of(argv: list[str]) -> int:
    """Do what the command line asks for; return the exit status."""
    if argv and "=" not in argv[0] and not argv[0].startswith(("-", "+", "~")):
        return _run_command(argv[0], argv[1:])
    if "--version" in argv:
        print(f"elmo-harness {__version__}")  # noqa: T201
        return 0
    if "-h" in argv or "--help" in argv:
        return exit_status_of(lambda: _print_help([word for word in argv if word not in ("-h", "--help")]))
    statuses: list[int] = []
    run_jobs("config", argv, lambda config: statuses.append(_run_job(config)))
    return max(statuses, default=0)


def _print_help(argv: Sequence[str]) -> None:
    from harness.config.help import help_text

    print(help_text(read_request(argv).folders, commands=COMMANDS))  # noqa: T201


def _run_command(name: str, arguments: Sequence[str]) -> int:
    """Run a subcommand and return its exit status."""
    if name not in COMMANDS:
        if name in known_keys("config"):
            value = arguments[0] if arguments else "..."
            bad_request(f"there is no command '{name}'; to set this option, write {name}={value}")
        bad_request(f"there is no command '{name}'{nearest(name, COMMANDS)} (to run a task, write task=NAME)")
    command = importlib.import_module(f"harness.commands.{name.replace('-', '_')}")
    status: int = command.main(arguments)
    return status


def _run_job(config: Any) -> int:
    """Run one composed config and return its exit status."""
    from hydra.core.hydra_config import HydraConfig

    from harness.config.schema import typed
    from harness.config.secrets import overrides_of

    try:
        typed(config)  # report a wrong value before torch is imported, which takes seconds
    except HarnessError as error:
        print_error(str(error))
        return error.exit_status
    from harness.runs.job import run_job
    from harness.utils.signals import listening

    with listening() as stop:
        outcome = run_job(config, stop=stop, name=" ".join(overrides_of(HydraConfig.get())))
    if outcome.status != "ok":
        print_error(outcome.reason)
    return outcome.exit_status

"""The command line: a subcommand by its name, or a run (a sweep with ``-m``) that Hydra composes.

Exit status: 0 if every run succeeded; 1 if a run failed or was stopped; 2 if the request was wrong and nothing ran.
"""

import importlib
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Any

from harness.commands import COMMANDS
from harness.config.compose import CONF, bad_request, run_jobs
from harness.errors import nearest


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``python -m harness`` and exit.

    A first word without ``=`` that does not begin with ``-``, ``+`` or ``~`` is a subcommand; everything else goes to
    Hydra. For a sweep, ``harness.sweep`` takes over after Hydra has read the request.

    Args:
        arguments: The words of the command line after the program's name; None reads them from ``sys.argv``.
    """
    argv = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # for terminals that cannot show bars and dashes
    if argv and "=" not in argv[0] and not argv[0].startswith(("-", "+", "~")):
        sys.exit(_run_command(argv[0], argv[1:]))
    if "-h" in argv or "--help" in argv:
        from harness.config.help import help_text

        print(help_text(CONF, commands=COMMANDS))  # noqa: T201
        sys.exit(0)
    statuses: list[int] = []
    run_jobs("config", argv, lambda config: statuses.append(_run_job(config)))
    sys.exit(max(statuses, default=0))


def _run_command(name: str, arguments: Sequence[str]) -> int:
    """Run a subcommand and return its exit status."""
    if name not in COMMANDS:
        bad_request(f"there is no command '{name}'{nearest(name, COMMANDS)} (to run a task, write task=NAME)")
    command = importlib.import_module(f"harness.commands.{name.replace('-', '_')}")
    status: int = command.main(arguments)
    return status


def _run_job(config: Any) -> int:
    """Run one composed config and return its exit status."""
    from hydra.core.hydra_config import HydraConfig

    from harness.runs.job import run_job
    from harness.utils.signals import listening

    with listening() as stop:
        outcome = run_job(config, stop=stop, name=" ".join(HydraConfig.get().overrides.task))
    if outcome.status != "ok":
        print(f"error: {outcome.reason}", file=sys.stderr)  # noqa: T201
    return outcome.exit_status

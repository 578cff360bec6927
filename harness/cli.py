"""The command line: Hydra composes a config, or many, and the exit status says how it went.

0: every run succeeded; 1: one failed or was stopped; 2: the request was wrong, and nothing ran.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Any

from harness.commands import COMMANDS
from harness.config.compose import CONF, run_jobs


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``python -m harness`` and exit. Of a sweep, ``harness.sweep`` takes over once Hydra has read the request."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    if argv and argv[0] in COMMANDS:
        sys.exit(import_module(f"harness.commands.{argv[0].replace('-', '_')}").main(argv[1:]))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # bars and dashes, where a terminal has none
    if "-h" in argv or "--help" in argv:
        from harness.config.help import help_text

        print(help_text(CONF))  # noqa: T201
        sys.exit(0)
    statuses: list[int] = []
    run_jobs("config", argv, lambda config: statuses.append(_run(config)))
    sys.exit(max(statuses, default=0))


def _run(config: Any) -> int:
    """Run one composed config; return the exit status."""
    from hydra.core.hydra_config import HydraConfig

    from harness.runs.job import run_job
    from harness.utils.signals import listening

    with listening() as stop:
        outcome = run_job(config, stop=stop, name=" ".join(HydraConfig.get().overrides.task))
    if outcome.status != "ok":
        print(f"error: {outcome.reason}", file=sys.stderr)  # noqa: T201
    return outcome.exit_status

"""The command line: Hydra composes a config, each job runs it, and the exit status says how it went.

0: every run succeeded; 1: one failed or was stopped; 2: the request was wrong, and nothing ran.
"""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from harness.composing import CONF, run_jobs
from harness.errors import HarnessError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How one job went: its overrides, the record's status, and the reason if it did not succeed.

    ``stop`` is True where a signal asked to stop, which the jobs that follow must heed.
    """

    overrides: tuple[str, ...]
    status: str
    exit_status: int
    reason: str = ""
    record: Any = None
    stop: bool = False


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``python -m harness`` and exit."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # bars and dashes, where a terminal has none
    if "-h" in argv or "--help" in argv:
        from harness.help import help_text

        print(help_text(CONF))  # noqa: T201
        sys.exit(0)
    sys.exit(_report(_compose_and_run(argv)))


def _report(outcomes: Sequence[Outcome]) -> int:
    """Name what did not succeed; return the exit status."""
    bad = [outcome for outcome in outcomes if outcome.status != "ok"]
    if len(outcomes) == 1:
        for outcome in bad:
            print(f"error: {outcome.reason}", file=sys.stderr)  # noqa: T201
        return outcomes[0].exit_status
    table = _sweep_table(outcomes)
    if table:
        print(table)  # noqa: T201
    if bad:
        common = set.intersection(*(set(outcome.overrides) for outcome in outcomes))
        print(f"{len(bad)} of {len(outcomes)} runs did not succeed:", file=sys.stderr)  # noqa: T201
        for outcome in bad:
            own = [override for override in outcome.overrides if override not in common]
            print(f"  {' '.join(own)}: {outcome.reason}", file=sys.stderr)  # noqa: T201
    return 1 if bad else 0


def _sweep_table(outcomes: Sequence[Outcome]) -> str:
    """Return the table of what has succeeded so far, or nothing."""
    from harness.records import folder_of
    from harness.report.document import brief
    from harness.report.settings import Recorded, gathered

    records = [outcome.record for outcome in outcomes if outcome.record is not None]
    runs = [Recorded(record, folder_of(record, record.config["results_dir"])) for record in records]
    return brief(gathered(runs)) if runs else ""


def _compose_and_run(argv: list[str]) -> list[Outcome]:
    """Run each config that the command line composes; return how each went."""
    outcomes: list[Outcome] = []

    def job(config: Any) -> None:
        stopped = any(outcome.stop for outcome in outcomes)
        outcomes.append(_skipped() if stopped else _job(config))
        _write_sweep_table(outcomes)

    run_jobs("config", argv, job)
    return outcomes


def _skipped() -> Outcome:
    """Return the outcome of a job that comes after the one in which the sweep was stopped."""
    from hydra.core.hydra_config import HydraConfig

    return Outcome(
        tuple(HydraConfig.get().overrides.task), "interrupted", 1, "not begun: the sweep was stopped", stop=True
    )


def _job(config: Any) -> Outcome:
    """Run one composed config. A failure becomes an outcome, so that the other jobs of a sweep go on."""
    from harness.interrupts import listening

    with listening() as stop:
        outcome = _run_one(config, stop)
    return replace(outcome, stop=stop.requested)


def _run_one(config: Any, stop: Any) -> Outcome:
    from hydra.core.hydra_config import HydraConfig

    from harness.config import typed
    from harness.records import folder_of
    from harness.run import dry_run, run
    from harness.summary import print_summary

    overrides = tuple(HydraConfig.get().overrides.task)
    try:
        settings = typed(config)
        if settings.dry_run:
            print(dry_run(settings))  # noqa: T201
            return Outcome(overrides, "ok", 0)
        record = run(settings, stop=stop)
        if record.status == "ok":
            print_summary(record, folder=folder_of(record, settings.results_dir))
            return Outcome(overrides, "ok", 0, record=record)
        return Outcome(overrides, record.status, 1, record.error or "")
    except HarnessError as error:
        if not error.recorded:
            _record_in_sweep(config, error)
        return Outcome(overrides, "failed", error.exit_status, str(error))
    except OSError as error:
        return Outcome(overrides, "failed", 1, _one_line(error))
    except Exception as error:  # whatever went wrong in one run must not take the others with it
        log.exception("%s", " ".join(overrides))
        return Outcome(overrides, "failed", 1, f"{type(error).__name__}: {error}")


def _record_in_sweep(config: Any, error: HarnessError) -> None:
    """Record a bad request, if it is one job of many."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    from harness.records import write_bad_request

    hydra = HydraConfig.get()
    if hydra.mode == RunMode.MULTIRUN:
        values = OmegaConf.to_container(config)
        assert isinstance(values, dict)
        task = str(hydra.runtime.choices.get("task"))
        write_bad_request(
            {str(key): value for key, value in values.items()}, task=task, error=f"{type(error).__name__}: {error}"
        )


def _write_sweep_table(outcomes: Sequence[Outcome]) -> None:
    """Keep the table of a sweep on disk, so that a killed one still has it."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from harness.files import write_text

    hydra = HydraConfig.get()
    if hydra.mode == RunMode.MULTIRUN and (table := _sweep_table(outcomes)):
        write_text(Path(hydra.sweep.dir) / "table.md", table + "\n")


def _one_line(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else " ".join(str(error).split())

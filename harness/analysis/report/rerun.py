"""The command that repeats a recorded run."""

import shlex
from pathlib import Path

from harness.errors import DataFormatError
from harness.runs.record import RunRecord, read_record

_REPEATED = "repeated"


def rerun_command(path: Path) -> str:
    """Return the command that repeats a run, below comment lines that say what it needs.

    It writes to a results folder of its own, so that the two records can be compared, and asks for the same device and
    number of threads.

    Args:
        path: a ``record.json``, or the folder that it lies in.

    Raises:
        DataFormatError: it is not a record, or does not hold what was asked for.
    """
    path = path / "record.json" if path.is_dir() else path
    record = read_record(path)
    pins = {
        "results_dir": _REPEATED,
        "device": record.environment.get("device"),
        "threads": record.environment.get("threads"),
    }
    given = [one for one in _overrides(record, path) if one.partition("=")[0] not in (*pins, "overwrite", "dry_run")]
    pinned = [f"{key}={value}" for key, value in pins.items() if value is not None]
    return "\n".join(
        [*(f"# {line}" for line in _needs(record)), shlex.join(["python", "-m", "harness", *given, *pinned])]
    )


def _overrides(record: RunRecord, path: Path) -> list[str]:
    known = record.environment.get("overrides")
    if known is not None:
        return list(known)
    command = record.environment.get("command", ())
    if len(command) > 1 and not any(one.startswith("-") for one in command):
        return list(command[1:])
    asked = f"; it is one of: python -m harness {shlex.join(command[1:])}" if command else ""
    raise DataFormatError(f"{path}: does not say which options this one run was given{asked}")


def _needs(record: RunRecord) -> list[str]:
    known = record.environment
    changed = ", with uncommitted changes that are not recorded: the result may differ" if known.get("dirty") else ""
    packages = ", ".join(f"{name} {version}" for name, version in known.get("packages", {}).items() if version)
    hardware = ", ".join(str(known[key]) for key in ("processor", "cpu_capability", "gpu") if known.get(key))
    return [
        f"repeats {record.task}/{record.name}-{record.identity}, which was {record.status}",
        f"code: revision {known.get('revision') or 'unknown'}{changed}",
        f"Python {known.get('python')}; {packages}",
        f"hardware: {hardware}",
        "file names are those of the folder that the run was started in",
        f"result: {_REPEATED}/{record.task}/{record.name}-{record.identity}, to the bit on the CPU of such a machine",
    ]

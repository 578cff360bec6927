"""The command that repeats a recorded run."""

import shlex
from pathlib import Path

from harness.analysis.report.printable import printable
from harness.errors import DataFormatError
from harness.runs.record import SCHEMA_VERSION, RunRecord, read_record

_REPEATED = "repeated"


def rerun_command(path: Path) -> str:
    """Return the command that repeats a run, given by its folder or its ``record.json``.

    Comment lines before the command say what it needs. It writes to another results folder, so that the two records can
    be compared, and asks for the same device and number of threads.

    Raises:
        DataFormatError: The file is not a record, or does not contain the options of the run.
    """
    path = path / "record.json" if path.is_dir() else path
    record = read_record(path)
    pins = {
        "results_dir": _REPEATED,
        "device": record.environment.get("device"),
        "threads": record.environment.get("threads"),
    }
    last = {one.partition("=")[0]: one for one in _overrides(record, path)}  # a job's list replaces a preset's
    given = [one for key, one in last.items() if key not in (*pins, "overwrite", "dry_run")]
    pinned = [f"{key}={value}" for key, value in pins.items() if value is not None]
    folders = [f"--config-dir={folder}" for folder in record.environment.get("config_dirs", ())]
    command = shlex.join(["python", "-m", "harness", *folders, *given, *pinned])
    return "\n".join([*map(printable, _comments(record)), command])


def _overrides(record: RunRecord, path: Path) -> list[str]:
    """Return the options of the run; an older record has only the command, which can be the command of a sweep."""
    known = record.environment.get("overrides")
    if known is not None:
        return list(known)
    command = record.environment.get("command", ())
    if len(command) > 1 and not any(one.startswith("-") for one in command):
        return list(command[1:])
    sweep = f"; it is one run of: python -m harness {shlex.join(command[1:])}" if command else ""
    raise DataFormatError(f"{path}: the record does not contain the options of this single run{sweep}")


def _comments(record: RunRecord) -> list[str]:
    """Return shell comments about the code, the packages, the hardware and the result."""
    known = record.environment
    changed = ", with uncommitted changes that are not recorded: the result may differ" if known.get("dirty") else ""
    packages = ", ".join(f"{name} {version}" for name, version in known.get("packages", {}).items() if version)
    hardware = ", ".join(str(known[key]) for key in ("processor", "cpu_capability", "gpu") if known.get(key))
    folder = f"{record.task}/{record.name}-{record.identity}"
    result = folder if record.schema_version == SCHEMA_VERSION else f"{record.task}/{record.name}-*"  # another identity
    plugins = [f"{key} {value}" for key, value in record.determining.items() if key.endswith(".code") and "@" in value]
    return [
        f"# repeats {folder}, whose status is {record.status}",
        f"# code: revision {known.get('revision') or 'unknown'}{changed}",
        f"# Python {known.get('python')}; {packages}",
        f"# hardware: {hardware}",
        *([f"# code of your own, with the digest of its file: {', '.join(plugins)}"] if plugins else []),
        "# relative file names refer to the folder in which the run was started",
        f"# result: {_REPEATED}/{result}; on the CPU of such a machine it is identical to the bit",
    ]

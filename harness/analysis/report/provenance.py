"""The table of what the runs of a report were made with."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.analysis.report.tables import SPLITS, Table
from harness.runs.record import RunRecord


def provenance_table(records: Sequence[RunRecord]) -> Table:
    """Return code, versions, hardware, data and weights: each distinct value, and the number of runs that used it."""
    facts = [_facts(record) for record in records]
    rows: list[tuple[str, str, str]] = []
    for name in facts[0] if facts else ():
        values = [known[name] for known in facts]
        rows += [(name, value, str(values.count(value))) for value in dict.fromkeys(values) if value]
    return Table("Provenance", ("what", "value", "runs"), rows, text_columns=2)


def _facts(record: RunRecord) -> dict[str, str]:
    """Return what a run was made with; an empty text for an unknown value."""
    known = record.environment
    changed = " with uncommitted changes" if known.get("dirty") else ""
    packages = [f"{name} {version}" for name, version in known.get("packages", {}).items() if version]
    hardware = [known.get("gpu") or known.get("processor"), known.get("cpu_capability"), known.get("device")]
    hardware.append(f"threads={known['threads']}" if "threads" in known else None)
    digests = record.data.get("sha256", {})
    return {
        "code": f"{known['revision']}{changed}" if known.get("revision") else "",
        "versions": ", ".join([f"Python {known['python']}", *packages]) if "python" in known else "",
        "hardware": ", ".join(str(part) for part in hardware if part),
        **{f"{split} data, SHA-256": digests.get(split, "") for split in SPLITS},
        "encoder": _vectors(record.encoder),
        "static vectors": _vectors(record.embedding),
    }


def _vectors(known: Mapping[str, Any]) -> str:
    """Return name and fingerprint of an encoder or of static vectors."""
    return " ".join(filter(None, (known.get("name"), known.get("fingerprint"))))

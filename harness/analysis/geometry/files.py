"""A geometry as files: JSON with everything, two CSV tables, and plots."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.analysis.geometry.layers import Geometry
from harness.analysis.geometry.plots import plots


def geometry_files(geometry: Geometry, about: Mapping[str, Any]) -> dict[str, str]:
    """Return the content of each file by its name.

    Args:
        geometry: The measures.
        about: How they were made, as plain values, for the JSON file.
    """
    rows = [asdict(layer) for layer in geometry.layers]
    names = [(layer.encoder, layer.layer) for layer in geometry.layers]
    pairs = [
        [*a, *b, geometry.cka[i, j], geometry.cka_debiased[i, j]]
        for i, a in enumerate(names)
        for j, b in enumerate(names[i:], start=i)
    ]
    columns = ["encoder_a", "layer_a", "encoder_b", "layer_b", "cka", "cka_debiased"]
    whole = {**about, "layers": rows, "cka": geometry.cka.tolist(), "cka_debiased": geometry.cka_debiased.tolist()}
    return {
        "geometry.json": json.dumps(_without_nan(whole), indent=2, ensure_ascii=False) + "\n",
        "layers.csv": _csv(list(rows[0]), [list(row.values()) for row in rows]),
        "cka.csv": _csv(columns, pairs),
        **plots(geometry),
    }


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table as CSV; a cell that is not a number (NaN) is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(_without_nan(rows))
    return out.getvalue()


def _without_nan(value: Any) -> Any:
    """Return plain values with None for NaN, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value

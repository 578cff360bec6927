"""A geometry as files: JSON with everything, two CSV tables, and plots."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from harness.analysis.geometry.layers import Geometry
from harness.analysis.report.figure_files import standalone
from harness.analysis.report.figures import Figure
from harness.analysis.report.svg import Series, heat_map, line_chart

MEASURES = {
    "anisotropy": "anisotropy",
    "self_similarity": "self-similarity",
    "self_similarity_adjusted": "self-similarity, adjusted",
    "intra_sentence": "intra-sentence similarity",
    "intra_sentence_adjusted": "intra-sentence similarity, adjusted",
    "first_component": "share of the first component",
    "first_component_adjusted": "share of the first component, adjusted",
}


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
        **{f"{name}.svg": standalone(_by_layer(geometry, name, title)) for name, title in MEASURES.items()},
        "cka.svg": standalone(_cka(geometry)),
    }


def _by_layer(geometry: Geometry, measure: str, title: str) -> Figure:
    """Draw a measure by layer, one line for each encoder."""
    encoders = list(dict.fromkeys(layer.encoder for layer in geometry.layers))
    series, legend = [], []
    for number, encoder in enumerate(encoders, start=1):
        found = [(one.layer, getattr(one, measure)) for one in geometry.layers if one.encoder == encoder]
        points = [(layer, value) for layer, value in found if not math.isnan(value)]
        if points:
            series.append(Series(number, [layer for layer, _ in points], [[value] for _, value in points]))
            legend.append((number, encoder))
    title = title[0].upper() + title[1:]
    drawing = line_chart(title, series or [Series(1, [0, 1], [[0.0], [0.0]])], x_name="layer", y_name=title)
    return Figure(title, drawing, tuple(legend), "")


def _cka(geometry: Geometry) -> Figure:
    """Draw the CKA of each pair of layers."""
    title = "Linear CKA, percent"
    labels = [f"{layer.encoder} {layer.layer}" for layer in geometry.layers]
    return Figure(title, heat_map(title, labels, np.nan_to_num(geometry.cka).tolist()), (), "")


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

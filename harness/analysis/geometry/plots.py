"""The plots of a geometry as SVG files: each measure by layer, and the CKA of each pair of layers."""

import math

import numpy as np

from harness.analysis.geometry.layers import Geometry
from harness.analysis.report.axis import Scale
from harness.analysis.report.page import standalone
from harness.analysis.report.parts import Figure
from harness.analysis.report.svg import Series, heat_map, line_chart

_MEASURES = {
    "anisotropy": "anisotropy",
    "self_similarity": "self-similarity",
    "self_similarity_adjusted": "self-similarity, adjusted",
    "intra_sentence": "intra-sentence similarity",
    "intra_sentence_adjusted": "intra-sentence similarity, adjusted",
    "first_component": "share of the first component",
    "first_component_adjusted": "share of the first component, adjusted",
}


def plots(geometry: Geometry) -> dict[str, str]:
    """Return the content of each file by its name."""
    by_layer = {name: _by_layer(geometry, name, title) for name, title in _MEASURES.items()}
    return {f"{name}.svg": standalone(figure) for name, figure in (by_layer | {"cka": _cka(geometry)}).items()}


def _by_layer(geometry: Geometry, measure: str, title: str) -> Figure:
    """Draw a measure by layer, one line for each encoder."""
    encoders = list(dict.fromkeys(layer.encoder for layer in geometry.layers))
    series = []
    for encoder in encoders:
        found = [(one.layer, getattr(one, measure)) for one in geometry.layers if one.encoder == encoder]
        points = [(layer, value) for layer, value in found if not math.isnan(value)]
        if points:
            series.append(Series(encoder, [layer for layer, _ in points], [[value] for _, value in points]))
    title = title[0].upper() + title[1:]
    empty = [Series("no value", [0, 1], [[0.0], [0.0]])]
    drawing = line_chart(title, series or empty, x=Scale("layer", "whole"), y=Scale(title))
    return Figure(title, drawing, "")


def _cka(geometry: Geometry) -> Figure:
    """Draw the CKA of each pair of layers."""
    title = "Linear CKA, percent"
    labels = [f"{layer.encoder} {layer.layer}" for layer in geometry.layers]
    return Figure(title, heat_map(title, labels, np.nan_to_num(geometry.cka).tolist(), axes=("layer", "layer")), "")

"""The section ``Layer use``: the weights that learned mixes give to layers, and the score of each single layer."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.layer_use import CAVEAT, estimate, layer_use, scaled_weights
from harness.analysis.probing import CUMULATIVE, expected_layers, learned_weights
from harness.analysis.report.analysis import Analysis
from harness.analysis.report.axes import options_of
from harness.analysis.report.axis import Scale
from harness.analysis.report.parts import Figure, Part, Wanted
from harness.analysis.report.settings import Block, Setting
from harness.analysis.report.svg import Series, line_chart
from harness.analysis.report.tables import Table, in_order, open_and_folded, points, spread

_MOST = 24
_OF_MIX = ("mix", "layer", "lambda", "name", "setting")  # axes on which a mix differs from a single layer
_OF_ANY_MIX = ("mixing.dropout", "mixing.layer_norm")  # options that a single layer has, too
_SCALED = (
    "Scaled: weight times the mean norm of the layer, as a share of the sum, because a layer of long vectors has more "
    "influence than its weight says; empty if the norms are not in the record, or if the mix normalises its layers. "
)
_ALONE = "Alone: the score with this layer only, ± the standard deviation over seeds."
_CENTRE_NOTE = (
    "Centre of gravity: the mean layer, weighted by the weights. KL: their divergence from equal weights of all "
    "layers, 0 for equal weights (Tenney et al. 2019). After these two, ± is half of the 95 % interval over seeds; "
    "after a score, it is the standard deviation over seeds."
)
_EXPECTED_NOTE = (
    "From mixes of layers 0 to l: what layer l adds to the score, in points, and the mean layer weighted by these "
    "gains (Tenney et al. 2019). If a gain is negative, this mean can lie outside of the layers; the last column "
    "counts such a gain as 0."
)


_Alone = Mapping[int, Mapping[int, Setting]]  # the single layers that belong to a mix, by its setting and by layer


@dataclass(frozen=True)
class _Mix:
    """A learned mix: its setting, its place, its name, and the weights of the layers in each run."""

    setting: Setting
    place: str
    name: str
    weights: Sequence[Sequence[float]]


def section(analysis: Analysis, wanted: Wanted) -> Part | None:
    """Return the weights of each learned mix, and the expected layer of each set of cumulative mixes.

    Args:
        analysis: The statistics of the block.
        wanted: What the reader asked for.
    """
    settings = in_order(analysis.block, analysis.split, wanted.sort)
    mixes = [mix for one in settings for mix in _mixes(one)]
    expected = _expected_table(analysis)
    if not mixes:
        return Part("Layer use", tables=[expected]) if expected.rows else None
    alone = {mix.setting.number: _alone(analysis.block, mix.setting) for mix in mixes}
    tables = [_centre_table(analysis, mixes), _weights_table(analysis, mixes, alone)]
    shown, folded = open_and_folded([*tables, *([expected] if expected.rows else [])])
    figures = [_figure(mixes), *_alone_figures(analysis, mixes, alone)]
    return Part("Layer use", figures, shown, folded, notes=[CAVEAT])


def _mixes(setting: Setting) -> list[_Mix]:
    """Return the learned mixes of a setting; the part of a set of cumulative mixes that lacks layers is left out."""
    if setting.record.determining.get("mixing.code") == CUMULATIVE and _lacks_layers(setting):
        return []
    places = setting.record.mixing.get("weights", {})
    weights = {place: learned_weights([run.record for run in setting.runs], place) for place in places}
    several = len(places) > 1
    return [
        _Mix(setting, place, setting.label + (f": at the {place}" if several else ""), some)
        for place, some in weights.items()
        if some
    ]


def _lacks_layers(setting: Setting) -> bool:
    return any(0.0 in weights for weights in setting.record.mixing.get("weights", {}).values())


def _figure(mixes: Sequence[_Mix]) -> Figure:
    """Draw the weight of each layer in each mix."""
    title = "Mix weights"
    series = [
        Series(f"{mix.setting.number}  {mix.name}", range(len(mix.weights[0])), list(zip(*mix.weights, strict=True)))
        for mix in mixes[:_MOST]
    ]
    x, y = Scale("layer (0: without context)", "whole"), Scale("softmax weight of the layer")
    note = "Learned mixes only. Line: mean over seeds. Band: from the lowest seed to the highest."
    if len(mixes) > _MOST:
        note += f" The first {_MOST} of {len(mixes)} mixes."
    return Figure(title, line_chart(title, series, x=x, y=y), note)


def _centre_table(analysis: Analysis, mixes: Sequence[_Mix]) -> Table:
    """Return one row per mix: its centre of gravity, and its divergence from equal weights."""
    rows = []
    for mix in mixes:
        use = layer_use(mix.weights)
        score = spread(mix.setting.scores(analysis.split))
        rows.append((str(mix.setting.number), mix.name, use.centre.text(), use.divergence.text(3), score))
    columns = ("#", "setting", "centre of gravity", "KL, bits", analysis.split)
    return Table("Learned mixes", columns, rows, text_columns=2, note=_CENTRE_NOTE, main=2)


def _weights_table(analysis: Analysis, mixes: Sequence[_Mix], alone: _Alone) -> Table:
    """Return one row per mix and layer: its weight, and its score alone."""
    rows = []
    for mix in mixes:
        scaled = _scaled(mix)
        for layer, weight in enumerate(layer_use(mix.weights).weights):
            if not weight.mean:
                continue  # the mix does not use this layer
            single = alone[mix.setting.number].get(layer)
            score = "" if single is None else f"{spread(single.scores(analysis.split))} (# {single.number})"
            share = estimate([row[layer] for row in scaled]).text(3) if scaled else ""
            rows.append((str(mix.setting.number), str(layer), mix.name, weight.text(3), share, score))
    columns = ["#", "layer", "setting", "weight", "scaled", f"alone, {analysis.split}"]  # a phone shows the first
    is_known = {column: any(row[i] for row in rows) for i, column in ((4, "scaled"), (5, "alone"))}
    note = f"Weights sum to one; ± is half of the 95 % interval over seeds. {_SCALED if is_known['scaled'] else ''}"
    note += _ALONE if is_known["alone"] else "The score of each layer alone: run experiment=layers, too."
    main = 5 if is_known["alone"] else 3
    table = Table("Weight of each layer", columns, rows, text_columns=3, note=note, main=main)
    return table.without_empty_columns()


def _scaled(mix: _Mix) -> list[list[float]]:
    """Return the weights of each run, scaled by the norms of the layers; nothing if they are unknown or all equal."""
    records = [run.record for run in mix.setting.runs]
    norms = [record.mixing.get("norms", []) for record in records]
    options = [record.config.get("mixing") for record in records]
    if any(isinstance(one, dict) and one.get("layer_norm", "none") != "none" for one in options):
        return []
    pairs = list(zip(mix.weights, norms, strict=True))
    if any(len(weights) != len(one) or not all(0 < norm < 1e9 for norm in one) for weights, one in pairs):
        return []
    return [scaled_weights(weights, one) for weights, one in pairs]


def _alone(block: Block, setting: Setting) -> dict[int, Setting]:
    """Return the settings that use a single layer and are otherwise equal to a setting with a mix, by their layer.

    A mix of one layer is none of them. Of two that differ in gamma, the one with the gamma of the mix is taken.
    """
    found: dict[int, Setting] = {}
    gamma = setting.values.get("mixing.gamma")
    for one in sorted(block.settings, key=lambda one: one.values.get("mixing.gamma") != gamma):
        weights = list(one.record.mixing.get("weights", {}).values())
        is_single = bool(weights) and all(sorted(row)[-1:] == [1.0] and set(row) <= {0.0, 1.0} for row in weights)
        is_mix = (
            one.record.determining.get("mixing.code") == CUMULATIVE
            or options_of(one.record).get("mixing.layers") is not None
        )
        if is_single and not is_mix and _rest(one) == _rest(setting):
            found.setdefault(weights[0].index(1.0), one)
    return found


def _alone_figures(analysis: Analysis, mixes: Sequence[_Mix], alone: _Alone) -> list[Figure]:
    """Draw the score of each single layer, one line for all mixes that have the same layers."""
    title, series = "Score of each single layer", {}
    for mix in mixes:
        layers = sorted(alone[mix.setting.number].items())
        if len(layers) > 1:
            name = mix.setting.label_on(_rest(mix.setting))
            values = [[100 * score for score in one.scores(analysis.split)] for _, one in layers]
            series[name] = Series(name, [layer for layer, _ in layers], values)
    x, y = Scale("layer (0: without context)", "whole"), Scale(f"{analysis.split} {analysis.block.metric}, percent")
    note = "The score with one layer only. Line: mean over seeds. Band: from the lowest seed to the highest."
    return [Figure(title, line_chart(title, list(series.values())[:_MOST], x=x, y=y), note)] if series else []


def _rest(setting: Setting) -> dict[str, Any]:
    """Return the values of a setting on the axes that are not about its mix."""
    return {axis: value for axis, value in setting.values.items() if not _is_of_mix(axis)}


def _is_of_mix(axis: str) -> bool:
    return axis in _OF_MIX or (axis.startswith("mixing.") and axis not in _OF_ANY_MIX)


def _expected_table(analysis: Analysis) -> Table:
    """Return the expected layer of each setting that was run with the mixes of layers 0 to l, for all l."""
    settings = {run.record.identity: one for one in analysis.block.settings for run in one.runs}
    records = [run.record for one in analysis.block.settings for run in one.runs]
    rows = []
    for record, found in expected_layers(records, analysis.split):
        one = settings[record.identity]
        gains = ", ".join(points(gain) for gain in found.gains)
        both = ("" if math.isnan(layer) else f"{layer:.2f}" for layer in (found.raw, found.clipped))
        rows.append((one.label_on(axis for axis in one.values if axis != "layer"), gains, *both))
    columns = ("setting", "gain of each layer from 1", "expected layer", "negative gains as 0")
    return Table("Expected layer", columns, rows, text_columns=1, note=_EXPECTED_NOTE, main=2)

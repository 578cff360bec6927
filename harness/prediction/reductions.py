"""What an export keeps of the layers: all of them, one of them, their mean, or the mix that a run has learned."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from harness.errors import ConfigError
from harness.features.layer_mix import normalise
from harness.protocols import Encoder
from harness.runs.record import read_record


class Reduction(NamedTuple):
    """A reduction of layers.

    Attributes:
        apply: Maps float32 (layers, tokens, dim) to the same, or to (tokens, dim).
        identity: Plain values that determine what it does.
    """

    apply: Callable[[Tensor], Tensor]
    identity: Any


def reduction_named(name: str, encoder: Encoder) -> Reduction:
    """Return a reduction.

    Args:
        name: ``all``, ``top``, ``mean``, the number of a layer (negative numbers count from the top), or the folder of
            a finished run, whose learned mix is applied.
        encoder: The encoder of the layers.

    Raises:
        ConfigError: The encoder has no such layer, or the run used another encoder or a mix without weights.
        DataFormatError: The folder has no readable record.
    """
    if name == "all":
        return Reduction(lambda layers: layers, "all")
    if name == "mean":
        return _weighted([1 / encoder.num_layers] * encoder.num_layers, gamma=1.0, layer_norm="none")
    number = "-1" if name == "top" else name
    if number.removeprefix("-").isdecimal():
        index = int(number)
        if not -encoder.num_layers <= index < encoder.num_layers:
            raise ConfigError(f"layers={name}: {encoder.name} has layers 0 to {encoder.num_layers - 1}")
        return Reduction(lambda layers: layers[index], index % encoder.num_layers)
    if not (Path(name) / "record.json").exists():
        raise ConfigError(f"layers={name}: not the folder of a run; use all, top, mean, a number or a run's folder")
    return _learned(Path(name), encoder)


def _learned(run: Path, encoder: Encoder) -> Reduction:
    """Return the mix that a run has learned, at the input of its head unless it has only one at the output."""
    record = read_record(run / "record.json")
    if record.encoder.get("fingerprint") != encoder.fingerprint:
        other = f"{record.encoder.get('name')} ({str(record.encoder.get('fingerprint'))[:16]})"
        raise ConfigError(f"{run}: its encoder is {other}, not {encoder.name} ({encoder.fingerprint[:16]})")
    weights, gamma = record.mixing.get("weights", {}), record.mixing.get("gamma", {})
    place = next((place for place in ("input", "output") if place in weights), None)
    layer_norm = record.config.get("mixing", {}).get("layer_norm", "none")
    if place is None:
        raise ConfigError(f"{run}: its mix '{record.mixing.get('name')}' has no weights; use layers=all")
    if layer_norm == "paper":
        raise ConfigError(f"{run}: mixing.layer_norm=paper depends on the batch, so one sentence has no fixed vectors")
    return _weighted(weights[place], gamma=gamma[place], layer_norm=layer_norm)


def _weighted(weights: Sequence[float], *, gamma: float, layer_norm: Any) -> Reduction:
    """Return ``gamma`` times the weighted sum of the layers."""

    def apply(layers: Tensor) -> Tensor:
        mask = torch.ones(1, layers.shape[1], dtype=torch.bool)  # (1, tokens)
        normalised = normalise(layers[None], mask, layer_norm)[0]  # (layers, tokens, dim)
        return gamma * torch.einsum("l,ltd->td", torch.tensor(weights), normalised)  # (tokens, dim)

    return Reduction(apply, {"weights": list(weights), "gamma": gamma, "layer_norm": layer_norm})

"""Which layers a task uses: the weights of a learned mix, and what each layer adds to the score.

A weight says how much of a layer enters the head, and not how much the head needs it: weights are not importance
(arXiv 2404.09385). The score of each single layer belongs next to them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.analysis.statistics import ROUNDING

NAN = float("nan")
CAVEAT = "Weights are not importance (arXiv 2404.09385): compare them with the score of each single layer."


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over seeds and its 95 % interval.

    Attributes:
        mean: The mean.
        low, high: The ends of the interval, by Student's t; NaN with one seed.
    """

    mean: float
    low: float
    high: float

    def text(self, digits: int = 2, factor: float = 1.0) -> str:
        """Return the mean, and after ± half of the interval if there is one.

        Args:
            digits: The number of decimals.
            factor: What both are multiplied by, for example 100 for percent.
        """
        half = "" if math.isnan(self.high) else f" ± {factor * (self.high - self.mean):.{digits}f}"
        return f"{factor * self.mean:.{digits}f}{half}"


@dataclass(frozen=True, kw_only=True)
class LayerUse:
    """The weights that the mixes of several seeds have learned.

    Attributes:
        weights: The weight of each layer.
        centre: The centre of gravity of the weights, in layers.
        divergence: Their divergence from equal weights, in bits.
    """

    weights: tuple[Estimate, ...]
    centre: Estimate
    divergence: Estimate


@dataclass(frozen=True, kw_only=True)
class ExpectedLayer:
    """Where a task is solved, according to mixes of layers 0 to l.

    Attributes:
        gains: What each layer from layer 1 on adds to the score; a negative gain is a loss.
        raw: The mean of these layers, weighted by their gains. It can lie outside of the layers if a gain is negative.
        clipped: The same, with negative gains replaced by 0. Both are NaN if the gains sum to 0.
    """

    gains: tuple[float, ...]
    raw: float
    clipped: float


def layer_use(weights: Sequence[Sequence[float]]) -> LayerUse:
    """Return what the mixes of several seeds have learned.

    Args:
        weights: The weight of each layer, for each seed; at least one seed. The weights of a seed sum to one.
    """
    return LayerUse(
        weights=tuple(estimate(column) for column in zip(*weights, strict=True)),
        centre=estimate([centre_of_gravity(one) for one in weights]),
        divergence=estimate([divergence_from_uniform(one) for one in weights]),
    )


def centre_of_gravity(weights: Sequence[float]) -> float:
    """Return the mean layer, ``sum_l s_l * l``, of weights that sum to one.

    Source: Tenney et al. 2019 (arXiv 1905.05950), section 3.
    """
    return math.fsum(layer * weight for layer, weight in enumerate(weights))


def divergence_from_uniform(weights: Sequence[float]) -> float:
    """Return ``KL(s || uniform)`` in bits: 0 for equal weights, ``log2`` of the number of layers for one layer.

    Source: Tenney et al. 2019 (arXiv 1905.05950), section 3.
    """
    return math.fsum(weight * math.log2(weight * len(weights)) for weight in weights if weight > 0)


def scaled_weights(weights: Sequence[float], norms: Sequence[float]) -> list[float]:
    """Return the part of each layer in the length of what is summed: ``s_l * n_l``, divided by their sum.

    Layers of a large norm dominate a sum even if their weight is small.

    Args:
        weights: The weight of each layer.
        norms: The mean norm of each layer.
    """
    products = [weight * norm for weight, norm in zip(weights, norms, strict=True)]
    total = math.fsum(products)
    return [product / total if total else NAN for product in products]


def expected_layer(scores: Sequence[float]) -> ExpectedLayer:
    """Return the expected layer of a task: ``E = sum_l l * gain_l / sum_l gain_l``, for l from 1.

    Args:
        scores: The score with layer 0 alone, with the mix of layers 0 and 1, and so on to the mix of all layers
            (``experiment=cumulative``); at least two scores.

    Source: Tenney et al. 2019 (arXiv 1905.05950), section 3.
    """
    gains = tuple(after - before for before, after in pairwise(scores))
    return ExpectedLayer(gains=gains, raw=_mean_layer(gains), clipped=_mean_layer([max(0.0, gain) for gain in gains]))


def _mean_layer(gains: Sequence[float]) -> float:
    """Return the mean layer, weighted by gains; the first of them is that of layer 1."""
    total = math.fsum(gains)
    if abs(total) < ROUNDING:
        return NAN
    return math.fsum(layer * gain for layer, gain in enumerate(gains, start=1)) / total


def estimate(values: Sequence[float]) -> Estimate:
    """Return the mean of a value over seeds, with its 95 % interval by Student's t."""
    from scipy.stats import t

    mean, n = math.fsum(values) / len(values), len(values)
    if n < 2:
        return Estimate(mean=mean, low=NAN, high=NAN)
    error = float(np.std(values, ddof=1)) / math.sqrt(n)
    half = float(t.ppf(0.975, n - 1)) * error
    return Estimate(mean=mean, low=mean - half, high=mean + half)

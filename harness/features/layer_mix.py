"""Layer mixes: how the layers of a frozen encoder become one vector per token.

Source: Peters et al. 2018, section 3.2, equation 1: ``gamma * sum_j s_j h_j``, ``s = softmax(w)``.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from harness.config.bounds import NonNegative
from harness.errors import ConfigError

LayerNorm = Literal["none", "paper", "token"]


class ScalarMix(nn.Module):
    """The learned mix of equation 1.

    Args:
        num_layers: The number of layers of the encoder.
        dim: The width of each layer.
        lambda_: The weight of the penalty ``lambda * sum_j w_j^2`` on the pre-softmax weights, 0 or more (section
            3.3). 1 makes the mix "effectively a simple average"; 0.001 lets the weights vary (section 5.1).
        layer_norm: How each layer is normalised before mixing; see ``normalise``.
        layers: The layers to mix, each counted from 0 or backwards from -1; None for all. The others have the weight 0.
        gamma: Whether the sum is multiplied by a learned factor. Without it, the mix is the weighted sum of SUPERB
            (Yang et al. 2021, arXiv 2105.01051, section 3.2).

    Raises:
        ConfigError: The encoder lacks one of the layers, or one is named twice, or none is.
    """

    def __init__(
        self,
        *,
        num_layers: int,
        dim: int,
        lambda_: NonNegative = 0.001,
        layer_norm: LayerNorm = "none",
        layers: Sequence[int] | None = None,
        gamma: bool = True,
    ) -> None:
        super().__init__()
        self.output_dim = dim
        chosen = range(num_layers) if layers is None else layers
        self.layers_used = sorted(_layer(index, num_layers, "layers") for index in chosen)
        if len(set(self.layers_used)) != len(self.layers_used) or not self.layers_used:
            raise ConfigError(f"mixing.layers is {layers}; name each layer once, and at least one")
        self.weights = nn.Parameter(torch.zeros(len(self.layers_used)))
        self.gamma = nn.Parameter(torch.ones(())) if gamma else None
        self._num_layers, self._lambda, self._layer_norm = num_layers, lambda_, layer_norm

    def forward(self, layers: Tensor, mask: Tensor) -> Tensor:
        """Return the mixed vectors: (batch, tokens, dim).

        Args:
            layers: The layers named in ``layers_used``, (batch, layers used, tokens, dim).
            mask: bool (batch, tokens), True where there is a token.
        """
        layers = normalise(layers, mask, self._layer_norm)  # (batch, layers used, tokens, dim)
        weights = torch.softmax(self.weights, dim=0)  # (layers used,)
        mixed = torch.einsum("l,bltd->btd", weights, layers)  # (batch, tokens, dim)
        return mixed if self.gamma is None else self.gamma * mixed

    def penalty(self) -> Tensor:
        """Return ``lambda * sum_j w_j^2``, a scalar. It has no factor of one half, and gamma is not penalised."""
        return self._lambda * self.weights.square().sum()

    def layer_weights(self) -> list[float]:
        """Return the softmax weight of each layer of the encoder; 0 for a layer that is not mixed."""
        weights = dict(zip(self.layers_used, torch.softmax(self.weights.detach(), dim=0).tolist(), strict=True))
        return [weights.get(layer, 0.0) for layer in range(self._num_layers)]

    def scale(self) -> float:
        """Return gamma."""
        return 1.0 if self.gamma is None else self.gamma.item()


def cumulative_mix(
    *,
    num_layers: int,
    dim: int,
    index: int,
    lambda_: NonNegative = 0.001,
    layer_norm: LayerNorm = "none",
    gamma: bool = True,
) -> ScalarMix:
    """Return the learned mix of layer 0 and all layers up to another one.

    The scores of these mixes, from layer 0 to the top, say where a task is solved; see
    ``harness.analysis.layer_use.expected_layer``.

    Args:
        num_layers: The number of layers of the encoder.
        dim: The width of each layer.
        index: The last layer of the mix, counted from 0 or backwards from -1.
        lambda_: As for ``ScalarMix``.
        layer_norm: As for ``ScalarMix``.
        gamma: As for ``ScalarMix``.

    Raises:
        ConfigError: The encoder has no layer of this index.

    Source: Tenney et al. 2019 (arXiv 1905.05950), section 3.
    """
    layers = range(_layer(index, num_layers, "index") + 1)
    return ScalarMix(num_layers=num_layers, dim=dim, lambda_=lambda_, layer_norm=layer_norm, layers=layers, gamma=gamma)


class FixedMix(nn.Module):
    """A mix with given weights: one layer, or the mean of all. Gamma can still be learned.

    Gamma lets the head adapt if the values of a layer are much larger or smaller than its initial weights are made for.
    For the last layer without gamma, the paper reports scores below the baseline (supplement A.2).

    Args:
        num_layers: The number of layers of the encoder.
        dim: The width of each layer.
        index: The layer to use, counted from 0 (context-free) or backwards from -1 (top); None for the mean of all.
        gamma: Whether the result is multiplied by a learned factor.
        layer_norm: How each layer is normalised before mixing; see ``normalise``.

    Raises:
        ConfigError: The encoder has no layer of this index.
    """

    def __init__(
        self, *, num_layers: int, dim: int, index: int | None, gamma: bool = True, layer_norm: LayerNorm = "none"
    ) -> None:
        super().__init__()
        self.output_dim = dim
        self.layers_used = list(range(num_layers)) if index is None else [_layer(index, num_layers, "index")]
        self._num_layers, self._layer_norm = num_layers, layer_norm
        self.gamma = nn.Parameter(torch.ones(())) if gamma else None

    def forward(self, layers: Tensor, mask: Tensor) -> Tensor:
        """Return the mixed vectors: (batch, tokens, dim).

        Args:
            layers: The layers named in ``layers_used``, (batch, layers used, tokens, dim).
            mask: bool (batch, tokens), True where there is a token.
        """
        mixed = normalise(layers, mask, self._layer_norm).mean(dim=1)  # (batch, tokens, dim)
        return mixed if self.gamma is None else self.gamma * mixed

    def layer_weights(self) -> list[float]:
        """Return the fixed weight of each layer."""
        used = self.layers_used
        return [1 / len(used) if layer in used else 0.0 for layer in range(self._num_layers)]

    def scale(self) -> float:
        """Return gamma."""
        return 1.0 if self.gamma is None else self.gamma.item()


class ConcatMix(nn.Module):
    """The concatenation of all layers: the head weighs them itself, but its input becomes wider.

    Args:
        num_layers: The number of layers of the encoder.
        dim: The width of each layer.
        layer_norm: How each layer is normalised before mixing; see ``normalise``.
    """

    def __init__(self, *, num_layers: int, dim: int, layer_norm: LayerNorm = "none") -> None:
        super().__init__()
        self.output_dim = num_layers * dim
        self._layer_norm = layer_norm

    def forward(self, layers: Tensor, mask: Tensor) -> Tensor:
        """Return the concatenated layers of each token: (batch, tokens, layers * dim).

        Args:
            layers: All layers of the encoder, (batch, layers, tokens, dim).
            mask: bool (batch, tokens), True where there is a token.
        """
        return normalise(layers, mask, self._layer_norm).transpose(1, 2).flatten(2)  # (batch, tokens, layers * dim)


def _layer(index: int, num_layers: int, option: str) -> int:
    """Return a layer as a number from 0, once it is known that the encoder has it."""
    if not -num_layers <= index < num_layers:
        raise ConfigError(f"mixing.{option} is {index}; the encoder has layers 0 to {num_layers - 1}")
    return index % num_layers


def normalise(layers: Tensor, mask: Tensor, kind: LayerNorm) -> Tensor:
    """Normalise each layer separately, without gain or bias.

    ``paper`` is what the official code calls layer norm: one mean and one variance over all tokens of the batch and
    all dimensions, so a token's value depends on the rest of its batch, but not on padding. ``token`` normalises the
    vector of each token separately.

    With ``paper``, sentence boundaries are not counted, as in bilm-tf and document-qa, the code of the paper's authors:
    a mix never receives the vectors of the boundaries, because encoders of other kinds have none. AllenNLP counts them
    before it removes them; its mixed vectors differ from these by 0.015 on average.

    Args:
        layers: (batch, layers, tokens, dim).
        mask: bool (batch, tokens), True where there is a token.
        kind: ``none``, ``paper`` or ``token``.

    Returns:
        (batch, layers, tokens, dim), zero at padded positions.

    Source: AllenNLP ``ScalarMix(do_layer_norm=True)``, bilm-tf ``weight_layers(do_layer_norm=True)``.
    """
    if kind == "none":
        return layers
    keep = mask[:, None, :, None].to(layers.dtype)  # (batch, 1, tokens, 1)
    if kind == "token":
        return nn.functional.layer_norm(layers, layers.shape[-1:], eps=1e-12) * keep
    count = keep.sum() * layers.shape[-1]  # ()
    mean = (layers * keep).sum(dim=(0, 2, 3), keepdim=True) / count  # (1, layers, 1, 1)
    centred = (layers - mean) * keep  # (batch, layers, tokens, dim)
    variance = centred.square().sum(dim=(0, 2, 3), keepdim=True) / count  # (1, layers, 1, 1)
    return centred / torch.sqrt(variance + 1e-12)  # (batch, layers, tokens, dim)

"""Layer mixes: how the layers of a frozen encoder become one vector a token.

Source: Peters et al. 2018, section 3.2, equation 1: ``gamma * sum_j s_j h_j``, ``s = softmax(w)``.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from harness.errors import ConfigError

LayerNorm = Literal["none", "paper", "token"]


class ScalarMix(nn.Module):
    """The learnt mix of equation 1.

    Args:
        num_layers: layers of the encoder.
        dim: width of each.
        lambda_: weight of the penalty ``lambda * sum_j w_j^2`` on the pre-softmax weights (section 3.3);
            1 makes it "effectively a simple average", 0.001 lets the weights vary (section 5.1).
        layer_norm: see ``normalise``.
    """

    def __init__(self, *, num_layers: int, dim: int, lambda_: float = 0.001, layer_norm: LayerNorm = "none") -> None:
        super().__init__()
        if lambda_ < 0:
            raise ConfigError(f"mixing.lambda_ is {lambda_}; expected 0 or more")
        self.output_dim = dim
        self.weights = nn.Parameter(torch.zeros(num_layers))
        self.gamma = nn.Parameter(torch.ones(()))
        self._lambda, self._layer_norm = lambda_, layer_norm

    def forward(self, layers: Tensor, mask: Tensor) -> Tensor:
        """Map (batch, layers, tokens, dim) and bool (batch, tokens) to (batch, tokens, dim)."""
        layers = normalise(layers, mask, self._layer_norm)  # (batch, layers, tokens, dim)
        weights = torch.softmax(self.weights, dim=0)  # (layers,)
        return self.gamma * torch.einsum("l,bltd->btd", weights, layers)  # (batch, tokens, dim)

    def penalty(self) -> Tensor:
        """Return ``lambda * sum_j w_j^2``: no factor of one half, gamma left out."""
        return self._lambda * self.weights.square().sum()

    def layer_weights(self) -> list[float]:
        """Return the softmax weight of each layer."""
        weights: list[float] = torch.softmax(self.weights.detach(), dim=0).tolist()
        return weights

    def scale(self) -> float:
        """Return gamma."""
        return self.gamma.item()


class FixedMix(nn.Module):
    """A mix whose weights are given: one layer, or the mean. Gamma is still learnt, if wanted.

    Gamma matters where layers are larger or smaller than what the head's initialisation expects; the
    paper reports worse-than-baseline scores for the last layer without it (supplement A.2).

    Args:
        num_layers: layers of the encoder.
        dim: width of each.
        index: the one layer, counted from 0 (context-free) or from -1 (top); None for the mean of all.
        gamma: whether a learnt factor is applied.
        layer_norm: see ``normalise``.
    """

    def __init__(
        self,
        *,
        num_layers: int,
        dim: int,
        index: int | None,
        gamma: bool = True,
        layer_norm: LayerNorm = "none",
    ) -> None:
        super().__init__()
        if index is not None and not -num_layers <= index < num_layers:
            raise ConfigError(f"mixing.index is {index}; the encoder has layers 0 to {num_layers - 1}")
        self.output_dim = dim
        self.layers_used = list(range(num_layers)) if index is None else [index % num_layers]
        self._num_layers, self._layer_norm = num_layers, layer_norm
        self.gamma = nn.Parameter(torch.ones(())) if gamma else None

    def forward(self, layers: Tensor, mask: Tensor) -> Tensor:
        """Map (batch, layers used, tokens, dim) and bool (batch, tokens) to (batch, tokens, dim)."""
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
    """All layers side by side: the head weighs them itself, at the price of a wider input.

    Args:
        num_layers: layers of the encoder.
        dim: width of each.
        layer_norm: see ``normalise``.
    """

    def __init__(self, *, num_layers: int, dim: int, layer_norm: LayerNorm = "none") -> None:
        super().__init__()
        self.output_dim = num_layers * dim
        self._layer_norm = layer_norm

    def forward(self, layers: Tensor, mask: Tensor) -> Tensor:
        """Map (batch, layers, tokens, dim) and bool (batch, tokens) to (batch, tokens, layers * dim)."""
        return normalise(layers, mask, self._layer_norm).transpose(1, 2).flatten(2)  # (batch, tokens, layers * dim)


def normalise(layers: Tensor, mask: Tensor, kind: LayerNorm) -> Tensor:
    """Normalise each layer on its own, without gain or bias.

    ``paper`` is what the official code calls layer norm: one mean and one variance over all tokens of the
    batch and all dimensions, so that a token's value depends on its batch. As in bilm-tf and document-qa,
    boundary tokens do not take part. ``token`` normalises each token's vector by itself.

    Args:
        layers: (batch, layers, tokens, dim).
        mask: bool (batch, tokens).
        kind: ``none``, ``paper`` or ``token``.

    Returns:
        (batch, layers, tokens, dim), zero at padded places.

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

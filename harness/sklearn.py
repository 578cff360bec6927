"""Frozen encoders in scikit-learn pipelines: one vector per text, by mixing the layers and pooling the tokens."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from torch import Tensor

from harness.errors import ConfigError, nearest
from harness.prediction.reductions import reduction_named
from harness.prediction.text_encoder import load_encoder

_POOLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda vectors: vectors.mean(dim=0),  # (dim,)
    "max": lambda vectors: vectors.amax(dim=0),  # (dim,)
    "first": lambda vectors: vectors[0],  # (dim,)
    "last": lambda vectors: vectors[-1],  # (dim,)
}


class FrozenEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """Map each text to one vector of a frozen encoder.

    Args:
        encoder: A choice of the group ``encoder``, such as ``elmo_mini`` or ``transformers``.
        mixing: What is kept of the layers: ``mean``, ``top``, the number of a layer, or the folder of a finished run,
            whose learned mix is applied.
        pooling: How the tokens become one vector: ``mean``, ``max``, ``first`` or ``last``.
        tokenizer: How raw text is split; see ``harness.load_encoder``.
        device: The torch device.
        options: Options of the encoder, such as ``{"model": "FOLDER"}``; None: no options.

    Attributes:
        encoder_: The loaded encoder, after ``fit``.
        n_features_out_: The number of values of a vector, after ``fit``.
    """

    def __init__(
        self,
        encoder: str = "elmo_mini",
        *,
        mixing: str | int = "mean",
        pooling: str = "mean",
        tokenizer: str = "english",
        device: str = "auto",
        options: dict[str, Any] | None = None,
    ) -> None:
        self.encoder = encoder
        self.mixing = mixing
        self.pooling = pooling
        self.tokenizer = tokenizer
        self.device = device
        self.options = options

    def fit(self, X: Any = None, y: Any = None) -> "FrozenEncoder":  # noqa: N803, ARG002
        """Load the encoder; nothing is learned from the texts.

        Args:
            X: Texts; they are not read.
            y: Labels; they are not read.

        Raises:
            ConfigError: An option is wrong.
        """
        if self.pooling not in _POOLINGS:
            raise ConfigError(f"pooling={self.pooling}: there is no such pooling{nearest(self.pooling, _POOLINGS)}")
        if self.mixing == "all":
            raise ConfigError("mixing=all leaves one vector per layer; use mean, top, a number or a run's folder")
        self.encoder_ = load_encoder(self.encoder, tokenizer=self.tokenizer, device=self.device, **self.options or {})
        self._reduce = reduction_named(str(self.mixing), self.encoder_.encoder).apply
        self.n_features_out_ = self.encoder_.encoder.dim
        return self

    def transform(self, X: Iterable[str | Sequence[str]]) -> np.ndarray:  # noqa: N803
        """Return one vector per text, float32 (texts, dim); a text without tokens has a vector of zeros.

        Args:
            X: Texts, each a string or a list of tokens.

        Raises:
            ConfigError: It is one string, or a table, whose elements are the names of its columns.
        """
        if isinstance(X, str) or hasattr(X, "columns"):
            raise ConfigError(f"X is a {type(X).__name__}; give a list of texts, or one column of a table")
        if not hasattr(self, "encoder_"):
            self.fit()
        texts = list(X)
        vectors = np.zeros((len(texts), self.n_features_out_), np.float32)  # (texts, dim)
        for row, layers in zip(vectors, self.encoder_.iterate(texts), strict=True):
            if layers.shape[1]:
                row[:] = _POOLINGS[self.pooling](self._reduce(layers)).numpy()
        return vectors

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:  # noqa: ARG002
        """Return a name for each value of a vector.

        Args:
            input_features: Not used; scikit-learn passes it.
        """
        return np.array([f"{self.encoder}{i}" for i in range(self.n_features_out_)], dtype=object)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: the options. The encoder is loaded again when it is used."""
        state: dict[str, Any] = dict(super().__getstate__())
        return {key: value for key, value in state.items() if key not in ("encoder_", "_reduce")}

    def __sklearn_is_fitted__(self) -> bool:
        """Return True: nothing is learned, so an encoder need not be fitted."""
        return True

    def __sklearn_tags__(self) -> Tags:
        """Return what scikit-learn may assume: the input is text, and ``fit`` learns nothing."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = False
        tags.no_validation = True
        tags.target_tags.required = False
        return tags

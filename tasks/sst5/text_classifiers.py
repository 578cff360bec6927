"""Heads that give a text one label: the biattentive classification network, and a plain BiLSTM."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.config.instantiate import check_bounds, check_dropout
from harness.errors import ConfigError
from harness.nn.attention import dot_product, masked_softmax
from harness.nn.feedforward import FeedForward, Maxout
from harness.nn.pooling import SelfAttentivePool, max_pool, mean_pool, min_pool
from harness.nn.recurrent import BiLstm
from harness.types import Batch, Prediction, TokenVectors

_POOLS = {"max": max_pool, "mean": mean_pool}


@dataclass(frozen=True, kw_only=True)
class BcnOptions:
    """Sizes of the biattentive classification network; see ``BiattentiveClassifier``."""

    pre_encode_dim: int = 300
    hidden_dim: int = 300
    input_dropout: float = 0.5
    pre_encode_dropout: float = 0.25
    pooled_dropout: float = 0.1
    output: Literal["maxout", "relu"] = "maxout"
    output_dims: tuple[int, ...] = (1200, 600)
    output_dropouts: tuple[float, ...] = (0.2, 0.3)
    pool_size: int = 4


@dataclass(frozen=True, kw_only=True)
class BiLstmOptions:
    """Sizes of the plain BiLSTM; see ``BiLstmClassifier``."""

    hidden_dim: int = 300
    num_layers: int = 1
    dropout: float = 0.5
    pooling: Literal["max", "mean"] = "max"


class TextClassifier(nn.Module):
    """A head that gives a text the label that its network scores highest.

    Args:
        network: maps the vectors of a text and its mask to a score of each label, (batch, labels).
        labels: the labels, in the order of the scores.
        text: name of the text field.
    """

    def __init__(self, *, network: nn.Module, labels: Sequence[str], text: str = "tokens") -> None:
        super().__init__()
        self.network, self.labels, self.text = network, tuple(labels), text

    def scores(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the score of each label before the softmax, (batch, labels)."""
        scores: Tensor = self.network(vectors[self.text], batch.masks[self.text])  # (batch, labels)
        return scores

    def loss(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the cross-entropy with gold ``label``, int64 (batch,), averaged over the batch."""
        return F.cross_entropy(self.scores(vectors, batch), batch.gold["label"])

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return the best label of each row."""
        best = self.scores(vectors, batch).argmax(dim=1).tolist()
        return [
            Prediction(id=example.id, value=self.labels[label])
            for example, label in zip(batch.examples, best, strict=True)
        ]


class BiattentiveClassifier(nn.Module):
    """The biattentive classification network (BCN) over one text, which attends to itself.

    ReLU layer -> BiLSTM (the encoder) -> biattention -> BiLSTM (the integrator) -> maximum, minimum, mean and
    self-attentive mean over the tokens -> output layers. What joins the contextual encoder's output
    (``mixing.placement=output|both``) joins the integrator's, whose vectors are pooled.

    Args:
        input_dim: width of the token vectors.
        output_dim: width of the vectors that join the integrator's output, 0 for none.
        num_labels: number of labels.
        options: ``pre_encode_dim``, width of the ReLU layer; ``hidden_dim``, cells of each BiLSTM, a direction;
            ``input_dropout`` on the token vectors, ``pre_encode_dropout`` after the ReLU layer, ``pooled_dropout``
            on the pooled vector; ``output``, the kind of the output layers: ``maxout`` (of ``pool_size`` maps, the
            labels' own layer too) or ``relu`` (and a linear map to the labels), with ``output_dims``, the widths of
            those before the labels', and ``output_dropouts`` after each.

    Raises:
        ConfigError: an option is out of range.

    Source:
        McCann et al. 2017 (CoVe, arXiv 1708.00107), section 5. Peters et al. 2018 use ReLU layers with dropout for
        maxout layers with batch normalisation (supplement A.8; not verified). AllenNLP's ``bcn`` has maxout layers
        with dropout; up to version 0.6 its ELMo configuration joins a second mix to the integrator's output
        (``use_integrator_output_elmo``), as here.
    """

    def __init__(self, *, input_dim: int, output_dim: int, num_labels: int, options: BcnOptions) -> None:
        super().__init__()
        _check_bcn(options)
        self.input_dropout = nn.Dropout(options.input_dropout)
        self.pre_encode = FeedForward(
            input_dim=input_dim, dims=[options.pre_encode_dim], dropouts=[options.pre_encode_dropout]
        )
        self.encoder = BiLstm(input_dim=options.pre_encode_dim, hidden_dim=options.hidden_dim)
        self.integrator = BiLstm(input_dim=3 * self.encoder.output_dim, hidden_dim=options.hidden_dim)
        width = self.integrator.output_dim + output_dim
        self.attentive_pool = SelfAttentivePool(dim=width)
        self.pooled_dropout = nn.Dropout(options.pooled_dropout)
        self.output = _output_layers(4 * width, num_labels, options)

    def forward(self, tokens: TokenVectors, mask: Tensor) -> Tensor:
        """Map the vectors of a text and its mask, bool (batch, tokens), to scores, (batch, labels)."""
        entered = self.pre_encode(self.input_dropout(tokens.input))  # (batch, tokens, pre_encode_dim)
        encoded = self.encoder(entered, mask)  # (batch, tokens, 2 * hidden_dim)
        integrated = self.integrator(biattend(encoded, mask), mask)  # (batch, tokens, 2 * hidden_dim)
        if tokens.output is not None:
            integrated = torch.cat([integrated, tokens.output], dim=2)  # (batch, tokens, 2 * hidden_dim + output_dim)
        pools = [pool(integrated, mask) for pool in (max_pool, min_pool, mean_pool, self.attentive_pool)]
        pooled = torch.cat(pools, dim=1)  # (batch, 4 * (2 * hidden_dim + output_dim))
        scores: Tensor = self.output(self.pooled_dropout(pooled))  # (batch, labels)
        return scores


class BiLstmClassifier(nn.Module):
    """Token vectors -> BiLSTM -> pooling -> linear: the baseline of the BCN.

    Args:
        input_dim: width of the token vectors.
        output_dim: width of the vectors that join the BiLSTM's output, 0 for none.
        num_labels: number of labels.
        options: ``hidden_dim``, cells a direction; ``num_layers``; ``dropout`` on the BiLSTM's input, between its
            layers, and on the pooled vector; ``pooling`` over the tokens.

    Raises:
        ConfigError: an option is out of range.
    """

    def __init__(self, *, input_dim: int, output_dim: int, num_labels: int, options: BiLstmOptions) -> None:
        super().__init__()
        _check_sizes("bilstm", hidden_dim=options.hidden_dim, num_layers=options.num_layers)
        _check_dropouts("bilstm", dropout=options.dropout)
        self.dropout = nn.Dropout(options.dropout)
        self.encoder = BiLstm(
            input_dim=input_dim,
            hidden_dim=options.hidden_dim,
            num_layers=options.num_layers,
            dropout=options.dropout,
        )
        self.pool = _POOLS[options.pooling]
        self.output = nn.Linear(self.encoder.output_dim + output_dim, num_labels)

    def forward(self, tokens: TokenVectors, mask: Tensor) -> Tensor:
        """Map the vectors of a text and its mask, bool (batch, tokens), to scores, (batch, labels)."""
        encoded = self.encoder(self.dropout(tokens.input), mask)  # (batch, tokens, 2 * hidden_dim)
        if tokens.output is not None:
            encoded = torch.cat([encoded, tokens.output], dim=2)  # (batch, tokens, 2 * hidden_dim + output_dim)
        scores: Tensor = self.output(self.dropout(self.pool(encoded, mask)))  # (batch, labels)
        return scores


def biattend(encoded: Tensor, mask: Tensor) -> Tensor:
    """Set each token of a text beside what it attends to in the same text.

    Args:
        encoded: float (batch, tokens, dim).
        mask: bool (batch, tokens).

    Returns:
        float (batch, tokens, 3 * dim): the token, its difference from the mean of all tokens weighted by a softmax
        of their dot products with it, and its product with that mean.

    Source: McCann et al. 2017, section 5, where both texts are the same.
    """
    weights = masked_softmax(dot_product(encoded, encoded), mask.unsqueeze(1))  # (batch, tokens, tokens)
    attended = weights @ encoded  # (batch, tokens, dim)
    return torch.cat([encoded, encoded - attended, encoded * attended], dim=2)  # (batch, tokens, 3 * dim)


def _output_layers(input_dim: int, num_labels: int, options: BcnOptions) -> nn.Module:
    dims, dropouts = options.output_dims, options.output_dropouts
    if options.output == "maxout":
        return Maxout(
            input_dim=input_dim, dims=[*dims, num_labels], dropouts=[*dropouts, 0.0], pool_size=options.pool_size
        )
    hidden = FeedForward(input_dim=input_dim, dims=dims, dropouts=dropouts)
    return nn.Sequential(hidden, nn.Linear(hidden.output_dim, num_labels))


def _check_bcn(options: BcnOptions) -> None:
    dims, dropouts = options.output_dims, options.output_dropouts
    if len(dims) != len(dropouts):
        raise ConfigError(
            f"task.bcn.output_dropouts has {len(dropouts)} values for {len(dims)} layers in task.bcn.output_dims; "
            "give one a layer"
        )
    _check_sizes(
        "bcn",
        pre_encode_dim=options.pre_encode_dim,
        hidden_dim=options.hidden_dim,
        pool_size=options.pool_size,
        output_dims=min(dims, default=1),
    )
    _check_dropouts(
        "bcn",
        input_dropout=options.input_dropout,
        pre_encode_dropout=options.pre_encode_dropout,
        pooled_dropout=options.pooled_dropout,
    )
    for dropout in dropouts:
        _check_dropouts("bcn", output_dropouts=dropout)


def _check_sizes(head: str, **sizes: int) -> None:
    check_bounds([(f"task.{head}.{name}", size, 1, float("inf")) for name, size in sizes.items()])


def _check_dropouts(head: str, **dropouts: float) -> None:
    for name, dropout in dropouts.items():
        check_dropout(f"task.{head}.{name}", dropout)

"""Options of a BiLSTM head, for every task that has one."""

from dataclasses import dataclass
from typing import Literal

from harness.config.bounds import Dropout, Positive


@dataclass(frozen=True, kw_only=True)
class BiLstmOptions:
    """Sizes of a BiLSTM head.

    Args:
        hidden_dim: The number of cells in each direction.
        num_layers: The number of layers.
        dropout: The dropout on the input of the BiLSTM, between its layers, and on its output.
    """

    hidden_dim: Positive = 200
    num_layers: Positive = 1
    dropout: Dropout = 0.5


@dataclass(frozen=True, kw_only=True)
class PooledBiLstmOptions(BiLstmOptions):
    """Options of a BiLSTM head that labels a whole text.

    Args:
        pooling: How the vectors of all tokens become one vector.
    """

    pooling: Literal["max", "mean"] = "max"

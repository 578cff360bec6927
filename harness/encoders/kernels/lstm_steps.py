"""The state of the rows of an LSTM from step to step."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn


@dataclass(frozen=True)
class LstmState:
    """The state of one LSTM.

    Attributes:
        hidden: Float (rows, projection_dim).
        cell: Float (rows, lstm_dim).
    """

    hidden: Tensor
    cell: Tensor


class SteppingLstm(Protocol):
    """An LSTM that can take a single step; see ``ProjectedLstm``."""

    weight: nn.Parameter

    def step(self, gates: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Return the new hidden and cell; see ``ProjectedLstm.step``."""


class Steps:
    """The state of the rows of one batch, from step to step.

    Args:
        lstm: The LSTM that takes the steps.
        state: The state of the rows before the first step.
    """

    def __init__(self, lstm: SteppingLstm, state: LstmState) -> None:
        self._lstm, self._hidden, self._cell = lstm, state.hidden, state.cell

    @property
    def rows(self) -> int:
        """Number of rows that have not ended yet."""
        return len(self._hidden)

    def take(self, gates: Tensor) -> Tensor:
        """Take a step with gates (rows, 4 * lstm_dim); return the new hidden, (rows, projection_dim)."""
        self._hidden, self._cell = self._lstm.step(gates, self._hidden, self._cell)
        return self._hidden

    def finish(self, rows: int) -> tuple[Tensor, Tensor]:
        """Continue with the first ``rows`` rows only; return hidden and cell of the other rows."""
        ended = self._hidden[rows:], self._cell[rows:]
        self._hidden, self._cell = self._hidden[:rows], self._cell[:rows]
        return ended

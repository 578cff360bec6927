"""The state of the rows of an LSTM while it goes from step to step."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn


@dataclass(frozen=True)
class LstmState:
    """State of one LSTM: ``hidden`` (rows, projection_dim), ``cell`` (rows, lstm_dim)."""

    hidden: Tensor
    cell: Tensor


class SteppingLstm(Protocol):
    """What takes steps: see ``ProjectedLstm``."""

    weight: nn.Parameter

    def step(self, gates: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Return the new hidden and cell."""


class Steps:
    """The state of the rows of one batch, step after step.

    Args:
        lstm: whose steps are taken.
        state: of the rows before the first.
    """

    def __init__(self, lstm: SteppingLstm, state: LstmState) -> None:
        self._lstm, self._hidden, self._cell = lstm, state.hidden, state.cell

    @property
    def rows(self) -> int:
        """Rows that go on."""
        return len(self._hidden)

    def take(self, gates: Tensor) -> Tensor:
        """Take a step; return the new hidden, (rows, projection_dim)."""
        self._hidden, self._cell = self._lstm.step(gates, self._hidden, self._cell)
        return self._hidden

    def finish(self, rows: int) -> tuple[Tensor, Tensor]:
        """Go on with the first ``rows`` only; return hidden and cell of the others."""
        ended = self._hidden[rows:], self._cell[rows:]
        self._hidden, self._cell = self._hidden[:rows], self._cell[:rows]
        return ended

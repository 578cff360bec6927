"""The state of the rows of an LSTM from step to step."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

# A function that takes one step, ``ProjectedLstm.step``: gates, hidden and cell to the new hidden and cell.
Step = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class LstmState:
    """The state of one LSTM.

    Attributes:
        hidden: Float (rows, projection_dim).
        cell: Float (rows, lstm_dim).
    """

    hidden: Tensor
    cell: Tensor


class Steps:
    """The state of the rows of one batch, from step to step.

    Args:
        step: Takes one step.
        state: The state of the rows before the first step.
    """

    def __init__(self, step: Step, state: LstmState) -> None:
        self._step, self._hidden, self._cell = step, state.hidden, state.cell

    @property
    def rows(self) -> int:
        """Number of rows that have not ended yet."""
        return len(self._hidden)

    def take(self, gates: Tensor) -> Tensor:
        """Take a step with gates (rows, 4 * lstm_dim); return the new hidden, (rows, projection_dim)."""
        self._hidden, self._cell = self._step(gates, self._hidden, self._cell)
        return self._hidden

    def finish(self, rows: int) -> tuple[Tensor, Tensor]:
        """Continue with the first ``rows`` rows only; return hidden and cell of the other rows."""
        ended = self._hidden[rows:], self._cell[rows:]
        self._hidden, self._cell = self._hidden[:rows], self._cell[:rows]
        return ended

"""A bidirectional LSTM whose input gate is one minus its forget gate, over rows that are laid end to end."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.config.bounds import Dropout
from harness.nn.packing import Packing


class CoupledBiLstm(nn.Module):
    """A bidirectional LSTM with coupled gates, a learned initial state and recurrent dropout.

    What is forgotten is what is written: ``cell = (1 - input) * cell + input * candidate``. In training, the hidden
    state that enters the next step loses the same dimensions at every step of a row.

    Initial values: for each gate, input and hidden weights together have orthonormal columns; biases are 0 (there,
    small and random); each initial state is a Xavier uniform matrix of one row.

    Args:
        input_dim: Width of the input, at least 1.
        hidden_dim: Width of each direction, at least 1.
        recurrent_dropout: Probability of dropping a dimension of the hidden state.

    Source: Lee et al. 2017 (arXiv 1707.07045), section 4; ``CustomLSTMCell`` in ``util.py`` of e2e-coref. The coupling
    is variant CIFG of Greff et al. 2017 (arXiv 1503.04069).
    """

    def __init__(self, *, input_dim: int, hidden_dim: int, recurrent_dropout: Dropout = 0.0) -> None:
        super().__init__()
        self.hidden_dim, self.recurrent_dropout = hidden_dim, recurrent_dropout
        self.input = nn.Linear(input_dim, 6 * hidden_dim)  # of both directions; gates: input, candidate, output
        self.recurrent = nn.Parameter(torch.empty(2, hidden_dim, 3 * hidden_dim))
        self.initial_hidden = nn.Parameter(torch.empty(2, 1, hidden_dim))
        self.initial_cell = nn.Parameter(torch.empty(2, 1, hidden_dim))
        recurrent = [gate for direction in self.recurrent.data for gate in direction.chunk(3, dim=1)]
        for read, remembered in zip(self.input.weight.data.chunk(6), recurrent, strict=True):
            both = nn.init.orthogonal_(torch.empty(input_dim + hidden_dim, hidden_dim))
            read.copy_(both[:input_dim].T)
            remembered.copy_(both[input_dim:])
        nn.init.zeros_(self.input.bias)
        for state in (*self.initial_hidden.data, *self.initial_cell.data):  # (1, hidden_dim) each
            nn.init.xavier_uniform_(state)

    @property
    def output_dim(self) -> int:
        """Width of the output: both directions."""
        return 2 * self.hidden_dim

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Read each row from both ends.

        Args:
            vectors: Float (positions, input_dim), all rows one after the other, without padding.
            lengths: Int64 (rows,), the number of positions of each row, on the CPU. A row may be empty.

        Returns:
            Float (positions, output_dim), forward direction first.
        """
        if not len(vectors):
            return vectors.new_zeros(0, self.output_dim)
        packing = Packing.of(lengths)
        rows = packing.batch_sizes[0]
        orders = [order.to(vectors.device) for order in packing.orders]  # (positions,) each
        ahead, back = self.input(vectors).chunk(2, dim=1)  # (positions, 3 * hidden_dim) each
        gates = torch.stack([ahead.index_select(0, orders[0]), back.index_select(0, orders[1])])  # (2, visits, ...)
        hidden = self.initial_hidden.expand(2, rows, -1)  # (2, rows, hidden_dim)
        cell = self.initial_cell.expand(2, rows, -1)  # (2, rows, hidden_dim)
        kept = F.dropout(torch.ones_like(cell), self.recurrent_dropout, self.training)  # (2, rows, hidden_dim)
        outputs = []
        for step in gates.split(packing.batch_sizes, dim=1):  # (2, rows that have a position left, 3 * hidden_dim)
            now = step.size(1)
            mixed = torch.baddbmm(step, hidden[:, :now] * kept[:, :now], self.recurrent)  # (2, now, 3 * hidden_dim)
            write, candidate, output = mixed.chunk(3, dim=2)  # (2, now, hidden_dim) each
            cell = torch.lerp(cell[:, :now], candidate.tanh(), write.sigmoid())  # (2, now, hidden_dim)
            hidden = cell.tanh() * output.sigmoid()  # (2, now, hidden_dim)
            outputs.append(hidden)
        visits = torch.cat(outputs, dim=1)  # (2, visits, hidden_dim)
        places = [order.argsort() for order in orders]  # (positions,) each: the visit of each position
        return torch.cat([own.index_select(0, place) for own, place in zip(visits, places, strict=True)], dim=1)

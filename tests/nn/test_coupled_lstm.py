"""The LSTM with coupled gates: against a literal loop, with empty rows, and its recurrent dropout."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from harness.nn.coupled_lstm import CoupledBiLstm

LENGTHS = torch.tensor([3, 0, 5, 1])


@pytest.fixture
def lstm() -> CoupledBiLstm:
    torch.manual_seed(0)
    return CoupledBiLstm(input_dim=5, hidden_dim=4)


def by_hand(lstm: CoupledBiLstm, vectors: Tensor, lengths: list[int], kept: Tensor | None = None) -> Tensor:
    """Compute one token after the other, from the definition; the state is multiplied by ``kept`` at every step."""
    output = torch.zeros(len(vectors), 8)
    start = 0
    for row, length in enumerate(lengths):
        for direction, order in ((0, range(length)), (1, range(length - 1, -1, -1))):
            hidden, cell = lstm.initial_hidden[direction, 0], lstm.initial_cell[direction, 0]
            own = slice(12 * direction, 12 * direction + 12)
            factor = 1.0 if kept is None else kept[direction, row]
            for t in order:
                given = lstm.input.weight[own] @ vectors[start + t] + lstm.input.bias[own]  # (12,)
                write, candidate, out = (given + (hidden * factor) @ lstm.recurrent[direction]).chunk(3)
                cell = (1 - torch.sigmoid(write)) * cell + torch.sigmoid(write) * torch.tanh(candidate)
                hidden = torch.sigmoid(out) * torch.tanh(cell)
                output[start + t, 4 * direction : 4 * direction + 4] = hidden
        start += length
    return output


def test_it_computes_what_the_definition_says(lstm: CoupledBiLstm) -> None:
    vectors = torch.randn(9, 5)
    torch.testing.assert_close(lstm(vectors, LENGTHS), by_hand(lstm, vectors, LENGTHS.tolist()))


def test_every_parameter_and_the_input_have_the_gradient_of_the_definition(lstm: CoupledBiLstm) -> None:
    vectors, weight = torch.randn(9, 5, requires_grad=True), torch.randn(9, 8)
    wanted = [vectors, *lstm.parameters()]
    found = torch.autograd.grad((lstm(vectors, LENGTHS) * weight).sum(), wanted)
    expected = torch.autograd.grad((by_hand(lstm, vectors, LENGTHS.tolist()) * weight).sum(), wanted)
    for one, other in zip(found, expected, strict=True):
        assert other.any()
        torch.testing.assert_close(one, other)


def test_no_positions_give_no_output(lstm: CoupledBiLstm) -> None:
    assert lstm(torch.zeros(0, 5), torch.tensor([0, 0])).shape == (0, 8)


def test_the_columns_of_each_gate_start_orthonormal(lstm: CoupledBiLstm) -> None:
    read = lstm.input.weight.chunk(6)  # (4, 5) each
    remembered = [gate for direction in lstm.recurrent for gate in direction.chunk(3, dim=1)]  # (4, 4) each
    for one, other in zip(read, remembered, strict=True):
        both = torch.cat([one.T, other])  # (9, 4)
        torch.testing.assert_close(both.T @ both, torch.eye(4), atol=1e-5, rtol=0)


def test_the_initial_states_have_the_range_of_a_matrix_of_one_row() -> None:
    torch.manual_seed(0)
    lstm = CoupledBiLstm(input_dim=1, hidden_dim=500)
    limit = (6 / 501) ** 0.5  # Glorot and Bengio 2010, equation 16
    for state in (lstm.initial_hidden, lstm.initial_cell):
        assert 0.95 * limit < state.abs().max() <= limit


def test_recurrent_dropout_drops_the_same_dimensions_at_every_step() -> None:
    torch.manual_seed(0)
    lstm = CoupledBiLstm(input_dim=5, hidden_dim=4, recurrent_dropout=0.5)
    vectors = torch.randn(9, 5)
    torch.manual_seed(1)
    kept = F.dropout(torch.ones(2, 3, 4), 0.5)  # (2, rows with a token, 4), the longest row first
    assert {*kept.unique().tolist()} == {0.0, 2.0}
    torch.manual_seed(1)
    expected = by_hand(lstm, vectors, LENGTHS.tolist(), kept[:, [1, 0, 0, 2]])
    torch.testing.assert_close(lstm(vectors, LENGTHS), expected)
    torch.testing.assert_close(lstm.eval()(vectors, LENGTHS), by_hand(lstm, vectors, LENGTHS.tolist()))

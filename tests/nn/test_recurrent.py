"""BiLstm and BiGru, checked against a loop over cells."""

import pytest
import torch
from torch import Tensor

from harness.nn import recurrent, similar_lengths
from harness.nn.masking import mask_of_lengths
from harness.nn.recurrent import BiGru, BiLstm

LENGTHS = torch.tensor([2, 0, 5, 1, 3])
MASK = mask_of_lengths(LENGTHS)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def make_vectors() -> Tensor:
    return torch.randn(len(LENGTHS), 5, 3, dtype=torch.double)


def run_direction(lstm: torch.nn.LSTM, suffix: str, vectors: list[Tensor]) -> list[Tensor]:
    """Run one direction over one sentence, cell by cell."""
    w_ih, w_hh, b_ih, b_hh = (
        getattr(lstm, f"{name}_{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    hidden = cell = torch.zeros(lstm.hidden_size, dtype=torch.double)
    outputs = []
    for vector in vectors:
        gate_in, forget, candidate, gate_out = (w_ih @ vector + b_ih + w_hh @ hidden + b_hh).chunk(4)
        cell = forget.sigmoid() * cell + gate_in.sigmoid() * candidate.tanh()
        hidden = gate_out.sigmoid() * cell.tanh()
        outputs.append(hidden)
    return outputs


@pytest.mark.parametrize("num_layers", [1, 2])
def test_equals_a_loop_over_cells_and_is_zero_at_padding(num_layers):
    layer = BiLstm(input_dim=3, hidden_dim=4, num_layers=num_layers).double()
    vectors = make_vectors()
    expected = torch.zeros(len(LENGTHS), 5, layer.output_dim, dtype=torch.double)
    for row, length in enumerate(LENGTHS.tolist()):
        states = list(vectors[row, :length])
        for index in range(num_layers):
            forward = run_direction(layer.lstm, f"l{index}", states)
            backward = run_direction(layer.lstm, f"l{index}_reverse", states[::-1])[::-1]
            states = [torch.cat(pair) for pair in zip(forward, backward, strict=True)]
        for place, state in enumerate(states):
            expected[row, place] = state
    torch.testing.assert_close(layer(vectors, MASK), expected)


def test_more_padding_changes_nothing():
    layer, vectors = BiLstm(input_dim=3, hidden_dim=4, num_layers=2).double(), make_vectors()
    wider = torch.cat([vectors, torch.full((len(LENGTHS), 4, 3), 1e6)], dim=1)
    output = layer(wider, mask_of_lengths(LENGTHS, 9))
    torch.testing.assert_close(output[:, :5], layer(vectors, MASK))
    assert not output[:, 5:].any()


def test_gradient_reaches_every_parameter_and_no_padding():
    layer, vectors = BiLstm(input_dim=3, hidden_dim=4, num_layers=2).double(), make_vectors().requires_grad_()
    layer(vectors, MASK).square().sum().backward()
    assert all(parameter.grad.any() for parameter in layer.parameters())
    assert torch.equal(vectors.grad.any(dim=2), MASK)


def test_initial_values():
    layer = BiLstm(input_dim=3, hidden_dim=4, num_layers=2)
    for name, parameter in layer.lstm.named_parameters():
        if name.startswith("weight_hh"):
            for gate in parameter.chunk(4):
                torch.testing.assert_close(gate @ gate.T, torch.eye(4))
        elif name.startswith("bias"):
            forget = 1.0 if name.startswith("bias_ih") else 0.0
            assert parameter.tolist() == [0.0] * 4 + [forget] * 4 + [0.0] * 8
        else:
            bound = (6 / sum(parameter.shape)) ** 0.5
            assert 0.5 * bound < parameter.abs().max() <= bound


def test_dropout_acts_between_layers_in_training_only():
    layer, vectors = BiLstm(input_dim=3, hidden_dim=4, num_layers=2, dropout=0.5).double(), make_vectors()
    assert not torch.equal(layer(vectors, MASK), layer(vectors, MASK))
    layer.eval()
    assert torch.equal(layer(vectors, MASK), layer(vectors, MASK))


@pytest.mark.parametrize("shape", [(2, 0), (2, 3), (0, 3)])
def test_batch_without_any_token(shape):
    layer = BiLstm(input_dim=3, hidden_dim=4)
    output = layer(torch.randn(*shape, 3), torch.zeros(shape, dtype=torch.bool))
    assert torch.equal(output, torch.zeros(*shape, 8))


def test_refuses_padding_on_the_left():
    with pytest.raises(ValueError, match="row 0 has a token after padding"):
        BiLstm(input_dim=3, hidden_dim=4)(torch.zeros(1, 2, 3), torch.tensor([[False, True]]))


def run_gru_direction(gru: torch.nn.GRU, suffix: str, vectors: list[Tensor]) -> list[Tensor]:
    """Run one direction over one sentence, cell by cell."""
    w_ih, w_hh, b_ih, b_hh = (
        getattr(gru, f"{name}_{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    hidden = torch.zeros(gru.hidden_size, dtype=torch.double)
    outputs = []
    for vector in vectors:
        (reset, update, new), (reset_h, update_h, new_h) = (
            (w_ih @ vector + b_ih).chunk(3),
            (w_hh @ hidden + b_hh).chunk(3),
        )
        reset, update = (reset + reset_h).sigmoid(), (update + update_h).sigmoid()
        hidden = (1 - update) * (new + reset * new_h).tanh() + update * hidden
        outputs.append(hidden)
    return outputs


def test_gru_equals_a_loop_over_cells_and_padding_changes_nothing():
    layer, vectors = BiGru(input_dim=3, hidden_dim=4, std=0.5).double(), make_vectors()
    for name, parameter in layer.gru.named_parameters():
        if name.startswith("bias"):
            torch.nn.init.normal_(parameter)
    expected = torch.zeros(len(LENGTHS), 5, layer.output_dim, dtype=torch.double)
    for row, length in enumerate(LENGTHS.tolist()):
        states = list(vectors[row, :length])
        forward = run_gru_direction(layer.gru, "l0", states)
        backward = run_gru_direction(layer.gru, "l0_reverse", states[::-1])[::-1]
        for place, pair in enumerate(zip(forward, backward, strict=True)):
            expected[row, place] = torch.cat(pair)
    torch.testing.assert_close(layer(vectors, MASK), expected)
    wider = torch.cat([vectors, torch.full((len(LENGTHS), 4, 3), 1e6)], dim=1)
    torch.testing.assert_close(layer(wider, mask_of_lengths(LENGTHS, 9))[:, :5], layer(vectors, MASK))


def test_initial_values_of_the_gru():
    layer = BiGru(input_dim=300, hidden_dim=100, std=0.05)
    for parameter in (layer.gru.weight_ih_l0, layer.gru.weight_hh_l0_reverse):
        assert parameter.abs().max() <= 0.1
        assert parameter.std().item() == pytest.approx(0.044, rel=0.05)  # 0.05, reduced by the cut
    assert not any(p.any() for name, p in layer.gru.named_parameters() if name.startswith("bias"))


def outputs_and_gradients(layer: BiLstm | BiGru, vectors: Tensor, mask: Tensor) -> list[Tensor]:
    """Return the output, and the gradients of the input and of every parameter."""
    inputs = vectors.clone().requires_grad_()
    output = layer(inputs, mask)
    output.square().sum().backward()
    return [output, inputs.grad, *(p.grad for p in layer.parameters())]


def with_padding(precision: torch.dtype) -> tuple[Tensor, Tensor]:
    vectors = torch.cat([make_vectors(), torch.full((len(LENGTHS), 2, 3), 1e6)], dim=1).to(precision)
    return vectors, mask_of_lengths(LENGTHS, 7)


@pytest.mark.parametrize("precision", [torch.double, torch.float])
def test_gru_that_runs_through_padding_equals_a_packed_one(precision, monkeypatch):
    ours, theirs = (BiGru(input_dim=3, hidden_dim=4, std=0.5).to(precision) for _ in range(2))
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter)
    theirs.load_state_dict(ours.state_dict())
    given = with_padding(precision)
    results = [outputs_and_gradients(ours, *given)]
    monkeypatch.setattr(recurrent, "_run_through_padding", recurrent._run_packed)
    results.append(outputs_and_gradients(theirs, *given))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("precision", [torch.double, torch.float])
@pytest.mark.parametrize("fewest", [1, 2, 24])
def test_lstm_by_length_equals_the_packed_one_of_torch(num_layers, precision, fewest, monkeypatch):
    monkeypatch.setattr(similar_lengths, "_FEWEST", fewest)  # 4, 2 and 1 groups of rows
    ours, theirs = (BiLstm(input_dim=3, hidden_dim=4, num_layers=num_layers).to(precision) for _ in range(2))
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter)
    theirs.load_state_dict(ours.state_dict())
    given = with_padding(precision)
    results = [outputs_and_gradients(ours, *given)]
    monkeypatch.setattr(recurrent, "_run_by_length", recurrent._run_packed)
    results.append(outputs_and_gradients(theirs, *given))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_rows_of_similar_length_run_together():
    lengths = [20, 3, *[10] * 30, 0, *[18] * 23]
    (forward, backward), shapes = similar_lengths.padded_orders(lengths)
    assert shapes == [(20, 24), (10, 30), (3, 1)]
    tokens = torch.arange(sum(lengths)).unsqueeze(1)
    for order in (forward, backward):
        assert torch.equal(order.token[order.place], tokens.squeeze(1))
    first_rows = backward.token[: 20 * 24].view(20, 24)  # (steps, rows), the longest row first
    assert first_rows[:, 0].tolist() == list(range(19, -1, -1))
    assert first_rows[:18, 1].tolist() == list(range(340, 322, -1))  # its two places of padding may repeat a token

"""The highway LSTM against a loop over cells, and its gradient against the numerical one."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from harness.nn import highway_lstm as module
from harness.nn.highway_lstm import HighwayLstm, highway_lstm
from harness.nn.masking import mask_of_lengths
from harness.nn.packing import Packing

LENGTHS = torch.tensor([3, 0, 5, 1])
MASK = mask_of_lengths(LENGTHS)


def make_layer(num_layers: int = 3, **options: float) -> HighwayLstm:
    torch.manual_seed(0)
    return HighwayLstm(input_dim=3, hidden_dim=4, num_layers=num_layers, **options).double()


def make_vectors() -> Tensor:
    return torch.randn(4, 5, 3, dtype=torch.double, generator=torch.Generator().manual_seed(1))


def by_cells(layer: HighwayLstm, sentence: list[Tensor], kept: list[Tensor] | None = None) -> list[Tensor]:
    """Run all layers over one sentence, cell by cell, as He et al. 2017 and AllenNLP define them."""
    for number, (weight, recurrent, bias) in enumerate(zip(layer.inputs, layer.recurrent, layer.biases, strict=True)):
        hidden = cell = torch.zeros(4, dtype=torch.double)
        outputs = []
        for vector in sentence[::-1] if number % 2 else sentence:
            dropped = hidden * kept[number] if kept else hidden
            *projected, linear = (weight @ vector).chunk(6)
            candidate, enter, forget, leave, highway = torch.cat(projected).add(recurrent @ dropped + bias).chunk(5)
            cell = enter.sigmoid() * candidate.tanh() + forget.sigmoid() * cell
            gate = highway.sigmoid()
            hidden = gate * (leave.sigmoid() * cell.tanh()) + (1 - gate) * linear
            outputs.append(hidden)
        sentence = outputs[::-1] if number % 2 else outputs
    return sentence


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_it_equals_a_loop_over_cells_whatever_the_padding(num_layers: int) -> None:
    layer, vectors = make_layer(num_layers), make_vectors()
    wider = torch.cat([vectors, torch.full((4, 2, 3), 1e6)], dim=1)
    output = layer(wider, mask_of_lengths(LENGTHS, 7))
    for row, length in enumerate(LENGTHS.tolist()):
        expected = by_cells(layer, list(vectors[row, :length]))
        for place in range(7):
            torch.testing.assert_close(
                output[row, place], expected[place] if place < length else torch.zeros_like(output[0, 0])
            )


def test_dropout_is_the_same_at_every_step_and_acts_on_the_recurrence_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, vectors = make_layer(recurrent_dropout=0.5), make_vectors()[2:3]
    kept: list[Tensor] = []
    dropout = F.dropout
    monkeypatch.setattr(module.F, "dropout", lambda *given: kept.append(dropout(*given)) or kept[-1])
    output = layer(vectors, MASK[2:3])
    assert [tuple(one.shape) for one in kept] == [(1, 4)] * 3
    assert {0.0, 2.0} == set(torch.cat(kept).flatten().tolist())
    expected = by_cells(layer, list(vectors[0]), [one[0] for one in kept])
    torch.testing.assert_close(output[0], torch.stack(expected))
    assert not torch.equal(layer(vectors, MASK[2:3]), output)
    layer.eval()
    assert torch.equal(layer(vectors, MASK[2:3]), layer(vectors, MASK[2:3]))


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_the_gradient_is_the_numerical_one(dropped: bool, backwards: bool) -> None:
    torch.manual_seed(0)
    packing = Packing.of(torch.tensor([3, 0, 1, 4]))
    gates = torch.randn(8, 12, dtype=torch.double, requires_grad=True)
    recurrent = torch.randn(10, 2, dtype=torch.double, requires_grad=True)
    kept = torch.tensor([[2.0, 0.0], [1.0, 2.0], [0.0, 0.0]], dtype=torch.double) if dropped else None
    assert torch.autograd.gradcheck(
        lambda *given: highway_lstm(*given, kept, packing, backwards=backwards), (gates, recurrent)
    )


def test_initial_values() -> None:
    layer = HighwayLstm(input_dim=9, hidden_dim=4, num_layers=2)
    for weights in (*layer.inputs, *layer.recurrent):
        for block in weights.split(4):
            torch.testing.assert_close(block @ block.T, torch.eye(4))
    assert [bias.tolist() for bias in layer.biases] == [[0.0] * 8 + [1.0] * 4 + [0.0] * 8] * 2


@pytest.mark.parametrize("shape", [(2, 0), (2, 3), (0, 3)])
def test_a_batch_without_any_token(shape: tuple[int, int]) -> None:
    output = make_layer()(torch.randn(*shape, 3), torch.zeros(shape, dtype=torch.bool))
    assert torch.equal(output, torch.zeros(*shape, 4))


def test_every_parameter_and_every_token_has_a_gradient() -> None:
    layer, vectors = make_layer(recurrent_dropout=0.1), make_vectors().requires_grad_()
    layer(vectors, MASK).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in layer.parameters())
    assert vectors.grad is not None
    assert torch.equal(vectors.grad.any(dim=2), MASK)

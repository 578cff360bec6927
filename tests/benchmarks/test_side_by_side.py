"""The time of K bidirectional LSTMs of one shape, run together as one stacked LSTM or one after the other.

The runs of an ablation use the same batches with different small heads. These heads could therefore be trained together
with batched matrix products. The gain depends on the LSTM, which takes most of the time of a step. The stacked LSTM
below is checked against ``nn.LSTM``; ``results/published/sweeps.md`` has the measurements.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

RUNS, BATCH, TOKENS, INPUT, HIDDEN = 6, 32, 20, 306, 100


def stacked(inputs: Tensor, lstms: list[nn.LSTM], *, reverse: bool) -> Tensor:
    """Run one direction of K LSTMs on (K, batch, tokens, dim), and return (K, batch, tokens, hidden)."""
    suffix = "_reverse" if reverse else ""

    def weights(name: str) -> Tensor:
        return torch.stack([getattr(lstm, f"{name}_l0{suffix}") for lstm in lstms])

    runs, batch, tokens, _ = inputs.shape
    bias = (weights("bias_ih") + weights("bias_hh")).unsqueeze(1)  # (K, 1, 4 * hidden)
    gates = torch.baddbmm(bias, inputs.flatten(1, 2), weights("weight_ih").transpose(1, 2))
    steps = gates.view(runs, batch, tokens, -1).unbind(2)  # (K, batch, 4 * hidden) each
    recurrent = weights("weight_hh").transpose(1, 2)  # (K, hidden, 4 * hidden)
    hidden = inputs.new_zeros(runs, batch, recurrent.shape[1])  # (K, batch, hidden)
    cell = torch.zeros_like(hidden)
    states = []
    for step in reversed(steps) if reverse else steps:
        i, f, g, o = torch.baddbmm(step, hidden, recurrent).chunk(4, dim=2)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(cell)
        states.append(hidden)
    return torch.stack(states[::-1] if reverse else states, dim=2)


def made() -> tuple[list[nn.LSTM], Tensor]:
    torch.manual_seed(1)
    lstms = [nn.LSTM(INPUT, HIDDEN, bidirectional=True, batch_first=True) for _ in range(RUNS)]
    return lstms, torch.randn(RUNS, BATCH, TOKENS, INPUT)


def side_by_side(lstms: list[nn.LSTM], inputs: Tensor) -> Tensor:
    return torch.cat([stacked(inputs, lstms, reverse=False), stacked(inputs, lstms, reverse=True)], dim=3)


def one_by_one(lstms: list[nn.LSTM], inputs: Tensor) -> Tensor:
    return torch.stack([lstm(one)[0] for lstm, one in zip(lstms, inputs, strict=True)])


def test_the_stacked_lstm_equals_nn_lstm() -> None:
    lstms, inputs = made()
    both = [side_by_side(lstms, inputs), one_by_one(lstms, inputs)]
    torch.testing.assert_close(*both, atol=1e-5, rtol=1e-5)
    gradients = [
        torch.autograd.grad(states.square().sum(), [p for x in lstms for p in x.parameters()]) for states in both
    ]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("way", [one_by_one, side_by_side])
def test_step(benchmark, way: Callable[[list[nn.LSTM], Tensor], Tensor]) -> None:
    torch.set_num_threads(1)
    lstms, inputs = made()
    parameters = [p for lstm in lstms for p in lstm.parameters()]
    benchmark(lambda: torch.autograd.grad(way(lstms, inputs).square().sum(), parameters))

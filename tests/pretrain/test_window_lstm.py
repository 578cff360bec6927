"""A layer of LSTMs over a window: the state is passed on to the next window, but no gradient flows back."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from harness.encoders.char_ids import char_ids
from harness.encoders.kernels.lstm_steps import LstmState
from harness.encoders.kernels.projected_lstm import ProjectedLstm
from harness.encoders.options import BiLmOptions, parse_options
from harness.pretrain.network import run_window
from harness.pretrain.window_lstm import window_lstm
from tests.support.encoders import changed, tiny_elmo

STEPS, STREAMS = 5, 3
FORMS = {
    "no clip": {"cell_clip": None, "proj_clip": None},
    "clips that bite": {"cell_clip": 0.4, "proj_clip": 0.2},
    "no projection": {"dim": 8, "cell_clip": 0.4, "proj_clip": 0.1},
}


def options_of(form: str) -> BiLmOptions:
    return parse_options(changed({"lstm": FORMS[form]}), source="test")


def two_directions(options: BiLmOptions) -> list[ProjectedLstm]:
    torch.manual_seed(0)
    lstms = [ProjectedLstm(options).double() for _ in range(2)]
    for lstm in lstms:
        for parameter in lstm.parameters():
            nn.init.normal_(parameter, std=0.5)
    return lstms


def start(options: BiLmOptions) -> tuple[Tensor, LstmState]:
    width, dim = options.projection_dim, options.lstm_dim
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(2, STEPS, STREAMS, width, generator=generator, dtype=torch.float64)
    hidden = 0.1 * torch.randn(2, STREAMS, width, generator=generator, dtype=torch.float64)
    cell = 0.1 * torch.randn(2, STREAMS, dim, generator=generator, dtype=torch.float64)
    return inputs, LstmState(hidden, cell)


def loop(lstm: ProjectedLstm, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Run a layer step by step in torch's public operators, for which autograd finds the gradient."""
    options, outputs = lstm.options, []
    bound = options.cell_clip or torch.inf, options.proj_clip or torch.inf
    for step in inputs:
        gates = torch.cat([step, hidden], dim=1) @ lstm.weight + lstm.bias  # (streams, 4 * dim)
        enters, candidate, stays, leaves = gates.chunk(4, dim=1)
        cell = torch.sigmoid(stays + 1) * cell + torch.sigmoid(enters) * torch.tanh(candidate)
        cell = cell.clamp(-bound[0], bound[0])
        hidden = torch.sigmoid(leaves) * torch.tanh(cell)
        if options.projects_states:
            hidden = (hidden @ lstm.projection).clamp(-bound[1], bound[1])
        outputs.append(hidden)
    return torch.stack(outputs), cell


@pytest.mark.parametrize("form", FORMS)
def test_a_window_equals_a_loop_over_its_steps_and_so_do_its_gradients(form: str) -> None:
    options = options_of(form)
    lstm = two_directions(options)[0]
    inputs, state = start(options)
    inputs = inputs[0].requires_grad_()  # (steps, streams, projection_dim)
    before = LstmState(state.hidden[0], state.cell[0])
    wanted = torch.randn(STEPS, STREAMS, options.projection_dim, dtype=torch.float64)
    leaves = [inputs, *lstm.parameters()]

    expected, cell = loop(lstm, inputs, before.hidden, before.cell)
    output, last = window_lstm(lstm, inputs, before)
    torch.testing.assert_close(output, expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(last.cell, cell.detach(), atol=1e-12, rtol=0)
    ours = torch.autograd.grad((output * wanted).sum(), leaves)
    theirs = torch.autograd.grad((expected * wanted).sum(), leaves)
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-10)
    if form == "clips that bite":
        assert (cell.abs() == 0.4).any()
        assert (expected.abs() == 0.2).any()


def test_a_gradient_that_comes_in_is_not_changed() -> None:
    options = options_of("clips that bite")
    lstm = two_directions(options)[0]
    inputs, state = start(options)
    output, _ = window_lstm(lstm, inputs[0], LstmState(state.hidden[0], state.cell[0]))
    wanted = torch.ones_like(output)
    output.backward(wanted)
    assert (wanted == 1).all()


def test_the_state_after_a_window_has_no_gradient() -> None:
    options = options_of("no clip")
    lstms = two_directions(options)
    inputs, state = start(options)
    _, last = run_window(lstms, inputs.requires_grad_(), state)
    assert not last.hidden.requires_grad
    assert not last.cell.requires_grad


def test_a_second_window_continues_where_the_first_ended() -> None:
    options = options_of("clips that bite")
    lstms = two_directions(options)
    inputs, state = start(options)
    whole, _ = run_window(lstms, inputs, state)
    first, between = run_window(lstms, inputs[:, :2], state)
    second, _ = run_window(lstms, inputs[:, 2:], between)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole, atol=1e-12, rtol=0)


def test_bfloat16_products_are_near_float32() -> None:
    options = options_of("no clip")
    lstms = [lstm.float() for lstm in two_directions(options)]
    parameters = [p for lstm in lstms for p in lstm.parameters()]
    inputs, state = start(options)
    inputs, state = inputs.float(), LstmState(state.hidden.float(), state.cell.float())
    gradients = {}
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            outputs, last = run_window(lstms, inputs, state)
        assert outputs.dtype == last.cell.dtype == torch.float32
        gradients[enabled] = torch.autograd.grad(outputs.square().sum(), parameters)
    for rough, exact in zip(gradients[True], gradients[False], strict=True):
        assert rough.dtype == torch.float32
        assert not torch.equal(rough, exact)
        assert (rough - exact).norm() < 0.05 * exact.norm()


def test_sums_of_bfloat16_products_are_float32() -> None:
    char_cnn = tiny_elmo(Path("unused")).bilm.char_cnn.requires_grad_(True)
    ids = char_ids(["words", "of", "several", "lengths"])
    exact = char_cnn(ids)  # (words, projection_dim)
    with torch.autocast("cpu", torch.bfloat16):
        rough = char_cnn(ids)
    assert rough.dtype == torch.float32
    assert 0 < (rough - exact).norm() < 0.01 * exact.norm()


def test_the_gradient_of_the_character_cnn_is_that_of_convolutions() -> None:
    char_cnn = tiny_elmo(Path("unused")).bilm.char_cnn.double().requires_grad_(True)
    ids = char_ids(["words", "of", "several", "lengths"])
    table = nn.functional.pad(char_cnn.char_embed, (0, 0, 1, 0))
    for weight in char_cnn.conv_weight:
        best = char_cnn._convolved(ids, table, weight[0]), char_cnn._summed(ids, table, weight[0])
        torch.testing.assert_close(*best)
        expected, ours = (torch.autograd.grad(one.square().sum(), [weight, char_cnn.char_embed]) for one in best)
        torch.testing.assert_close(ours, expected)

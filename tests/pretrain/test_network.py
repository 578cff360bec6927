"""The network in training, compared with the encoder that is exported from it."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from harness.encoders.char_ids import BOS, EOS, char_ids
from harness.encoders.elmo import ElmoEncoder, load_elmo
from harness.encoders.options import parse_options
from harness.encoders.random_elmo import random_weights
from harness.encoders.weights import read_weights, write_weights
from harness.errors import WeightsError
from harness.pretrain.exported_model import as_official
from harness.pretrain.network import Batch, PretrainingNetwork
from harness.pretrain.perplexity import perplexity
from harness.pretrain.softmax import log_uniform
from harness.pretrain.vocabulary import UNK, Vocabulary
from harness.utils.files import write_json
from tests.support.encoders import changed

SENTENCES = [tuple("the bank was closed .".split()), tuple("a river".split()), tuple("extraordinarily so".split())]
VOCABULARY = Vocabulary([BOS, EOS, UNK, "the", "bank", ".", "a", "river"])
FORMS = {
    "clipped": {},
    "not clipped": {"lstm": {"cell_clip": None, "proj_clip": None}},
    "tanh": {"char_cnn": {"activation": "tanh"}},
}


def network_of(form: str = "clipped", dropout: float = 0.0) -> tuple[PretrainingNetwork, dict]:
    raw = changed(FORMS[form])
    options = parse_options(raw, source="test")
    torch.manual_seed(0)
    network = PretrainingNetwork(options=options, vocabulary_size=len(VOCABULARY), dropout=dropout)
    network.load_official(random_weights(options, seed=0))
    return network, as_official(raw)


def batch_of(sentence: tuple[str, ...]) -> Batch:
    """Return a batch of one stream that reads one sentence in both directions."""
    words = [BOS, *sentence, EOS]
    types = sorted(set(words), key=lambda word: len(word.encode()))
    rows = torch.tensor([types.index(word) for word in words])
    targets = torch.from_numpy(VOCABULARY.rows_of(words))
    inputs = torch.stack([rows[:-1], rows.flip(0)[:-1]])[..., None]  # (directions, steps, streams)
    ahead = torch.stack([targets[1:], targets.flip(0)[1:]])[..., None]
    return Batch(char_ids(types, max_chars=50), inputs, ahead)


def export(network: PretrainingNetwork, official: dict, folder: Path) -> ElmoEncoder:
    write_json(folder / "options.json", official)
    write_weights(folder / "weights.hdf5", network.official())
    paths = str(folder / "options.json"), str(folder / "weights.hdf5")
    return load_elmo(name="exported", options=paths[0], weights=paths[1], state="zeros", cache_dir=str(folder))


@pytest.mark.parametrize("form", FORMS)
def test_the_exported_encoder_computes_what_the_network_computed(form: str, tmp_path: Path) -> None:
    network, official = network_of(form)
    encoder = export(network, official, tmp_path)
    assert encoder.options == network.options
    for sentence, (_, layers) in zip(SENTENCES, sorted(encoder.encode(SENTENCES)), strict=True):
        with torch.no_grad():
            top, _ = network.contextual(batch_of(sentence), network.zero_state(1))  # (directions, steps, 1, width)
        forward, backward = top[0, 1:, 0], top[1, 1:, 0].flip(0)  # the outputs at each word
        torch.testing.assert_close(layers[-1], torch.cat([forward, backward], dim=1), atol=1e-6, rtol=0)


def test_the_loss_of_a_window_is_the_sampled_loss_of_its_words() -> None:
    network, _ = network_of()
    negatives = log_uniform(len(VOCABULARY), len(VOCABULARY), np.random.default_rng(0))  # with all words, no correction
    losses, _ = network(batch_of(SENTENCES[0]), network.zero_state(1), negatives)
    measured = perplexity(network, SENTENCES[:1], VOCABULARY, state="zeros")
    assert losses.exp().tolist() == pytest.approx([measured.forward, measured.backward], rel=1e-4)


def test_dropout_acts_only_in_training() -> None:
    network, _ = network_of(dropout=0.5)
    batch, state = batch_of(SENTENCES[0]), network.zero_state(1)
    one, other = (network.contextual(batch, state)[0] for _ in range(2))
    assert not torch.equal(one, other)
    network.eval()
    one, other = (network.contextual(batch, state)[0] for _ in range(2))
    assert torch.equal(one, other)


def test_gradients_reach_every_parameter() -> None:
    network, _ = network_of()
    negatives = log_uniform(len(VOCABULARY), 4, np.random.default_rng(0))
    losses, _ = network(batch_of(SENTENCES[0]), network.zero_state(1), negatives)
    losses.sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.to_dense().abs().sum()) > 0, name


@pytest.mark.parametrize("state", ["zeros", "warm", "carry"])
def test_perplexity_equals_a_loop_over_words(state: str) -> None:
    network, _ = network_of()
    repeated = SENTENCES * 12 if state == "carry" else SENTENCES  # more than one batch
    measured = perplexity(network, repeated, VOCABULARY, state=state)  # type: ignore[arg-type]
    encoder = ElmoEncoder(
        name="x",
        options=network.options,
        weights=network.official(),
        weights_digest="",
        state="zeros",
    )
    expected = [0.0, 0.0]
    states = {}
    for index, sentence in enumerate(repeated):
        bounded = [BOS, *sentence, EOS]
        types, rows = encoder._words.of(bounded)
        words = types[rows]
        for d, (order, reading) in enumerate(((range(len(bounded)), 1), (range(len(bounded) - 1, -1, -1), -1))):
            start = [(torch.zeros(1, 8), torch.zeros(1, 16))] * 2
            if state == "warm":
                start = burn_in(network, encoder, d)
            current = states.get((index % 32, d), start) if state == "carry" else start
            for position in order:
                top, current = step(network, d, words[position : position + 1], current)
                ahead = position + reading
                if 0 <= ahead < len(bounded):
                    target = torch.from_numpy(VOCABULARY.rows_of([bounded[ahead]]))
                    expected[d] += float(network.softmax.nll(top, target))
            states[index % 32, d] = current
    count = sum(len(sentence) + 1 for sentence in repeated)
    assert measured.tokens == count
    assert measured.unknown == pytest.approx(4 / 12)
    wanted = [float(np.exp(total / count)) for total in expected]
    assert [measured.forward, measured.backward] == pytest.approx(wanted, rel=1e-5)


def step(network: PretrainingNetwork, d: int, word: torch.Tensor, state: list) -> tuple[torch.Tensor, list]:
    """Run one word through both layers of one direction, from the formulas."""
    after, value = [], word
    for layer, (hidden, cell) in enumerate(state):
        lstm = network.bilm.directions[d][layer]  # type: ignore[index]
        gates = torch.cat([value, hidden], dim=1) @ lstm.weight + lstm.bias
        i, j, f, o = gates.chunk(4, dim=1)
        cell = (torch.sigmoid(f + 1) * cell + torch.sigmoid(i) * torch.tanh(j)).clamp(-3, 3)
        hidden = ((torch.sigmoid(o) * torch.tanh(cell)) @ lstm.projection).clamp(-3, 3)
        after.append((hidden.detach(), cell.detach()))
        value = hidden + value if layer else hidden
    return value.detach(), after


def burn_in(network: PretrainingNetwork, encoder: ElmoEncoder, d: int) -> list:
    from harness.encoders.burn_in import BURN_IN

    state = [(torch.zeros(1, 8), torch.zeros(1, 16))] * 2
    for sentence in BURN_IN:
        types, rows = encoder._words.of([BOS, *sentence.split(), EOS])
        words = types[rows]
        for position in range(len(words))[:: -1 if d else 1]:
            _, state = step(network, d, words[position : position + 1], state)
    return state


def test_half_precision_rounds_the_weights(tmp_path: Path) -> None:
    network, official = network_of()
    export(network, official, tmp_path)
    write_weights(tmp_path / "half.hdf5", network.official(), precision="float16")
    with h5py.File(tmp_path / "half.hdf5") as file:
        assert file["char_embed"].dtype == np.float32  # every reader then computes in float32
    halves, wholes = (read_weights(tmp_path / name, network.options) for name in ("half.hdf5", "weights.hdf5"))
    for name, whole in wholes.items():
        assert halves[name].dtype == torch.float32
        torch.testing.assert_close(halves[name], whole.half().float(), atol=0, rtol=0)


def test_half_precision_halves_the_size_of_the_file(tmp_path: Path) -> None:
    weights = {"w": torch.randn(512, 512, generator=torch.Generator().manual_seed(0))}
    for precision in ("float16", "float32"):
        write_weights(tmp_path / precision, weights, precision=precision)  # type: ignore[arg-type]
    assert (tmp_path / "float16").stat().st_size < 0.6 * (tmp_path / "float32").stat().st_size


def test_a_weight_too_large_for_half_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="'char_embed' is not finite as float16"):
        write_weights(tmp_path / "w.hdf5", {"char_embed": torch.tensor([1e6])}, precision="float16")
    assert not list(tmp_path.iterdir())

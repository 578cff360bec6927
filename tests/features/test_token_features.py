"""Token features: where mixes and static vectors enter, what the head receives, and what is trained."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.errors import ConfigError
from harness.features.layer_mix import ConcatMix, FixedMix, ScalarMix
from harness.features.static_vectors import StaticVectors
from harness.features.token_features import Placement, TokenFeatures
from harness.types import Batch, Example, Sentence

LAYERS, DIM, STATIC_DIM = 3, 4, 2
VECTORS = {"the": [1.0, 2.0], "bank": [3.0, -4.0], "river": [0.5, 0.25], "unseen": [8.0, 9.0]}
VOCABULARY = ["the", "bank", "river", "novel"]  # "novel" has no vector, "unseen" has one but is not needed
PREMISES = [("the", "bank", "river"), ("bank",), ("the", "novel")]
HYPOTHESES = [("river", "the"), ("the", "river", "bank", "the"), ()]


class FakeSource:
    """Layers with random numbers that depend on the word, its position and the layer."""

    encoder = SimpleNamespace(num_layers=LAYERS, dim=DIM)

    def read(self, sentences: Sequence[Sentence], layers: Sequence[int] | None = None) -> Tensor:
        longest = max(len(sentence) for sentence in sentences)
        all_layers = torch.zeros(len(sentences), LAYERS, longest, DIM)
        for row, sentence in zip(all_layers, sentences, strict=True):
            for place, word in enumerate(sentence):
                generator = torch.Generator().manual_seed(sum(word.encode()) + place)
                row[:, place] = torch.randn(LAYERS, DIM, generator=generator)
        return all_layers if layers is None else all_layers[:, list(layers)]


def make_mix(**options: Any) -> ScalarMix:
    return ScalarMix(num_layers=LAYERS, dim=DIM, **options)


Statics = Callable[..., StaticVectors]


@pytest.fixture
def statics(tmp_path: Path) -> Statics:
    """Return a function that makes static vectors from a small file."""
    path = tmp_path / "vectors.txt"
    path.write_text("".join(f"{word} {x} {y}\n" for word, (x, y) in VECTORS.items()))

    def make(**options: Any) -> StaticVectors:
        return StaticVectors(name="tiny", path=path, cache_dir=tmp_path / "cache", **options)

    return make


def collate(**texts: list[Sentence]) -> Batch:
    """Pad sentences to a batch; each text has its own mask."""
    rows = zip(*texts.values(), strict=True)
    examples = tuple(Example(id=str(i), texts=dict(zip(texts, row, strict=True))) for i, row in enumerate(rows))
    masks = {}
    for name, sentences in texts.items():
        lengths = torch.tensor([len(sentence) for sentence in sentences])
        masks[name] = torch.arange(int(lengths.max())) < lengths[:, None]  # (batch, tokens)
    return Batch(examples=examples, masks=masks)


BATCH = collate(tokens=PREMISES)


def features(*, static: StaticVectors | None = None, contextual: bool = True, **options: Any) -> TokenFeatures:
    """Return features over the fake source, in evaluation mode."""
    source = FakeSource() if contextual else None
    built = TokenFeatures(
        source=source,
        static=static,
        vocabulary=VOCABULARY if static is not None else (),
        **{"make_mix": make_mix if contextual else None} | options,
    )
    return built.eval()


def set_weights(mix: torch.nn.Module, weights: list[float], gamma: float) -> None:
    assert isinstance(mix, ScalarMix)
    with torch.no_grad():
        mix.weights.copy_(torch.tensor(weights))
        mix.gamma.fill_(gamma)


def test_placement_input_mixes_before_the_static_vectors(statics: Statics) -> None:
    built = features(static=statics())
    assert (built.input_dim, built.output_dim) == (DIM + STATIC_DIM, 0)
    layers = built.read(BATCH)
    vectors = built(layers, BATCH)["tokens"]
    assert vectors.output is None
    assert vectors.input.shape == (3, 3, DIM + STATIC_DIM)
    torch.testing.assert_close(vectors.input[..., :DIM], layers["tokens"].mean(dim=1))
    expected = torch.tensor([VECTORS["the"], VECTORS["bank"], VECTORS["river"]])
    assert torch.equal(vectors.input[0, :, DIM:], expected)


def test_placement_output_leaves_the_static_vectors_at_the_input(statics: Statics) -> None:
    built = features(static=statics(), placement="output")
    assert (built.input_dim, built.output_dim) == (STATIC_DIM, DIM)
    layers = built.read(BATCH)
    vectors = built(layers, BATCH)["tokens"]
    assert torch.equal(vectors.input[0, 1], torch.tensor(VECTORS["bank"]))
    assert vectors.input.shape == (3, 3, STATIC_DIM)
    assert vectors.output is not None
    torch.testing.assert_close(vectors.output, layers["tokens"].mean(dim=1))


@pytest.mark.parametrize("with_static", [True, False])
def test_placement_both_has_two_mixes_with_separate_parameters(statics: Statics, with_static: bool) -> None:
    built = features(static=statics() if with_static else None, placement="both")
    assert (built.input_dim, built.output_dim) == (DIM + with_static * STATIC_DIM, DIM)
    names = {name for name, parameter in built.named_parameters() if parameter.requires_grad}
    assert names == {f"mixes.{place}.{name}" for place in ("input", "output") for name in ("weights", "gamma")}
    set_weights(built.mixes["input"], [50.0, 0.0, 0.0], 2.0)
    set_weights(built.mixes["output"], [0.0, 0.0, 50.0], 3.0)
    layers = built.read(BATCH)
    vectors = built(layers, BATCH)["tokens"]
    torch.testing.assert_close(vectors.input[..., :DIM], 2 * layers["tokens"][:, 0])
    torch.testing.assert_close(vectors.output, 3 * layers["tokens"][:, 2])


def test_widths_follow_the_mix() -> None:
    built = features(make_mix=lambda: ConcatMix(num_layers=LAYERS, dim=DIM), placement="both")
    assert (built.input_dim, built.output_dim) == (LAYERS * DIM, LAYERS * DIM)
    vectors = built(built.read(BATCH), BATCH)["tokens"]
    assert vectors.input.shape[2] == vectors.output.shape[2] == LAYERS * DIM


def test_every_text_goes_through_the_same_mix(statics: Statics) -> None:
    built = features(static=statics(), placement="both")
    set_weights(built.mixes["input"], [0.3, -1.0, 2.0], 1.5)
    pairs = collate(premise=PREMISES, hypothesis=HYPOTHESES)
    vectors = built(built.read(pairs), pairs)
    assert list(vectors) == ["premise", "hypothesis"]
    for text, sentences in (("premise", PREMISES), ("hypothesis", HYPOTHESES)):
        alone = collate(tokens=sentences)
        expected = built(built.read(alone), alone)["tokens"]
        torch.testing.assert_close(vectors[text].input, expected.input)
        torch.testing.assert_close(vectors[text].output, expected.output)


def test_static_vectors_alone(statics: Statics) -> None:
    built = features(static=statics(), contextual=False, placement="both")
    assert (built.input_dim, built.output_dim) == (STATIC_DIM, 0)
    assert built.read(BATCH) == {}
    vectors = built({}, BATCH)["tokens"]
    assert vectors.output is None
    assert torch.equal(vectors.input[1], torch.tensor([VECTORS["bank"], [0.0, 0.0], [0.0, 0.0]]))
    assert built.penalty() == 0
    assert built.mix_state() == {"weights": {}, "gamma": {}}


def test_an_encoder_alone() -> None:
    built = features()
    assert (built.input_dim, built.output_dim) == (DIM, 0)
    assert built.static is None
    layers = built.read(BATCH)
    torch.testing.assert_close(built(layers, BATCH)["tokens"].input, layers["tokens"].mean(dim=1))


@pytest.mark.parametrize(("contextual", "placement"), [(True, "output"), (False, "input"), (False, "both")])
def test_an_empty_input_is_refused(contextual: bool, placement: Placement) -> None:
    with pytest.raises(ConfigError, match=r"at its input: .*mixing\.placement=input\|both.* embedding=") as caught:
        features(contextual=contextual, placement=placement)
    assert "\n" not in str(caught.value)


def test_the_penalty_is_the_sum_over_the_mixes() -> None:
    built = features(make_mix=lambda: make_mix(lambda_=0.1), placement="both")
    set_weights(built.mixes["input"], [1.0, -2.0, 3.0], 7.0)
    set_weights(built.mixes["output"], [0.0, 0.5, 0.0], 7.0)
    penalty = built.penalty()
    assert isinstance(penalty, Tensor)
    assert penalty.item() == pytest.approx(0.1 * (1 + 4 + 9 + 0.25))
    penalty.backward()
    for place in ("input", "output"):
        mix = built.mixes[place]
        torch.testing.assert_close(mix.weights.grad, 0.2 * mix.weights.detach())
        assert mix.gamma.grad is None


def test_a_mix_without_penalty_adds_none() -> None:
    assert features(make_mix=lambda: FixedMix(num_layers=LAYERS, dim=DIM, index=-1)).penalty() == 0


@pytest.mark.parametrize("index", [0, 1, -1])
def test_only_the_layers_that_the_mix_uses_are_read(index: int) -> None:
    built = features(make_mix=lambda: FixedMix(num_layers=LAYERS, dim=DIM, index=index), placement="both")
    wanted = FakeSource().read(BATCH.sentences("tokens"))[:, index]  # (batch, tokens, dim)
    assert torch.equal(built.read(BATCH)["tokens"], wanted.unsqueeze(1))
    vectors = built(built.read(BATCH), BATCH)["tokens"]
    assert torch.equal(vectors.input[..., :DIM], wanted)
    assert torch.equal(vectors.output, wanted)


@pytest.mark.parametrize("used", [[], [-1], [2, 0], [1, 1]])
def test_layers_in_a_wrong_order_are_refused(used: list[int]) -> None:
    def make() -> FixedMix:
        mix = FixedMix(num_layers=LAYERS, dim=DIM, index=None)
        mix.layers_used = used
        return mix

    with pytest.raises(ConfigError, match=r"FixedMix.layers_used is .*; expected layers from the lowest"):
        features(make_mix=make)


def test_the_mix_state_is_by_place() -> None:
    built = features(placement="both")
    set_weights(built.mixes["output"], [0.0, 50.0, 0.0], 2.5)
    state = built.mix_state()
    assert state["weights"]["input"] == pytest.approx([1 / 3] * 3)
    assert state["weights"]["output"] == pytest.approx([0, 1, 0])
    assert state["gamma"] == {"input": 1.0, "output": 2.5}
    assert list(features().mix_state()["gamma"]) == ["input"]
    concat = features(make_mix=lambda: ConcatMix(num_layers=LAYERS, dim=DIM))
    assert concat.mix_state() == {"weights": {}, "gamma": {}}


def test_gradient_reaches_the_weights_and_gamma_of_both_places(statics: Statics) -> None:
    built = features(static=statics(), placement="both").train()
    vectors = built(built.read(BATCH), BATCH)["tokens"]
    vectors.input.square().sum().backward()
    assert built.mixes["output"].gamma.grad is None  # not through the other place
    vectors = built(built.read(BATCH), BATCH)["tokens"]
    vectors.output.square().sum().backward()
    for place in ("input", "output"):
        mix = built.mixes[place]
        assert mix.gamma.grad.abs() > 1e-3
        assert bool((mix.weights.grad.abs() > 1e-3).all())


def test_frozen_static_vectors_are_not_trained(statics: Statics) -> None:
    built = features(static=statics(), contextual=False).train()
    assert not [name for name, parameter in built.named_parameters() if parameter.requires_grad]
    assert not built({}, BATCH)["tokens"].input.requires_grad


def test_trainable_static_vectors_learn_and_padding_stays_zero(statics: Statics) -> None:
    built = features(static=statics(trainable=True), contextual=False).train()
    (parameter,) = (parameter for parameter in built.parameters() if parameter.requires_grad)
    before = built({}, BATCH)["tokens"].input
    before.sum().backward()
    assert parameter.grad is not None
    used = parameter.grad.abs().sum(dim=1) > 0  # (rows,)
    assert not used[0]  # padding
    assert int(used.sum()) == len(VOCABULARY)  # every word of the batch, and no unknown one
    torch.optim.Adam([parameter], lr=0.1, weight_decay=0.1).step()
    after = built({}, BATCH)["tokens"].input
    mask = BATCH.masks["tokens"]
    assert bool(((after - before)[mask].abs() > 0.05).all())
    assert bool((after[~mask] == 0).all())
    assert bool((parameter[0] == 0).all())


def test_two_features_do_not_train_one_table(statics: Statics) -> None:
    static = statics(trainable=True)
    one, other = features(static=static, contextual=False), features(static=static, contextual=False)
    with torch.no_grad():
        next(one.parameters()).fill_(9.0)
    assert torch.equal(other({}, BATCH)["tokens"].input[0, 0], torch.tensor(VECTORS["the"]))


@pytest.mark.parametrize(("oov", "expected"), [("zeros", [0.0, 0.0]), ("mean", [3.125, 1.8125]), ("normal", None)])
def test_a_word_outside_the_vocabulary_gets_the_oov_vector(
    statics: Statics, oov: str, expected: list[float] | None
) -> None:
    built = features(static=statics(oov=oov), contextual=False)
    batch = collate(tokens=[("brand-new", "the", ""), ("another", "unseen")])
    vectors = built({}, batch)["tokens"].input
    (unknown,) = statics(oov=oov).lookup([""])[0]
    if expected is not None:
        assert unknown.tolist() == expected
    else:
        assert bool((unknown != 0).all())
    for row, place in ((0, 0), (0, 2), (1, 0), (1, 1)):
        assert torch.equal(vectors[row, place], unknown)
    assert torch.equal(vectors[0, 1], torch.tensor(VECTORS["the"]))
    assert torch.equal(vectors[1, 2], torch.zeros(2))  # padding is not an unknown word


def test_a_word_of_the_vocabulary_without_a_vector_gets_its_own(statics: Statics) -> None:
    static = statics(oov="normal")
    built = features(static=static, contextual=False)
    actual = built({}, collate(tokens=[("novel",)]))["tokens"].input[0, 0]
    assert torch.equal(actual, static.lookup(["novel"])[0][0])
    assert not torch.equal(actual, static.lookup([""])[0][0])


@pytest.mark.parametrize("layer_norm", ["none", "paper", "token"])
def test_more_padding_changes_nothing(statics: Statics, layer_norm: str) -> None:
    built = features(static=statics(oov="mean"), placement="both", make_mix=lambda: make_mix(layer_norm=layer_norm))
    layers, mask = built.read(BATCH)["tokens"], BATCH.masks["tokens"]
    narrow = built({"tokens": layers}, BATCH)["tokens"]
    padded = torch.nn.functional.pad(layers, (0, 0, 0, 4))  # (batch, layers, tokens + 4, dim)
    wider = Batch(examples=BATCH.examples, masks={"tokens": torch.nn.functional.pad(mask, (0, 4))})
    wide = built({"tokens": padded}, wider)["tokens"]
    for one, other in ((narrow.input, wide.input), (narrow.output, wide.output)):
        torch.testing.assert_close(other[:, :3], one)
        assert bool((other[:, 3:] == 0).all())
        assert bool((one[~mask] == 0).all())


def test_mix_dropout_applies_only_to_the_mix_of_each_place(statics: Statics) -> None:
    built = features(static=statics(), placement="both", mix_dropout=0.5)
    layers = built.read(BATCH)
    whole = built(layers, BATCH)["tokens"]
    torch.manual_seed(0)
    dropped = built.train()(layers, BATCH)["tokens"]
    assert torch.equal(dropped.input[..., DIM:], whole.input[..., DIM:])
    mask = BATCH.masks["tokens"]
    gone = {}
    for place, one, other in (
        ("input", whole.input[..., :DIM], dropped.input[..., :DIM]),
        ("output", whole.output, dropped.output),
    ):
        gone[place] = (other == 0)[mask]
        assert 0 < int(gone[place].sum()) < gone[place].numel()
        torch.testing.assert_close(other[mask][~gone[place]], 2 * one[mask][~gone[place]])
    assert not torch.equal(gone["input"], gone["output"])

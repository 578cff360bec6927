import subprocess
import sys
from pathlib import Path

import pytest
import torch

import harness
from harness.errors import ConfigError, HarnessError
from harness.features.store import FeatureStore
from tests.support.encoders import tiny_elmo


@pytest.fixture(scope="module")
def elmo_mini() -> "harness.TextEncoder":
    return harness.load_encoder("elmo_mini", device="cpu")


def test_the_three_lines_of_the_readme(elmo_mini):
    layers = elmo_mini(["The cat sat .".split(), ["Dogs", "bark"]])
    assert [tuple(one.shape) for one in layers] == [(3, 4, 256), (3, 2, 256)]
    assert all(one.dtype == torch.float32 for one in layers)


def test_texts_keep_their_order_and_raw_text_is_tokenised(elmo_mini):
    raw, tokens = elmo_mini(["The cat isn't here.", "The cat is n't here .".split()])
    assert torch.equal(raw, tokens)
    assert torch.equal(elmo_mini("The cat isn't here."), raw)
    assert elmo_mini.tokenize("The cat isn't here.") == "The cat is n't here .".split()


def test_unusual_texts(elmo_mini):
    texts = [[], ["\U0001f600", "猫が好き", "x" * 500, "\u200b"], ["word"] * 3000, "", []]
    shapes = [one.shape[1] for one in elmo_mini(texts)]
    assert shapes == [0, 4, 3000, 0, 0]
    assert elmo_mini([]) == []


def test_the_vectors_are_those_of_the_feature_store(tmp_path):
    encoder = tiny_elmo(tmp_path)
    sentences = [("a", "b", "c"), ("longer", "sentences", "come", "first"), ("a",)]
    store = FeatureStore(tmp_path / "features", encoder, dtype="float32")
    store.fill(sentences)
    stored = store.read(sentences)
    for row, vectors in zip(stored, harness.TextEncoder(encoder)(sentences), strict=True):
        torch.testing.assert_close(row[:, : vectors.shape[1]], vectors, atol=1e-6, rtol=0)


def test_options_of_the_encoder_are_arguments(tmp_path):
    encoder = harness.load_encoder("random", weights_seed=3, device="cpu")
    other = harness.load_encoder("random", device="cpu")
    assert encoder.encoder.fingerprint != other.encoder.fingerprint


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("elmo_mni", {}, "did you mean 'elmo_mini'"),
        ("elmo_mini", {"stat": "warm"}, "did you mean 'state'"),
        ("none", {}, "nothing to load"),
        ("elmo", {}, "encoder.options"),
    ],
)
def test_a_wrong_request_is_one_line(name, options, text):
    with pytest.raises(ConfigError, match=text) as error:
        harness.load_encoder(name, **options)
    assert "\n" not in str(error.value)


def test_importing_the_package_imports_nothing_heavy():
    code = "import harness, sys; print([m for m in ('torch', 'numpy', 'hydra', 'pydantic') if m in sys.modules])"
    folder = Path(harness.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder, timeout=300
    )
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="load_encodr"):
        _ = harness.load_encodr


def test_an_encoder_of_the_user_is_checked():
    class Half:
        name, fingerprint, state, num_layers, dim = "half", "00", "none", 1, 2
        word_layer, cacheable = False, True

        def encode(self, sentences):
            yield 0, torch.ones(1, len(sentences[0]), 2).half()

    with pytest.raises(HarnessError, match=r"Half\.encode yielded torch\.float16"):
        harness.TextEncoder(Half())("a b")

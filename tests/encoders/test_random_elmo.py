"""A biLM with random weights that depend on its seed alone."""

import copy
import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.encoders.bilm import dataset_shapes
from harness.encoders.options import parse_options
from harness.encoders.random_elmo import random_elmo, random_weights
from harness.errors import WeightsError
from tests.support.encoders import TINY, tiny_elmo

SENTENCES = [tuple("The bank by the river was closed .".split()), ("word",), ("", "🙂", "x" * 60)]
OPTIONS = parse_options(TINY, source="test")
SMALL = {
    "char_cnn": {
        "activation": "relu",
        "filters": [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]],
        "n_highway": 1,
        "embedding": {"dim": 16},
        "n_characters": 262,
        "max_characters_per_token": 50,
    },
    "lstm": {
        "use_skip_connections": True,
        "projection_dim": 128,
        "cell_clip": 3,
        "proj_clip": 3,
        "dim": 1024,
        "n_layers": 2,
    },
}


def changed(section: str, **values: Any) -> dict[str, Any]:
    """Return the tiny options with some values replaced."""
    raw = copy.deepcopy(TINY)
    raw[section] |= values
    return raw


def test_the_same_seed_gives_the_same_vectors(tmp_path: Path) -> None:
    torch.manual_seed(1)
    one = tiny_elmo(tmp_path, seed=5)
    torch.manual_seed(2)  # the seed of the run has no effect
    other = tiny_elmo(tmp_path, seed=5)
    assert one.fingerprint == other.fingerprint
    first, second = dict(one.encode(SENTENCES)), dict(other.encode(SENTENCES))
    assert all(torch.equal(first[i], second[i]) for i in range(len(SENTENCES)))


def test_another_seed_gives_other_vectors(tmp_path: Path) -> None:
    one, other = tiny_elmo(tmp_path, seed=0), tiny_elmo(tmp_path, seed=1)
    assert one.fingerprint != other.fingerprint
    first, second = dict(one.encode(SENTENCES)), dict(other.encode(SENTENCES))
    for i in range(len(SENTENCES)):
        for layer in range(3):
            assert (first[i][layer] - second[i][layer]).abs().max() > 1e-3


def test_drawing_weights_does_not_change_the_global_generator() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    random_weights(OPTIONS, seed=0)
    assert torch.equal(torch.rand(4), expected)


def test_every_dataset_has_its_own_random_stream() -> None:
    weights = random_weights(OPTIONS, seed=0)
    drawn = [(name, tensor.flatten()) for name, tensor in weights.items() if tensor.ndim > 1]
    for (name, one), (other_name, other) in itertools.combinations(drawn, 2):
        shared = min(len(one), len(other), 32)
        # The numbers must not be equal at another scale either.
        cosine = torch.cosine_similarity(one[:shared], other[:shared], dim=0)
        assert abs(float(cosine)) < 0.9, f"{name} repeats {other_name}"


@pytest.mark.parametrize(
    "raw",
    [
        changed("lstm", n_layers=3),
        changed("char_cnn", n_highway=2),
        changed("char_cnn", filters=[[1, 4], [2, 8], [3, 12], [4, 6]]),
        changed("lstm", dim=32),
    ],
    ids=["one more layer", "one more highway", "one more filter", "wider"],
)
def test_a_larger_model_does_not_change_the_other_datasets(raw: dict[str, Any]) -> None:
    small, large = random_weights(OPTIONS, seed=0), random_weights(parse_options(raw, source="test"), seed=0)
    same = [name for name in small if small[name].shape == large[name].shape]
    assert len(same) >= 10
    assert all(torch.equal(small[name], large[name]) for name in same)


def test_every_matrix_is_normal_with_variance_one_over_fan_in() -> None:
    options = parse_options(SMALL, source="test")
    for name, tensor in random_weights(options, seed=0).items():
        assert tensor.dtype == torch.float32
        assert tuple(tensor.shape) == dataset_shapes(options)[name]
        kind = name.rpartition("/")[2]
        if tensor.ndim == 1:
            assert torch.equal(tensor, torch.full_like(tensor, -2.0 if kind == "b_carry" else 0.0))
            continue
        deviation = 1 / math.sqrt(1 if kind == "char_embed" else math.prod(tensor.shape[:-1]))
        assert tensor.std().item() == pytest.approx(deviation, rel=0.1)
        assert abs(tensor.mean().item()) < 0.2 * deviation
        assert tensor.abs().max() > 2.2 * deviation  # normal, not uniform


def test_the_small_public_size_starts_at_a_sensible_scale(tmp_path: Path) -> None:
    encoder = random_elmo(options=SMALL, cache_dir=str(tmp_path))
    sentence = tuple("The town council met on Monday evening to talk about the new bridge .".split())
    layers = dict(encoder.encode([sentence, sentence * 20]))
    assert encoder.dim == 256
    for vectors in layers.values():  # (layers, tokens, dim)
        assert bool(torch.isfinite(vectors).all())
        assert len(vectors) == 3
        for layer in vectors:
            assert 0.1 < layer.std().item() < 2
            assert layer.std(dim=0).mean() > 0.002  # words differ
            assert layer.abs().max() < 8
    assert layers[1].std(dim=(1, 2)).tolist() == pytest.approx(layers[0].std(dim=(1, 2)).tolist(), rel=0.5)


def test_options_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "options.json"
    path.write_text(json.dumps(TINY))
    from_file = random_elmo(options=str(path), cache_dir=str(tmp_path))
    assert from_file.fingerprint == tiny_elmo(tmp_path).fingerprint
    wider = changed("lstm", projection_dim=12)
    assert from_file.fingerprint != random_elmo(options=wider, cache_dir=str(tmp_path)).fingerprint


def test_wrong_options_name_the_key(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"^encoder\.options: lstm\.dim is 0; expected a whole number"):
        random_elmo(options=changed("lstm", dim=0), cache_dir=str(tmp_path))
    with pytest.raises(WeightsError, match=r"none\.json: no such file; set encoder\.options"):
        random_elmo(options=str(tmp_path / "none.json"), cache_dir=str(tmp_path))

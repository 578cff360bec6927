"""Every form of the official layout, checked against a float64 biLM that consists of plain loops."""

import copy
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.encoders.bilm import dataset_shapes
from harness.encoders.elmo import load_elmo
from harness.encoders.options import BiLmOptions, parse_options, read_options
from tests.support.encoders import TINY, Array, Raw, changed, write_official

ORIGINAL = """{"lstm": {"use_skip_connections": true, "projection_dim": 512, "cell_clip": 3, "proj_clip": 3,
"dim": 4096, "n_layers": 2}, "char_cnn": {"activation": "relu", "filters": [[1, 32], [2, 32], [3, 64],
[4, 128], [5, 256], [6, 512], [7, 1024]], "n_highway": 2, "embedding": {"dim": 16}, "n_characters": 262,
"max_characters_per_token": 50}}"""
COUNTS = {  # LSTM dim, projection, highways -> parameters
    "small": (1024, 128, 1, 13_593_296),
    "medium": (2048, 256, 1, 28_027_728),
    "original": (4096, 512, 2, 93_600_848),
    "5.5B": (4096, 512, 2, 93_600_848),
}
SENTENCES = [
    tuple("The bank by the river was closed because the bank had no money left .".split()),
    ("word",),
    tuple("Zoë said 🙂 <S> twice .".split()),
    (),
    ("", "é" * 30, "x" * 60, "\u2028"),
    tuple("The bank was open .".split()),
]
FORMS: dict[str, dict[str, dict[str, Any]]] = {
    "as published": {},
    "no skip connections": {"lstm": {"use_skip_connections": False}},
    "tanh": {"char_cnn": {"activation": "tanh"}},
    "one layer": {"lstm": {"n_layers": 1}},
    "three layers": {"lstm": {"n_layers": 3}},
    "three layers, no skip connections": {"lstm": {"n_layers": 3, "use_skip_connections": False}},
    "no highway": {"char_cnn": {"n_highway": 0}},
    "two highways": {"char_cnn": {"n_highway": 2}},
    "no cell clip": {"lstm": {"cell_clip": None}},
    "no projection clip": {"lstm": {"proj_clip": None}},
    "no clip": {"lstm": {"cell_clip": None, "proj_clip": None}},
    "two clips": {"lstm": {"cell_clip": 2.5, "proj_clip": 0.5}},
    "no CNN_proj": {"char_cnn": {"filters": [[1, 2], [3, 2], [2, 4]]}},
    "no W_P_0": {"lstm": {"dim": 8, "proj_clip": 0.1}},
    "few characters": {"char_cnn": {"max_characters_per_token": 6}},
    "without all optional parts": {
        "char_cnn": {"filters": [[2, 8]], "n_highway": 0},
        "lstm": {"dim": 8, "n_layers": 1, "cell_clip": None, "proj_clip": None},
    },
}


def layout(raw: Raw) -> dict[str, tuple[int, ...]]:
    """Return the datasets of the file and their shapes, from the published list."""
    cnn, lstm = raw["char_cnn"], raw["lstm"]
    width, dim, n_filters = lstm["projection_dim"], lstm["dim"], sum(n for _, n in cnn["filters"])
    shapes: dict[str, tuple[int, ...]] = {"char_embed": (261, cnn["embedding"]["dim"])}
    for i, (w, n) in enumerate(cnn["filters"]):
        shapes |= {f"CNN/W_cnn_{i}": (1, w, cnn["embedding"]["dim"], n), f"CNN/b_cnn_{i}": (n,)}
    for k in range(cnn["n_highway"]):
        shapes |= {f"CNN_high_{k}/W_carry": (n_filters, n_filters), f"CNN_high_{k}/b_carry": (n_filters,)}
        shapes |= {f"CNN_high_{k}/W_transform": (n_filters, n_filters), f"CNN_high_{k}/b_transform": (n_filters,)}
    if n_filters != width:
        shapes |= {"CNN_proj/W_proj": (n_filters, width), "CNN_proj/b_proj": (width,)}
    for d in range(2):
        for layer in range(lstm["n_layers"]):
            cell = f"RNN_{d}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
            shapes |= {f"{cell}/W_0": (2 * width, 4 * dim), f"{cell}/B": (4 * dim,)}
            if dim != width:
                shapes[f"{cell}/W_P_0"] = (dim, width)
    return shapes


def draw(raw: Raw, gain: float) -> dict[str, Array]:
    """Draw float32 weights, none of them zero; a large ``gain`` makes the LSTMs reach their clipping bounds.

    It does not change W_0: a larger W_0 makes the LSTMs chaotic, and then float32 cannot follow float64.
    """
    rng = np.random.default_rng(7)
    weights = {}
    for name, shape in layout(raw).items():
        scale = 0.5 if len(shape) == 1 else 1 / math.sqrt(math.prod(shape[:-1]))
        scale = 1.0 if name == "char_embed" else scale * gain if name.endswith(("/B", "/W_P_0")) else scale
        weights[name] = (rng.standard_normal(shape) * scale).astype(np.float32)
    return weights


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


class Reference:
    """The biLM, one word, one position and one step at a time, in float64.

    ``beyond`` counts the values that a clip changes; if there is no clip, those that a clip at 3 would change.
    """

    def __init__(self, raw: Raw, weights: Mapping[str, Array]) -> None:
        self.cnn, self.lstm = raw["char_cnn"], raw["lstm"]
        self.weights = {name: value.astype(np.float64) for name, value in weights.items()}
        self.beyond = {"cell_clip": 0, "proj_clip": 0}
        self.known: dict[str, Array] = {}

    def characters(self, word: str) -> list[int]:
        slots = self.cnn["max_characters_per_token"]
        content = {"<S>": [256], "</S>": [257]}.get(word, list(word.encode())[: slots - 2])
        filled = [258, *content, 259]
        return filled + [260] * (slots - len(filled))

    def word(self, word: str) -> Array:
        if word not in self.known:
            self.known[word] = self.convolve([self.weights["char_embed"][raw] for raw in self.characters(word)])
        return self.known[word]

    def convolve(self, chars: list[Array]) -> Array:
        weights, pooled = self.weights, []
        for i, (width, count) in enumerate(self.cnn["filters"]):
            best = np.full(count, -np.inf)
            for start in range(len(chars) - width + 1):
                total = weights[f"CNN/b_cnn_{i}"].copy()
                for k in range(width):
                    total += chars[start + k] @ weights[f"CNN/W_cnn_{i}"][0, k]
                best = np.maximum(best, total)
            pooled.append(np.maximum(best, 0) if self.cnn["activation"] == "relu" else np.tanh(best))
        x = np.concatenate(pooled)
        for k in range(self.cnn["n_highway"]):
            high = f"CNN_high_{k}"
            g = sigmoid(x @ weights[f"{high}/W_carry"] + weights[f"{high}/b_carry"])
            x = g * np.maximum(x @ weights[f"{high}/W_transform"] + weights[f"{high}/b_transform"], 0) + (1 - g) * x
        if len(x) != self.lstm["projection_dim"]:
            x = x @ weights["CNN_proj/W_proj"] + weights["CNN_proj/b_proj"]
        return x

    def clip(self, value: Array, kind: str) -> Array:
        bound = self.lstm[kind]
        self.beyond[kind] += int((np.abs(value) > (bound or 3)).sum())
        return value if bound is None else np.minimum(np.maximum(value, -bound), bound)

    def run(self, d: int, layer: int, inputs: list[Array]) -> list[Array]:
        cell = f"RNN_{d}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
        h, c = np.zeros(self.lstm["projection_dim"]), np.zeros(self.lstm["dim"])
        outputs = []
        for x in inputs:
            z = np.concatenate([x, h]) @ self.weights[f"{cell}/W_0"] + self.weights[f"{cell}/B"]
            i, j, f, o = np.split(z, 4)
            c = self.clip(sigmoid(f + 1.0) * c + sigmoid(i) * np.tanh(j), "cell_clip")
            h = sigmoid(o) * np.tanh(c)
            if f"{cell}/W_P_0" in self.weights:  # TensorFlow clips an output only where it projects it
                h = self.clip(h @ self.weights[f"{cell}/W_P_0"], "proj_clip")
            outputs.append(h + x if layer > 0 and self.lstm["use_skip_connections"] else h)
        return outputs

    def encode(self, sentence: tuple[str, ...]) -> Array:
        """Return (layers, tokens, dim)."""
        words = [self.word(word) for word in ("<S>", *sentence, "</S>")]
        layers = [[np.concatenate([x, x]) for x in words]]
        forward, backward = words, words[::-1]
        for layer in range(self.lstm["n_layers"]):
            forward, backward = self.run(0, layer, forward), self.run(1, layer, backward)
            layers.append([np.concatenate(pair) for pair in zip(forward, backward[::-1], strict=True)])
        return np.array(layers)[:, 1:-1]


@pytest.mark.parametrize("gain", [1.0, 4.0])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_layout_equals_the_loops(form: str, gain: float, tmp_path: Path) -> None:
    raw = changed(FORMS[form])
    weights = draw(raw, gain)
    options_path, weights_path = write_official(tmp_path, raw, weights)
    encoder = load_elmo(
        name="form",
        options=str(options_path),
        weights=str(weights_path),
        state="zeros",
        cache_dir=str(tmp_path),
        max_tokens=16,
    )
    reference = Reference(raw, weights)
    encoded = dict(encoder.encode(SENTENCES))
    assert len(encoded) == len(SENTENCES)
    for i, sentence in enumerate(SENTENCES):
        expected = reference.encode(sentence)
        assert encoded[i].shape == (raw["lstm"]["n_layers"] + 1, len(sentence), 2 * raw["lstm"]["projection_dim"])
        np.testing.assert_allclose(encoded[i].numpy(), expected, atol=1e-5, rtol=0)
    if gain > 1:  # otherwise the test could not detect a wrong clip
        assert reference.beyond["cell_clip"] > 10
        projects = raw["lstm"]["dim"] != raw["lstm"]["projection_dim"]
        assert reference.beyond["proj_clip"] > 10 or not projects


@pytest.mark.parametrize("form", FORMS)
def test_the_shapes_are_those_of_the_published_layout(form: str) -> None:
    raw = changed(FORMS[form])
    assert dataset_shapes(parse_options(raw, source="test")) == layout(raw)


def test_optional_keys_have_the_official_defaults() -> None:
    raw = copy.deepcopy(TINY)
    del raw["char_cnn"]["n_highway"], raw["char_cnn"]["n_characters"]
    for key in ("n_layers", "cell_clip", "proj_clip"):
        del raw["lstm"][key]
    options = parse_options(raw, source="test")
    assert (options.n_highway, options.n_layers, options.cell_clip, options.proj_clip) == (0, 1, None, None)


def parameters(options: BiLmOptions) -> int:
    return sum(map(math.prod, dataset_shapes(options).values()))


@pytest.mark.parametrize("size", COUNTS)
def test_the_public_models_have_their_published_numbers_of_parameters(size: str) -> None:
    dim, width, highways, count = COUNTS[size]
    sizes = {"lstm": {"dim": dim, "projection_dim": width}, "char_cnn": {"n_highway": highways}}
    assert parameters(parse_options(changed(sizes, json.loads(ORIGINAL)), source=size)) == count


def test_the_parameters_of_the_original_are_in_the_right_parts() -> None:
    parts = dict.fromkeys(("char_embed", "CNN", "CNN_high", "CNN_proj", "RNN"), 0)
    for name, shape in dataset_shapes(parse_options(json.loads(ORIGINAL), source="original")).items():
        parts[name.split("/")[0].rstrip("_0123456789")] += math.prod(shape)
    assert list(parts.values()) == [4_176, 199_168, 16_785_408, 1_049_088, 75_563_008]


@pytest.mark.realdata
def test_the_published_options_files_have_these_numbers_of_parameters(shared: Path) -> None:
    counts = {f"2x{dim}_{width}": count for dim, width, _, count in COUNTS.values()}
    paths = sorted((shared / "data" / "elmo_options").glob("*.json"))
    assert len(paths) >= 2
    for path in paths:
        (expected,) = (count for size, count in counts.items() if f"elmo_{size}_2048cnn" in path.name)
        assert parameters(read_options(path)) == expected

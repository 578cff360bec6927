"""Every form of the official layout against a loop-by-loop float64 biLM, and files that are not in it."""

import copy
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from harness.encoders.elmo import load_elmo
from harness.encoders.options import BiLmOptions, parse_options, read_options
from harness.encoders.random import random_elmo, random_weights
from harness.encoders.weights import read_weights
from harness.errors import WeightsError
from tests.encoders import TINY

Array = NDArray[Any]
Raw = dict[str, dict[str, Any]]

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
    "nothing that can be left out": {
        "char_cnn": {"filters": [[2, 8]], "n_highway": 0},
        "lstm": {"dim": 8, "n_layers": 1, "cell_clip": None, "proj_clip": None},
    },
}


def changed(changes: Mapping[str, Mapping[str, Any]], base: Raw = TINY) -> Raw:
    """Return options with some values replaced."""
    raw = copy.deepcopy(base)
    for section, values in changes.items():
        raw[section] |= values
    return raw


def layout(raw: Raw) -> dict[str, tuple[int, ...]]:
    """Return what the file holds, from the published list of its datasets."""
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
    """Draw float32 weights, none of them zero; ``gain`` drives the LSTMs into their clips.

    It leaves W_0 alone: a larger one makes them chaotic, and then no float32 follows float64.
    """
    rng = np.random.default_rng(7)
    weights = {}
    for name, shape in layout(raw).items():
        scale = 0.5 if len(shape) == 1 else 1 / math.sqrt(math.prod(shape[:-1]))
        scale = 1.0 if name == "char_embed" else scale * gain if name.endswith(("/B", "/W_P_0")) else scale
        weights[name] = (rng.standard_normal(shape) * scale).astype(np.float32)
    return weights


def write(folder: Path, raw: Raw, weights: Mapping[str, Array]) -> tuple[Path, Path]:
    """Write options and weights, and return where."""
    options_path, weights_path = folder / "options.json", folder / "weights.hdf5"
    options_path.write_text(json.dumps(raw))
    with h5py.File(weights_path, "w") as file:
        for name, value in weights.items():
            file[name] = value
    return options_path, weights_path


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


class Reference:
    """The biLM, one word, one position and one step at a time, in float64.

    ``beyond`` counts the values that a clip changes, or that one at 3 would change where there is none.
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
    options_path, weights_path = write(tmp_path, raw, weights)
    encoder = load_elmo(
        name="form",
        options=str(options_path),
        weights=str(weights_path),
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
    if gain > 1:  # or the test would not see a clip that is wrong
        assert reference.beyond["cell_clip"] > 10
        projects = raw["lstm"]["dim"] != raw["lstm"]["projection_dim"]
        assert reference.beyond["proj_clip"] > 10 or not projects


@pytest.mark.parametrize("form", FORMS)
def test_the_shapes_are_those_of_the_published_layout(form: str) -> None:
    raw = changed(FORMS[form])
    assert parse_options(raw, source="test").dataset_shapes() == layout(raw)


def test_keys_that_may_be_left_out_have_the_official_defaults() -> None:
    raw = copy.deepcopy(TINY)
    del raw["char_cnn"]["n_highway"], raw["char_cnn"]["n_characters"]
    for key in ("n_layers", "cell_clip", "proj_clip"):
        del raw["lstm"][key]
    options = parse_options(raw, source="test")
    assert (options.n_highway, options.n_layers, options.cell_clip, options.proj_clip) == (0, 1, None, None)


def parameters(options: BiLmOptions) -> int:
    return sum(map(math.prod, options.dataset_shapes().values()))


@pytest.mark.parametrize("size", COUNTS)
def test_the_public_models_have_their_published_numbers_of_parameters(size: str) -> None:
    dim, width, highways, count = COUNTS[size]
    sizes = {"lstm": {"dim": dim, "projection_dim": width}, "char_cnn": {"n_highway": highways}}
    assert parameters(parse_options(changed(sizes, json.loads(ORIGINAL)), source=size)) == count


def test_the_parameters_of_the_original_are_where_they_should_be() -> None:
    parts = dict.fromkeys(("char_embed", "CNN", "CNN_high", "CNN_proj", "RNN"), 0)
    for name, shape in parse_options(json.loads(ORIGINAL), source="original").dataset_shapes().items():
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


@pytest.fixture
def options() -> BiLmOptions:
    return parse_options(TINY, source="test")


@pytest.fixture
def weights_path(tmp_path: Path, options: BiLmOptions) -> Path:
    drawn = {name: tensor.numpy() for name, tensor in random_weights(options, seed=3).items()}
    return write(tmp_path, TINY, drawn)[1]


def test_weights_survive_the_way_through_a_file(weights_path: Path, options: BiLmOptions) -> None:
    drawn, read = random_weights(options, seed=3), read_weights(weights_path, options)
    assert read_options(weights_path.with_name("options.json")) == options
    assert drawn.keys() == read.keys()
    for name, tensor in drawn.items():
        assert read[name].dtype == torch.float32
        assert torch.equal(read[name], tensor)


def test_an_encoder_survives_the_way_through_a_file(weights_path: Path, tmp_path: Path) -> None:
    before = random_elmo(options=TINY, weights_seed=3, cache_dir=str(tmp_path))
    options_path = weights_path.with_name("options.json")
    after = load_elmo(name="again", options=str(options_path), weights=str(weights_path), cache_dir=str(tmp_path))
    expected, actual = dict(before.encode(SENTENCES)), dict(after.encode(SENTENCES))
    assert all(torch.equal(actual[i], expected[i]) for i in range(len(SENTENCES)))


def test_double_precision_is_read_and_what_is_not_needed_is_passed_over(
    weights_path: Path, options: BiLmOptions
) -> None:
    with h5py.File(weights_path, "r+") as file:
        value = file["char_embed"][()]
        del file["char_embed"]
        file["char_embed"] = value.astype(np.float64)
        file["softmax/W"] = np.zeros((3, 3), dtype=np.float32)
    read = read_weights(weights_path, options)
    assert read.keys() == options.dataset_shapes().keys()
    assert read["char_embed"].dtype == torch.float32
    np.testing.assert_array_equal(read["char_embed"].numpy(), value)


def refusal(function: Callable[..., Any], path: Path, *args: Any) -> str:
    """Return the one line in which a file is refused: it starts with the file's path."""
    with pytest.raises(WeightsError) as caught:
        function(path, *args)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def replace(path: Path, name: str, change: Callable[[Array], Any]) -> None:
    """Replace a dataset; None deletes it."""
    with h5py.File(path, "r+") as file:
        value = change(file[name][()])
        del file[name]
        if value is not None:
            file[name] = value


CELL = "RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell"
DAMAGE: list[tuple[str, Callable[[Array], Any], tuple[str, ...]]] = [
    ("char_embed", lambda _: None, ("is missing", "(261, 4)")),
    (f"{CELL}/W_P_0", lambda _: None, ("is missing", "(16, 8)")),
    ("CNN_high_0", lambda _: None, ("'CNN_high_0/W_carry' is missing", "(24, 24)")),
    ("char_embed", lambda value: value[:-1], ("has shape (260, 4)", "(261, 4)", "of one model")),
    ("CNN/W_cnn_2", lambda value: value[0], ("has shape (3, 4, 12)", "(1, 3, 4, 12)")),
    (f"{CELL}/W_0", lambda value: value.T, ("has shape (64, 16)", "(16, 64)")),
    (f"{CELL}/B", lambda value: value[0], ("has shape ()", "(64,)")),
    ("CNN_proj/b_proj", lambda value: value.astype(np.int32), ("holds int32", "floating point")),
    ("char_embed", lambda value: np.full(value.shape, "a", dtype="S1"), ("holds |S1", "floating point")),
    (f"{CELL}/W_0", lambda value: np.where(value == value.max(), np.nan, value), ("NaN", "fetch it again")),
    ("CNN/b_cnn_0", lambda value: value + np.float32(np.inf), ("infinity", "fetch it again")),
]


@pytest.mark.parametrize(("name", "change", "expected"), DAMAGE)
def test_a_wrong_dataset_is_named_with_what_was_expected(
    weights_path: Path, options: BiLmOptions, name: str, change: Callable[[Array], Any], expected: tuple[str, ...]
) -> None:
    if name == "CNN_high_0":
        with h5py.File(weights_path, "r+") as file:
            del file[name]
    else:
        replace(weights_path, name, change)
    message = refusal(read_weights, weights_path, options)
    assert f"dataset '{name}" in message
    assert all(phrase in message for phrase in expected)


def test_options_of_another_model_are_refused(weights_path: Path) -> None:
    wider = parse_options(changed({"lstm": {"projection_dim": 12}}), source="test")
    message = refusal(read_weights, weights_path, wider)
    assert "'CNN_proj/W_proj' has shape (24, 8), the options say (24, 12)" in message


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>404", b"", b"\x1f\x8b\x08\x00gz", b"\x00" * 4096])
def test_what_is_not_hdf5_is_refused(weights_path: Path, options: BiLmOptions, content: bytes) -> None:
    weights_path.write_bytes(content)
    message = refusal(read_weights, weights_path, options)
    assert "not a readable HDF5 file" in message
    assert f"it starts with {content[:8]!r}" in message


@pytest.mark.parametrize("part", [0.001, 0.1, 0.5, 0.9, 0.9999])
def test_a_truncated_file_is_refused(weights_path: Path, options: BiLmOptions, part: float) -> None:
    whole = weights_path.read_bytes()
    weights_path.write_bytes(whole[: int(part * len(whole))])
    message = refusal(read_weights, weights_path, options)
    assert "not a readable HDF5 file" in message
    assert "truncated file" in message
    assert "fetch it again" in message


def test_missing_files_say_what_to_set(tmp_path: Path, options: BiLmOptions) -> None:
    assert "set encoder.weights" in refusal(read_weights, tmp_path / "none.hdf5", options)
    assert "set encoder.weights" in refusal(read_weights, tmp_path, options)
    assert "set encoder.options" in refusal(read_options, tmp_path / "none.json")


@pytest.mark.parametrize("content", [b"<html>404</html>", b"", b"{", b"\x89HDF\r\n\x1a\n", b'{"lstm": {"dim": 1}'])
def test_options_that_are_not_json_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "options.json"
    path.write_bytes(content)
    assert "not a JSON options file" in refusal(read_options, path)


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        (None, "char_cnn"),
        ([TINY], "char_cnn"),
        ({}, "char_cnn"),
        ({"lstm": TINY["lstm"]}, "char_cnn"),
        ({"char_cnn": TINY["char_cnn"]}, "lstm"),
        (TINY | {"lstm": 3}, "lstm"),
        (changed({"char_cnn": {"embedding": 16}}), "char_cnn.embedding"),
    ],
)
def test_a_missing_section_is_named(tmp_path: Path, raw: Any, key: str) -> None:
    path = tmp_path / "options.json"
    path.write_text(json.dumps(raw))
    assert f"'{key}' is missing; expected the options.json of a character biLM" in refusal(read_options, path)


NOT_COUNTS = [(section, key, value) for section, key in [("lstm", "dim"), ("lstm", "projection_dim"),
              ("lstm", "n_layers"), ("char_cnn", "max_characters_per_token"), ("char_cnn", "n_highway")]
              for value in ["2", 2.0, True, -1, [2]]]  # fmt: skip


@pytest.mark.parametrize(
    ("section", "key", "value", "expected"),
    [
        *((*case, "expected a whole number of at least") for case in NOT_COUNTS),
        ("lstm", "dim", None, "a whole number of at least 1"),
        ("lstm", "n_layers", 0, "a whole number of at least 1"),
        ("char_cnn", "max_characters_per_token", 2, "a whole number of at least 3"),
        *(("char_cnn", "filters", value, "pairs like [[1, 32], [2, 32]]")
          for value in [None, [], "1,32", 32, [1, 32], [[1]], [[1, 2, 3]], [["1", 2]], [[1.0, 2]], [[0, 2]],
                        [[1, -2]], [[True, 2]]]),
        ("char_cnn", "filters", [[1, 4], [51, 4]], "at most char_cnn.max_characters_per_token, 50"),
        *(("lstm", clip, value, "expected a positive number or null")
          for clip in ("cell_clip", "proj_clip") for value in [0, -3, "3", True, [3], math.nan]),
        ("char_cnn", "activation", "gelu", "expected 'relu' or 'tanh'"),
        ("char_cnn", "activation", None, "expected 'relu' or 'tanh'"),
        ("lstm", "use_skip_connections", "yes", "expected true or false"),
        ("lstm", "use_skip_connections", 1, "expected true or false"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_what_was_expected(
    tmp_path: Path, section: str, key: str, value: Any, expected: str
) -> None:
    path = tmp_path / "options.json"
    path.write_text(json.dumps(changed({section: {key: value}})))
    message = refusal(read_options, path)
    assert message.startswith(f"{section}.{key} is ")
    assert repr(value) in message
    assert expected in message


def test_the_width_of_a_character_is_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "options.json"
    path.write_text(json.dumps(changed({"char_cnn": {"embedding": {"dim": "16"}}})))
    assert "char_cnn.embedding.dim is '16'; expected a whole number" in refusal(read_options, path)

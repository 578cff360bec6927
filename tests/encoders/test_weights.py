"""Correct official files, and every error that one can contain."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from harness.encoders.bilm import dataset_shapes
from harness.encoders.elmo import load_elmo
from harness.encoders.options import BiLmOptions, parse_options, read_options
from harness.encoders.random_elmo import random_elmo, random_weights
from harness.encoders.weights import read_weights
from harness.errors import WeightsError
from tests.support.encoders import TINY, Array, changed, write_official


@pytest.fixture
def options() -> BiLmOptions:
    return parse_options(TINY, source="test")


@pytest.fixture
def weights_path(tmp_path: Path, options: BiLmOptions) -> Path:
    drawn = {name: tensor.numpy() for name, tensor in random_weights(options, seed=3).items()}
    return write_official(tmp_path, TINY, drawn)[1]


def test_weights_are_the_same_after_writing_and_reading(weights_path: Path, options: BiLmOptions) -> None:
    drawn, read = random_weights(options, seed=3), read_weights(weights_path, options)
    assert read_options(weights_path.with_name("options.json")) == options
    assert drawn.keys() == read.keys()
    for name, tensor in drawn.items():
        assert read[name].dtype == torch.float32
        assert torch.equal(read[name], tensor)


def test_an_encoder_is_the_same_after_writing_and_reading(weights_path: Path, tmp_path: Path) -> None:
    before = random_elmo(options=TINY, weights_seed=3, cache_dir=str(tmp_path))
    options_path = weights_path.with_name("options.json")
    paths = {"options": str(options_path), "weights": str(weights_path)}
    after = load_elmo(name="again", **paths, state="zeros", cache_dir=str(tmp_path))
    sentences = [("The", "bank", "was", "open"), ("Zoë",), ()]
    expected, actual = dict(before.encode(sentences)), dict(after.encode(sentences))
    assert all(torch.equal(actual[i], expected[i]) for i in range(len(sentences)))


def test_double_precision_is_read_and_unknown_datasets_are_ignored(weights_path: Path, options: BiLmOptions) -> None:
    with h5py.File(weights_path, "r+") as file:
        value = file["char_embed"][()]
        del file["char_embed"]
        file["char_embed"] = value.astype(np.float64)
        file["softmax/W"] = np.zeros((3, 3), dtype=np.float32)
    read = read_weights(weights_path, options)
    assert read.keys() == dataset_shapes(options).keys()
    assert read["char_embed"].dtype == torch.float32
    np.testing.assert_array_equal(read["char_embed"].numpy(), value)


def refusal(function: Callable[..., Any], path: Path, *args: Any) -> str:
    """Return the error message of a refused file, without the path with which it starts."""
    with pytest.raises(WeightsError) as caught:
        function(path, *args)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}:")
    return message.removeprefix(f"{path}:").removeprefix(" ")


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
    (f"{CELL}/W_0", lambda value: np.where(value == value.max(), np.nan, value), ("NaN", "download it again")),
    ("CNN/b_cnn_0", lambda value: value + np.float32(np.inf), ("infinity", "download it again")),
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
def test_other_formats_than_hdf5_are_refused(weights_path: Path, options: BiLmOptions, content: bytes) -> None:
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
    assert "download it again" in message


def test_missing_files_say_what_to_set(tmp_path: Path, options: BiLmOptions) -> None:
    assert "set encoder.weights" in refusal(read_weights, tmp_path / "none.hdf5", options)
    assert "set encoder.weights" in refusal(read_weights, tmp_path, options)
    assert "set encoder.options" in refusal(read_options, tmp_path / "none.json")


@pytest.mark.parametrize(
    "content", [b"<html>404</html>", b"", b"{", b"\x89HDF\r\n\x1a\n", b'{"lstm": {"dim": 1}', b"[" * 99_999]
)
def test_options_that_are_not_json_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "options.json"
    path.write_bytes(content)
    assert "; set encoder.options to the options.json of a biLM" in refusal(read_options, path)


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
        ("lstm", "n_layers", 10**9, "at most 64"),
        ("char_cnn", "n_highway", 10**9, "at most 64"),
        ("char_cnn", "max_characters_per_token", 10**9, "at most 1,000"),
        ("lstm", "dim", 10**12, "at most 1,073,741,824"),
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

"""Weights and options from strangers: they are bounded before memory is allocated, and read no other file."""

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from harness.encoders.bilm import dataset_shapes
from harness.encoders.options import BiLmOptions, parse_options, read_options
from harness.encoders.random_elmo import random_weights
from harness.encoders.weights import read_weights, write_weights
from harness.errors import WeightsError
from tests.support.encoders import TINY, changed, write_official
from tests.support.privileges import modes_hold

OPTIONS = parse_options(TINY, source="test")
BIAS = "CNN_proj/b_proj"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    drawn = {name: tensor.numpy() for name, tensor in random_weights(OPTIONS, seed=3).items()}
    return write_official(tmp_path, TINY, drawn)[1]


@pytest.fixture
def file(path: Path) -> Iterator[h5py.File]:
    """Return the file, open for changes, without the dataset ``BIAS``; the other file has it."""
    with h5py.File(path, "r+") as opened, h5py.File(path.with_name("other.hdf5"), "w") as other:
        value = opened[BIAS][()]
        del opened[BIAS]
        other[BIAS] = value
        value.tofile(path.with_name("other.raw"))
        yield opened


def refusal(path: Path, options: BiLmOptions = OPTIONS) -> str:
    with pytest.raises(WeightsError) as caught:
        read_weights(path, options)
    return str(caught.value)


def test_weights_kept_in_another_file_are_refused(file: h5py.File, path: Path) -> None:
    shape = dataset_shapes(OPTIONS)[BIAS]
    file[BIAS] = h5py.ExternalLink("other.hdf5", BIAS)
    file.flush()
    assert f"dataset '{BIAS}' is a link; give a file that holds all weights itself" in refusal(path)
    del file[BIAS]
    file.move("CNN_proj", "kept")
    file["CNN_proj"] = h5py.ExternalLink("other.hdf5", "CNN_proj")
    file.flush()
    assert "is a link" in refusal(path)
    del file["CNN_proj"]
    file.move("kept", "CNN_proj")
    file[BIAS] = h5py.SoftLink("/char_embed")
    file.flush()
    assert "is a link" in refusal(path)
    del file[BIAS]
    raw = [(str(path.with_name("other.raw")), 0, h5py.h5f.UNLIMITED)]
    file.create_dataset(BIAS, shape=shape, dtype="<f4", external=raw)
    file.flush()
    assert f"dataset '{BIAS}' is kept in another file" in refusal(path)
    del file[BIAS]
    layout = h5py.VirtualLayout(shape=shape, dtype="<f4")
    layout[:] = h5py.VirtualSource(str(path.with_name("other.hdf5")), BIAS, shape=shape)
    file.create_virtual_dataset(BIAS, layout)
    file.flush()
    assert f"dataset '{BIAS}' is kept in another file" in refusal(path)


def test_a_small_file_that_declares_many_numbers_is_refused(path: Path) -> None:
    raw = changed({"lstm": {"dim": 2**12, "projection_dim": 2**11}})
    large = parse_options(raw, source="test")
    shapes = dataset_shapes(large)
    with h5py.File(path, "w") as file:
        for name, shape in shapes.items():
            file.create_dataset(name, shape=shape, dtype="<f4", chunks=True)  # nothing is stored
    assert path.stat().st_size < 100_000
    assert sum(map(math.prod, shapes.values())) > 10**8
    assert "declares more numbers than it has" in refusal(path, large)


def test_a_chunk_that_declares_many_numbers_is_refused(file: h5py.File, path: Path) -> None:
    shape = dataset_shapes(OPTIONS)[BIAS]
    values = np.zeros(shape, dtype=np.float32)
    file.create_dataset(BIAS, data=values, maxshape=(None,), chunks=(2**24,), compression="gzip", compression_opts=9)
    file.flush()
    file.create_dataset("empty", shape=shape, maxshape=(None,), chunks=(2**28,), dtype="<f4")
    del file[BIAS]
    file[BIAS] = file["empty"]
    file.flush()
    assert "declares more numbers than it has" in refusal(path)


def test_our_own_compressed_weights_are_read(tmp_path: Path) -> None:
    weights = {name: tensor * 0 for name, tensor in random_weights(OPTIONS, seed=3).items()}  # compresses best
    write_weights(tmp_path / "half.hdf5", weights, precision="float16")
    assert read_weights(tmp_path / "half.hdf5", OPTIONS).keys() == weights.keys()


@pytest.mark.parametrize(
    "sizes",
    [
        {"lstm": {"dim": 10**8}},
        {"lstm": {"projection_dim": 10**8}},
        {"char_cnn": {"embedding": {"dim": 10**8}}},
        {"char_cnn": {"filters": [[1, 10**8]]}},
        {"char_cnn": {"filters": [[1, 1]] * 10**5}},
    ],
)
def test_options_of_a_model_that_fits_no_machine_are_refused(tmp_path: Path, sizes: dict[str, Any]) -> None:
    (tmp_path / "options.json").write_text(json.dumps(changed(sizes)))
    with pytest.raises(WeightsError, match=r"options\.json: .*expected") as caught:
        read_options(tmp_path / "options.json")
    assert len(str(caught.value)) < 1100


@pytest.mark.parametrize(
    "changes",
    [{}, {"lstm": {"projection_dim": 24}}, {"lstm": {"dim": 8}}, {"char_cnn": {"n_highway": 3}}],
)
def test_the_number_of_weights_is_that_of_the_file(changes: dict[str, Any]) -> None:
    options = parse_options(changed(changes), source="test")
    assert options.n_weights == sum(map(math.prod, dataset_shapes(options).values()))


def test_options_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "options.json").write_text("\ufeff" + json.dumps(TINY), encoding="utf-8")
    assert read_options(tmp_path / "options.json") == OPTIONS


def test_a_file_that_is_open_elsewhere_is_read(path: Path) -> None:
    with h5py.File(path, "r+"):
        assert read_weights(path, OPTIONS).keys() == dataset_shapes(OPTIONS).keys()


def test_a_file_of_another_user_is_not_called_damaged(path: Path) -> None:
    path.chmod(0o000)
    with modes_hold():
        assert "weights.hdf5: not readable by you" in refusal(path)


def test_pipes_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "pipe: not a regular file" in refusal(tmp_path / "pipe")
    with pytest.raises(WeightsError, match="pipe: not a regular file"):
        read_options(tmp_path / "pipe")

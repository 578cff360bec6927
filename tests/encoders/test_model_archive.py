"""Models in a folder or zip, as the NLPL repository distributes them."""

import zipfile
from pathlib import Path

import pytest
import torch

from harness.encoders.elmo import load_elmo
from harness.encoders.options import parse_options
from harness.encoders.random_elmo import random_weights
from harness.errors import ConfigError, WeightsError
from tests.support.encoders import TINY, changed, write_official

SENTENCE = ("The", "cat", "sat")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    raw = changed({"char_cnn": {"n_characters": 261}})  # as the training code writes it
    weights = random_weights(parse_options(TINY, source="test"), seed=0)
    _, path = write_official(folder, raw, {name: tensor.numpy() for name, tensor in weights.items()})
    path.rename(folder / "model.hdf5")
    (folder / "vocab.txt").write_text("the\n")
    return folder


def zipped(folder: Path, path: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"{prefix}{file.name}")
    return path


@pytest.mark.parametrize("prefix", ["", "144/"])
def test_a_zip_gives_the_same_encoder_as_its_files(tmp_path, model, prefix):
    options, weights = str(model / "options.json"), str(model / "model.hdf5")
    common = {"name": "m", "cache_dir": str(tmp_path / "cache")}
    by_files = load_elmo(options=options, weights=weights, **common)
    by_folder = load_elmo(path=str(model), **common)
    archive = zipped(model, tmp_path / "144.zip", prefix)
    by_zip, again = (load_elmo(path=str(archive), **common) for _ in range(2))
    ((_, expected),) = by_files.encode([SENTENCE])
    for encoder in (by_folder, by_zip, again):
        assert encoder.fingerprint == by_files.fingerprint
        ((_, vectors),) = encoder.encode([SENTENCE])
        assert torch.equal(vectors, expected)


def test_another_zip_of_the_same_name_is_not_confused(tmp_path, model):
    common = {"name": "m", "cache_dir": str(tmp_path / "cache")}
    first = load_elmo(path=str(zipped(model, tmp_path / "a.zip")), **common)
    weights = random_weights(parse_options(TINY, source="test"), seed=1)
    _, path = write_official(model, TINY, {name: tensor.numpy() for name, tensor in weights.items()})
    path.rename(model / "model.hdf5")
    assert load_elmo(path=str(zipped(model, tmp_path / "a.zip")), **common).fingerprint != first.fingerprint


def test_wrong_requests_are_one_line(tmp_path, model):
    def load(**options: str) -> None:
        load_elmo(name="m", cache_dir=str(tmp_path / "cache"), **options)

    for options in ({}, {"path": str(model), "options": "o", "weights": "w"}, {"options": "o"}):
        with pytest.raises(ConfigError, match=r"encoder\.path=FOLDER_OR_ZIP"):
            load(**options)
    with pytest.raises(WeightsError, match="no such folder or zip"):
        load(path=str(tmp_path / "none.zip"))
    archive = zipped(model, tmp_path / "a.zip")
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "flipped.zip").write_bytes(content)
    (tmp_path / "cut.zip").write_bytes(archive.read_bytes()[:-30])
    for name in ("flipped.zip", "cut.zip"):
        with pytest.raises(WeightsError, match="not a readable zip"):
            load(path=str(tmp_path / name))
    (model / "options.json").unlink()
    for path in (model, zipped(model, tmp_path / "b.zip")):
        with pytest.raises(WeightsError, match=r"it holds model\.hdf5, vocab\.txt; expected options\.json"):
            load(path=str(path))

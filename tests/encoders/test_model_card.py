"""The record of a run names the model card of its encoder, and nothing else depends on the card."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from harness.encoders.elmo import load_elmo
from harness.encoders.model_card import model_card
from harness.encoders.options import parse_options
from harness.encoders.plugin_encoder import build_encoder, checked_encoder
from harness.encoders.random_elmo import random_weights
from tests.support.encoders import TINY, tiny_elmo, write_official
from tests.support.runs import config_of


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# A small model\n\n# Use\n", "A small model"),
        ("---\n# a comment\nlanguage: en\n---\n\n<img>\n# all-MiniLM-L6-v2\n", "all-MiniLM-L6-v2"),
        ("---\n# The values never end\n", "The values never end"),
        ("no title\n## Use\n", ""),
        ("", ""),
        ("\xff# x\n# Caf\xe9\n", "Caf\ufffd"),
    ],
)
def test_the_first_heading_is_the_title(text: str, title: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(text.encode("latin-1"))
    assert model_card(tmp_path) == title


def test_without_a_readable_card_there_is_no_title(tmp_path: Path) -> None:
    assert model_card(tmp_path) == ""
    os.mkfifo(tmp_path / "README.md")
    assert model_card(tmp_path) == ""


def test_a_bundled_encoder_names_its_card_in_this_project(tmp_path: Path) -> None:
    encoder: Any = build_encoder(config_of(tmp_path, "encoder=elmo_mini").encoder, device="cpu")
    assert encoder.model_card == "harness/assets/elmo_mini/README.md"
    assert (Path(__file__).resolve().parents[2] / encoder.model_card).is_file()
    assert tiny_elmo(tmp_path).model_card == ""


def test_a_model_of_the_user_names_its_own_card_and_keeps_its_fingerprint(tmp_path: Path) -> None:
    weights = random_weights(parse_options(TINY, source="TINY"), seed=0)
    write_official(tmp_path, TINY, {name: tensor.numpy() for name, tensor in weights.items()})
    before = load_elmo(name="mine", path=str(tmp_path), cache_dir=str(tmp_path))
    (tmp_path / "README.md").write_text("# My model\n")
    after = load_elmo(name="mine", path=str(tmp_path), cache_dir=str(tmp_path))
    assert (before.model_card, after.model_card) == ("", "My model")
    assert before.fingerprint == after.fingerprint


def test_a_transformer_names_its_card_or_the_name_in_its_configuration(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from harness.encoders.transformers import load_transformer
    from tests.support.transformers import tiny_transformer

    folder = tiny_transformer(tmp_path, "bert")
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"_name_or_path": "team/tiny"}))
    before = load_transformer(model=str(folder))
    (folder / "README.md").write_text("---\ntags: []\n---\n# Tiny\n")
    after = load_transformer(model=str(folder))
    assert (before.model_card, after.model_card) == ("team/tiny", "Tiny")
    assert before.fingerprint == after.fingerprint


def test_a_plug_in_may_name_a_card(tmp_path: Path) -> None:
    class Mine:
        def __init__(self) -> None:
            inner = tiny_elmo(tmp_path)
            for name in ("name", "fingerprint", "state", "num_layers", "dim", "word_layer", "cacheable", "encode"):
                setattr(self, name, getattr(inner, name))

    encoder: Any = Mine()
    assert checked_encoder(encoder).model_card == ""  # type: ignore[union-attr]
    encoder.model_card = "Mine"
    assert checked_encoder(encoder).model_card == "Mine"  # type: ignore[union-attr]

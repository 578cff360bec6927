from pathlib import Path

import pytest
import torch

from harness.config.schema import Precision
from harness.features.portion import PortionOfLayers
from harness.features.store import FeatureStore
from tests.support.encoders import tiny_elmo

SENTENCES = [("a", "b", "c"), ("b",), (), ("a", "b", "c"), ("d", "a")]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("layers", [None, [0], [1, 2]])
def test_layers_are_those_of_a_store(dtype: Precision, layers: list[int] | None, tmp_path: Path) -> None:
    encoder = tiny_elmo(tmp_path)
    store, portion = FeatureStore(tmp_path, encoder, dtype=dtype), PortionOfLayers(encoder, dtype=dtype)
    for source in (store, portion):
        source.fill(SENTENCES)
    assert torch.equal(portion.read(SENTENCES, layers), store.read(SENTENCES, layers))
    assert portion.tokens_encoded == 6


def test_only_the_last_sentences_are_kept(tmp_path: Path) -> None:
    portion = PortionOfLayers(tiny_elmo(tmp_path))
    portion.fill(SENTENCES)
    portion.fill([("d", "a")])
    assert portion.read([("d", "a")]).shape == (1, 3, 2, 16)
    with pytest.raises(KeyError):
        portion.read([("b",)])

from pathlib import Path

import pytest
import torch

from harness.config.schema import Precision
from harness.features.portion import PortionOfLayers
from harness.features.store import FeatureStore
from harness.features.uncached import Uncached
from harness.types import Document
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


def test_a_document_is_the_layers_of_its_sentences_in_one_row(tmp_path: Path) -> None:
    encoder = tiny_elmo(tmp_path)
    texts = [Document([("a", "b", "c"), (), ("d", "a")]), ("b",)]
    store, portion, uncached = FeatureStore(tmp_path, encoder), PortionOfLayers(encoder), Uncached(encoder)
    for source in (store, portion):
        source.fill(SENTENCES)
    alone = store.read([("a", "b", "c"), ("d", "a"), ("b",)])  # (3, layers, 3, dim)
    for read in (store.read(texts), portion.read(texts), uncached.read(texts)):
        assert read.shape == (2, 3, 5, 16)  # no padding between sentences
        torch.testing.assert_close(read[0], torch.cat([alone[0], alone[1, :, :2]], dim=1), atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(read[1, :, :1], alone[2, :, :1], atol=1e-3, rtol=1e-3)
        assert not read[1, :, 1:].any()
    assert torch.equal(store.read(texts, [1]), store.read(texts)[:, [1]])

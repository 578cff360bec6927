"""The measures of the layers of encoders, against what the encoder itself returns, and encoders of known geometry."""

import math
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.analysis.geometry.layers import Geometry, gathered, measured
from harness.analysis.geometry.sample import Sample, draw, sampled_sentences
from harness.errors import CacheError
from harness.features.store import FeatureStore
from harness.features.uncached import LayerSource, Uncached
from harness.types import Sentence
from tests.support.encoders import tiny_elmo

TEXT: list[Sentence] = [("the", f"cat{i % 9}", "sat", "on", f"mat{i}", "again")[: 3 + i % 4] for i in range(80)]


class Known:
    """Layers of a known geometry: the word alone, the sentence alone, noise, and word and noise on a common offset."""

    name, fingerprint, state, num_layers, dim, word_layer, cacheable = "known", "0" * 32, "none", 4, 128, True, True

    def encode(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
        for index, sentence in enumerate(sentences):
            words = torch.stack([self.vector(word) for word in sentence])  # (tokens, dim)
            whole = self.vector(" ".join(sentence)).expand_as(words)
            noise = torch.stack([self.vector(f"{i} {' '.join(sentence)}") for i in range(len(sentence))])
            yield index, torch.stack([words, whole, noise, words + noise + 1])

    def vector(self, text: str) -> Tensor:
        return torch.randn(self.dim, generator=torch.Generator().manual_seed(zlib.crc32(text.encode())))


def sample_of(text: Sequence[Sentence], tokens: int = 2000) -> Sample:
    return draw(sampled_sentences(text, count=500, seed=0), tokens=tokens, words=50, whole=50, seed=0)


def geometry_of(source: LayerSource, sample: Sample, folder: Path) -> Geometry:
    source.fill(sample.sentences)
    return measured([source], sample, folder=folder)


def test_layers_of_known_geometry(tmp_path: Path) -> None:
    sentences = [(*(f"w{(7 * i * j + j) % 40}" for j in range(1, 9)), f"n{i}") for i in range(300)]
    geometry = geometry_of(FeatureStore(tmp_path, Known(), dtype="float32"), sample_of(sentences), tmp_path)
    words, whole, noise, offset = geometry.layers
    assert words.self_similarity == pytest.approx(1)
    assert math.isnan(words.first_component)
    assert whole.intra_sentence == pytest.approx(1)
    assert whole.self_similarity == pytest.approx(0, abs=0.02)
    assert noise.anisotropy == pytest.approx(0, abs=1e-3)
    assert noise.self_similarity_adjusted == pytest.approx(0, abs=5e-3)
    assert noise.intra_sentence == pytest.approx(1 / 3, abs=0.01)  # 9 independent vectors
    assert noise.first_component_adjusted == pytest.approx(0, abs=0.01)
    assert offset.anisotropy == pytest.approx(1 / 3, abs=0.03)  # offset, word and noise have the same length
    assert offset.self_similarity == pytest.approx(2 / 3, abs=0.03)
    assert offset.self_similarity_adjusted == pytest.approx(offset.self_similarity - offset.anisotropy)
    assert geometry.cka_debiased[0, 3] > 0.3
    assert abs(geometry.cka_debiased[0, 2]) < 0.05


@pytest.mark.parametrize("stored", [True, False])
def test_measures_are_those_of_the_encoders_vectors(stored: bool, tmp_path: Path) -> None:
    encoder, sample = tiny_elmo(tmp_path), sample_of(TEXT)
    source = FeatureStore(tmp_path, encoder, dtype="float32") if stored else Uncached(encoder, dtype="float32")
    geometry = geometry_of(source, sample, tmp_path / "temporary")
    assert list((tmp_path / "temporary").iterdir()) == []
    vectors = {TEXT.index(s): next(encoder.encode([s]))[1].double().numpy() for s in dict.fromkeys(TEXT)}
    for layer, found in enumerate(geometry.layers):
        assert (found.encoder, found.layer) == (encoder.name, layer)
        occurrences = defaultdict(list)
        for i, layers in vectors.items():
            for place, word in enumerate(TEXT[i]):
                occurrences[word].append(layers[layer, place])
        everything = [vector for group in occurrences.values() for vector in group]
        assert found.anisotropy == pytest.approx(pairwise(everything), abs=1e-6)  # all tokens are drawn
        few = {word: group for word, group in occurrences.items() if 5 <= len(group) <= 50}
        frequent = {word for word, group in occurrences.items() if len(group) > 50}
        assert frequent == {"the", "sat"}  # of these, only fifty places are drawn
        own = [pairwise(word_rows(source, sample, rows, layer)) for rows in sample.words]
        assert len(own) == len(few) + 2
        for word, group in few.items():
            assert any(value == pytest.approx(pairwise(group), abs=1e-6) for value in own), word
        assert found.self_similarity == pytest.approx(np.mean(own), abs=1e-6)


def word_rows(source: LayerSource, sample: Sample, rows: slice, layer: int) -> np.ndarray:
    sentences = [sample.sentences[i] for i in sample.places[rows, 0]]
    read = source.read(sentences)[:, layer].double().numpy()
    return read[np.arange(len(sentences)), sample.places[rows, 1]]


def pairwise(vectors: Sequence[np.ndarray] | np.ndarray) -> float:
    """Return the mean cosine of all pairs, by torch."""
    tensors = torch.from_numpy(np.stack(vectors))
    cosines = torch.nn.functional.cosine_similarity(tensors[:, None], tensors[None], dim=2)
    return float(cosines[~torch.eye(len(tensors), dtype=torch.bool)].mean())


def test_estimates_are_in_float64(tmp_path: Path) -> None:
    """Vectors that differ in their last float32 bits have a cosine that float32 would round to 1."""

    class Close(Known):
        word_layer, num_layers = False, 1

        def encode(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
            for index, layers in super().encode(sentences):
                yield index, 1 + 1e-4 * layers[2:3]

    sample = sample_of(TEXT)
    source = Uncached(Close(), dtype="float32")
    found = geometry_of(source, sample, tmp_path).layers[0]
    vectors = gathered(source, sample, tmp_path / "v.npy")
    tokens = vectors[0, sample.tokens].astype(np.longdouble)
    units = tokens / np.sqrt((tokens**2).sum(axis=1, keepdims=True))
    count, total = len(units), units.sum(axis=0)
    expected = float(1 - (total @ total - count) / (count * (count - 1)))
    assert expected < 1.1e-8  # float32 has steps of 6e-8 below 1
    assert 1 - found.anisotropy == pytest.approx(expected, rel=1e-6)
    assert isinstance(vectors, np.memmap)  # so memory does not grow with the sample
    assert vectors.dtype == np.float32


def test_encoders_are_compared_on_the_same_tokens(tmp_path: Path) -> None:
    """A rotated copy of an encoder, whose dimensions are permuted, has CKA 1 layer by layer."""

    class Rotated(Known):
        name, fingerprint = "rotated", "1" * 32

        def encode(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
            for index, layers in super().encode(sentences):
                yield index, -2 * layers.flip(2)

    sources = [Uncached(Known(), dtype="float32"), Uncached(Rotated(), dtype="float32")]
    geometry = measured(sources, sample_of(TEXT), folder=tmp_path)
    assert [(row.encoder, row.layer) for row in geometry.layers[3:5]] == [("known", 3), ("rotated", 0)]
    assert np.diag(geometry.cka[:4, 4:]) == pytest.approx(np.ones(4), abs=1e-9)
    np.testing.assert_allclose(geometry.cka[:4, :4], geometry.cka[4:, 4:], atol=1e-9)


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(CacheError, match=rf"^{tmp_path}: the vectors take .* MB, 1 KB are free; set cache_dir="):
        measured([Uncached(Known(), dtype="float32")], sample_of(TEXT), folder=tmp_path)

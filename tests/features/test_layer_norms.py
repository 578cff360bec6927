"""The mean norm of each layer, computed another way."""

from pathlib import Path

import pytest
import torch

from harness.features.layer_norms import layer_norms
from harness.features.store import FeatureStore
from tests.support.encoders import tiny_elmo


def sentences(count: int) -> list[tuple[str, ...]]:
    return [tuple(f"w{i}{j}" for j in range(1 + i % 7)) for i in range(count)]


def test_padding_adds_nothing(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, tiny_elmo(tmp_path))
    text = sentences(50)
    store.fill(text)
    tokens = torch.cat([store.read([one])[0] for one in text], dim=1)  # (layers, tokens, dim)
    expected = tokens.double().square().sum(dim=2).sqrt().mean(dim=1)  # (layers,)
    assert layer_norms(store, text) == pytest.approx(expected.tolist())
    assert layer_norms(store, []) == []


@pytest.mark.parametrize("count", [200, 201, 399, 1050])
def test_of_many_sentences_some_are_read_from_everywhere(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureStore(tmp_path, tiny_elmo(tmp_path))
    read: list[tuple[str, ...]] = []

    def zeros(texts: list[tuple[str, ...]]) -> torch.Tensor:
        read.extend(texts)
        return torch.zeros(len(texts), 3, max(map(len, texts)), 16)

    monkeypatch.setattr(store, "read", zeros)
    text = sentences(count)
    layer_norms(store, text)
    assert len(read) == len(set(read)) == 200
    at = [text.index(one) for one in read]
    assert at[0] == 0
    assert max(b - a for a, b in zip(at, [*at[1:], count], strict=True)) <= -(-count // 200)  # no gap is larger

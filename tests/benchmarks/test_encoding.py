"""How much time batching and the feature store save, compared with encoding without them.

Run with: pytest tests/benchmarks --benchmark-only --benchmark-group-by=group
"""

from pathlib import Path

import pytest

from harness.config.instantiate import build
from harness.encoders.elmo import ElmoEncoder
from harness.features.store import FeatureStore
from harness.features.uncached import Uncached
from tasks.ner.sample import sentences
from tests.support.runs import config_of

SENTENCES = [tokens for tokens, _ in sentences("dev")][:128]
BATCH = SENTENCES[:32]


@pytest.fixture
def encoder(tmp_path: Path) -> ElmoEncoder:
    made: ElmoEncoder = build(config_of(tmp_path).encoder, kind=ElmoEncoder, where="encoder")
    return made


@pytest.mark.benchmark(group="encode 128 sentences")
def test_batched(benchmark, encoder: ElmoEncoder) -> None:  # type: ignore[no-untyped-def]
    benchmark(lambda: list(encoder.encode(SENTENCES)))


@pytest.mark.benchmark(group="encode 128 sentences")
def test_one_sentence_at_a_time(benchmark, encoder: ElmoEncoder) -> None:  # type: ignore[no-untyped-def]
    benchmark(lambda: [list(encoder.encode([sentence])) for sentence in SENTENCES])


@pytest.mark.benchmark(group="features of a batch of 32")
def test_read_from_the_store(benchmark, encoder: ElmoEncoder, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    store = FeatureStore(tmp_path, encoder)
    store.fill(SENTENCES)
    benchmark(lambda: store.read(BATCH))


@pytest.mark.benchmark(group="features of a batch of 32")
def test_encode_without_a_store(benchmark, encoder: ElmoEncoder) -> None:  # type: ignore[no-untyped-def]
    source = Uncached(encoder)
    benchmark(lambda: source.read(BATCH))

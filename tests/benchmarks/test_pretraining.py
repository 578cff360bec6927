"""Throughput of an update at the size of elmo_mini, in tokens per second.

Reading the text and evaluation are left out: ``pretraining.json`` has the tokens per second of a whole training.

Run with: pytest tests/benchmarks/test_pretraining.py --benchmark-only -s
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from harness.config.compose import compose_values
from harness.config.instantiate import typed_as
from harness.config.schema import resolved
from harness.encoders.char_ids import char_ids
from harness.encoders.options import parse_options
from harness.encoders.random_elmo import random_weights
from harness.pretrain.config import PretrainConfig
from harness.pretrain.network import Batch, PretrainingNetwork
from harness.pretrain.optimizers import Optimizers
from harness.pretrain.softmax import log_uniform

TYPES = 1300  # different words in the two windows of running text


def update() -> tuple[Callable[[], None], int]:
    """Return a function that does one update of ``model=mini``, and the number of tokens in an update."""
    values = resolved(compose_values("pretrain", ["out=unused", "data.train=[]", "trainer.negatives=2048"]))
    config = typed_as(PretrainConfig, values)
    options = parse_options(config.model.options, source="model.options")
    network = PretrainingNetwork(options=options, vocabulary_size=config.model.vocabulary, dropout=0.0)
    network.load_official(random_weights(options, seed=0))
    optimizers = Optimizers(network=network, options=config.trainer, total_steps=1000)
    generator = np.random.default_rng(0)
    lengths = np.sort(generator.poisson(5, TYPES) + 1)
    words = [f"{i:x}".ljust(int(length), "e")[: max(int(length), 3)] for i, length in enumerate(lengths)]
    shape = (2, config.trainer.window, config.trainer.streams)
    inputs = torch.from_numpy(generator.integers(TYPES, size=shape))
    targets = torch.from_numpy(
        log_uniform(config.model.vocabulary, 5000, generator).rows[generator.integers(5000, size=shape)]
    )
    batch = Batch(char_ids(words, max_chars=50), inputs, targets)
    state = network.zero_state(config.trainer.streams)

    def one() -> None:
        losses, _ = network(batch, state, log_uniform(config.model.vocabulary, 2048, generator))
        losses.sum().backward()
        optimizers.step(0)

    return one, config.trainer.window * config.trainer.streams


@pytest.mark.benchmark(group="one update of the mini model")
def test_update(benchmark) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    one, tokens = update()
    benchmark.pedantic(one, rounds=10, warmup_rounds=3)
    speed = tokens / benchmark.stats.stats.median
    benchmark.extra_info["tokens_per_s"] = speed
    print(f"\n{speed:.0f} tokens/s")

"""Encoding a part of a task's data, for several processes or machines to fill one feature store together."""

import re

from harness.config.schema import HarnessConfig
from harness.errors import ConfigError
from harness.features.store import FeatureStore
from harness.runs.plan import Parts, layer_source, prepare, sentences
from harness.training.determinism import set_up_torch
from harness.utils.signals import Stop


def fill_part(config: HarnessConfig, *, stop: Stop, parts: Parts | None = None) -> str:
    """Encode what the store lacks of the part that ``config.shard`` names; return a line about it.

    Raises:
        HarnessError: the request is wrong, or the store cannot be written.
        Interrupted: a stop was asked for.
    """
    shard, shards = _shard(config.shard)
    set_up_torch(config)
    plan = prepare(config, parts)
    source = layer_source(plan)
    if not isinstance(source, FeatureStore):
        raise ConfigError("nothing to encode: encoder=none or cache=none keeps no features")
    report = source.fill(sentences(plan.examples), shard=shard - 1, shards=shards, check=stop.check)
    return (
        f"part {shard} of {shards}: {report.sentences:,} sentences, {report.found:,} were there, "
        f"{source.tokens_encoded:,} tokens encoded; {source.folder}"
    )


def _shard(given: str | None) -> tuple[int, int]:
    """Read ``I/N``; all of it where none is given."""
    match = re.fullmatch(r"(\d+)/(\d+)", given or "1/1")
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ConfigError(f"shard={given}: expected shard=I/N, I from 1 to N")
    return int(match[1]), int(match[2])

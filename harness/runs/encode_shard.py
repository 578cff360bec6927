"""Encode one part of a task's data, so that several processes or machines can fill one feature store."""

import re

from harness.config.schema import HarnessConfig
from harness.errors import ConfigError
from harness.features.store import FeatureStore
from harness.runs.plan import SharedObjects, layer_source, prepare, sentences
from harness.utils.signals import Stop


def encode_shard(config: HarnessConfig, *, stop: Stop, shared: SharedObjects | None = None) -> str:
    """Encode the sentences that the store lacks, of the part that ``config.shard`` names.

    Args:
        config: The typed configuration of a run; ``shard`` is ``I/N``, or None for all sentences.
        stop: Tells whether to stop; it is checked after each block that is written.
        shared: Objects that earlier runs of this process built.

    Returns:
        One line that says how much was encoded, and where.

    Raises:
        HarnessError: The request is wrong, or the store cannot be written.
        Interrupted: A stop was requested.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", config.shard or "1/1")
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ConfigError(f"shard={config.shard}: expected shard=I/N, with I from 1 to N")
    shard, shards = int(match[1]), int(match[2])
    plan = prepare(config, shared)
    source = layer_source(plan)
    if not isinstance(source, FeatureStore):
        raise ConfigError("nothing to encode: encoder=none or cache=none keeps no features; choose others")
    report = source.fill(sentences(plan.examples), shard=shard - 1, shards=shards, check=stop.check)
    return (
        f"part {shard} of {shards}: {report.sentences:,} sentences, {report.found:,} already in the store, "
        f"{source.tokens_encoded:,} tokens encoded; {source.folder}"
    )

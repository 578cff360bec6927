"""``python -m harness.encode``: fill the feature store with what a run will read, or with one part of it."""

import re
import sys
from collections.abc import Sequence

from harness.arithmetic import set_up_torch
from harness.cache import FeatureStore
from harness.composing import compose_values
from harness.config import typed
from harness.console import configure_logging, exit_status_of
from harness.errors import ConfigError, HarnessError
from harness.interrupts import Interrupted, listening
from harness.plan import layer_source, prepare, sentences

_USAGE = """\
usage: python -m harness.encode [shard=I/N] [GROUP=CHOICE ...] [KEY=VALUE ...]

Encode every sentence of a task's data that the feature store does not hold, and train nothing. The options are those of
python -m harness. With shard=I/N, I from 1 to N, it encodes one part of N; N processes with a part each, on machines
that share cache_dir, fill one store at the same time.

examples:
  python -m harness.encode task=squad data=official encoder=elmo_original
  python -m harness.encode task=squad data=official encoder=elmo_original shard=3/8 device=cuda:2
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    if "-h" in argv or "--help" in argv:
        print(_USAGE)  # noqa: T201
        return 0
    configure_logging()
    return exit_status_of(lambda: _encode(argv))


def _encode(argv: Sequence[str]) -> None:
    shard, shards = _shard([one for one in argv if one.startswith("shard=")])
    values = compose_values("config", [one for one in argv if not one.startswith("shard=")])
    config = typed(values)
    set_up_torch(config)
    plan = prepare(config)
    source = layer_source(plan)
    if not isinstance(source, FeatureStore):
        raise ConfigError("nothing to encode: encoder=none or cache=none keeps no features")
    try:
        with listening() as stop:
            report = source.fill_shard(sentences(plan.examples), shard=shard - 1, shards=shards, check=stop.check)
    except Interrupted as reason:
        raise HarnessError(str(reason)) from None
    print(  # noqa: T201
        f"part {shard} of {shards}: {report.sentences:,} sentences, {report.found:,} were there, "
        f"{source.tokens_encoded:,} tokens encoded; {source.folder}"
    )


def _shard(given: Sequence[str]) -> tuple[int, int]:
    """Read ``shard=I/N``; all of it where none is given."""
    if not given:
        return 1, 1
    match = re.fullmatch(r"shard=(\d+)/(\d+)", given[-1])
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ConfigError(f"{given[-1]}: expected shard=I/N, I from 1 to N")
    return int(match[1]), int(match[2])


if __name__ == "__main__":
    sys.exit(main())

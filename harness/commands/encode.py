"""``python -m harness encode``: encode what a run will read, or one part of it, and train nothing."""

from collections.abc import Sequence

from harness.config.compose import compose_values
from harness.config.schema import typed
from harness.errors import HarnessError
from harness.utils.console import configure_logging, exit_status_of
from harness.utils.signals import Interrupted, listening

_USAGE = """\
usage: python -m harness encode [shard=I/N] [GROUP=CHOICE ...] [KEY=VALUE ...]

Encode every sentence of a task's data that the feature store lacks, and train
nothing. The options are the same as for a run: python -m harness --help lists
them. With shard=I/N, I from 1 to N, only part I of N is encoded. N processes
with one part each can fill the same store at the same time, also on several
machines that share cache_dir.

examples:
  python -m harness encode task=squad data=official encoder=elmo_original
  python -m harness encode task=squad data=official encoder=elmo_original \\
      shard=3/8 device=cuda:2
"""


def main(arguments: Sequence[str]) -> int:
    """Fill the feature store as the arguments say; return the exit status."""
    if "-h" in arguments or "--help" in arguments:
        print(_USAGE, end="")  # noqa: T201
        return 0
    configure_logging()
    return exit_status_of(lambda: _encode(arguments))


def _encode(overrides: Sequence[str]) -> None:
    """Compose a configuration from overrides, and encode the part that it asks for."""
    config = typed(compose_values("config", overrides))
    from harness.runs.encode_shard import encode_shard  # imports torch, which takes seconds

    try:
        with listening() as stop:
            print(encode_shard(config, stop=stop))  # noqa: T201
    except Interrupted as reason:
        raise HarnessError(str(reason)) from None

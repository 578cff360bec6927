"""``python -m harness.commands.encode``: fill the feature store with what a run will read, or with one part of it."""

import sys
from collections.abc import Sequence

from harness.config.compose import compose_values
from harness.config.schema import typed
from harness.errors import HarnessError
from harness.runs.encode_shard import fill_part
from harness.utils.console import configure_logging, exit_status_of
from harness.utils.signals import Interrupted, listening

_USAGE = """\
usage: python -m harness.commands.encode [shard=I/N] [GROUP=CHOICE ...] [KEY=VALUE ...]

Encode every sentence of a task's data that the feature store does not hold, and train nothing. The options are those of
python -m harness. With shard=I/N, I from 1 to N, it encodes one part of N; N processes with a part each, on machines
that share cache_dir, fill one store at the same time.

examples:
  python -m harness.commands.encode task=squad data=official encoder=elmo_original
  python -m harness.commands.encode task=squad data=official encoder=elmo_original shard=3/8 device=cuda:2
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
    config = typed(compose_values("config", argv))
    try:
        with listening() as stop:
            print(fill_part(config, stop=stop))  # noqa: T201
    except Interrupted as reason:
        raise HarnessError(str(reason)) from None


if __name__ == "__main__":
    sys.exit(main())

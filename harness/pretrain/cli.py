"""The command line of pre-training: Hydra composes ``conf/pretrain.yaml``, and one training runs.

Exit status: 0 trained; 1 failed or stopped; 2 the request was wrong.
"""

import logging
import sys
from collections.abc import Sequence
from typing import Any

from harness.config.compose import CONF, run_jobs
from harness.errors import HarnessError

log = logging.getLogger(__name__)

_STOPPED = -1  # a signal asked to stop: the jobs of a sweep that follow are not begun

_USAGE = """\
usage: python -m harness.pretrain model=mini 'data.train=[FILE,...]' 'data.dev=[FILE]' out=DIR [KEY=VALUE ...]

Train a biLM on plain text (one tokenised sentence a line, or raw paragraphs with text.tokenize=true), and export
it to DIR in the official layout: options.json and weights.hdf5, for encoder=elmo and every other ELMo reader.
The same command goes on after a kill. init=DIR fine-tunes what an earlier training exported.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``python -m harness.pretrain`` and exit."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    if "-h" in argv or "--help" in argv:
        from harness.config.help import help_text

        print(help_text(CONF, root="pretrain", usage=_USAGE, command="python -m harness.pretrain"))  # noqa: T201
        sys.exit(0)
    sys.exit(_compose_and_run(argv))


def _compose_and_run(argv: list[str]) -> int:
    statuses: list[int] = []

    def job(config: Any) -> None:
        if _STOPPED not in statuses:
            statuses.append(_job(config))

    run_jobs("pretrain", argv, job)
    return 1 if _STOPPED in statuses else max(statuses, default=0)


def _job(config: Any) -> int:
    from harness.config.instantiate import typed_as
    from harness.config.schema import resolved
    from harness.pretrain.config import PretrainConfig
    from harness.pretrain.pretrain import pretrain
    from harness.utils.signals import Interrupted, listening

    try:
        settings: PretrainConfig = typed_as(PretrainConfig, resolved(config))
        with listening() as stop:
            record = pretrain(settings, stop=stop)
    except Interrupted as reason:
        return _failed(str(reason), _STOPPED)
    except HarnessError as error:
        return _failed(str(error), error.exit_status)
    except OSError as error:
        return _failed(" ".join(str(error).split()), 1)
    except Exception as error:  # Hydra would take some of these for a bad request
        log.exception("pre-training failed")
        return _failed(f"{type(error).__name__}: {' '.join(str(error).split())}", 1)
    print(_summary(record, settings.out))  # noqa: T201
    return 0


def _failed(reason: str, status: int) -> int:
    print(f"error: {reason}", file=sys.stderr)  # noqa: T201
    return status


def _summary(record: dict[str, Any], out: str) -> str:
    before, after = record["perplexity"]["before"], record["perplexity"]["after"]
    lines = [f"{record['parameters']:,} parameters, {record['tokens_seen']:,} tokens in {record['steps']:,} updates"]
    for name, values in (("before", before), ("after", after)):
        if values:
            lines.append(
                f"held-out perplexity {name}: {values['forward']:.1f} forward, {values['backward']:.1f} backward, "
                f"{(values['forward'] + values['backward']) / 2:.1f} on average"
            )
    lines.append(f"use it: encoder=elmo encoder.options={out}/options.json encoder.weights={out}/weights.hdf5")
    return "\n".join(lines)

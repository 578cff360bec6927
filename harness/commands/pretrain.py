"""``python -m harness pretrain``: train a biLM on plain text and export it in the official layout.

Hydra composes ``conf/pretrain.yaml`` and the command line to one training, or with ``-m`` to several.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.config.compose import run_jobs
from harness.config.help import help_text
from harness.config.instantiate import typed_as
from harness.config.schema import resolved
from harness.config.secrets import values_and_texts
from harness.pretrain.config import PretrainConfig
from harness.utils.console import bad_request, exit_status_of
from harness.utils.signals import Interrupted, listening

_USAGE = """\
usage: python -m harness pretrain model=mini 'data.train=[FILE,...]'
           'data.dev=[FILE]' out=DIR [KEY=VALUE ...]

Train a biLM on plain text and export it to DIR in the official layout,
options.json and weights.hdf5, for encoder=elmo and every other program that
reads ELMo. Each line of FILE is a tokenised sentence, or a raw paragraph with
text.tokenize=true. After a kill, the same command continues the training.
init=DIR fine-tunes an exported encoder.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command with Hydra's overrides and flags; return its exit status.

    It is 0 if every training succeeded, 1 if one failed or was stopped, and 2 if the request was wrong.
    """
    if "-h" in arguments or "--help" in arguments:
        print(help_text(root="pretrain", usage=_USAGE, command="python -m harness pretrain"))  # noqa: T201
        return 0
    statuses: list[int] = []
    run_jobs("pretrain", list(arguments), lambda config: statuses.append(_status_of(config)))
    return max(statuses, default=0)


def _typed(config: Any) -> PretrainConfig:
    values, texts = values_and_texts(lambda: resolved(config))
    return replace(typed_as(PretrainConfig, values), _texts=texts)


def _status_of(config: Any) -> int:
    """Run one composed training; return its exit status."""
    try:
        return exit_status_of(lambda: _train(_typed(config)))
    except Interrupted as reason:
        bad_request(str(reason), exit_status=1)  # the other trainings of a sweep do not begin


def _train(config: PretrainConfig) -> None:
    from harness.pretrain.pretrain import pretrain  # imports torch, which takes seconds

    with listening() as stop:
        record = pretrain(config, stop=stop)
    print(f"{record['parameters']:,} parameters, {record['tokens_seen']:,} tokens in {record['steps']:,} updates")  # noqa: T201
    for moment in ("before", "after"):
        if values := record["perplexity"][moment]:
            forward, backward = values["forward"], values["backward"]
            print(  # noqa: T201
                f"held-out perplexity {moment}: {forward:.1f} forward, {backward:.1f} backward, "
                f"{(forward + backward) / 2:.1f} on average"
            )
    files = f"encoder.options={config.out}/options.json encoder.weights={config.out}/weights.hdf5"
    print(f"to use it, add: encoder=elmo {files}")  # noqa: T201

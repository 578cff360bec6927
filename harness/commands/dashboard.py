"""``python -m harness dashboard``: save a wandb view that shows ablations."""

import argparse
from collections.abc import Sequence

import wandb

from harness.errors import ConfigError, HarnessError
from harness.tracking.dashboard import workspace
from harness.tracking.wandb_tracker import has_key
from harness.utils.console import CommandParser, exit_status_of


def main(arguments: Sequence[str]) -> int:
    """Run the command with the words after its name; return the exit status."""
    parser = CommandParser(
        prog="python -m harness dashboard",
        description="Save a view of the ablations in a wandb project: the scores of each mix, every axis against the "
        "score, learning curves, mix weights and times. This needs a wandb API key.",
    )
    parser.add_argument("--entity", required=True, metavar="NAME", help="the wandb user or team")
    parser.add_argument("--project", default="elmo-harness", metavar="NAME", help="the project; default: elmo-harness")
    parser.add_argument("--group", metavar="SWEEP", help="show only the runs of this sweep")
    parser.add_argument("--metrics", nargs="+", default=["f1", "accuracy"], help="metrics; default: f1 accuracy")
    chosen = parser.parse_args(arguments)
    return exit_status_of(lambda: _save(chosen))


def _save(chosen: argparse.Namespace) -> None:
    view = workspace(entity=chosen.entity, project=chosen.project, metrics=chosen.metrics, group=chosen.group)
    if not has_key():
        raise ConfigError("no wandb API key was found; run 'wandb login' or set WANDB_API_KEY")
    try:
        view.save()
    except wandb.Error as error:
        raise HarnessError(f"wandb could not save the view: {' '.join(str(error).split())}") from None
    print(view.url)  # noqa: T201

"""``python -m harness bundle``: copy a trained biLM, with its weights in half precision."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from harness.pretrain.bundle import bundle
from harness.utils.console import exit_status_of


def main(arguments: Sequence[str]) -> int:
    """Run the command with the words after its name; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m harness bundle",
        description="Copy a trained biLM, with its weights in half precision. Compare the perplexities of both folders "
        "with python -m harness perplexity to see what the rounding costs.",
    )
    add = parser.add_argument
    add("source", type=Path, help="The folder that python -m harness pretrain wrote.")
    add("target", type=Path, help="The folder to write.")
    add(
        "--precision",
        choices=("float16", "float32"),
        default="float16",
        help="Precision of the weights (default: %(default)s).",
    )
    add("--softmax", action="store_true", help="Copy the softmax and its vocabulary too, for further training.")
    chosen = parser.parse_args(arguments)
    return exit_status_of(lambda: bundle(**vars(chosen)))

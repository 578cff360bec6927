"""``python -m harness.pretrain.bundle DIR OUT``: what others need of a trained biLM, in half precision.

OUT gets ``options.json``, ``weights.hdf5``, ``pretraining.json`` and ``history.jsonl``; with ``--softmax`` also what
perplexity and fine-tuning need. ``python -m harness.pretrain.perplexity_table`` on both folders tells what the half costs.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.encoders.options import read_options
from harness.encoders.weights import Precision, read_weights, write_weights
from harness.errors import DataFormatError
from harness.pretrain.export import OPTIONS, RECORD, SOFTMAX, VOCABULARY, WEIGHTS
from harness.pretrain.trainer import HISTORY
from harness.utils.console import exit_status_of
from harness.utils.files import file_digest, replacing, write_json


def bundle(source: Path, target: Path, *, precision: Precision, softmax: bool = False) -> None:
    """Copy a trained biLM, its weights in another precision; its record names the digests of what was written.

    Raises:
        WeightsError: the weights are missing, damaged, or too large for the precision.
        DataFormatError: another file is missing.
    """
    copied = (OPTIONS, HISTORY, *((SOFTMAX, VOCABULARY) if softmax else ()))
    for name in (WEIGHTS, RECORD, *copied):
        if not (source / name).is_file():
            raise DataFormatError(f"{source / name}: no such file; expected what harness.pretrain exports")
    options = read_options(source / OPTIONS)
    write_weights(target / WEIGHTS, read_weights(source / WEIGHTS, options), precision=precision)
    for name in copied:
        with replacing(target / name) as temporary:
            shutil.copyfile(source / name, temporary)
    record = json.loads((source / RECORD).read_text(encoding="utf-8"))
    record["bundled"] = {
        "precision": precision,
        "sha256": {name: file_digest(target / name) for name in (OPTIONS, WEIGHTS)},
    }
    write_json(target / RECORD, record)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.pretrain.bundle", description="Copy a trained biLM, its weights in half precision."
    )
    parser.add_argument("source", type=Path, help="what python -m harness.pretrain has exported")
    parser.add_argument("target", type=Path, help="the folder to write")
    parser.add_argument("--precision", choices=("float16", "float32"), default="float16", help="default: float16")
    parser.add_argument("--softmax", action="store_true", help="copy softmax and vocabulary too")
    chosen = parser.parse_args(arguments)
    return exit_status_of(
        lambda: bundle(chosen.source, chosen.target, precision=chosen.precision, softmax=chosen.softmax)
    )


if __name__ == "__main__":
    sys.exit(main())

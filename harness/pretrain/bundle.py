"""A copy of a trained biLM that is small enough to publish."""

import json
import shutil
from pathlib import Path

from harness.encoders.options import read_options
from harness.encoders.weights import Precision, read_weights, write_weights
from harness.errors import DataFormatError
from harness.pretrain.exported_model import OPTIONS, RECORD, SOFTMAX, VOCABULARY, WEIGHTS
from harness.pretrain.trainer import HISTORY
from harness.utils.files import file_digest, replacing, write_json


def bundle(source: Path, target: Path, *, precision: Precision, softmax: bool = False) -> None:
    """Copy a trained biLM with its weights in another precision, and record the digests of the copy.

    Args:
        source: The folder of a finished training.
        target: The folder to write.
        precision: The precision of the weights in the copy.
        softmax: Whether to copy the softmax and its vocabulary too.

    Raises:
        WeightsError: The weights are damaged, or too large for the precision.
        DataFormatError: A file is missing.
    """
    copied = (OPTIONS, HISTORY, *((SOFTMAX, VOCABULARY) if softmax else ()))
    for name in (WEIGHTS, RECORD, *copied):
        if not (source / name).is_file():
            raise DataFormatError(f"{source / name}: no such file; name the folder of a finished training")
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

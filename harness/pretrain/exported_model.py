"""What a pre-training leaves: an encoder in the official layout, and beside it the softmax that trained it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from harness.encoders.options import NUM_CHARACTERS, read_options
from harness.encoders.weights import Precision, read_weights, write_weights
from harness.errors import WeightsError
from harness.pretrain.network import PretrainingNetwork
from harness.pretrain.vocabulary import Vocabulary
from harness.utils.files import write_json, write_tensors

OPTIONS, WEIGHTS = "options.json", "weights.hdf5"  # the encoder: all that other tools read
SOFTMAX, VOCABULARY = "softmax.safetensors", "vocabulary.txt"  # for perplexity and fine-tuning
RECORD = "pretraining.json"  # written last: where it lies, the training is finished


def write_network(
    folder: Path,
    network: PretrainingNetwork,
    *,
    options: Mapping[str, Any],
    vocabulary: Vocabulary,
    precision: Precision,
) -> None:
    """Write a trained network; ``options`` is the contents of its ``options.json``."""
    write_json(folder / OPTIONS, options)
    write_weights(folder / WEIGHTS, network.official(), precision=precision)
    write_tensors(folder / SOFTMAX, network.softmax.state_dict())
    vocabulary.write(folder / VOCABULARY)


def read_network(folder: Path) -> tuple[PretrainingNetwork, Vocabulary]:
    """Read a trained network, softmax included.

    Raises:
        HarnessError: a file is missing or does not fit the others.
    """
    options = read_options(folder / OPTIONS)
    vocabulary = Vocabulary.read(folder / VOCABULARY)
    network = PretrainingNetwork(options, vocabulary_size=len(vocabulary), dropout=0.0)
    network.load_official(read_weights(folder / WEIGHTS, options))
    load_softmax(network, folder / SOFTMAX)
    return network.eval(), vocabulary


def as_official(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contents of an ``options.json`` that bilm-tf and AllenNLP read.

    Both look for clips by name; ``null`` is no clipping to both. They want 262 characters at prediction.
    """
    lstm = {"cell_clip": None, "proj_clip": None, **options.get("lstm", {})}
    return {"lstm": lstm, "char_cnn": {**options.get("char_cnn", {}), "n_characters": NUM_CHARACTERS + 1}}


def load_softmax(network: PretrainingNetwork, path: Path) -> None:
    """Take over a softmax that an earlier training exported.

    Raises:
        WeightsError: the file is damaged or does not fit.
    """
    try:
        network.softmax.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such softmax; it lies beside what harness.pretrain exports") from None
    except (SafetensorError, RuntimeError) as error:
        raise WeightsError(f"{path}: not this model's softmax ({' '.join(str(error).split())})") from None

"""The files of a trained biLM: an encoder in the official layout, and next to it the softmax that trained it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from harness.encoders.options import NUM_CHARACTERS, read_options
from harness.encoders.weights import read_weights
from harness.errors import WeightsError
from harness.pretrain.network import PretrainingNetwork
from harness.pretrain.vocabulary import Vocabulary

OPTIONS, WEIGHTS = "options.json", "weights.hdf5"  # the encoder: all that other tools read
SOFTMAX, VOCABULARY = "softmax.safetensors", "vocabulary.txt"  # for perplexity and fine-tuning
RECORD = "pretraining.json"  # written last: if it exists, the training is finished


def read_network(folder: Path) -> tuple[PretrainingNetwork, Vocabulary]:
    """Return an exported network, ready for evaluation, and the vocabulary of its softmax.

    Raises:
        HarnessError: A file is missing, or does not fit the others.
    """
    options = read_options(folder / OPTIONS)
    vocabulary = Vocabulary.read(folder / VOCABULARY)
    network = PretrainingNetwork(options=options, vocabulary_size=len(vocabulary), dropout=0.0)
    network.load_official(read_weights(folder / WEIGHTS, options))
    load_softmax(network, folder / SOFTMAX)
    return network.eval(), vocabulary


def load_softmax(network: PretrainingNetwork, path: Path) -> None:
    """Load an exported softmax into a network.

    Args:
        network: A network whose softmax has as many words.
        path: The ``softmax.safetensors`` of an earlier training.

    Raises:
        WeightsError: The file is missing, damaged, or of another size.
    """
    try:
        network.softmax.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file; name the folder that python -m harness pretrain wrote") from None
    except (SafetensorError, RuntimeError) as error:
        raise WeightsError(f"{path}: not this model's softmax ({' '.join(str(error).split())})") from None


def as_official(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contents of an ``options.json`` that bilm-tf and AllenNLP read.

    Both need the keys of the two clips, where ``null`` means no clipping. Both expect 262 characters in an encoder.
    """
    lstm = {"cell_clip": None, "proj_clip": None, **options.get("lstm", {})}
    return {"lstm": lstm, "char_cnn": {**options.get("char_cnn", {}), "n_characters": NUM_CHARACTERS + 1}}

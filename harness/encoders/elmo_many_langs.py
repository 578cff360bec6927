"""A model of ELMoForManyLangs as a frozen encoder: the biLM of ELMo, with word embeddings beside its character CNN.

Source: Che et al. 2018 (arXiv 1807.03121); exact operations as in the reference code (package ``elmoformanylangs``).
"""

import hashlib
import logging
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from harness.encoders.bfloat16 import Dtype
from harness.encoders.elmo import ElmoEncoder, StatePolicy
from harness.encoders.kernels.one_thread_each import one_thread
from harness.encoders.lexicon import CHAR_ENTRIES, WORD_ENTRIES, Lexicon, read_ids
from harness.encoders.model_archive import unpacked
from harness.encoders.model_card import model_card
from harness.encoders.options import BiLmOptions, parse_options
from harness.errors import WeightsError
from harness.utils.files import file_digest
from harness.utils.text_files import read_json

_Take = Callable[..., Tensor]  # its arguments are the name of a tensor, and its shape

_FILES = ("config.json", "char.dic", "word.dic", "token_embedder.pkl", "encoder.pkl")
# The sizes of the published models. Their config.json names a file with these, which their archives may lack.
_PUBLISHED: dict[str, Any] = {
    "token_embedder": {
        **{"name": "cnn", "activation": "relu", "n_highway": 2, "max_characters_per_token": 50},
        **{"filters": [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]]},
        **{"word_dim": 100, "char_dim": 50},
    },
    "encoder": {"name": "elmo", "projection_dim": 512, "dim": 4096, "n_layers": 2, "cell_clip": 3, "proj_clip": 3},
}
_DAMAGED = (  # how torch.load reports it
    *(pickle.UnpicklingError, EOFError, OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError),
    *(ArithmeticError, AssertionError, MemoryError, struct.error, zipfile.BadZipFile),
)

log = logging.getLogger(__name__)


def load_elmo_many_langs(
    *, name: str, path: str, state: StatePolicy = "zeros", cache_dir: str, dtype: Dtype = "float32", device: str = "cpu"
) -> ElmoEncoder:
    """Load a model of ELMoForManyLangs.

    Args:
        name: A short name for tables.
        path: A folder, or the path or URL of a zip, with ``config.json``, ``char.dic``, ``word.dic``,
            ``token_embedder.pkl`` and ``encoder.pkl``.
        state: The LSTM state from which sentences start; see ``ElmoEncoder``. The reference code starts its first batch
            from ``zeros``, and carries the state on to the later ones.
        cache_dir: The folder in which downloads are kept.
        dtype: Type of the matrix products, ``float32`` or ``bfloat16``.
        device: Torch device on which to compute.

    Raises:
        WeightsError: A file is missing or damaged, or the files do not fit each other.
        DownloadError: A URL cannot be downloaded.
    """
    files = unpacked(path, folder=Path(cache_dir) / "encoders" / name, choose=_files)
    options, word_dim = _architecture(files)
    chars = read_ids(files["char.dic"], entries=CHAR_ENTRIES)
    words = read_ids(files["word.dic"], entries=WORD_ENTRIES)
    embedder, lstms = _tensors(files["token_embedder.pkl"]), _tensors(files["encoder.pkl"])
    embeddings = embedder("word_emb_layer.embedding.weight", len(words), word_dim)
    projection = embedder("projection.weight", options.projection_dim, word_dim + options.n_filters)
    with one_thread():  # so that the bits do not depend on torch's number of threads
        word_table = embeddings @ projection[:, :word_dim].T  # (words, projection_dim)
    weights = _word_weights(options, embedder, n_chars=len(chars)) | _lstm_weights(options, lstms)
    weights["CNN_proj/W_proj"] = projection[:, word_dim:].T  # (n_filters, projection_dim)
    digests = [file_digest(files[name]) for name in _FILES[1:]]
    return ElmoEncoder(
        name=name,
        options=options,
        weights={dataset: weight.contiguous() for dataset, weight in weights.items()},
        weights_digest=hashlib.sha256(" ".join(["elmo_many_langs", *digests]).encode()).hexdigest(),
        model_card=model_card(files["config.json"].parent),
        lexicon=Lexicon(chars=chars, words=words, word_table=word_table, max_chars=options.max_chars),
        state=state,
        dtype=dtype,
        device=device,
    )


def _files(names: Sequence[str], source: Path) -> list[str]:
    """Return the names of the files of a model, and of other JSON files, one of which may hold its sizes."""
    if missing := [name for name in _FILES if name not in names]:
        raise WeightsError(f"{source}: there is no {missing[0]} in it; give a model of ELMoForManyLangs")
    return [*_FILES, *(name for name in names if name.endswith(".json") and name not in _FILES)]


def _architecture(files: Mapping[str, Path]) -> tuple[BiLmOptions, int]:
    """Return the options of the biLM, and the width of its word embeddings."""
    source, sizes = files["config.json"], _PUBLISHED
    config = read_json(source, fix="give a model of ELMoForManyLangs", error=WeightsError)
    # A published config.json holds the path on the machine on which the model was trained.
    named = PurePosixPath(str(config.get("config_path") if isinstance(config, dict) else "")).name
    if named in files:
        source = files[named]
        sizes = read_json(source, fix="download the model again", error=WeightsError)
    else:
        log.info("%s: the file that config_path names is not beside it; assuming the published sizes", source)
    sections: list[Any] = [sizes.get(key) if isinstance(sizes, dict) else None for key in _PUBLISHED]
    token, lstm = (section if isinstance(section, dict) else {} for section in sections)
    word_dim = token.get("word_dim")
    if (token.get("name"), lstm.get("name")) != ("cnn", "elmo") or type(word_dim) is not int or word_dim < 1:
        expected = "token_embedder.name cnn with a word_dim of at least 1, and encoder.name elmo"
        raise WeightsError(f"{source}: expected {expected}; no other models of ELMoForManyLangs are read")
    official = {"char_cnn": {**token, "embedding": {"dim": token.get("char_dim")}}}
    options = parse_options(official | {"lstm": {**lstm, "use_skip_connections": True}}, source=str(source))
    if not (options.projects_words and options.projects_states):
        raise WeightsError(f"{source}: encoder.projection_dim equals dim or the number of filters; this is not read")
    return options, word_dim


def _tensors(path: Path) -> _Take:
    """Return a function that gives a tensor of a file of torch as float32, checked. Code in the file is not run."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if any(member.compress_type for member in archive.infolist()):
                    raise ValueError("it is compressed, as torch never does")
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        reason = " ".join(str(error).split())[:100]
        raise WeightsError(f"{path}: not a readable file of weights ({reason}); download it again") from None

    def take(name: str, *shape: int) -> Tensor:
        tensor = tensors.get(name) if isinstance(tensors, dict) else None
        if (
            not (isinstance(tensor, Tensor) and tensor.layout == torch.strided and tensor.is_floating_point())
            or tensor.is_meta
        ):
            raise WeightsError(f"{path}: there is no tensor '{name}'; expected one of shape {shape}")
        if tensor.shape != shape:
            raise WeightsError(f"{path}: '{name}' is {tuple(tensor.shape)}, not {shape}; use the files of one model")
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f"{path}: '{name}' holds NaN or infinity; download the file again")
        return tensor.detach().float()

    return take


def _word_weights(options: BiLmOptions, take: _Take, *, n_chars: int) -> dict[str, Tensor]:
    """Return the weights of the character CNN by their official names, without the matrix of its projection."""
    weights = {"char_embed": take("char_emb_layer.embedding.weight", n_chars, options.char_dim)}
    for i, (width, count) in enumerate(options.filters):
        convolution = take(f"convolutions.{i}.weight", count, options.char_dim, width)
        weights[f"CNN/W_cnn_{i}"] = convolution.permute(2, 1, 0)[None]  # (1, width, char_dim, count)
        weights[f"CNN/b_cnn_{i}"] = take(f"convolutions.{i}.bias", count)
    for k in range(options.n_highway):
        layer, width = f"highways._layers.{k}", options.n_filters
        # The gate weights what is carried; that of the official file weights what is transformed, so its sign changes.
        transform, gate = take(f"{layer}.weight", 2 * width, width).chunk(2)  # (n_filters, n_filters) each
        weights |= {f"CNN_high_{k}/W_transform": transform.T, f"CNN_high_{k}/W_carry": -gate.T}
        transform, gate = take(f"{layer}.bias", 2 * width).chunk(2)  # (n_filters,) each
        weights |= {f"CNN_high_{k}/b_transform": transform, f"CNN_high_{k}/b_carry": -gate}
    return weights | {"CNN_proj/b_proj": take("projection.bias", options.projection_dim)}


def _lstm_weights(options: BiLmOptions, take: _Take) -> dict[str, Tensor]:
    """Return the weights of the LSTMs by their official names."""
    dim, width, weights = options.lstm_dim, options.projection_dim, {}
    gates = torch.arange(4 * dim).view(4, dim)[[0, 2, 1, 3]].flatten()  # (4 * dim,); the candidate is third here
    for direction, side in enumerate(("forward", "backward")):
        for layer in range(options.n_layers):
            lstm, cell = f"{side}_layer_{layer}", f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
            matrices = [take(f"{lstm}.{part}_linearity.weight", 4 * dim, width) for part in ("input", "state")]
            weights[f"{cell}/W_0"] = torch.cat(matrices, dim=1)[gates].T  # (2 * projection_dim, 4 * dim)
            bias = take(f"{lstm}.state_linearity.bias", 4 * dim)[gates]  # (4 * dim,)
            bias[2 * dim : 3 * dim] -= 1  # the official file lacks what is added at the forget gate
            weights[f"{cell}/B"] = bias
            weights[f"{cell}/W_P_0"] = take(f"{lstm}.state_projection.weight", width, dim).T  # (dim, projection_dim)
    return weights

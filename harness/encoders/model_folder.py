"""The folder of a pretrained model of the library ``transformers``: found or downloaded, checked and loaded."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.encoders.model_card import model_card
from harness.errors import ConfigError, DownloadError, WeightsError
from harness.utils.files import file_digest
from harness.utils.text_files import read_json

_LONGEST = 10**6  # a tokenizer without a limit reports a much larger number
_ASIDE = ("pooler.",)  # parameters that do not change any hidden state, and that many models lack
_TEXT_FILES = ("*.json", "*.txt", "*.model")  # configuration and tokenizer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelFolder:
    """A folder with ``config.json``, a tokenizer and, unless the weights are random, safetensors files.

    Attributes:
        path: The folder.
    """

    path: Path

    def config(self) -> Any:
        """Return the library's configuration object.

        Raises:
            WeightsError: There is no valid ``config.json``.
        """
        from transformers import AutoConfig

        with _one_line(self.path, "has no usable config.json"):
            return AutoConfig.from_pretrained(self.path, local_files_only=True, trust_remote_code=False)

    def tokenizer(self) -> Any:
        """Return the library's tokenizer, made for words: each word begins like a word within a text.

        Raises:
            WeightsError: There is no usable tokenizer.
        """
        from transformers import AutoTokenizer

        with _one_line(self.path, "has no usable tokenizer"):
            return AutoTokenizer.from_pretrained(
                self.path, local_files_only=True, trust_remote_code=False, use_fast=True, add_prefix_space=True
            )

    def card(self) -> str:
        """Return the title of the model card; without one, the name that ``config.json`` gives to the model."""
        values = read_json(self.path / "config.json", fix="give the folder of a model", error=WeightsError)
        named = values.get("_name_or_path") if isinstance(values, dict) else None
        return model_card(self.path) or (named if isinstance(named, str) else "")

    def max_length(self, model: Any) -> int | None:
        """Return the greatest number of pieces that ``model`` can read, special tokens included; None: no limit."""
        positions = getattr(self.config(), "max_position_embeddings", None)
        for name, module in model.named_modules():
            # In RoBERTa and its relatives, positions are counted from the number of the padding piece + 1.
            if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
                positions = module.num_embeddings - module.padding_idx - 1
        limits = [positions, self.tokenizer().model_max_length]
        return min((limit for limit in limits if limit is not None and 0 < limit < _LONGEST), default=None)

    def digests(self, *, weights: bool) -> dict[str, str]:
        """Return the SHA-256 of each file that determines the vectors, by name.

        Args:
            weights: Whether the weights are among them.
        """
        names = {path.name for pattern in _TEXT_FILES for path in self.path.glob(pattern)}
        names |= {path.name for path in self.path.glob("*.safetensors")} if weights else set()
        return {name: file_digest(self.path / name) for name in sorted(names)}


def model_folder(model: str, *, revision: str | None) -> ModelFolder:
    """Return the folder of a model; download it if ``model`` is no local path.

    Args:
        model: A folder, or the identifier of a model on the Hugging Face hub.
        revision: The commit to download; None: the newest.

    Raises:
        ConfigError: The library is not installed.
        WeightsError: The folder does not exist.
        DownloadError: The model cannot be downloaded.
    """
    try:
        from transformers.utils import logging as library
    except ModuleNotFoundError:
        raise ConfigError(
            "encoder=transformers needs a library; run: pip install 'elmo-harness[transformers]'"
        ) from None
    library.disable_progress_bar()
    path = Path(model).expanduser()
    if path.is_dir():
        return ModelFolder(path)
    if model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise WeightsError(f"encoder.model={model}: there is no such folder")
    return ModelFolder(_downloaded(model, revision))


def _downloaded(model: str, revision: str | None) -> Path:
    """Return the local copy of a model of the hub; only what is missing is downloaded."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    patterns = [*_TEXT_FILES, "*.safetensors", "README.md"]
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=patterns, local_files_only=True))
    except LocalEntryNotFoundError:
        log.info("downloading the model %s from the Hugging Face hub", model)
    try:
        path = Path(snapshot_download(model, revision=revision, allow_patterns=patterns))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DownloadError(
            f"encoder.model={model} is no folder, and it cannot be downloaded: {reason[:200]}; "
            "check the name and the connection, or give the path of a folder"
        ) from None
    if revision is None:
        log.info("the newest version was downloaded; to pin it, add encoder.revision=%s", path.name)
    return path


def load_model(folder: ModelFolder, *, dtype: str, seed: int | None) -> Any:
    """Return the network, without a head and without any random part.

    Of a model that has an encoder and a decoder, only the encoder is used.

    Args:
        folder: The folder of the model.
        dtype: The name of the torch type in which it computes.
        seed: The seed of random weights; None loads the weights.

    Raises:
        WeightsError: There is no safetensors file, it is damaged, or it lacks parameters.
    """
    from transformers import AutoModel

    config, kind = folder.config(), getattr(torch, dtype)
    if seed is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = AutoModel.from_config(config, trust_remote_code=False).to(kind)
    else:
        if not any(folder.path.glob("*.safetensors")):
            raise WeightsError(f"{folder.path}: there is no *.safetensors file; only this format of weights is read")
        with _one_line(folder.path, "has no usable weights"):
            model, loading = AutoModel.from_pretrained(
                folder.path,
                dtype=kind,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
        if missing := sorted(name for name in loading["missing_keys"] if not name.startswith(_ASIDE)):
            raise WeightsError(f"{folder.path}: the weights lack {missing[0]} and {len(missing) - 1} other parameters")
    return model.get_encoder() if config.is_encoder_decoder else model


@contextmanager
def _one_line(path: Path, what: str) -> Iterator[None]:
    """Turn an error of the library into one line. For a damaged file, it raises errors of every type."""
    try:
        yield
    except Exception as error:
        raise WeightsError(f"{path} {what}: {' '.join(str(error).split())[:200]}") from error

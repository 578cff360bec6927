"""An encoder from outside the harness: its code is part of its fingerprint, and what it returns is checked."""

import hashlib
import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.config.instantiate import build
from harness.errors import ConfigError, HarnessError
from harness.optional_protocols import Documented, Rounding, Sized
from harness.protocols import Encoder
from harness.types import Sentence

_TYPES: dict[str, type] = {
    **{"name": str, "fingerprint": str, "state": str, "num_layers": int, "dim": int},
    **{"word_layer": bool, "cacheable": bool},
}
_NOT_OF_PLUGIN = ("builtins", "torch", "harness", "abc", "typing")  # code that has a version of its own


def build_encoder(node: Any, *, device: str, plugins: Sequence[str] = ()) -> Encoder | None:
    """Build the encoder that a config names; one from outside the harness is checked.

    Args:
        node: The group ``encoder`` of a config.
        device: The torch device on which to compute.
        plugins: Modules of the user that ``_target_`` may name.

    Returns:
        The encoder; None for ``{name: none}``.

    Raises:
        HarnessError: The request is wrong, or the files of the encoder are missing or damaged.
    """
    encoder: Encoder | None = build(node, kind=Encoder, where="encoder", plugins=plugins, supplied={"device": device})
    return checked_encoder(encoder)


def checked_encoder(encoder: Encoder | None) -> Encoder | None:
    """Return an encoder of the harness, or None, as it is; return any other in a ``PluginEncoder``."""
    if encoder is None or _package(type(encoder)) == "harness":
        return encoder
    return PluginEncoder(encoder=encoder)


class PluginEncoder:
    """Passes every call on to an encoder from outside the harness, and checks what it returns.

    The fingerprint also covers the source files of the encoder's class and base classes: after an edit, features that
    the old code computed are not found, so they are computed again.

    Args:
        encoder: The encoder.

    Raises:
        ConfigError: A member of the encoder has a value of the wrong type.
    """

    def __init__(self, *, encoder: Encoder) -> None:
        self._encoder = encoder
        self._class = type(encoder).__name__
        for name, expected in _TYPES.items():
            value: Any = getattr(encoder, name, None)
            if not _fits(value, expected):
                wanted = "an int of 1 or more" if expected is int else f"a {expected.__name__}"
                raise ConfigError(f"encoder: {self._class}.{name} is {value!r}; expected {wanted}")
            setattr(self, name, value)
        self.fingerprint = hashlib.sha256(f"{encoder.fingerprint} {_source_digest(encoder)}".encode()).hexdigest()
        if isinstance(encoder, Rounding):
            self.dtype, self.rounding_error = encoder.dtype, encoder.rounding_error
        if isinstance(encoder, Sized):
            self.num_parameters = encoder.num_parameters
        self.model_card = model_card_of(encoder)

    name: str
    state: str
    num_layers: int
    dim: int
    word_layer: bool
    cacheable: bool

    def encode(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
        """Encode sentences with the plug-in, and yield the layers of each exactly once.

        Raises:
            HarnessError: The plug-in yields something other than ``harness.protocols.Encoder.encode`` describes.
        """
        waiting = set(range(len(sentences)))
        each = f"(index, layers) once for each of {len(sentences)} sentences"
        for item in self._encoder.encode(sentences) or ():
            if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], int)):
                raise self._error(f"a {type(item).__name__}", each)
            index, layers = item
            if index not in waiting:
                again = " again" if 0 <= index < len(sentences) else ""
                raise self._error(f"the index {index}{again}", each)
            waiting.remove(index)
            self._check(layers, sentences[index])
            yield index, layers
        if waiting:
            raise self._error(f"nothing for {len(waiting)} of {len(sentences)} sentences", "layers for each of them")

    def _check(self, layers: Any, sentence: Sentence) -> None:
        """Raise unless the layers of a sentence have the type and the shape that was announced."""
        if not isinstance(layers, Tensor):
            raise self._error(f"a {type(layers).__name__}", "a tensor of torch")
        shape = (self.num_layers, len(sentence), self.dim)
        if tuple(layers.shape) != shape:
            raise self._error(
                f"{tuple(layers.shape)} for a sentence of {len(sentence)} tokens",
                f"(layers, tokens, dim) = {shape}, without boundary tokens",
            )
        if layers.dtype != torch.float32 or layers.device.type != "cpu" or layers.requires_grad:
            grad = " with gradients" if layers.requires_grad else ""
            raise self._error(f"{layers.dtype} on {layers.device}{grad}", "torch.float32 on the CPU, without gradients")

    def _error(self, found: str, expected: str) -> HarnessError:
        return HarnessError(f"{self._class}.encode yielded {found}; expected {expected}")


def _source_digest(encoder: Encoder) -> str:
    """Return a SHA-256 over the source files of the encoder's class and base classes; some classes have no file."""
    files = set()
    for one in type(encoder).__mro__:
        if _package(one) not in _NOT_OF_PLUGIN:
            try:
                files.add(Path(inspect.getfile(one)))
            except (TypeError, OSError):  # a class of an interactive session
                continue
    contents = sorted(file.read_bytes() for file in files if file.is_file())
    return hashlib.sha256(b"\0".join(contents)).hexdigest()


def model_card_of(encoder: Encoder) -> str:
    """Return the title or the place of an encoder's model card; empty if it names none."""
    return encoder.model_card if isinstance(encoder, Documented) else ""


def _fits(value: Any, expected: type) -> bool:
    """Return whether the value of a member is of its type; every int counts something."""
    return type(value) is int and value >= 1 if expected is int else isinstance(value, expected)


def _package(one: type) -> str:
    return one.__module__.partition(".")[0]

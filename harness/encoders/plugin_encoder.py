"""An encoder from outside the harness: its code is part of its fingerprint, and what it returns is checked."""

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.config.instantiate import build, target_of
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
    return checked_encoder(encoder, made_by=target_of(node, where="encoder", plugins=plugins))


def checked_encoder(encoder: Encoder | None, *, made_by: Callable[..., Any] | None = None) -> Encoder | None:
    """Return an encoder of the harness, or None, as it is; return any other in a ``PluginEncoder``.

    Args:
        encoder: The encoder.
        made_by: The function or class that has made it.
    """
    if encoder is None or isinstance(encoder, PluginEncoder) or _package(type(encoder)) == "harness":
        return encoder
    return PluginEncoder(encoder=encoder, made_by=made_by)


class PluginEncoder:
    """Passes every call on to an encoder from outside the harness, and checks what it returns.

    The fingerprint also covers the encoder's members, its class, and the source files of its class, of the base classes
    and of the function that has made it: after an edit, features that the old code computed are not found, so they are
    computed again.

    Args:
        encoder: The encoder.
        made_by: The function or class that has made it.

    Raises:
        ConfigError: A member of the encoder has a value of the wrong type.
    """

    def __init__(self, *, encoder: Encoder, made_by: Callable[..., Any] | None = None) -> None:
        self._encoder = encoder
        self._class = type(encoder).__name__
        for name, expected in _TYPES.items():
            setattr(self, name, self._own(name, expected))
        self._is_verified = not self.cacheable  # vectors that are not kept may differ
        makers: list[Callable[..., Any]] = [type(encoder), *([made_by] if made_by not in (None, type(encoder)) else [])]
        known = [*(one.__qualname__ for one in makers), *(getattr(encoder, name) for name in _TYPES)]
        self.fingerprint = hashlib.sha256(f"{known} {_source_digest(*makers)}".encode()).hexdigest()
        if isinstance(encoder, Rounding):
            self.dtype, self.rounding_error = self._own("dtype", str), self._own("rounding_error", float)
        if isinstance(encoder, Sized):
            self.num_parameters = self._own("num_parameters", int)
        self.model_card = self._own("model_card", str) if isinstance(encoder, Documented) else ""

    name: str
    state: str
    num_layers: int
    dim: int
    word_layer: bool
    cacheable: bool

    def _own(self, name: str, expected: type) -> Any:
        """Return a member of the plug-in, once its type is checked."""
        value: Any = getattr(self._encoder, name, None)
        if not _fits(value, expected):
            wanted = "an int of 1 or more" if expected is int else f"a {expected.__name__}"
            raise ConfigError(f"encoder: {self._class}.{name} is {value!r}; expected {wanted}")
        return value

    def encode(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
        """Encode sentences with the plug-in, and yield the layers of each exactly once.

        The first sentence is encoded alone, too: its vectors must be the same.

        Raises:
            HarnessError: The plug-in yields something other than ``harness.protocols.Encoder.encode`` describes.
        """
        first = next((number for number, one in enumerate(sentences) if one), None)
        again: list[Tensor] = []  # the layers of the first sentence, and those of its last word
        if first is not None and not self._is_verified:
            alone = [sentences[first], *([sentences[first][-1:]] if self.word_layer else [])]
            again = [layers for one in alone for _, layers in self._checked([one])]
        for index, layers in self._checked(sentences):
            if index == first and again:
                self._compare(layers, again[0], "when it is encoded again", "call eval(), or set cacheable=False")
                if self.word_layer:
                    self._compare(layers[0, -1:], again[1][0], "in layer 0 from a word alone", "set word_layer=False")
                self._is_verified = True
            yield index, layers

    def _checked(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
        """Yield what the plug-in yields, once its types and shapes are checked; layers are copied."""
        waiting = set(range(len(sentences)))
        each = f"(index, layers) once for each of {len(sentences)} sentences"
        found = self._encoder.encode(sentences)
        if isinstance(found, Tensor) or not isinstance(found, Iterable):
            raise self._error(f"a {type(found).__name__}", each, verb="returned")
        for item in found:
            if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], int)):
                kind = type(item).__name__
                inner = f" of {', '.join(type(one).__name__ for one in item)}" if isinstance(item, tuple) else ""
                raise self._error(f"a {kind}{inner}", each)
            index, layers = item
            if index not in waiting:
                again = " again" if 0 <= index < len(sentences) else ""
                raise self._error(f"the index {index}{again}", each)
            waiting.remove(index)
            self._check(layers, sentences[index])
            yield index, layers.clone()  # the plug-in may use its memory again
        if waiting:
            raise self._error(f"nothing for {len(waiting)} of {len(sentences)} sentences", "layers for each of them")

    def _compare(self, layers: Tensor, again: Tensor, where: str, fix: str) -> None:
        """Raise unless two encodings of one sentence are equal but for rounding."""
        if not torch.allclose(layers, again, rtol=0.01, atol=0.01 * float(again.abs().max())):
            raise HarnessError(f"{self._class}.encode: the vectors of a sentence differ {where}; {fix}")

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
        if layers.layout != torch.strided:
            raise self._error(f"a tensor with layout={layers.layout}", "a dense tensor")
        if layers.dtype != torch.float32 or layers.device.type != "cpu" or layers.requires_grad:
            grad = " with gradients" if layers.requires_grad else ""
            raise self._error(f"{layers.dtype} on {layers.device}{grad}", "torch.float32 on the CPU, without gradients")
        if not torch.isfinite(layers).all():
            raise self._error(f"NaN or infinity for a sentence of {len(sentence)} tokens", "finite numbers")

    def _error(self, found: str, expected: str, *, verb: str = "yielded") -> HarnessError:
        return HarnessError(f"{self._class}.encode {verb} {found}; expected {expected}")


def _source_digest(*makers: Callable[..., Any]) -> str:
    """Return a SHA-256 over the source files of functions, of classes and of their base classes; some have no file."""
    files = set()
    for one in chain(*(getattr(maker, "__mro__", (maker,)) for maker in makers)):
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


def _package(one: Any) -> str:
    return one.__module__.partition(".")[0]

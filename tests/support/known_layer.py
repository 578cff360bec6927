"""An encoder whose layers hold what a test decides, and data whose labels are known in advance."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from zlib import crc32

import torch
from torch import Tensor

from harness.types import SPLITS, Sentence

LABELS = ("A", "B", "C", "D")
WORDS = [f"word{i}" for i in range(30)]
_SIZES = {"train": 200, "dev": 40, "test": 40}


def label_in_context(sentence: Sentence, place: int) -> int:
    """Return a label that the word alone does not tell."""
    return crc32(f"{' '.join(sentence)} {place}".encode()) % len(LABELS)


def label_of_word(sentence: Sentence, place: int) -> int:
    """Return a label that depends on the word alone."""
    return crc32(f"label of {sentence[place]}".encode()) % len(LABELS)


def write_data(folder: Path, *, by_word: bool) -> list[str]:
    """Write column files, and return the overrides that choose them."""
    rng, label = random.Random(1), label_of_word if by_word else label_in_context
    for split in SPLITS:
        sentences = [tuple(rng.choice(WORDS) for _ in range(6)) for _ in range(_SIZES[split])]
        text = "\n".join("".join(f"{word}\t{LABELS[label(s, i)]}\n" for i, word in enumerate(s)) for s in sentences)
        (folder / f"{split}.conll").write_text(text)
    return ["data=files", *(f"data.{split}={folder}/{split}.conll" for split in SPLITS)]


class KnownLayers:
    """An encoder of layers that are noise, hold the label in context (``label``), or the word (``word``).

    Args:
        holds: What each layer holds: ``noise``, ``label`` or ``word``.
    """

    name, state, dim, word_layer, cacheable = "known", "none", 16, False, True

    def __init__(self, *, holds: Sequence[str]) -> None:
        self.holds = list(holds)
        self.num_layers, self.fingerprint = len(self.holds), f"{crc32(' '.join(holds).encode()):08x}"

    def encode(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
        for i, sentence in enumerate(sentences):
            layers = [
                [self._vector(kind, j, sentence, t) for t in range(len(sentence))] for j, kind in enumerate(self.holds)
            ]
            yield i, torch.stack([torch.stack(layer) for layer in layers])  # (layers, tokens, dim)

    def _vector(self, kind: str, layer: int, sentence: Sentence, place: int) -> Tensor:
        noise = self._random(f"{layer} {place} {' '.join(sentence)}")
        if kind == "word":
            return self._random(sentence[place])
        if kind == "label":
            noise = 0.1 * noise
            noise[label_in_context(sentence, place)] += 2.0
        return noise

    def _random(self, seed: str) -> Tensor:
        return torch.randn(self.dim, generator=torch.Generator().manual_seed(crc32(seed.encode())))

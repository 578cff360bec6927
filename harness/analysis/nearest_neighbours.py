"""``python -m harness.analysis.nearest_neighbours WORD``: what is near a word, with and without its context.

Static vectors have one neighbourhood a word. A contextual encoder has one an occurrence: for each given context,
the sentences of a text are listed in which the same word is nearest to it.

Source: Peters et al. 2018, section 5.3 and Table 4.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.config.compose import compose_values
from harness.config.instantiate import build
from harness.config.schema import typed
from harness.errors import ConfigError, DataFormatError
from harness.features.static_vectors import StaticVectors
from harness.protocols import Encoder
from harness.types import Sentence
from harness.utils.console import exit_status_of
from harness.utils.devices import device_of


def read_occurrences(path: Path, word: str) -> list[Sentence]:
    """Return the different sentences of a text, one tokenised sentence a line, that hold a word.

    Raises:
        DataFormatError: the file cannot be read, or the word is not in it.
    """
    from harness.pretrain.tokenized_text import sentences

    if not path.is_file():
        raise DataFormatError(f"{path}: no such file; give --text a file of tokenised sentences, one a line")
    found = list(dict.fromkeys(tuple(words) for words in sentences(path, tokenize=False) if word in words))
    if not found:
        raise DataFormatError(f"{path}: no sentence holds '{word}'; choose another word or text")
    return found


def vectors_of(encoder: Encoder, sentences: Sequence[Sentence], word: str, *, layer: int) -> Tensor:
    """Return one layer's vector of a word at its first place in each sentence, (sentences, dim)."""
    vectors = torch.empty(len(sentences), encoder.dim)
    for index, layers in encoder.encode(sentences):
        vectors[index] = layers[layer, sentences[index].index(word)]
    return vectors


def nearest_sentences(query: Tensor, vectors: Tensor, count: int) -> list[tuple[int, float]]:
    """Return the rows nearest to a query by cosine, (dim,) against (sentences, dim), nearest first."""
    cosines = F.cosine_similarity(vectors, query[None], dim=1)  # (sentences,)
    best = cosines.topk(min(count, len(vectors)))
    return list(zip(best.indices.tolist(), best.values.tolist(), strict=True))


def lines_of(
    word: str,
    *,
    contexts: Sequence[Sentence],
    sentences: Sequence[Sentence],
    encoder: Encoder,
    static: StaticVectors | None,
    layer: int,
    count: int,
) -> Iterator[str]:
    """Yield what the command prints.

    Raises:
        ConfigError: a context does not hold the word, or there is no such layer.
    """
    for context in contexts:
        if word not in context:
            raise ConfigError(f"--context '{' '.join(context)}' does not hold '{word}' as a token of its own")
    if not -encoder.num_layers <= layer < encoder.num_layers:
        raise ConfigError(f"--layer is {layer}; {encoder.name} has layers 0 to {encoder.num_layers - 1}")
    if static is not None:
        near = ", ".join(other for other, _ in static.neighbours(word, count)) or "(it has no vector)"
        yield f"{static.name}: {word}\n  {near}"
    vectors = vectors_of(encoder, sentences, word, layer=layer)
    queries = vectors_of(encoder, contexts, word, layer=layer)
    for context, query in zip(contexts, queries, strict=True):
        yield f"\n{encoder.name}, layer {layer % encoder.num_layers}: {_marked(context, word)}"
        others = [row for row in nearest_sentences(query, vectors, count + 1) if sentences[row[0]] != context]
        for row, cosine in others[:count]:
            yield f"  {cosine:.3f}  {_marked(sentences[row], word)}"


def _marked(sentence: Sentence, word: str) -> str:
    """Return a sentence with the word's first place marked."""
    place = sentence.index(word)
    return " ".join(f"[{token}]" if i == place else token for i, token in enumerate(sentence))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.analysis.nearest_neighbours",
        description="What is near a word: by static vectors, and in a context by a frozen encoder.",
        epilog="Further arguments are those of python -m harness: encoder=elmo_small embedding=none",
    )
    parser.add_argument("word", help="as it is written in text and contexts")
    parser.add_argument("--text", type=Path, required=True, help="tokenised sentences, one a line, plain or .gz")
    parser.add_argument("--context", action="append", required=True, help="a tokenised sentence that holds the word")
    parser.add_argument("--layer", type=int, default=-1, help="of the encoder, 0 being context-free; default: the top")
    parser.add_argument("--count", type=int, default=5, help="neighbours to show; default: 5")
    chosen, overrides = parser.parse_known_args(arguments)
    return exit_status_of(lambda: _run(chosen, overrides))


def _run(chosen: argparse.Namespace, overrides: Sequence[str]) -> None:
    if chosen.count < 1:
        raise ConfigError(f"--count is {chosen.count}; expected 1 or more")
    config = typed(compose_values("config", overrides))
    make = partial(build, prefixes=config.plugins)
    encoder = make(config.encoder, where="encoder", offered={"device": device_of(config.device)})
    if encoder is None:
        raise ConfigError("encoder is none: there is no context to look at; choose one with encoder=NAME")
    for line in lines_of(
        chosen.word,
        contexts=[tuple(context.split()) for context in chosen.context],
        sentences=read_occurrences(chosen.text, chosen.word),
        encoder=encoder,
        static=make(config.embedding, where="embedding"),
        layer=chosen.layer,
        count=chosen.count,
    ):
        print(line)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())

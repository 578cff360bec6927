"""``python -m harness neighbours WORD``: what is near a word, with and without its context."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from harness.analysis.neighbours import nearest_sentences, read_occurrences, vectors_of
from harness.config.compose import compose_values
from harness.config.instantiate import build
from harness.config.schema import typed
from harness.encoders.plugin_encoder import build_encoder
from harness.errors import ConfigError
from harness.features.static_vectors import StaticVectors
from harness.types import Sentence
from harness.utils.console import CommandParser, exit_status_of
from harness.utils.devices import device_of


def main(arguments: Sequence[str]) -> int:
    """Run the command with the words after its name; return the exit status."""
    parser = CommandParser(
        prog="python -m harness neighbours",
        description="Show the words that are nearest to a word by static vectors, and, for each context, the sentences "
        "of a text in which a frozen encoder gives the word the most similar vector.",
        epilog="All other arguments are those of python -m harness, such as encoder=elmo_small embedding=none.",
    )
    parser.add_argument("word", help="the word, as it is written in the text and the contexts")
    parser.add_argument("--text", type=Path, required=True, help="tokenised sentences, one per line, plain or .gz")
    parser.add_argument(
        "--context", action="append", required=True, help="tokenised sentence with the word; may be repeated"
    )
    parser.add_argument("--layer", type=int, default=-1, help="the encoder layer; 0 is context-free; default: the top")
    parser.add_argument("--count", type=int, default=5, help="the number of neighbours to show; default: 5")
    chosen, overrides = parser.parse_with_overrides(arguments)
    return exit_status_of(lambda: _show(chosen, overrides))


def _show(chosen: argparse.Namespace, overrides: Sequence[str]) -> None:
    if chosen.count < 1:
        raise ConfigError(f"--count is {chosen.count}; expected 1 or more")
    contexts = [tuple(context.split()) for context in chosen.context]
    for context in contexts:
        if chosen.word not in context:
            raise ConfigError(f"--context '{' '.join(context)}' does not contain '{chosen.word}' as a separate token")
    config = typed(compose_values("config", overrides))
    encoder = build_encoder(config.encoder, device=device_of(config.device), plugins=config.plugins)
    if encoder is None:
        raise ConfigError("encoder is none: there are no contextual vectors; choose one with encoder=NAME")
    if not -encoder.num_layers <= chosen.layer < encoder.num_layers:
        raise ConfigError(f"--layer is {chosen.layer}; {encoder.name} has layers 0 to {encoder.num_layers - 1}")
    sentences = read_occurrences(chosen.text, chosen.word)
    static: StaticVectors | None = build(
        config.embedding, kind=StaticVectors, where="embedding", plugins=config.plugins
    )
    if static is not None:
        near = ", ".join(other for other, _ in static.neighbours(chosen.word, chosen.count))
        print(f"{static.name}: {chosen.word}\n  {near or '(it has no vector)'}")  # noqa: T201
    vectors = vectors_of(encoder, sentences, chosen.word, layer=chosen.layer)
    queries = vectors_of(encoder, contexts, chosen.word, layer=chosen.layer)
    for context, query in zip(contexts, queries, strict=True):
        print(f"\n{encoder.name}, layer {chosen.layer % encoder.num_layers}: {_marked(context, chosen.word)}")  # noqa: T201
        others = [row for row in nearest_sentences(query, vectors, chosen.count + 1) if sentences[row[0]] != context]
        for row, cosine in others[: chosen.count]:
            print(f"  {cosine:.3f}  {_marked(sentences[row], chosen.word)}")  # noqa: T201


def _marked(sentence: Sentence, word: str) -> str:
    """Return a sentence with the first place of the word in brackets."""
    place = sentence.index(word)
    return " ".join(f"[{token}]" if i == place else token for i, token in enumerate(sentence))

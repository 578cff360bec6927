"""``python -m harness perplexity``: the perplexity of a trained biLM, next to count-based models."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from harness.config.compose import user_cache
from harness.errors import ConfigError, nearest
from harness.pretrain.corpus import Corpus, open_corpus
from harness.pretrain.exported_model import read_network
from harness.pretrain.perplexity_table import bilm_rows, count_based_rows, table
from harness.pretrain.tokenized_text import files_of
from harness.utils.console import CommandParser, exit_status_of
from harness.utils.files import write_json


def main(arguments: Sequence[str]) -> int:
    """Run the command with the words after its name; return its exit status."""
    parser = CommandParser(
        prog="python -m harness perplexity",
        description="Measure the perplexity of a trained biLM on held-out text, under each state policy. "
        "With --train, a unigram and a Kneser-Ney trigram predict the same words too.",
    )
    add = parser.add_argument
    add("folder", type=Path, help="The folder that python -m harness pretrain wrote.")
    add("--test", nargs="+", required=True, metavar="NAME=FILE", help="Held-out texts, with names for the table.")
    add("--raw", nargs="*", default=[], metavar="NAME", help="The names of held-out texts that are raw text.")
    add("--train", nargs="+", metavar="FILE", help="Text for the count-based models. Without it, they are left out.")
    add("--tokenize", action="store_true", help="The files of --train are raw text, one paragraph per line.")
    add("--cache-dir", type=Path, default=user_cache(), help="The folder for tokenised text (default: %(default)s).")
    add("--json", type=Path, metavar="FILE", help="Write the rows of the table to this file too.")
    chosen = parser.parse_args(arguments)
    return exit_status_of(lambda: _measure(chosen))


def _measure(chosen: argparse.Namespace) -> None:
    tests = _tests(chosen)
    network, vocabulary = read_network(chosen.folder)
    rows = list(bilm_rows(network, tests, vocabulary))
    if chosen.train:
        files = files_of(chosen.train, option="--train")
        train = open_corpus(files, tokenize=chosen.tokenize, cache_dir=chosen.cache_dir)
        rows += count_based_rows(train, tests, vocabulary)
    print(table(rows))  # noqa: T201
    if chosen.json:
        write_json(chosen.json, [{"text": text, "model": model, **asdict(measured)} for text, model, measured in rows])


def _tests(chosen: argparse.Namespace) -> dict[str, Corpus]:
    """Return the held-out texts by name."""
    paths: dict[str, str] = {}
    for item in chosen.test:
        name, _, path = item.rpartition("=")
        name = name or Path(path).name
        if name in paths:
            raise ConfigError(f"--test: two texts are called '{name}'; give them different names, NAME=FILE")
        paths[name] = path
    for name in chosen.raw:
        if name not in paths:
            raise ConfigError(f"--raw {name}: no text of --test has this name{nearest(name, paths)}")
    return {
        name: open_corpus(files_of([path], option="--test"), tokenize=name in chosen.raw, cache_dir=chosen.cache_dir)
        for name, path in paths.items()
    }

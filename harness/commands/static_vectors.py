"""``python -m harness static-vectors``: train static word vectors on the text of a biLM."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from harness.config.compose import user_cache
from harness.pretrain.corpus import open_corpus
from harness.pretrain.static_vectors import train_static_vectors, write_vectors
from harness.pretrain.tokenized_text import files_of
from harness.utils.console import CommandParser, configure_logging, exit_status_of, human_bytes

log = logging.getLogger(__name__)


def main(arguments: Sequence[str]) -> int:
    """Run the command with the words after its name; return its exit status."""
    parser = CommandParser(
        prog="python -m harness static-vectors",
        description="Train static word vectors on the text of a biLM, to compare static with contextual vectors.",
    )
    add = parser.add_argument
    add("train", nargs="+", help="Text files or globs, as for python -m harness pretrain.")
    add("--out", type=Path, required=True, metavar="FILE.txt.gz", help="The file to write, in GloVe's text format.")
    add("--tokenize", action="store_true", help="The files are raw text, one paragraph per line.")
    add("--dim", type=int, default=100, help="Width of the vectors (default: %(default)s).")
    add("--words", type=int, default=20_000, help="Largest number of words, by frequency (default: %(default)s).")
    add(
        "--decimals",
        type=int,
        choices=range(1, 9),
        default=3,
        metavar="1..8",
        help="Decimals of the values in the file (default: %(default)s).",
    )
    add("--epochs", type=int, default=3, help="Number of passes over the text (default: %(default)s).")
    add("--seed", type=int, default=1, help="Seed of the random numbers (default: %(default)s).")
    add("--cache-dir", type=Path, default=user_cache(), help="The folder for tokenised text (default: %(default)s).")
    chosen = parser.parse_args(arguments)
    configure_logging()
    logging.getLogger("gensim").setLevel(logging.WARNING)
    return exit_status_of(lambda: _train(chosen))


def _train(chosen: argparse.Namespace) -> None:
    files = files_of(chosen.train, option="train")
    corpus = open_corpus(files, tokenize=chosen.tokenize, cache_dir=chosen.cache_dir)
    words, vectors = train_static_vectors(
        corpus, dim=chosen.dim, words=chosen.words, epochs=chosen.epochs, seed=chosen.seed
    )
    write_vectors(chosen.out, words, vectors, decimals=chosen.decimals)
    log.info("%s: %d words, %d dimensions, %s", chosen.out, *vectors.shape, human_bytes(chosen.out.stat().st_size))

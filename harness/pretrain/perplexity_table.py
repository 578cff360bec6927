"""``python -m harness.pretrain.perplexity_table DIR``: a biLM's perplexity beside that of count-based models.

Every model predicts the same words of the same vocabulary, ``<UNK>`` and sentence ends included.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from harness.config.compose import user_cache
from harness.encoders.elmo import StatePolicy
from harness.errors import ConfigError, nearest
from harness.pretrain.corpus import BOS_TYPE, EOS_TYPE, Corpus, open_corpus
from harness.pretrain.export import VOCABULARY, read_network
from harness.pretrain.network import PretrainingNetwork
from harness.pretrain.ngram import Ints, KneserNeyTrigram, Unigram, bounded
from harness.pretrain.perplexity import Perplexity, perplexity
from harness.pretrain.tokenized_text import files_of
from harness.pretrain.vocabulary import Vocabulary
from harness.utils.console import exit_status_of
from harness.utils.files import write_json

_BOS, _EOS = 0, 1  # rows of the boundaries in a vocabulary
_STATES: tuple[StatePolicy, ...] = ("zeros", "warm", "carry")


@dataclass(frozen=True)
class Row:
    """Perplexities of one model on one text."""

    text: str
    model: str
    forward: float
    backward: float
    tokens: int
    unknown: float


def rows_of_counts(train: Corpus, tests: dict[str, Corpus], vocabulary: Vocabulary) -> Iterator[Row]:
    """Yield the perplexities of a unigram and a Kneser-Ney trigram."""
    unknown = {name: _unknown(test, vocabulary) for name, test in tests.items()}
    for model in (Unigram, KneserNeyTrigram):
        perplexities: dict[str, list[float]] = {name: [] for name in tests}
        for reverse in (False, True):
            begin = _EOS if reverse else _BOS
            trained = model(_tokens(train, vocabulary, backward=reverse), size=len(vocabulary), begin=begin)
            for name, test in tests.items():
                logs = trained.log_probabilities(_tokens(test, vocabulary, backward=reverse))
                perplexities[name].append(float(np.exp(-logs.mean())))
        label = "unigram" if model is Unigram else "Kneser-Ney trigram"
        for name, test in tests.items():
            forward, backward = perplexities[name]
            yield Row(name, label, forward, backward, test.num_tokens + len(test), unknown[name])


def rows_of_bilm(network: PretrainingNetwork, tests: dict[str, Corpus], vocabulary: Vocabulary) -> Iterator[Row]:
    """Yield the perplexities of a biLM under each state policy."""
    for state in _STATES:
        for name, test in tests.items():
            measured = perplexity(network, map(test.words_of, range(len(test))), vocabulary, state=state)
            yield _row(name, f"biLM, state={state}", measured)


def _row(text: str, model: str, measured: Perplexity) -> Row:
    return Row(text, model, measured.forward, measured.backward, measured.tokens, measured.unknown)


def _tokens(corpus: Corpus, vocabulary: Vocabulary, *, backward: bool) -> Ints:
    """Return a corpus as rows of the vocabulary, each sentence between its boundaries."""
    rows = vocabulary.rows_of(corpus.words)
    begin, end = (_EOS, _BOS) if backward else (_BOS, _EOS)
    step = -1 if backward else 1
    return bounded((rows[corpus.sentence(i)][::step] for i in range(len(corpus))), begin=begin, end=end)


def _unknown(corpus: Corpus, vocabulary: Vocabulary) -> float:
    """Return the fraction of predictions that is ``<UNK>``."""
    counts = corpus.counts.copy()
    counts[[BOS_TYPE, EOS_TYPE]] = 0
    known = vocabulary.rows_of(corpus.words) != vocabulary.unk
    return float(counts[~known].sum() / (corpus.num_tokens + len(corpus)))


def table(rows: Sequence[Row]) -> str:
    """Return a Markdown table, a line a model and text."""
    lines = [
        "| text | model | forward | backward | average | predictions | unknown |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in sorted(rows, key=lambda row: row.text):
        average = (row.forward + row.backward) / 2
        lines.append(
            f"| {row.text} | {row.model} | {row.forward:.1f} | {row.backward:.1f} | {average:.1f} | {row.tokens:,} | "
            f"{100 * row.unknown:.1f} % |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.pretrain.perplexity_table", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="what python -m harness.pretrain has exported")
    parser.add_argument("--test", nargs="+", required=True, metavar="NAME=FILE", help="held-out text")
    parser.add_argument("--train", nargs="+", metavar="FILE", help="text for the count-based models; without it, none")
    parser.add_argument("--tokenize", action="store_true", help="FILEs of --train are raw text, a paragraph a line")
    parser.add_argument("--raw", nargs="*", default=[], metavar="NAME", help="tests that are raw text")
    parser.add_argument("--models", choices=("all", "bilm", "counts"), default="all", help="which; default: all")
    parser.add_argument("--cache-dir", type=Path, default=None, help="where tokenised text is kept")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    chosen = parser.parse_args(arguments)
    return exit_status_of(lambda: _run(chosen))


def _run(chosen: argparse.Namespace) -> None:
    rows = _measure(chosen)
    print(table(rows))  # noqa: T201
    if chosen.json:
        write_json(chosen.json, [asdict(row) for row in rows])


def _measure(chosen: argparse.Namespace) -> list[Row]:
    cache_dir = chosen.cache_dir or Path(user_cache())
    vocabulary = Vocabulary.read(chosen.folder / VOCABULARY)
    tests: dict[str, Corpus] = {}
    named = [item.rpartition("=")[::2] for item in chosen.test]
    named = [(name or Path(path).name, path) for name, path in named]
    names = [name for name, _ in named]
    for name in chosen.raw:
        if name not in names:
            raise ConfigError(f"--raw {name}: no text of --test is called so{nearest(name, names)}")
    for name, path in named:
        if name in tests:
            raise ConfigError(f"--test: two texts are called '{name}'; give each a name of its own, NAME=FILE")
        tests[name] = open_corpus(files_of([path], option="--test"), tokenize=name in chosen.raw, cache_dir=cache_dir)
    rows: list[Row] = []
    if chosen.models != "counts":
        rows += rows_of_bilm(read_network(chosen.folder)[0], tests, vocabulary)
    if chosen.train and chosen.models != "bilm":
        paths = files_of(chosen.train, option="--train")
        train = open_corpus(paths, tokenize=chosen.tokenize, cache_dir=cache_dir)
        rows += rows_of_counts(train, tests, vocabulary)
    return rows


if __name__ == "__main__":
    sys.exit(main())

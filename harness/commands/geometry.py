"""``python -m harness geometry TEXT``: how alike the vectors of each layer are, and which layers are alike."""

import argparse
import itertools
import logging
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from harness.analysis.geometry.files import geometry_files
from harness.analysis.geometry.layers import Geometry, measured
from harness.analysis.geometry.sample import Sample, draw, sampled_sentences
from harness.config.compose import compose_values
from harness.config.schema import HarnessConfig, typed
from harness.encoders.plugin_encoder import build_encoder
from harness.errors import ConfigError, HarnessError
from harness.features.uncached import LayerSource
from harness.prediction.input_text import add_tokenize_option, requested_sentences
from harness.runs.environment import environment
from harness.runs.plan import source_of
from harness.training.determinism import set_up_torch
from harness.types import SPLITS
from harness.utils.console import CommandParser, configure_logging, exit_status_of
from harness.utils.devices import device_of
from harness.utils.files import write_text
from harness.utils.signals import Interrupted, Stop, listening

log = logging.getLogger(__name__)

_EPILOG = """\
All other arguments are those of a run, such as encoder=elmo_original or
device=cuda. TEXT has one tokenised sentence per line; see the command export
for --format and --tokenize.

The measures are those of Ethayarajh 2019. Self-similarity is the mean cosine of
one word in different sentences; a low value means much context. Adjusted values
(adj.) are above those of random tokens. Linear CKA (Kornblith et al. 2019) says
which layers place the same tokens alike; a rotation changes nothing.

examples:
  python -m harness geometry sentences.txt
  python -m harness geometry --split train task=pos data=official \\
      encoder=elmo_original --also encoder=random --out geometry
"""
_FEWEST_PER_DIMENSION = 10
_HEADINGS = "aniso-\ntropy, self-\nsim., self-s.\nadj., intra-\nsent., intra-s.\nadj., first\ncomp., first c.\nadj."


def main(arguments: Sequence[str]) -> int:
    """Run the command with the words after its name; return the exit status."""
    parser = CommandParser(
        prog="python -m harness geometry",
        usage="python -m harness geometry TEXT [options] [KEY=VALUE ...]",
        description="Measure the geometry of every layer of frozen encoders on a text. Nothing is trained;\n"
        "the vectors are read from the feature store, where missing ones are added.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("words", nargs="*", metavar="TEXT", help="a text file, JSON lines, or a column file (first column)")
    add("--split", choices=SPLITS, help="instead of TEXT: the texts of a split of task=NAME")
    add("--format", choices=("text", "jsonl", "columns"), help="format of TEXT; default: by its name")
    add_tokenize_option(parser)
    more = "measure also the encoder of these options, in quotes; may be repeated"
    add("--also", action="append", default=[], metavar="'encoder=NAME ...'", help=more)
    add("--out", type=Path, metavar="DIR", help="write geometry.json, layers.csv, cka.csv and plots (SVG) to DIR")
    add("--seed", type=int, default=0, metavar="N", help="the seed of what is drawn from the text; default: 0")
    add("--sentences", type=int, default=20_000, metavar="N", help="draw so many different sentences; default: 20,000")
    least = "draw so many tokens, for anisotropy and CKA; default: 10,000, or 10 per dimension if that is more"
    add("--tokens", type=int, metavar="N", help=least)
    add("--types", type=int, default=1000, metavar="N", help="draw so many words and whole sentences; default: 1,000")
    # A bare --tokenize would otherwise take the override that follows it for a name.
    pairs = itertools.pairwise([*arguments, ""])
    words = ["--tokenize=english" if word == "--tokenize" and "=" in after else word for word, after in pairs]
    chosen, rest = parser.parse_with_overrides(words)
    given = [*chosen.words, *rest]
    paths = [word for word in given if "=" not in word and not word.startswith(("-", "+", "~"))]
    configure_logging()
    return exit_status_of(lambda: _geometry(chosen, paths, [word for word in given if word not in paths]))


def _geometry(chosen: argparse.Namespace, paths: Sequence[str], overrides: Sequence[str]) -> None:
    """Measure what the arguments name, print it, and write the files."""
    _check(chosen, paths)
    config = typed(compose_values("config", overrides))
    set_up_torch(config)
    others = [word for word in overrides if not word.startswith(("encoder=", "encoder."))]
    sources = _sources(config, [overrides, *([*others, *_words(more)] for more in chosen.also)])
    text = requested_sentences(
        config, path=next(iter(paths), ""), split=chosen.split, form=chosen.format, tokenizer=chosen.tokenize
    )
    widest = max(source.encoder.dim for source in sources)
    tokens = chosen.tokens or max(10_000, _FEWEST_PER_DIMENSION * widest)
    sentences = sampled_sentences(text, count=chosen.sentences, seed=chosen.seed)
    sample = draw(sentences, tokens=tokens, words=chosen.types, whole=chosen.types, seed=chosen.seed)
    try:
        with listening() as stop:
            _fill(sources, sample, stop)
            geometry = measured(sources, sample, folder=Path(config.cache_dir), check=stop.check)
    except Interrupted as reason:
        raise HarnessError(str(reason)) from None
    about = _about(chosen, paths, config, sources, sample)
    _print(geometry, about)
    if sample.token_count < _FEWEST_PER_DIMENSION * widest:
        log.warning(
            "%s tokens are fewer than 10 for each of %s dimensions, so CKA is too high: use cka_debiased of cka.csv, "
            "or a longer text and --tokens %s",
            f"{sample.token_count:,}",
            f"{widest:,}",
            _FEWEST_PER_DIMENSION * widest,
        )
    if chosen.out is not None:
        _write(geometry, about, chosen.out)


def _check(chosen: argparse.Namespace, paths: Sequence[str]) -> None:
    """Raise an error for arguments that do not fit together."""
    if len(paths) != (0 if chosen.split else 1):
        wanted = "no TEXT with --split" if chosen.split else "one TEXT, or --split"
        raise ConfigError(f"expected {wanted}, but got {len(paths)} path(s); see python -m harness geometry --help")
    for name, least in (("seed", 0), ("sentences", 1), ("tokens", 4), ("types", 1)):
        value = getattr(chosen, name)
        if value is not None and value < least:
            raise ConfigError(f"--{name} is {value}; expected {least} or more")


def _words(also: str) -> list[str]:
    """Return the overrides in an ``--also``."""
    try:
        return shlex.split(also)
    except ValueError as error:
        raise ConfigError(f"--also {also}: {str(error).lower()}; close each quotation mark") from None


def _sources(config: HarnessConfig, requests: Sequence[Sequence[str]]) -> list[LayerSource]:
    """Return where the layers of each encoder are read."""
    sources: list[LayerSource] = []
    for overrides in requests:
        own = typed(compose_values("config", overrides))
        encoder = build_encoder(own.encoder, device=device_of(config.device), plugins=config.plugins)
        if encoder is None:
            raise ConfigError("encoder is none: it has no layers to measure; choose one with encoder=NAME")
        if encoder.name in [source.encoder.name for source in sources]:
            raise ConfigError(f"two encoders are called '{encoder.name}'; rename one with encoder.name=NAME in --also")
        sources.append(source_of(encoder, own))
    return sources


def _fill(sources: Sequence[LayerSource], sample: Sample, stop: Stop) -> None:
    """Encode the sentences of the sample that the store lacks."""
    needed = [sample.sentences[i] for i in sorted(set(sample.places[:, 0].tolist()))]
    for source in sources:
        source.fill(needed, check=stop.check)


def _about(
    chosen: argparse.Namespace,
    paths: Sequence[str],
    config: HarnessConfig,
    sources: Sequence[LayerSource],
    sample: Sample,
) -> dict[str, Any]:
    """Return how the measures are made, as plain values."""
    drawn = {"seed": chosen.seed, "sentences": len(sample.sentences), "tokens": sample.token_count}
    return {
        "text": paths[0] if paths else f"{chosen.split} of {config.task['_target_']}",
        "drawn": {**drawn, "words": len(sample.words), "whole_sentences": len(sample.whole)},
        "intra_sentence_of_noise": sample.intra_sentence_of_noise,
        "encoders": {source.encoder.name: source.encoder.fingerprint for source in sources},
        "environment": environment(device_of(config.device)),
    }


def _print(geometry: Geometry, about: dict[str, Any]) -> None:
    """Print the measures of each layer, and the CKA of each pair if it fits the terminal."""
    console = Console()
    names = [f"{row.encoder} {row.layer}" for row in geometry.layers]
    table = Table("layer", box=SIMPLE)
    for name in _HEADINGS.split(", "):
        table.add_column(name, justify="right")
    for name, row in zip(names, geometry.layers, strict=True):
        table.add_row(name, *map(_number, list(vars(row).values())[2:]))
    console.print(table)
    seed, *counts = about["drawn"].items()
    drawn = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts)
    console.print(f"drawn with seed {seed[1]}: {drawn}", soft_wrap=True)
    noise = _number(about["intra_sentence_of_noise"])
    console.print(f"intra-sentence similarity of independent vectors in these sentences: {noise}", soft_wrap=True)
    table = Table("linear CKA, percent", *map(str, range(1, len(names) + 1)), box=None, padding=(0, 1, 0, 0))
    for number, (name, values) in enumerate(zip(names, geometry.cka.tolist(), strict=True), start=1):
        table.add_row(f"{number} {name}", *("-" if math.isnan(value) else f"{100 * value:.0f}" for value in values))
    if 20 + 4 * len(names) > max(console.width, 80):
        console.print("linear CKA: the table is too wide for this terminal; --out DIR writes it", soft_wrap=True)
    else:
        console.print("", table, sep="\n")


def _write(geometry: Geometry, about: dict[str, Any], folder: Path) -> None:
    """Write the files of a geometry."""
    files = geometry_files(geometry, about)
    for name, text in files.items():
        write_text(folder / name, text)
    print(f"written to {folder}: {', '.join(files)}")  # noqa: T201


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"

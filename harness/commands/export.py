"""``python -m harness export IN OUT``: the frozen vectors of a text, in a file."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from harness.config.compose import compose_values
from harness.config.schema import typed
from harness.encoders.plugin_encoder import build_encoder
from harness.errors import ConfigError, HarnessError
from harness.prediction.export import export_vectors
from harness.prediction.input_text import add_tokenize_option, requested_sentences
from harness.prediction.reductions import reduction_named
from harness.types import SPLITS
from harness.utils.console import CommandParser, configure_logging, exit_status_of
from harness.utils.devices import device_of
from harness.utils.signals import Interrupted, listening

_EPILOG = """\
All other arguments are those of a run, such as encoder=elmo_original or
device=cuda.
A stopped export continues with the same command. An empty line of the text gets an entry without tokens.

The .hdf5 file has the layout of "allennlp elmo": the dataset "0" holds the first sentence, and so on, and
"sentence_to_index" is a JSON object from each sentence to its number.

examples:
  python -m harness export sentences.txt vectors.hdf5
  python -m harness export raw.txt vectors.npz --tokenize english --layers mean
  python -m harness export --split dev vectors.parquet task=ner data=official encoder=elmo_original
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command with the words after its name; return the exit status."""
    parser = CommandParser(
        prog="python -m harness export",
        usage="python -m harness export IN OUT [options] [KEY=VALUE ...]",
        description="Write the vectors of each sentence of IN to OUT. IN is a text file with one\n"
        "sentence per line, JSON lines, or a column file, whose first column is read;\n"
        "OUT ends in .hdf5, .npz or .parquet.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", metavar="IN OUT", help="the text, and the file to write")
    parser.add_argument("--format", choices=("text", "jsonl", "columns"), help="format of IN; default: by its name")
    add_tokenize_option(parser)
    parser.add_argument(
        "--layers", default="all", help="all, top, mean, a number, or a run's folder for its learned mix"
    )
    parser.add_argument("--split", choices=SPLITS, help="instead of IN: the texts of a split of task=NAME")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    # Overrides before the paths would otherwise be taken for paths.
    overrides = [word for word in arguments if "=" in word and not word.startswith("-")]
    chosen, rest = parser.parse_with_overrides([word for word in arguments if word not in overrides])
    overrides += rest
    configure_logging()
    return exit_status_of(lambda: _export(chosen, overrides))


def _export(chosen: argparse.Namespace, overrides: Sequence[str]) -> None:
    """Encode what the arguments name, and print what was written."""
    paths = chosen.paths
    if len(paths) != (1 if chosen.split else 2):
        wanted = "OUT with --split" if chosen.split else "IN and OUT"
        raise ConfigError(f"expected {wanted}, but got {len(paths)} path(s); see python -m harness export --help")
    config = typed(compose_values("config", overrides))
    encoder = build_encoder(config.encoder, device=device_of(config.device), plugins=config.plugins)
    if encoder is None:
        raise ConfigError("encoder is none: there are no vectors to export; choose one with encoder=NAME")
    reduction = reduction_named(chosen.layers, encoder)
    out = Path(paths[-1]).expanduser()
    try:
        with listening() as stop:
            done = export_vectors(
                requested_sentences(
                    config, path=paths[0], split=chosen.split, form=chosen.format, tokenizer=chosen.tokenize
                ),
                out,
                encoder=encoder,
                reduce=reduction.apply,
                identity=reduction.identity,
                overwrite=chosen.overwrite,
                check=stop.check,
            )
    except Interrupted as reason:
        raise HarnessError(str(reason)) from None
    resumed = f" ({done.resumed:,} of them were encoded before)" if done.resumed else ""
    print(f"{out}: {done.sentences:,} sentences, {done.tokens:,} tokens{resumed}")  # noqa: T201
    if done.empty:
        print(f"warning: empty entries, because a line has no tokens: {done.empty:,}")  # noqa: T201

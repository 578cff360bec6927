"""``python -m harness predict RUN_DIR [FILE|-]``: label new text with the trained head of a finished run."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.config.schema import resolved
from harness.errors import ConfigError, DataFormatError, HarnessError
from harness.optional_protocols import OwnColumns, OwnObjects
from harness.prediction.input_text import TextFormat, add_tokenize_option, read_texts
from harness.prediction.predictor import Predictor
from harness.prediction.trained_run import load_predictor
from harness.training.determinism import default_threads
from harness.types import Example, Prediction
from harness.utils.console import CommandParser, configure_logging, exit_status_of
from harness.utils.files import replacing
from harness.utils.text_files import NotTextError, json_value, numbered_lines, suffix_of
from harness.utils.tokenizers import tokenizer_named

_EPILOG = """\
FILE is read as text (.txt and standard input: one text on each line), JSON lines
(.jsonl: {"text": "..."} or {"tokens": [...]}; for pairs, the names of the run's
texts, such as {"premise": "...", "hypothesis": "..."}), the first column of a
column file (.conll, .bio; the word column of srl, coref and data.columns), or
any other file in the format of the run's task, with or without labels. JSON
lines in that format are read as such. If the run's own data are .txt files,
--input says whether a .txt file is text or is like them.

On standard output is one JSON object for each text, in the order of the input:
its id, text, tokens and answer. Offsets of characters refer to "text". An empty
line has an answer without labels. The encoder and the static vectors must be those
of the run; where their files have moved, add encoder.weights=FILE or the like.
device=cuda and threads=N work as in a run.

examples:
  echo "Jordan lives in Paris." | python -m harness predict RUN_DIR --tokenize english
  python -m harness predict RUN_DIR texts.jsonl --out labelled.jsonl
  python -m harness predict RUN_DIR test.conll --score
"""
_BY_SUFFIX = {".txt": "text", ".jsonl": "jsonl", ".conll": "columns", ".bio": "columns"}


def main(arguments: Sequence[str]) -> int:
    """Run the command with the words after its name; return the exit status."""
    parser = CommandParser(
        prog="python -m harness predict",
        usage="python -m harness predict RUN_DIR [FILE|-] [options] [KEY=VALUE ...]",
        description="Label the texts of FILE, or of standard input, with the trained head of a finished\n"
        "run, results/TASK/NAME.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN_DIR", help="the folder of the run")
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="the texts; -: standard input (default)")
    add_tokenize_option(parser)
    parser.add_argument(
        "--input", choices=("text", "jsonl", "columns", "task"), help="format of FILE; task: the task's own"
    )
    parser.add_argument("--format", choices=("jsonl", "conll"), default="jsonl", help="format of the output")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write to a new file and not to standard output")
    parser.add_argument("--score", action="store_true", help="print the task's metrics for a labelled FILE")
    parser.add_argument(
        "--plugins", action="append", default=[], metavar="MODULE", help="a module of your own that the run uses"
    )
    overrides = [word for word in arguments if "=" in word and not word.startswith("-")]
    chosen = parser.parse_args([word for word in arguments if word not in overrides])
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # JSON is UTF-8 in every language of the terminal
    configure_logging()
    return exit_status_of(lambda: _predict(chosen, overrides))


def _predict(chosen: argparse.Namespace, overrides: Sequence[str]) -> None:
    """Load the run, label the texts, and print or write the answers or the metrics."""
    path = None if chosen.file == "-" else Path(chosen.file).expanduser()
    if chosen.out is not None:
        _check_new(chosen.out)
    form = chosen.input or _form_of(path, labelled=chosen.score)
    if form == "task" and path is None:
        raise ConfigError("standard input is text or JSON lines; give a file in the task's format as FILE")
    if chosen.score and form != "task":
        raise ConfigError(f"--score needs labels, and --input={form} has none; leave --input out")
    predictor = load_predictor(chosen.run, plugins=chosen.plugins, **_options(overrides))
    if path is not None and not chosen.input and _is_own(path, form, predictor):
        form = "task"
    scored: list[tuple[Example, Prediction]] = []
    guessed = path is not None and not chosen.input and not chosen.score
    with _errors_explained(form if guessed else None), _output(chosen) as write:
        for example, prediction in predictor.predict(_examples(predictor, path, form, chosen)):
            if write is not None:
                write(_line(predictor.row(example, prediction), chosen.format))
            if chosen.score:
                scored.append((example, prediction))
    if chosen.score:
        gold, predictions = zip(*scored, strict=True)
        for name, value in predictor.task.score(gold, predictions).values.items():
            print(f"{name:24} {100 * value:6.2f}")  # noqa: T201


def _check_new(out: Path) -> None:
    """Raise an error unless the rows can be written to this file."""
    if out.exists():
        raise ConfigError(f"{out}: exists already; choose another name for --out")
    if out.suffix == ".gz":
        raise ConfigError(f"{out}: the rows are written as plain text; leave out .gz")


@contextmanager
def _errors_explained(guessed: str | None) -> Iterator[None]:
    """Add to an error in the input how it was read, if its name told that; a signal is one line too."""
    try:
        yield
    except DataFormatError as error:
        if guessed is None or isinstance(error, NotTextError):
            raise
        read_as = "in the task's own format" if guessed == "task" else f"as {guessed}"
        raise DataFormatError(f"{error}; the file was read {read_as}, and --input can say otherwise") from None
    except KeyboardInterrupt:
        raise HarnessError("stopped by a signal") from None


def _form_of(path: Path | None, *, labelled: bool) -> str:
    """Return the format of a file by its name; ``task`` is the format of the run's task, the only one with labels."""
    suffix = ".txt" if path is None else suffix_of(path)
    return "task" if labelled else _BY_SUFFIX.get(suffix, "task")


def _is_own(path: Path, form: str, predictor: Predictor) -> bool:
    """Return whether a file is in the task's own format, although its name stands for another one, ``form``."""
    task, names = predictor.task, predictor.texts
    if form == "columns":
        return isinstance(task, OwnColumns) and task.own_columns
    if form == "text" and suffix_of(path) == predictor.own_suffix:
        raise ConfigError(f"{path}: text, or data like those of the run? add --input text, or --input task")
    first = next((line for _, line in numbered_lines(path) if line.strip()), "") if form == "jsonl" else ""
    row = _object(first)
    if row is None:
        return False  # if it should be one, the reader names the line
    if isinstance(task, OwnObjects) and task.is_own(row):
        return True
    return not (set(names) <= set(row) if len(names) > 1 else not {"tokens", "text"}.isdisjoint(row))


def _object(line: str) -> dict[str, Any] | None:
    """Return the JSON object on a line; None if it is none."""
    try:
        value = json_value(line)
    except json.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _checked(examples: Iterable[Example], name: str, source: str) -> Iterator[Example]:
    """Yield the lines of a text; if nobody said that it is text, its first line with content must not be JSON."""
    is_first = True
    for example in examples:
        text = example.origin[name].text
        if is_first and _object(text) is not None:
            where = f"{source}:{example.id}"
            raise DataFormatError(f"{where}: a JSON object, but this is read as text; add --input jsonl, or text")
        is_first = is_first and not text.strip()
        yield example


def _options(overrides: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of ``load_predictor`` that KEY=VALUE words give; set the number of threads."""
    try:
        options = resolved(OmegaConf.from_dotlist(list(overrides)))
    except OmegaConfBaseException as error:
        raise ConfigError(" ".join(str(error).split())) from None
    threads = options.pop("threads", None)
    for key, value in options.items():
        if key not in ("device", "encoder", "embedding") or isinstance(value, str) != (key == "device"):
            raise ConfigError(
                f"{key}={value}: this command takes device, threads, encoder.KEY, embedding.KEY and --plugins MODULE; "
                "all else is as in the run"
            )
    if threads is not None and (type(threads) is not int or threads < 1):
        raise ConfigError(f"threads={threads}: expected a whole number of at least 1")
    torch.set_num_threads(threads or default_threads())
    return options


def _examples(predictor: Predictor, path: Path | None, form: str, chosen: argparse.Namespace) -> Iterable[Example]:
    """Return the texts to label."""
    task = predictor.task
    if form == "task":
        assert path is not None
        if chosen.tokenize is not None:
            raise ConfigError("--tokenize: this file is read and split as the data of the run; leave it out")
        return task.read(path, prefix=path.name.partition(".")[0], labelled=chosen.score)
    if form != "jsonl" and len(predictor.texts) > 1:
        names = ", ".join(predictor.texts)
        raise ConfigError(f"this run reads several texts ({names}); give JSON lines, with --input jsonl")
    tokenize = tokenizer_named(chosen.tokenize or task.tokenizer)
    examples = read_texts(path, form=cast(TextFormat, form), tokenize=tokenize, names=predictor.texts)
    return (
        _checked(examples, predictor.texts[0], str(path or "standard input"))
        if form == "text" and not chosen.input
        else examples
    )


@contextmanager
def _output(chosen: argparse.Namespace) -> Iterator[Callable[[str], object] | None]:
    """Yield the function that writes a line, to the new file or to standard output; None if only scores are wanted."""
    if chosen.out is None:
        yield None if chosen.score else sys.stdout.write
        return
    with replacing(chosen.out) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        yield file.write


def _line(row: Mapping[str, Any], form: str) -> str:
    """Return the text that is written for an example."""
    if form == "jsonl":
        return json.dumps(row, ensure_ascii=False) + "\n"
    if "labels" not in row:
        raise ConfigError("--format conll is for tasks with one label per token; leave it out")
    return "".join(f"{token}\t{label}\n" for token, label in zip(row["tokens"], row["labels"], strict=True)) + "\n"

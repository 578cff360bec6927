"""The files under attack: how each is written, and how the harness reads it.

Reading goes as far as the harness goes with such a file: a record as far as the report, a checkpoint as far as the next
update.
"""

import gzip
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch

from harness.analysis.report.analysis import analyse
from harness.analysis.report.csv_files import as_csv, comparisons_table, runs_table, settings_table
from harness.analysis.report.document import document
from harness.analysis.report.latex import as_latex
from harness.analysis.report.markdown import as_markdown
from harness.analysis.report.page import page, standalone
from harness.analysis.report.paper_numbers import published_numbers
from harness.analysis.report.parts import Wanted
from harness.analysis.report.rerun import rerun_command
from harness.analysis.report.settings import gathered, read_records
from harness.commands.pretrain import _train
from harness.config.compose import compose_values
from harness.config.instantiate import typed_as
from harness.config.schema import resolved
from harness.encoders.elmo import ElmoEncoder
from harness.encoders.random_elmo import random_weights
from harness.encoders.weights import write_weights
from harness.features.static_vectors import StaticVectors
from harness.features.store import FeatureStore
from harness.pretrain.config import PretrainConfig
from harness.pretrain.corpus import open_corpus
from harness.pretrain.exported_model import OPTIONS, RECORD, SOFTMAX, VOCABULARY, WEIGHTS, read_network
from harness.pretrain.network import PretrainingNetwork
from harness.pretrain.plain_text import write_plain_text
from harness.pretrain.pretrain import pretrain
from harness.pretrain.vocabulary import Vocabulary
from harness.runs.outcome import Outcome
from harness.runs.record import COUNTS, read_record
from harness.runs.summary import print_summary
from harness.sweep.state import SweepFolder
from harness.utils.checkpoint import reading_checkpoint, write_checkpoint
from harness.utils.download import _version_of, fetch, sha256_of
from harness.utils.files import write_json, write_tensors
from harness.utils.signals import Interrupted, Stop
from tasks.ner.reader import read_tagged
from tasks.pos.reader import read_conllu
from tasks.snli.reader import read_pairs
from tasks.squad.reader import read_squad
from tasks.srl.reader import read_frames
from tasks.sst5.reader import read_trees
from tests.attacks.fuzz import Damage, changed_value, damaged
from tests.support.encoders import TINY, changed, tiny_elmo
from tests.support.reports import write_run
from tests.support.runs import StopAfter
from tests.support.training import scripted

SENTENCES = [("The", "bank"), ("A", "bank", "."), ("Zoë", "eats", "."), ("The", "end")]
ROWS = "\t".join


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A folder of files, and how they are read.

    Attributes:
        make: Writes the files.
        read: Reads them.
        attacked: The names of the files that are damaged, one at a time.
        same: Whether what is read is always what was written, because the files have digests.
        damage: Applies a damage to the content of a file.
        cost: How many inputs of most other kinds take as long as one of this kind.
    """

    make: Callable[[Path], object]
    read: Callable[[Path], Any]
    attacked: tuple[str, ...]
    same: bool = False
    damage: Callable[[bytes, Damage], bytes] = damaged
    cost: int = 1


# Texts that are given to the harness.

SNLI = ("gold_label", "sentence1", "sentence2", "pairID")
PAIRS = [
    ("neutral", "Zoë eats.", "She is tall.", "a"),
    ("-", "A man.", "He runs.", "b"),
    ("entailment", "A dog runs.", "It moves.", "c"),
    ("contradiction", "It rains.", "It is dry.", "d"),
]
QUESTION = {"question": "Who eats?", "answers": [{"text": "Zoë", "answer_start": 0}]}
PARAGRAPHS = [{"context": "Zoë eats cake.", "qas": [{"id": f"{p}{q}", **QUESTION} for q in range(2)]} for p in range(2)]
VECTORS = "the 1 2 3\nbank .5 -1e-3 0\nof the 1 1 1\nZoë 0.25 2 3\n, 1 2 3\n"
TEXTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "columns": (read_tagged, "Zoë\tB-PER\neats\tO\n\nIn\tO\nNew\tB-LOC\nYork\tI-LOC\n\nShe\tO\n.\tO\n"),
    "aligned columns": (read_tagged, "-DOCSTART- X O O\n\nZoë   N  I B-PER\neats  V  I O\n\n# 2\nShe   P  I O\n"),
    "conllu": (
        read_conllu,
        "".join(
            f"# text = {' '.join(words)}\n"
            + "".join(ROWS((str(i), word, "_", "NOUN", "NN", *"_____")) + "\n" for i, word in enumerate(words, 1))
            + "\n"
            for words in SENTENCES
        ),
    ),
    "snli jsonl": (
        read_pairs,
        "".join(json.dumps(dict(zip(SNLI, pair, strict=True)), ensure_ascii=False) + "\n" for pair in PAIRS),
    ),
    "snli table": (read_pairs, "".join(ROWS(row) + "\n" for row in (SNLI, *PAIRS))),
    "squad": (
        read_squad,
        json.dumps({"data": [{"title": "T", "paragraphs": PARAGRAPHS}], "version": "1.1"}, ensure_ascii=False)
        .replace("[", "[\n")
        .replace("}, ", "},\n"),
    ),
    "propositions": (
        read_frames,
        "Zoë - (A0* *\nherself - *) (A0*)\neats eat (V*) *\n, - * *\nsings sing * (V*)\n\nShe -\n. -\n",
    ),
    "trees": (read_trees, "(3 (2 Zoë) (4 eats))\n(2 (1 (2 It) (0 fails)) (2 .))\n(4 good)\n(0 (0 -LRB-) (1 1\\/2))\n"),
    "published numbers": (
        published_numbers,
        "data:\n  a: {task: ner, train: 3, test: 4}\nnumbers:\n"
        "- {data: a, split: test, metric: f1, value: 90.1, source: x, system: y, where: {config.seed: [1, 2]}}\n",
    ),
}
PLAIN = {
    "plain": "One  line.\n\nAnother.\n",
    "squad": TEXTS["squad"][1],
    "snli": TEXTS["snli jsonl"][1],
    "conllu": TEXTS["conllu"][1],
    "books": '{"id": "a", "text": "Hard\\nline.\\n\\nNext."}\n{"id": "b", "text": "One.\\nTwo."}\n',
    "wikitext": " \n = Heading = \n \n He didn 't pay 1 @,@ 000 .\n",
    "semcor": '{"tokens": [["The", "the", "DT"], ["Grand_Jury", "group", "NNP"]]}\n{"tokens": [["It", "it", "P"]]}\n',
    "columns": TEXTS["aligned columns"][1],
}


def of_text(read: Callable[[Path], Any], content: str) -> Kind:
    """Return the kind of a single text file."""
    return Kind(
        make=lambda folder: (folder / "file").write_text(content), read=lambda f: read(f / "file"), attacked=("file",)
    )


def as_plain_text(form: str, path: Path) -> int:
    """Read a published data set as text to train on."""
    return write_plain_text(path, path.with_name("out"), form=form)


# Word vectors and text, which are converted at their first use.


def make_vectors(folder: Path) -> None:
    """Write the same vectors as text, with a header, compressed, and in an archive."""
    (folder / "vectors.txt").write_text(VECTORS)
    (folder / "vectors.header").write_text("5 3\n" + VECTORS)
    (folder / "vectors.gz").write_bytes(gzip.compress(VECTORS.encode(), mtime=0))
    with zipfile.ZipFile(folder / "vectors.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vectors.txt", VECTORS)


def read_vectors(folder: Path, name: str = "vectors.txt") -> Any:
    """Look up words; the file is converted first."""
    vectors = StaticVectors(name="test", path=folder / name, cache_dir=folder / "cache", oov="normal")
    found, known = vectors.lookup(["the", "Zoë", "unknown"])
    return vectors.fingerprint, found.tolist(), known.tolist(), vectors.neighbours("bank", 2)


def make_converted(folder: Path) -> None:
    """Write and convert vectors."""
    make_vectors(folder)
    read_vectors(folder)


def read_corpus(folder: Path) -> Any:
    """Read text as a corpus; the file is tokenised first."""
    corpus = open_corpus([folder / "text"], tokenize=False, cache_dir=folder)
    return [corpus.words_of(i) for i in range(len(corpus))], corpus.counts.tolist()


def make_corpus(folder: Path) -> None:
    """Write text and its shard."""
    (folder / "text").write_text("".join(" ".join(sentence) + "\n" for sentence in SENTENCES))
    read_corpus(folder)


@cache
def encoder() -> ElmoEncoder:
    """Return a small encoder."""
    return tiny_elmo(Path())


def read_store(folder: Path) -> Any:
    """Read the layers of all sentences; those that the store lacks are encoded."""
    store = FeatureStore(folder, encoder())
    store.fill(SENTENCES)
    return store.read(SENTENCES).tolist()


# What a training writes.


def make_exported(folder: Path) -> None:
    """Write a biLM in the official layout, with its softmax."""
    vocabulary, options = Vocabulary.most_frequent(["the", "bank", "Zoë"], [3, 2, 1], size=9), encoder().options
    network = PretrainingNetwork(options=options, vocabulary_size=len(vocabulary), dropout=0.0)
    network.load_official(random_weights(options, seed=0))
    torch.nn.init.zeros_(network.softmax.weight)
    torch.nn.init.zeros_(network.softmax.bias)
    write_json(folder / OPTIONS, TINY)
    write_weights(folder / WEIGHTS, network.official(), precision="float16")
    write_tensors(folder / SOFTMAX, network.softmax.state_dict())
    vocabulary.write(folder / VOCABULARY)


def make_results(folder: Path) -> None:
    """Write runs of two settings, and the folder of a sweep of which one run is a job."""
    about: dict[str, Any] = {"overrides": ["task=ner"], "packages": {"torch": "2"}, "threads": 1, "device": "cpu"}
    weights = {"input": [0.4, 0.6]}
    mix = {"name": "scalar_mix", "placement": "input", "weights": weights, "gamma": {"input": 1.0}, "norms": [1.0, 2.0]}
    cost = {"encoder_parameters": 9, "tokens_per_s": 0.5, "device": "cpu", "bytes_per_token": 8.0, "epoch_s": 1.0}
    about = {"environment": about, "mixing": mix, "cost": cost, "url": "https://example.org"}
    for encoder_name, chance in (("none", 0.5), ("elmo", 0.9), ("bert", 0.9)):
        for seed in (1, 2):
            run = write_run(folder, encoder=encoder_name, seed=seed, chance=chance, examples=9, **about)
    sweep = SweepFolder(folder / "sweeps" / "s")
    sweep.open([("seed=2",)], {})
    sweep.write_outcome(("seed=2",), Outcome("ok", 0, "", str(run)))


def read_results(folder: Path) -> None:
    """Make the report of all runs, and the command that repeats one of them."""
    results, numbers = gathered(read_records(folder)), published_numbers()
    analyses = [analyse(block, split="test", rounds=9, seed=0, baseline=None) for block in results.blocks]
    report = document(results, analyses, Wanted(numbers))
    figures = map(standalone, report.figures.values())
    for made in (page(report, title="t"), as_markdown(report), as_latex(report), *figures):
        made.encode()
    for frame in (runs_table(results), settings_table(analyses, numbers), comparisons_table(analyses)):
        as_csv(frame)
    run = folder / "labels/elmo-1.0-s1"
    print_summary(read_record(run / "record.json"), folder=run)  # as for a run that is finished already
    rerun_command(run)


def read_sweep(folder: Path) -> None:
    """Write the table of a sweep, as after every job."""
    sweep = SweepFolder(folder / "sweeps" / "s")
    sweep.write_table()
    sweep.read_state(("seed=2",))


def make_run_checkpoint(folder: Path) -> None:
    """Stop a training in its second epoch."""
    with pytest.raises(Interrupted):
        run_of(folder, stop=StopAfter(6)).fit()


def run_of(folder: Path, stop: Stop | None = None) -> Any:
    """Return the trainer of a small head."""
    return scripted(folder, (0.1, 0.2, 0.3), average=0.9, optimizer="Adam", plateau_patience=1, stop=stop)


def pretraining(folder: Path) -> PretrainConfig:
    """Return the configuration of a small biLM."""
    sizes = {"char_cnn": {"filters": [[1, 4]]}, "lstm": {"dim": 4, "projection_dim": 4, "n_layers": 1}}
    values = resolved(compose_pretraining())
    values["model"] |= {"vocabulary": 9, "options": changed(sizes, values["model"]["options"])}
    values["trainer"] |= {"streams": 2, "window": 3, "negatives": 4, "epochs": 2.0}
    values["data"] = {"train": [str(folder / "text")], "dev": [str(folder / "text")]}
    values |= {"out": str(folder / "out"), "cache_dir": str(folder), "threads": 1}
    return typed_as(PretrainConfig, values)


@cache
def compose_pretraining() -> Any:
    """Compose the default configuration once."""
    return compose_values("pretrain", ["tracking=none", "out=x", "data.train=[x]", "log_every=1", "dev_every=2"])


def make_pretrain_checkpoint(folder: Path) -> None:
    """Stop a pre-training after its second update."""
    make_corpus(folder)
    with pytest.raises(Interrupted):
        pretrain(pretraining(folder), stop=StopAfter(2))


def make_pretrained(folder: Path) -> None:
    """Finish a pre-training."""
    make_corpus(folder)
    pretrain(pretraining(folder), stop=Stop())


def continue_pretraining(folder: Path) -> None:
    """Continue a pre-training, or recognise a finished one, and print its result."""
    _train(pretraining(folder))


def with_odd_values(content: bytes, damage: Damage) -> bytes:
    """Change values of a checkpoint, and give it the right digest: somebody else made it.

    What torch keeps of its optimisers is left as it is: only torch knows what is right there.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        path.write_bytes(content)
        with reading_checkpoint(path, device="cpu") as state:
            torch_own = {key: state.pop(key) for key in ("optimizer", "optimizers", "schedule") if key in state}
            for _, seed in damage:
                state = changed_value(state, Random(seed))
        write_checkpoint(path, state | torch_own)
        return path.read_bytes()


# Downloads.

URL = "https://example.org/file.txt"


def make_download(folder: Path) -> None:
    """Write a finished download, a part of another, and the records of both."""
    (folder / "file.txt").write_text("content")
    fetch(URL, folder=folder)
    (folder / "file.version").write_text('"etag-1"')


def read_download(folder: Path) -> None:
    """Use the finished download, and read the version of the part."""
    _version_of(folder / "file.version").encode("latin-1")
    sha256_of(folder / "file.txt", record=folder / "file.txt.sha256")
    fetch(URL, folder=folder)


KINDS: dict[str, Kind] = {
    **{name: of_text(read, content) for name, (read, content) in TEXTS.items()},
    **{f"plain text of {form}": of_text(partial(as_plain_text, form), text) for form, text in PLAIN.items()},
    **{
        f"vectors as {suffix}": Kind(
            make=make_vectors, read=partial(read_vectors, name=f"vectors.{suffix}"), attacked=(f"vectors.{suffix}",)
        )
        for suffix in ("txt", "header", "gz", "zip")
    },
    "converted vectors": Kind(make=make_converted, read=read_vectors, attacked=("cache/vectors/*/*",), same=True),
    "corpus": Kind(make=make_corpus, read=read_corpus, attacked=("text",)),
    "corpus shard": Kind(make=make_corpus, read=read_corpus, attacked=("corpora/*/*",), same=True),
    "feature store": Kind(make=read_store, read=read_store, attacked=("random*/*.bin", "random*/*.idx"), same=True),
    "exported biLM": Kind(make=make_exported, read=read_network, attacked=(OPTIONS, WEIGHTS, SOFTMAX, VOCABULARY)),
    "results": Kind(
        make=make_results,
        read=read_results,
        attacked=tuple(f"labels/elmo-1.0-s1/{name}" for name in ("record.json", COUNTS, "history.jsonl")),
    ),
    "sweep": Kind(make=make_results, read=read_sweep, attacked=("sweeps/s/jobs/*",)),
    "checkpoint": Kind(make=make_run_checkpoint, read=lambda folder: run_of(folder).fit(), attacked=("checkpoint.pt",)),
    "pre-training checkpoint": Kind(
        make=make_pretrain_checkpoint, read=continue_pretraining, attacked=("out/checkpoint.pt",)
    ),
    "pre-training record": Kind(make=make_pretrained, read=continue_pretraining, attacked=(f"out/{RECORD}",)),
    "download": Kind(make=make_download, read=read_download, attacked=("file.txt.sha256", "file.version")),
}
KINDS |= {
    f"{name} with odd values": replace(KINDS[name], damage=with_odd_values)
    for name in ("checkpoint", "pre-training checkpoint")
}
_COSTS = {"results": 12, "published": 6, "pre-training": 6}
KINDS = {name: replace(kind, cost=_COSTS.get(name.split()[0], 1)) for name, kind in KINDS.items()}

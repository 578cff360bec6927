"""Word senses: averages and neighbours compared with plain loops, whole runs, and labelling of new text."""

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest
import torch

from harness.analysis.statistics import ratio_of_sums
from harness.commands.predict import main as predict
from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.optional_protocols import Decomposable
from harness.prediction.trained_run import load_predictor
from harness.protocols import Fitted
from harness.runs.cost_estimate import CostEstimator
from harness.runs.model_file import Restorable
from harness.runs.plan import prepare
from harness.runs.record import folder_of
from harness.runs.run import run
from harness.types import Batch, Example, Prediction, TokenVectors
from harness.utils.signals import Stop
from tasks.wsd.reader import Instance
from tasks.wsd.sense_averages import SenseAverages
from tasks.wsd.senses import by_lemma
from tasks.wsd.task import WordSenses
from tests.support.runs import config_of
from tests.support.trained import TINY_ENCODER, recorded, sample_files, trained_run

SENSES = ("bank%1:01:00::", "bank%1:02:00::", "bank%1:03:00::", "river%1:01:00::")
FIRST = ("bank%1:01:00::", "river%1:01:00::", "sail%2:01:00::")


def task() -> WordSenses:
    return WordSenses(data=DataConfig())


def vectors(batch: Batch, *, dim: int = 6, output_dim: int = 0, context: bool = True) -> dict[str, TokenVectors]:
    """Token vectors that depend on the word and, with context, on its two neighbours."""
    table = torch.zeros(*batch.masks["tokens"].shape, dim + output_dim)  # (batch, tokens, dim)
    for row, sentence in zip(table, batch.sentences("tokens"), strict=True):
        padded = ("<s>", *sentence, "</s>")
        for t in range(len(sentence)):
            seed = crc32("|".join(padded[t : t + 3] if context else [sentence[t]]).encode())
            row[t] = torch.randn(dim + output_dim, generator=torch.Generator().manual_seed(seed))
    return {"tokens": TokenVectors(input=table[..., :dim], output=table[..., dim:] if output_dim else None)}


def fitted(examples: list[Example], size: int, *, output_dim: int = 0, context: bool = True) -> SenseAverages:
    """Return a head that has observed examples in batches of a size."""
    head = task().build_head(input_dim=6, output_dim=output_dim).eval()
    for start in range(0, len(examples), size):
        batch = task().collate(examples[start : start + size])
        head.observe(vectors(batch, output_dim=output_dim, context=context), batch)
    return head


def example_of(*words: tuple[str, str], own_id: str = "x") -> Example:
    """Return a sentence of the words "a", with tagged tokens: lemma and sense of each."""
    lemmas = [(lemma, pos) for lemma, pos in (("bank", "NOUN"), ("river", "NOUN"), ("sail", "VERB"), ("row", "VERB"))]
    of = dict(lemmas)
    target = [Instance(f"{own_id}.t{i}", w, of[w], i, i + 1, (s,) if s else ()) for i, (w, s) in enumerate(words)]
    return Example(id=own_id, texts={"tokens": ("a",) * len(words)}, target=target)


def point(*rows: list[float]) -> dict[str, TokenVectors]:
    """Return the vectors of the words of one sentence."""
    return {"tokens": TokenVectors(input=torch.tensor([rows]))}


def small_head() -> SenseAverages:
    """Return a head for three senses of "bank", one of "river" and an unseen "sail"."""
    return SenseAverages(dim=2, senses=SENSES, first_senses=FIRST).eval()


def answers(head: SenseAverages, example: Example, *rows: list[float]) -> list[tuple[str | None, bool]]:
    """Return the sense of each tagged token, and whether its lemma was seen."""
    (prediction,) = head.predict(point(*rows), task().collate([example]))
    return [(answer["sense"], answer["seen"]) for answer in prediction.value.values()]


def test_the_nearest_average_by_hand() -> None:
    head = small_head()
    train = example_of(("bank", SENSES[0]), ("bank", SENSES[1]), ("bank", SENSES[1]), ("river", SENSES[3]))
    head.observe(point([1, 0], [0, 1], [6, 8], [1, 1]), task().collate([train]))
    assert head.sums.tolist() == [[1, 0], [6, 9], [0, 0]]  # "river" has one sense and needs no sum
    words = example_of(("bank", ""), ("bank", ""), ("river", ""), ("sail", ""), ("row", ""))
    found = answers(head, words, [9, 1], [0.1, 0.1], [-1, -1], [1, 1], [1, 1])
    # (1, 1) has the cosine 0.71 with the first sense and 0.98 with the second
    assert found == [(SENSES[0], True), (SENSES[1], True), (SENSES[3], True), (FIRST[2], False), (None, False)]


def test_a_sense_that_was_not_observed_is_no_candidate() -> None:
    head = small_head()
    head.observe(point([1, 0], [0.9, 0.1]), task().collate([example_of(("bank", SENSES[1]), ("bank", SENSES[2]))]))
    away = answers(head, example_of(("bank", ""), ("river", "")), [-1, 0.1], [1, 1])
    assert away == [(SENSES[2], True), (SENSES[3], False)]  # the sum 0 of the first sense would have the cosine 0


def test_of_equal_senses_the_first_wins() -> None:
    given = [*[("bank", SENSES[0])] * 3, ("bank", SENSES[1]), *[("bank", SENSES[2])] * 5]
    for row in torch.randn(30, 2, generator=torch.Generator().manual_seed(1)).tolist():
        head = small_head()
        head.observe(point(*[row] * 9), task().collate([example_of(*given)]))  # one direction, but for rounding
        assert answers(head, example_of(("bank", "")), row) == [(SENSES[0], True)]
        assert answers(head, example_of(("bank", "")), [0.0, 0.0]) == [(SENSES[0], True)]  # a word without a vector


@pytest.mark.parametrize("output_dim", [0, 3])
def test_averages_and_neighbours_as_plain_loops_find_them(output_dim: int) -> None:
    train, test = list(task().examples("train"))[:200], list(task().examples("test"))[:60]
    head = fitted(train, 16, output_dim=output_dim)
    sums: dict[str, torch.Tensor] = {}
    seen: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def pooled(example: Example, word: Instance) -> torch.Tensor:
        alone = task().collate([example])
        read = vectors(alone, output_dim=output_dim)["tokens"]
        parts = [read.input] if read.output is None else [read.input, read.output]
        each = torch.cat(parts, dim=2)[0].double()
        return sum(each[t] for t in range(word.start, word.end)) / (word.end - word.start)  # type: ignore[return-value]

    for example in train:
        for word in example.target:
            for key in word.senses:
                seen[word.lemma, word.pos].add(key)
                sums[key] = sums.get(key, torch.zeros(6 + output_dim).double()) + pooled(example, word)
    for key, row in head._rows.items():
        assert key not in sums or torch.equal(head.sums[row], sums[key]), key  # the same order, so the same bits
    batch = task().collate(test)
    for example, prediction in zip(test, head.predict(vectors(batch, output_dim=output_dim), batch), strict=True):
        for word in example.target:
            if senses := seen[word.lemma, word.pos]:
                vector = pooled(example, word)
                cosines = {key: float(sums[key] @ vector / sums[key].norm() / vector.norm()) for key in senses}
                assert prediction.value[word.id] == {"sense": max(cosines, key=cosines.__getitem__), "seen": True}


def test_the_size_of_batches_changes_no_bit() -> None:
    train = list(task().examples("train"))[:100]
    one, other = fitted(train, 1), fitted(train, 37)
    assert torch.equal(one.sums, other.sums)
    assert torch.equal(one.counts, other.counts)
    test = list(task().examples("test"))[:30]
    batch = task().collate(test)
    together = one.predict(vectors(batch), batch)
    assert together == [one.predict(vectors(b), b)[0] for b in (task().collate([e]) for e in test)]


def test_without_context_a_form_has_always_the_same_answer() -> None:
    head = fitted(list(task().examples("train")), 50, context=False)
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for split in ("dev", "test"):
        batch = task().collate(list(task().examples(split)))
        for example, prediction in zip(batch.examples, head.predict(vectors(batch, context=False), batch), strict=True):
            for word in example.target:
                form = " ".join(example.texts["tokens"][word.start : word.end])
                found[form, word.pos].add(prediction.value[word.id]["sense"])
    assert len(found) > 20
    assert all(len(senses) == 1 for senses in found.values())


def test_the_task_offers_what_the_engine_asks_for() -> None:
    head = task().build_head(input_dim=6, output_dim=0)
    assert isinstance(head, Fitted)
    assert not list(head.parameters())
    assert isinstance(task(), Decomposable)
    assert isinstance(task(), Restorable)


def test_the_senses_of_a_lemma_are_in_the_order_of_the_index() -> None:
    for lemma, keys in by_lemma(task().senses).items():
        assert tuple(keys) == task().index.senses[lemma]


def test_scores_of_sets_and_of_the_back_off() -> None:
    senses = [("senseval2.d0.s0.t0", "bank%1:02:00::"), ("semeval2007.d0.s0.t0", "bat%1:01:00::")]
    words = [Instance(i, key.partition("%")[0], "NOUN", 0, 1, (key,)) for i, key in senses]
    gold = [Example(id=word.id, texts={"tokens": ("w",)}, target=[word]) for word in words]
    right = [Prediction(id=w.id, value={w.id: {"sense": w.senses[0], "seen": True}}) for w in words]
    metrics = task().score(gold, right)
    assert metrics.values == {
        "f1": 1,
        "precision": 1,
        "recall": 1,
        "coverage": 1,
        "first_sense_f1": 0.5,
        "f1_without_semeval2007": 1,
        "senseval2/f1": 1,
        "semeval2007/f1": 1,
    }
    wrong = [right[0], Prediction(id=words[1].id, value={words[1].id: {"sense": None, "seen": False}})]
    metrics = task().score(gold, wrong)
    assert (metrics["precision"], metrics["recall"], metrics["coverage"]) == (1, 0.5, 0.5)
    assert (metrics["senseval2/f1"], metrics["semeval2007/f1"], metrics["f1_without_semeval2007"]) == (1, 0, 1)
    counts = task().counts(gold, wrong)
    assert counts.tolist() == [[2, 2], [0, 1]]
    assert ratio_of_sums(counts.numpy().sum(axis=0)) == pytest.approx(metrics["f1"])


def test_gold_predictions_score_one() -> None:
    dev = task().examples("dev")
    gold = [Prediction(id=e.id, value={w.id: {"sense": w.senses[0], "seen": True} for w in e.target}) for e in dev]
    metrics = task().score(dev, gold)
    assert metrics["f1"] == metrics["coverage"] == 1
    assert metrics["first_sense_f1"] < 0.5


@pytest.mark.parametrize(
    "placement", ["input", pytest.param("output", marks=pytest.mark.slow), pytest.param("both", marks=pytest.mark.slow)]
)
def test_a_run_and_its_model_on_new_text(placement: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = trained_run(tmp_path, "task=wsd", f"mixing.placement={placement}", "vectors=both")
    record = json.loads((folder / "record.json").read_text())
    assert (record["epochs"], record["best_epoch"], record["parameters"]) == (1, 1, 0)
    assert record["metrics"]["test"]["f1"] > record["metrics"]["test"]["first_sense_f1"] - 0.1
    files = sample_files(tmp_path, "task=wsd")
    (tmp_path / "sample" / "test.gold.key.txt").unlink()
    capsys.readouterr()
    assert predict([str(folder), str(files["test"])]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {row["id"]: {w["id"]: {"sense": w["sense"], "seen": w["seen"]} for w in row["senses"]} for row in rows}
    assert found == recorded(folder, "test")
    word = rows[0]["senses"][0]
    assert -1 <= word["cosine"] <= 1
    assert rows[0]["text"][word["start_char"] : word["end_char"]] == word["text"]
    with pytest.raises(ConfigError, match=r"does not say which of its words need a sense; give an \.xml file"):
        load_predictor(folder)("The bank of the river.")


def test_predict_scores_a_labelled_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = trained_run(tmp_path, "task=wsd", "mixing=layer_1")
    files = sample_files(tmp_path, "task=wsd")
    capsys.readouterr()
    assert predict([str(folder), str(files["test"]), "--score"]) == 0
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    metrics = json.loads((folder / "record.json").read_text())["metrics"]["test"]
    assert printed == {name: f"{100 * value:.2f}" for name, value in metrics.items()}


def test_two_runs_are_the_same_to_the_bit(tmp_path: Path) -> None:
    digests = set()
    for name, size in (("a", 64), ("b", 64), ("c", 7)):
        folder = trained_run(tmp_path / name, "task=wsd", f"trainer.eval_batch_size={size}")
        record = json.loads((folder / "record.json").read_text())
        digests.add((record["weights_sha256"], json.dumps(record["metrics"])))
    assert len(digests) == 1


def test_static_vectors_alone(tmp_path: Path) -> None:
    config = config_of(tmp_path, *TINY_ENCODER, "task=wsd", "vectors=static", "tracking=none", "threads=1")
    record = run(config, stop=Stop())
    assert record.metrics["test"]["f1"] > record.metrics["test"]["first_sense_f1"]  # a form tells something
    assert record.encoder["name"] == "none"
    assert (folder_of(record, config.results_dir) / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["mixing=scalar_mix"], "task=wsd learns without gradients, so mixes.input.weights would not be trained"),
        (["vectors=both", "embedding.trainable=true"], "static.embedding.weight would not be trained"),
        (["encoder=none"], "encoder=none with vectors=contextual leaves no vectors; choose vectors=static"),
        (["data=files", "data.train=x.jsonl"], "task.sense_index is not given"),
    ],
)
def test_a_wrong_request_is_one_line(overrides: list[str], problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=problem):
        run(config_of(tmp_path, "task=wsd", "tracking=none", *overrides), stop=Stop())


def test_a_dry_run_knows_that_there_is_one_pass(tmp_path: Path) -> None:
    plan = prepare(config_of(tmp_path, *TINY_ENCODER, "task=wsd", "tracking=none"))
    assert "would train at most 1 epochs" in str(CostEstimator().estimate(plan))


def test_cut_splits_keep_whole_sentences(tmp_path: Path) -> None:
    files = sample_files(tmp_path, "task=wsd")
    data = DataConfig(source="files", train=str(files["train"]), dev_fraction=0.1, test_fraction=0.2)
    cut = WordSenses(data=data, sense_index=str(files["index"]))
    sizes = [len(cut.examples(split)) for split in ("train", "dev", "test")]
    assert sum(sizes) == 400
    assert sizes[0] > sizes[2] > sizes[1] > 0
    assert set(replace(cut, data=DataConfig()).senses) == set(task().senses)


def test_the_sense_index_is_in_the_identity_and_its_path_is_not(tmp_path: Path) -> None:
    files = sample_files(tmp_path, "task=wsd")
    data = [f"data.{split}={files[split]}" for split in ("train", "dev", "test")]

    def identity(index: Path) -> str:
        options = ["task=wsd", "vectors=static", "tracking=none", "data=files", f"task.sense_index={index}", *data]
        return prepare(config_of(tmp_path, *options)).identity

    lines = files["index"].read_text()
    (tmp_path / "moved").write_text("\n".join(sorted(lines.splitlines(), reverse=True)))
    (tmp_path / "other").write_text(lines.replace("bank%1:01:00:: 00000000 1 0", "bank%1:01:00:: 00000000 9 0"))
    assert identity(files["index"]) == identity(tmp_path / "moved")
    assert identity(files["index"]) != identity(tmp_path / "other")


@pytest.mark.realdata
@pytest.mark.slow
def test_first_senses_of_real_text(shared: Path, tmp_path: Path) -> None:
    """A run without a vector for any word gives the first sense that was seen, or the first of WordNet."""
    folder = shared / "data" / "wsd"
    (tmp_path / "none.txt").write_text("zzzzzz 1 2\n")
    sets = [f"data.{s}={folder}/{n}/{n}.data.xml.gz" for s, n in (("dev", "semeval2007"), ("test", "ALL"))]
    files = [*sets, f"data.train={folder}/semcor3.0.jsonl.gz", "data=files"]
    index = f"task.sense_index={folder}/wordnet-3.0-index.sense.gz"
    static = ["vectors=static", "embedding=file", f"embedding.path={tmp_path}/none.txt"]
    record = run(config_of(tmp_path, "task=wsd", "tracking=none", *static, *files, index), stop=Stop())
    scores = {name: round(100 * value, 1) for name, value in record.metrics["test"].items()}
    assert scores["first_sense_f1"] == 65.2
    assert scores["f1"] == pytest.approx(65.2, abs=0.7)
    assert record.data["sizes"] == {"train": 36298, "dev": 120, "test": 1093}

"""The tagging task: its scores by hand, the same as those of the tasks that it shares heads with, and every head."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.analysis.statistics import ratio_of_sums
from harness.config.instantiate import build
from harness.config.schema import DataConfig
from harness.errors import ConfigError, DataFormatError
from harness.optional_protocols import Decomposable
from harness.protocols import Task
from harness.runs.run import run
from harness.types import SPLITS, Example, Prediction
from harness.utils.signals import Stop
from tasks.common.heads.bilstm_crf import BiLstmCrfOptions
from tasks.common.heads.bilstm_options import BiLstmOptions
from tasks.common.label_scores import IGNORED
from tasks.ner import sample as entities
from tasks.ner.task import NamedEntityRecognition
from tasks.pos.task import PosTagging
from tasks.tagging.task import Tagging
from tests.support.memorise import memorised
from tests.support.runs import SMALL as SMALL_RUN
from tests.support.runs import config_of
from tests.support.vectors import vectors_of_words as vectors

HEADS = ["linear", "mlp", "bilstm", "bilstm_crf"]
METRICS = ["accuracy", "span_f1"]
SMALL: dict[str, Any] = {
    "bilstm": BiLstmOptions(hidden_dim=24, dropout=0.0),
    "bilstm_crf": BiLstmCrfOptions(hidden_dim=24, num_layers=1, dropout=0.0, char_dim=4, char_filters=6),
}


@pytest.fixture(params=[(head, metric) for head in HEADS for metric in METRICS], ids=" ".join)
def task(request: pytest.FixtureRequest) -> Tagging:
    head, metric = request.param
    return Tagging(data=DataConfig(), head=head, metric=metric, **SMALL)


def files(folder: Path, **tags: str) -> DataConfig:
    """Write a sentence of two words for each split, with these tags."""
    for split in SPLITS:
        rows = zip(("Ann", "runs"), tags[split].split(), strict=True)
        (folder / f"{split}.conll").write_text("".join(f"{word}\t{tag}\n" for word, tag in rows))
    return DataConfig(source="files", **{split: str(folder / f"{split}.conll") for split in SPLITS})


def predicted(*values: str) -> list[Prediction]:
    return [Prediction(id=str(i), value=tuple(value.split())) for i, value in enumerate(values)]


def test_scores_by_hand() -> None:
    task = Tagging(data=DataConfig())
    gold = [Example(id="0", texts={}, target=("N", "V", "N")), Example(id="1", texts={}, target=("N",))]
    given = predicted("N N V", "N")
    metrics = task.score(gold, given)
    assert (metrics["accuracy"], metrics["V/f1"], metrics["N/f1"]) == (0.5, 0, pytest.approx(2 / 3))
    assert not [name for name in metrics if name.startswith("confusion")]
    assert isinstance(task, Decomposable)
    assert ratio_of_sums(task.counts(gold, given).numpy().sum(axis=0)) == 0.5


def test_spans_are_scored_whole() -> None:
    task = Tagging(data=DataConfig(), metric="span_f1")
    gold = [Example(id="0", texts={}, target=("B-X", "I-X", "O", "B-Y"))]
    given = predicted("B-X O O B-Y")
    metrics = task.score(gold, given)
    assert metrics["f1"] == metrics[task.primary_metric] == 0.5
    assert ratio_of_sums(task.counts(gold, given).numpy().sum(axis=0)) == 0.5


def test_gold_predictions_score_one(task: Tagging) -> None:
    dev = task.examples("dev")
    metrics = task.score(dev, [Prediction(id=e.id, value=e.target) for e in dev])
    assert metrics[task.primary_metric] == 1.0


@pytest.mark.parametrize("output_dim", [0, 4])
def test_more_padding_changes_nothing(output_dim: int, task: Tagging) -> None:
    head = task.build_head(input_dim=10, output_dim=output_dim).eval()
    short, *_, long = sorted(task.examples("train"), key=lambda e: len(e.texts["tokens"]))
    batches = [task.collate(examples) for examples in ([short], [long], [short, long])]
    read = [vectors(batch, output_dim=output_dim) for batch in batches]
    losses = [head.loss(*pair) for pair in zip(read, batches, strict=True)]
    if task.head != "bilstm_crf":  # the CRF sums over the batch, the others average over its tokens
        losses = [loss * batch.masks["tokens"].sum() for loss, batch in zip(losses, batches, strict=True)]
    torch.testing.assert_close(losses[2], losses[0] + losses[1])
    assert head.predict(read[2], batches[2])[0] == head.predict(read[0], batches[0])[0]


def test_gradients_reach_every_parameter(task: Tagging) -> None:
    torch.manual_seed(0)
    head = task.build_head(input_dim=10, output_dim=4)
    batch = task.collate(task.examples("train")[:16])
    head.loss(vectors(batch, output_dim=4), batch).backward()
    assert [name for name, p in head.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_every_head_can_memorise_ten_sentences(task: Tagging) -> None:
    torch.manual_seed(0)
    batch = task.collate(list(task.examples("train")[:10]))
    read = vectors(batch)
    if task.head in ("linear", "mlp"):  # a probe sees one token at a time; give it the neighbours too
        read = vectors_of_positions(read)
    head = task.build_head(input_dim=read["tokens"].input.shape[2], output_dim=0)
    found = memorised(task, head, batch, read, lr=0.02)
    assert task.score(batch.examples, found)[task.primary_metric] == 1.0


def vectors_of_positions(read: Any) -> Any:
    """Return token vectors that depend on the sentence and the position."""
    shape = read["tokens"].input.shape
    return {"tokens": type(read["tokens"])(input=torch.randn(*shape[:2], 300))}


@pytest.mark.parametrize("head", HEADS)
def test_spans_are_trained_like_named_entities(head: Any) -> None:
    task, ner = Tagging(data=DataConfig(), head=head, metric="span_f1"), NamedEntityRecognition(data=DataConfig())
    for split in SPLITS:
        assert list(task.examples(split)) == list(ner.examples(split))
    few = task.examples("dev")[:3]
    if head == "bilstm_crf":
        assert task.labels == ner.labels
        mask = ner.collate(few).masks["tokens"]
        assert task.collate(few).gold["labels"][mask].tolist() == ner.collate(few).gold["labels"][mask].tolist()
    else:
        assert task.labels == ("O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER")


def test_accuracy_is_trained_like_parts_of_speech() -> None:
    task, pos = Tagging(data=DataConfig()), PosTagging(data=DataConfig())
    assert task.labels == pos.labels
    assert torch.equal(
        task.collate(task.examples("dev")).gold["labels"], pos.collate(pos.examples("dev")).gold["labels"]
    )


@pytest.mark.parametrize("head", HEADS)
def test_a_label_that_is_only_in_dev_counts_as_an_error(
    head: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = Tagging(data=files(tmp_path, train="N V", dev="N NEW", test="N V"), head=head, **SMALL)
    assert task.labels == ("N", "V")
    assert "dev: 1 tokens have a label that is not in the training data (NEW); they count as errors" in caplog.text
    batch = task.collate(task.examples("dev"))
    assert batch.gold["labels"].tolist() == [[0, IGNORED]]
    found = task.build_head(input_dim=10, output_dim=0).eval().predict(vectors(batch), batch)
    metrics = task.score(task.examples("dev"), found)
    assert metrics["NEW/recall"] == 0
    assert metrics["accuracy"] <= 0.5


@pytest.mark.parametrize("head", HEADS)
def test_a_type_that_is_only_in_dev_counts_as_an_error(
    head: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = files(tmp_path, train="B-Gen O", dev="B-Gen B-Neu", test="O S-Gen")
    task = Tagging(data=data, head=head, metric="span_f1", **SMALL)
    assert not any("Neu" in label for label in task.labels)
    assert "dev: 1 tokens are in a span of a type that is not in the training data (Neu)" in caplog.text
    assert task.examples("test")[0].target == ("O", "B-Gen")  # the scheme is detected for each file
    batch = task.collate(task.examples("dev"))
    found = task.build_head(input_dim=10, output_dim=0).eval().predict(vectors(batch), batch)
    assert task.score(task.examples("dev"), found)["Neu/recall"] == 0


def test_tags_that_look_like_spans_give_a_hint(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert Tagging(data=files(tmp_path, train="B-X O", dev="O O", test="O O")).labels == ("B-X", "O")
    assert "the labels look like tags of spans; task.metric=span_f1 scores whole spans" in caplog.text


def test_one_label_is_nothing_to_learn(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"train\.conll: every token has the label 'N', so there is nothing to"):
        _ = Tagging(data=files(tmp_path, train="N N", dev="N N", test="N N")).labels
    with pytest.raises(DataFormatError, match=r"train\.conll: no entity in 1 sentences"):
        _ = Tagging(data=files(tmp_path, train="O O", dev="O O", test="O O"), metric="span_f1").labels


def test_json_lines_have_named_lists(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(json.dumps({"words": ["Ann", "runs"], "ner": ["U-X", "O"]}) + "\n")
    task = Tagging(data=DataConfig(), metric="span_f1", tokens="words", tags="ner")
    (example,) = task.read(tmp_path / "x.jsonl", prefix="new")
    assert example == Example(id="new-0", texts={"tokens": ("Ann", "runs")}, target=("B-X", "O"))


def test_columns_can_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("# 2009\n1\tBonn\tB-LOC\tO\n2\tist\tO\tO\n")
    task = Tagging(data=DataConfig(columns=(2, 3)))
    (example,) = task.read(tmp_path / "x.tsv", prefix="new")
    assert (example.texts["tokens"], example.target) == (("Bonn", "ist"), ("B-LOC", "O"))


@pytest.mark.parametrize(
    ("name", "content"), [("new.conll", "Ann\nruns\n"), ("new.jsonl", '{"tokens": ["Ann", "runs"]}\n')]
)
def test_unlabelled_text_can_be_tagged(name: str, content: str, task: Tagging, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    examples = task.read(tmp_path / name, prefix="new", labelled=False)
    batch = task.collate(examples)
    assert not batch.gold
    (found,) = task.build_head(input_dim=10, output_dim=0).eval().predict(vectors(batch), batch)
    assert len(found.value) == 2


def test_raw_text_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"data\.tokenize=english: this task reads tokens, .*; leave it out"):
        Tagging(data=DataConfig(source="files", train="x", tokenize="english")).examples("train")


def test_a_wrong_option_is_one_line() -> None:
    node = {"_target_": "tasks.tagging.task.Tagging", "data": {}, "metric": "f1"}
    with pytest.raises(ConfigError, match=r"task\.metric is 'f1'; expected 'accuracy' or 'span_f1'"):
        build(node, kind=Task, where="task")


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("placement", ["input", "output", "both"])
def test_a_run_of_every_head_at_every_place(head: str, metric: str, placement: str, one_store: Path) -> None:
    small = [option for option in SMALL_RUN if not option.startswith(("task.bilstm_crf.num", "embedding"))]
    chosen = [f"task.head={head}", f"task.metric={metric}", f"mixing.placement={placement}", "task.bilstm.hidden_dim=8"]
    quick = ["data.fraction=0.02", "trainer.max_epochs=1"]
    record = run(config_of(one_store, "task=tagging", *small, *chosen, *quick), stop=Stop())
    assert record.status == "ok"
    assert record.primary_metric == {"accuracy": "accuracy", "span_f1": "f1"}[metric]
    assert {record.primary_metric, "NOUN/f1" if metric == "accuracy" else "LOC/f1"} <= set(record.metrics["test"])


def test_a_run_on_spans_equals_one_on_named_entities(tmp_path: Path) -> None:
    """The two tasks read, train and score the same files in the same way."""
    files(tmp_path, train="B-PER O", dev="B-PER O", test="O B-PER")
    paths = ["data=files", *(f"data.{split}={tmp_path}/{split}.conll" for split in SPLITS), "data.fraction=1"]
    entities = run(config_of(tmp_path, "task=ner", *SMALL_RUN, *paths), stop=Stop())
    options = ["task=tagging", "task.metric=span_f1", "task.head=bilstm_crf"]
    spans = run(config_of(tmp_path, *options, *SMALL_RUN, *paths), stop=Stop())
    assert spans.metrics == entities.metrics
    assert spans.weights_sha256 == entities.weights_sha256


@pytest.mark.parametrize("metric", METRICS)
def test_the_written_sample_reads_back(metric: Any, tmp_path: Path) -> None:
    written = Tagging(data=DataConfig(), metric=metric).write_sample(tmp_path)
    data = DataConfig(source="files", **dict(zip(SPLITS, map(str, written), strict=True)))
    for split in SPLITS:
        read = Tagging(data=data, metric=metric).examples(split)
        assert list(read) == list(Tagging(data=DataConfig(), metric=metric).examples(split))


def test_chunks_of_a_column_file_are_probed(tmp_path: Path) -> None:
    """As in CoNLL-2000: the word, its part of speech and the tag of its chunk, separated by spaces."""
    for split in ("train", "test"):
        blocks = [zip(*sentence, strict=True) for sentence in entities.sentences(split)[:60]]
        text = "\n".join("".join(f"{word} X {tag}\n" for word, tag in block) for block in blocks)
        (tmp_path / f"{split}.txt").write_text(text)
    files = [f"data.{split}={tmp_path}/{split}.txt" for split in ("train", "test")]
    options = ["data=files", *files, "data.dev_fraction=0.1", "data.columns=[1,3]", "task.metric=span_f1"]
    small = [option for option in SMALL_RUN if not option.startswith(("task.", "data."))]
    chosen = ["task=tagging", "task.head=linear", "vectors=contextual", "mixing=layer_1"]  # those of experiment=table6
    record = run(config_of(tmp_path, *small, *chosen, *options), stop=Stop())
    assert record.primary_metric == "f1"
    assert record.data["sizes"] == {"train": 54, "dev": 6, "test": 60}
    assert [name for name in record.metrics["test"] if name.endswith("/f1")]

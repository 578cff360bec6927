"""The classification task: its scores by hand, and the rules for every head, with texts and with pairs."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.analysis.statistics import ratio_of_sums
from harness.config.instantiate import build
from harness.config.schema import DataConfig
from harness.errors import ConfigError, DataFormatError
from harness.protocols import Task
from harness.runs.run import run
from harness.types import SPLITS, Batch, Example, Prediction
from harness.utils.signals import Stop
from tasks.classification import sample
from tasks.classification.task import TextClassification
from tasks.common.heads.bcn import BcnOptions
from tasks.common.heads.bilstm_options import PooledBiLstmOptions
from tasks.common.heads.esim import EsimOptions
from tasks.common.heads.linear_classifier import LinearOptions
from tasks.common.heads.mlp import PooledMlpOptions
from tasks.common.heads.text_classifier import joined
from tasks.common.label_scores import IGNORED
from tests.support.memorise import memorised
from tests.support.runs import SMALL as SMALL_RUN
from tests.support.runs import config_of
from tests.support.vectors import vectors_of_words as vectors

SMALL: dict[str, Any] = {
    "bilstm": PooledBiLstmOptions(hidden_dim=10, dropout=0.0),
    "bcn": BcnOptions(pre_encode_dim=12, hidden_dim=8, output_dims=(12,), output_dropouts=(0.0,)),
    "esim": EsimOptions(hidden_dim=10, dropout=0.0),
}
CHOICES: list[dict[str, Any]] = [
    {"head": "linear"},
    {"head": "linear", "linear": LinearOptions(pooling="max")},
    {"head": "bilstm"},
    {"head": "bcn"},
    {"head": "linear", "pair": "hypothesis"},
    {"head": "mlp", "mlp": PooledMlpOptions(hidden_dim=24, num_layers=2, pooling="max")},
    {"head": "mlp", "pair": "hypothesis"},
    {"head": "bilstm", "pair": "hypothesis"},
    {"head": "esim", "pair": "hypothesis"},
]


@pytest.fixture(params=CHOICES, ids=lambda choice: " ".join(map(str, choice.values())))
def task(request: pytest.FixtureRequest) -> TextClassification:
    return TextClassification(data=DataConfig(), **(SMALL | request.param))


def files(folder: Path, **contents: str) -> DataConfig:
    """Write a CSV file for each split."""
    for split, content in contents.items():
        (folder / f"{split}.csv").write_text(f"text,label\n{content}")
    return DataConfig(source="files", **{split: str(folder / f"{split}.csv") for split in contents})


def test_scores_by_hand() -> None:
    gold = [Example(id=str(i), texts={}, target=label) for i, label in enumerate(("a", "b", "b", "c"))]
    predictions = [Prediction(id=str(i), value=label) for i, label in enumerate(("a", "b", "a", "d"))]
    task = TextClassification(data=DataConfig())
    metrics = task.score(gold, predictions)
    assert metrics["accuracy"] == 0.5
    assert metrics["a/f1"] == metrics["b/f1"] == pytest.approx(2 / 3)
    assert (metrics["c/f1"], metrics["d/f1"]) == (0, 0)
    assert metrics["macro_f1"] == pytest.approx((2 / 3 + 2 / 3) / 4)
    assert metrics["confusion/b/a"] == 0.25
    assert ratio_of_sums(task.counts(gold, predictions).numpy().sum(axis=0)) == 0.5


def test_many_labels_have_no_confusion_matrix() -> None:
    gold = [Example(id=str(i), texts={}, target=f"intent {i}") for i in range(21)]
    metrics = TextClassification(data=DataConfig()).score(gold, [Prediction(id=e.id, value=e.target) for e in gold])
    assert metrics["accuracy"] == metrics["macro_f1"] == metrics["intent 7/f1"] == 1.0
    assert not [name for name in metrics if name.startswith("confusion")]


def test_gold_predictions_score_one(task: TextClassification) -> None:
    dev = task.examples("dev")
    metrics = task.score(dev, [Prediction(id=e.id, value=e.target) for e in dev])
    assert metrics["accuracy"] == metrics["macro_f1"] == 1.0


@pytest.mark.parametrize("output_dim", [0, 3])
def test_more_padding_changes_nothing(output_dim: int, task: TextClassification) -> None:
    head = task.build_head(input_dim=10, output_dim=output_dim).eval()
    text = "tokens" if task.pair is None else "premise"
    short = min(task.examples("dev"), key=lambda e: len(e.texts[text]))
    long = max(task.examples("dev"), key=lambda e: len(e.texts[text]))
    alone, padded = task.collate([short]), task.collate([short, long])
    a, b = (head.network(vectors(x, output_dim=output_dim), x) for x in (alone, padded))
    torch.testing.assert_close(b[0], a[0], atol=1e-5, rtol=1e-5)


def test_gradients_reach_every_parameter(task: TextClassification) -> None:
    torch.manual_seed(0)
    head = task.build_head(input_dim=10, output_dim=4)
    batch = task.collate(task.examples("train")[:32])
    head.loss(vectors(batch, output_dim=4), batch).backward()
    assert [name for name, p in head.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_every_head_can_memorise_ten_examples(task: TextClassification) -> None:
    torch.manual_seed(0)
    examples = list(task.examples("train")[:10])
    assert len({e.target for e in examples}) > 1
    batch = task.collate(examples)
    head = task.build_head(input_dim=10, output_dim=0)
    assert task.score(examples, memorised(task, head, batch, vectors(batch)))["accuracy"] == 1.0


@pytest.mark.parametrize("pooling", ["mean", "max"])
@pytest.mark.parametrize("pair", [None, "hypothesis"])
def test_the_probe_is_one_linear_layer_on_pooled_vectors(pooling: Any, pair: str | None) -> None:
    """Compute one unpadded row after another."""
    task = TextClassification(data=DataConfig(), head="linear", linear=LinearOptions(pooling=pooling), pair=pair)
    head = task.build_head(input_dim=10, output_dim=4)
    batch = task.collate(task.examples("train")[:3])
    read = vectors(batch, output_dim=4)
    weight, bias = head.parameters()
    scores = head.train().network(read, batch)
    for row in range(3):
        pooled = []
        for text, one in read.items():
            length = len(batch.sentences(text)[row])
            rows = torch.cat([one.input[row, :length], one.output[row, :length]], dim=1)  # type: ignore[index]
            pooled.append(rows.mean(dim=0) if pooling == "mean" else rows.max(dim=0).values)
        if pair is not None:
            u, v = pooled
            pooled = [u, v, abs(u - v), u * v]
        torch.testing.assert_close(scores[row], weight @ torch.cat(pooled) + bias)


def test_a_pair_is_joined_as_in_infersent() -> None:
    u, v = torch.tensor([[1.0, -2.0]]), torch.tensor([[3.0, 5.0]])
    assert joined([u]).tolist() == [[1, -2]]
    assert joined([u, v]).tolist() == [[1, -2, 3, 5, 2, 7, 3, -10]]


def test_the_texts_of_a_pair_are_not_exchangeable() -> None:
    """The order tells what follows from what."""
    for head in ("linear", "bilstm", "esim"):
        task = TextClassification(data=DataConfig(), head=head, pair="hypothesis", **SMALL)  # type: ignore[arg-type]
        network = task.build_head(input_dim=10, output_dim=0).eval().network
        (example,) = task.examples("dev")[:1]
        swapped = Example(
            id="x", texts={"premise": example.texts["hypothesis"], "hypothesis": example.texts["premise"]}
        )
        a, b = (network(vectors(x), x) for x in (task.collate([example]), task.collate([swapped])))
        assert not torch.allclose(a, b)


def test_a_label_that_is_only_in_dev_counts_as_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    task = TextClassification(data=files(tmp_path, train="a,x\nb,y\n", dev="a,x\nb,new\n", test="a,y\n"), **SMALL)
    assert task.labels == ("x", "y")
    assert "dev: 1 examples have a label that is not in the training data (new); they count as errors" in caplog.text
    batch = task.collate(task.examples("dev"))
    assert batch.gold["labels"].tolist() == [0, IGNORED]
    predictions = task.build_head(input_dim=10, output_dim=0).eval().predict(vectors(batch), batch)
    metrics = task.score(task.examples("dev"), predictions)
    assert metrics["new/recall"] == 0
    assert metrics["accuracy"] <= 0.5


def test_one_label_is_nothing_to_learn(tmp_path: Path) -> None:
    task = TextClassification(data=files(tmp_path, train="a,x\nb,x\n", dev="a,x\n", test="a,x\n"))
    with pytest.raises(DataFormatError, match=r"train\.csv: every training example has the label 'x', so there is no"):
        task.build_head(input_dim=10, output_dim=0)


def test_a_label_for_almost_every_text_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = "".join(f"text,{i}\n" for i in range(12))
    assert len(TextClassification(data=files(tmp_path, train=rows, dev=rows, test=rows)).labels) == 12
    assert "12 different labels for 12 training examples; check task.label" in caplog.text


def test_there_is_nothing_to_download() -> None:
    with pytest.raises(ConfigError, match="data=official: there is nothing to download; add data=files"):
        TextClassification(data=DataConfig(source="official", cache_dir="x")).examples("train")


def test_unlabelled_text_can_be_classified(task: TextClassification, tmp_path: Path) -> None:
    names = ["text"] if task.pair is None else ["text", task.pair]
    (tmp_path / "new.csv").write_text(",".join(map(str, names)) + "\n" + ",".join("ab"[: len(names)]) + "\n")
    examples = task.read(tmp_path / "new.csv", prefix="new", labelled=False)
    long = Example(id="long", texts={text: ("word",) * 3000 for text in examples[0].texts})
    batch: Batch = task.collate([*examples, long])
    assert not batch.gold
    predictions = task.build_head(input_dim=10, output_dim=0).eval().predict(vectors(batch), batch)
    assert [p.id for p in predictions] == ["new-0", "long"]
    assert {p.value for p in predictions} <= set(task.labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head": "esim"}, r"task\.head=esim compares two texts; name the column of the second one, task\.pair=COLUMN"),
        ({"head": "bcn", "pair": "b"}, r"task\.head=bcn reads one text; choose task\.head=bilstm or task\.head=esim"),
        ({"head": "svm"}, r"task\.head is 'svm'; expected 'linear', 'mlp', 'bilstm', 'bcn' or 'esim'"),
        ({"text": True}, r"task\.text is True"),
        ({"linear": {"pooling": "min"}}, r"task\.linear\.pooling is 'min'; expected 'mean' or 'max'"),
    ],
)
def test_a_wrong_option_is_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(
            {"_target_": "tasks.classification.task.TextClassification", "data": {}, **options}, kind=Task, where="task"
        )


def test_columns_of_column_files_are_refused(tmp_path: Path) -> None:
    data = DataConfig(source="files", train=str(tmp_path / "x.csv"), columns=(1, 2))
    with pytest.raises(ConfigError, match=r"data\.columns=\[1, 2\]: .* options of the task name them; leave it out"):
        TextClassification(data=data).examples("train")


@pytest.mark.parametrize("head", ["linear", "mlp", "bilstm", "bcn", "esim"])
@pytest.mark.parametrize("placement", ["input", "output", "both"])
def test_a_run_of_every_head_at_every_place(head: str, placement: str, one_store: Path) -> None:
    small = [option for option in SMALL_RUN if not option.startswith(("task.", "embedding"))]
    chosen = [f"task.head={head}", f"mixing.placement={placement}", *(["task.pair=b"] if head == "esim" else [])]
    sizes = ["task.bilstm.hidden_dim=8", "task.bcn.hidden_dim=8", "task.esim.hidden_dim=8"]
    quick = ["data.fraction=0.02", "trainer.max_epochs=1"]
    record = run(config_of(one_store, "task=classification", *small, *chosen, *sizes, *quick), stop=Stop())
    assert (record.status, record.data["name"], record.primary_metric) == ("ok", "sample", "accuracy")
    label = "yes/f1" if head == "esim" else "neutral/f1"
    assert {"accuracy", "macro_f1", label} <= set(record.metrics["test"])


@pytest.mark.parametrize("pair", [None, "second text"])
def test_the_written_sample_reads_back(pair: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    options: dict[str, Any] = {"text": "first", "pair": pair, "label": "answer"}
    written = TextClassification(data=DataConfig(), **options).write_sample(tmp_path)
    assert [path.suffix for path in written] == [".csv" if pair is None else ".tsv"] * 3
    data = DataConfig(source="files", **dict(zip(SPLITS, map(str, written), strict=True)))
    read, made = TextClassification(data=data, **options), TextClassification(data=DataConfig(), **options)
    for split in SPLITS:
        assert list(read.examples(split)) == list(made.examples(split))
    with caplog.at_level(logging.WARNING):
        assert read.labels == (("negative", "neutral", "positive") if pair is None else ("no", "yes"))
    assert caplog.text == ""


def test_no_label_of_the_sample_is_rare() -> None:
    for pair, least in ((False, 0.15), (True, 0.3)):
        for split in SPLITS:
            labels = [label for _, label in sample.labelled(split, pair=pair)]
            assert min(labels.count(label) for label in set(labels)) > least * len(labels)

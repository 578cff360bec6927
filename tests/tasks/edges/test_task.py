"""Edge probing: the score and the pooling by hand, the rules for every head, and its control task."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.analysis.statistics import ratio_of_sums
from harness.commands.predict import main as predict
from harness.config.schema import DataConfig
from harness.errors import ConfigError, DataFormatError
from harness.optional_protocols import Decomposable
from harness.runs.record import folder_of
from harness.runs.run import run
from harness.training.code_length import Coding
from harness.types import Example, Prediction
from harness.utils.signals import Stop
from tasks.common.heads.mlp import MlpOptions
from tasks.edges.edge_probe import EdgeProbe, SpanPool
from tasks.edges.task import EdgeProbing
from tests.support.memorise import memorised
from tests.support.runs import config_of
from tests.support.vectors import vectors_of_words as vectors

KINDS = [("linear", "sigmoid"), ("mlp", "sigmoid"), ("mlp", "softmax")]
SMALL: dict[str, Any] = {"projection_dim": 12, "mlp": MlpOptions(hidden_dim=24)}


@pytest.fixture(params=KINDS, ids=" ".join)
def task(request: pytest.FixtureRequest) -> EdgeProbing:
    head, loss = request.param
    return EdgeProbing(data=DataConfig(), head=head, loss=loss, **SMALL)


def of_files(folder: Path, *targets: Any, **options: Any) -> EdgeProbing:
    """Return a task with one sentence of three words in each split."""
    paths = {split: str(folder / f"{split}.jsonl") for split in ("train", "dev", "test")}
    for path, one in zip(paths.values(), targets, strict=True):
        Path(path).write_text(json.dumps({"text": "a b c", "targets": one}) + "\n")
    return EdgeProbing(data=DataConfig(source="files", **paths), **SMALL, **options)


def span(start: int, end: int, label: Any) -> dict[str, Any]:
    return {"span1": [start, end], "label": label}


def test_scores_by_hand() -> None:
    task = EdgeProbing(data=DataConfig())
    targets = [[span(0, 1, "A"), span(1, 2, ["A", "B"])], [span(0, 1, [])]]
    gold = [Example(id=str(i), texts={}, target=one) for i, one in enumerate(targets)]
    given = [Prediction(id="0", value=[["A"], ["B", "C"]]), Prediction(id="1", value=[["A"]])]
    metrics = task.score(gold, given)
    assert (metrics["precision"], metrics["recall"], metrics["f1"]) == (2 / 4, 2 / 3, 4 / 7)
    assert (metrics["A/f1"], metrics["B/f1"], metrics["C/f1"]) == (0.5, 1.0, 0.0)
    assert isinstance(task, Decomposable)
    assert task.counts(gold, given).tolist() == [[4, 6], [0, 1]]
    assert ratio_of_sums(task.counts(gold, given).numpy().sum(axis=0)) == metrics["f1"]


def test_gold_predictions_score_one(task: EdgeProbing) -> None:
    dev = task.examples("dev")
    values = [[[target["label"]] for target in example.target] for example in dev]
    metrics = task.score(dev, [Prediction(id=e.id, value=value) for e, value in zip(dev, values, strict=True)])
    assert metrics["f1"] == 1.0


def test_a_span_is_a_weighted_mean_of_its_projected_tokens() -> None:
    pool = SpanPool(input_dim=5, projection_dim=4)
    tokens = torch.randn(1, 6, 5, generator=torch.Generator().manual_seed(0))
    pooled = pool(tokens, torch.tensor([[[1, 4], [5, 6], [0, 0]]])).detach().numpy()[0]  # (spans, 4)
    weight, bias, score = (parameter.detach().numpy() for parameter in pool.parameters())
    projected = tokens[0].numpy() @ weight.T + bias
    powers = np.exp(projected[1:4] @ score[0])
    np.testing.assert_allclose(pooled[0], powers / powers.sum() @ projected[1:4], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(pooled[1], projected[5], rtol=1e-4, atol=1e-6)
    assert not pooled[2].any()


def test_more_padding_changes_nothing(task: EdgeProbing) -> None:
    head = task.build_head(input_dim=10, output_dim=3)
    long = max(task.examples("train"), key=lambda e: len(e.target))
    short = min(task.examples("train"), key=lambda e: len(e.target))
    alone, padded, other = (task.collate(some) for some in ([short], [short, long], [long]))
    read = {id(batch): vectors(batch, output_dim=3) for batch in (alone, padded, other)}
    n = len(short.target)
    torch.testing.assert_close(head.scores(read[id(padded)], padded)[0, :n], head.scores(read[id(alone)], alone)[0])
    losses = [head.loss(read[id(x)], x) * x.inputs["targets"].sum() for x in (alone, other)]
    together = head.loss(read[id(padded)], padded) * padded.inputs["targets"].sum()
    torch.testing.assert_close(together, sum(losses))
    assert head.predict(read[id(padded)], padded)[0] == head.predict(read[id(alone)], alone)[0]


def test_gradients_reach_every_parameter(task: EdgeProbing) -> None:
    head = task.build_head(input_dim=10, output_dim=3)
    wide = [{**target, "span1": [0, 3], "span2": [1, 4]} for target in task.examples("train")[0].target]
    batch = task.collate([replace(task.examples("train")[0], target=wide)])  # one token needs no attention
    head.loss(vectors(batch, output_dim=3), batch).backward()
    assert [name for name, p in head.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_every_head_can_memorise_five_sentences(task: EdgeProbing) -> None:
    torch.manual_seed(0)
    head = task.build_head(input_dim=10, output_dim=3)
    batch = task.collate(task.examples("train")[:5])
    predictions = memorised(task, head, batch, vectors(batch, output_dim=3), lr=0.05)
    assert task.score(batch.examples, predictions)["f1"] == 1.0


def test_losses_by_hand(tmp_path: Path) -> None:
    targets = [[span(0, 1, "A"), span(1, 3, "B")]] * 3
    for loss in ("sigmoid", "softmax"):
        task = of_files(tmp_path, *targets, loss=loss)
        head, batch = task.build_head(input_dim=10, output_dim=0), task.collate(task.examples("train"))
        scores = head.scores(vectors(batch), batch)[0].tolist()
        by_hand = []
        for row, gold in zip(scores, (0, 1), strict=True):
            if loss == "softmax":
                by_hand.append(math.log(sum(map(math.exp, row))) - row[gold])
            else:
                by_hand.append(sum(math.log(1 + math.exp(-x if i == gold else x)) for i, x in enumerate(row)))
        assert head.loss(vectors(batch), batch).item() == pytest.approx(sum(by_hand) / 2, rel=1e-5)
        assert isinstance(head, Coding) == (loss == "softmax")
        if isinstance(head, Coding):
            nats, given = head.label_nats(vectors(batch), batch)
            assert nats[0].tolist() == pytest.approx(by_hand, rel=1e-5)
            assert given.all()


def test_several_labels_and_labels_only_in_dev(tmp_path: Path) -> None:
    task = of_files(tmp_path, [span(0, 1, ["A", "B"])], [span(0, 2, "NEW")], [span(0, 1, [])])
    assert task.labels == ("A", "B")
    assert task.collate(task.examples("train")).gold["labels"].tolist() == [[[1.0, 1.0]]]
    assert task.collate(task.examples("dev")).gold["labels"].tolist() == [[[0.0, 0.0]]]
    with pytest.raises(
        DataFormatError, match=r"task\.loss=softmax: 1 targets have no label or several, the first in train-0"
    ):
        _ = replace(task, loss="softmax").labels
    pair = of_files(tmp_path, [span(0, 1, "A")], [span(0, 1, "A") | {"span2": [1, 2]}], [span(0, 1, "A")])
    with pytest.raises(
        DataFormatError, match="dev-0: a target differs from those in the training data; give single spans"
    ):
        pair.collate(pair.examples("dev"))


def test_equal_words_have_one_label_in_the_control_task() -> None:
    task, control = (EdgeProbing(data=DataConfig(), control=seed) for seed in (None, 5))
    labels: dict[str, set[str]] = {}
    for split in ("train", "dev", "test"):
        for example in control.examples(split):  # type: ignore[arg-type]
            for kind, label in zip(control.kinds_of(example), control.labels_of(example), strict=True):
                labels.setdefault(kind, set()).add(label)
    assert set(map(len, labels.values())) == {1}
    assert set(control.labels) <= set(task.labels)
    first, again = task.examples("dev")[0], control.examples("dev")[0]
    assert [t["span2"] for t in first.target] == [t["span2"] for t in again.target]


@pytest.mark.parametrize(("head", "placement"), [("linear", "both"), ("mlp", "input")])
def test_a_run_of_every_head(head: str, placement: str, one_store: Path) -> None:
    small = ("encoder.options.lstm.dim=16", "encoder.options.lstm.projection_dim=8", "data.fraction=0.05")
    own = (f"task.head={head}", f"mixing.placement={placement}", "trainer.max_epochs=1", "embedding=static_mini")
    record = run(config_of(one_store, "task=edges", "encoder=random", "tracking=none", *small, *own), stop=Stop())
    assert record.status == "ok"
    assert {"f1", "obj/f1"} <= set(record.metrics["test"])


def test_text_without_spans_is_refused_with_the_fix(task: EdgeProbing) -> None:
    with pytest.raises(ConfigError, match=r'text x has no targets.*"targets": \[\{"span1": \[0, 1\]\}\]'):
        task.collate([Example(id="x", texts={"tokens": ("They", "saw", "it")})])


def test_a_sentence_with_an_empty_list_of_targets_has_no_labels(task: EdgeProbing) -> None:
    batch = task.collate([Example(id="x", texts={"tokens": ("They", "saw", "it")}, target=[])])
    assert task.build_head(input_dim=10, output_dim=0).predict(vectors(batch), batch) == [Prediction(id="x", value=[])]


def test_a_trained_head_labels_spans_of_new_text(tmp_path: Path) -> None:
    small = ("data.fraction=0.2", "trainer.max_epochs=2", "encoder=none", "tracking=none")
    record = run(config_of(tmp_path, "task=edges", *small), stop=Stop())
    path = tmp_path / "new.jsonl"
    targets = [{"span1": [0, 1], "span2": [1, 2]}, {"span1": [1, 2], "span2": [3, 4]}]
    path.write_text(json.dumps({"text": "They saw the boxes .", "targets": targets}) + "\n")
    out = tmp_path / "answers.jsonl"
    folder = folder_of(record, f"{tmp_path}/results")
    assert predict([str(folder), str(path), "--out", str(out)]) == 0
    (answer,) = [json.loads(line) for line in out.read_text().splitlines()]
    assert [target["span2"]["text"] for target in answer["targets"]] == ["saw", "boxes"]
    assert [target["labels"] for target in answer["targets"]] == [["nsubj"], ["obj"]]


def test_the_head_reads_only_the_spans() -> None:
    head = EdgeProbe(input_dim=10, output_dim=0, labels=["A"], pair=True, projection_dim=4, mlp=None)
    task = EdgeProbing(data=DataConfig(), **SMALL)
    batch = task.collate([task.examples("train")[0]])
    read = vectors(batch)["tokens"]
    inside = {place for t in batch.examples[0].target for name in ("span1", "span2") for place in range(*t[name])}
    outside = [place for place in range(read.input.shape[1]) if place not in inside]
    assert outside
    before = head.scores({"tokens": read}, batch)
    read.input[:, outside] += 1.0
    assert torch.equal(head.scores({"tokens": read}, batch), before)

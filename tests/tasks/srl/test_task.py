"""The SRL task: the rules for every head, its score, new text, and one encoding for many predicates."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.analysis.statistics import ratio_of_sums
from harness.commands.predict import main as predict
from harness.config.instantiate import build
from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.protocols import Task
from harness.runs.record import folder_of
from harness.runs.run import run
from harness.types import Example, Prediction
from harness.utils.signals import Stop
from tasks.common.heads.bilstm_options import BiLstmOptions
from tasks.common.tag_schemes import spans
from tasks.srl.metric import score_roles
from tasks.srl.task import DeepBiLstmOptions, SemanticRoleLabelling
from tests.support.memorise import memorised
from tests.support.runs import SMALL, config_of
from tests.support.trained import TINY_ENCODER, sample_files, trained_run
from tests.support.vectors import vectors_of_words as vectors

HEADS = ("deep_bilstm", "bilstm")


def make_task(head: str, *, hidden_dim: int = 12, dropout: float = 0.3, **changes: Any) -> SemanticRoleLabelling:
    return SemanticRoleLabelling(
        data=changes.pop("data", DataConfig()),
        head=head,  # type: ignore[arg-type]
        predicate_dim=5,
        deep_bilstm=DeepBiLstmOptions(hidden_dim=hidden_dim, num_layers=3, recurrent_dropout=dropout),
        bilstm=BiLstmOptions(hidden_dim=hidden_dim, num_layers=1, dropout=dropout),
        **changes,
    )


@pytest.fixture(params=HEADS)
def task(request: pytest.FixtureRequest) -> SemanticRoleLabelling:
    return make_task(request.param)


def example(predicate: int | None, tags: str, own: str = "x") -> Example:
    words = tuple(f"w{i}" for i in range(len(tags.split())))
    return Example(id=own, texts={"tokens": words}, target={"predicate": predicate, "tags": tuple(tags.split())})


def test_gold_predictions_score_one(task: SemanticRoleLabelling) -> None:
    dev = task.examples("dev")
    metrics = task.score(dev, [Prediction(id=e.id, value=e.target["tags"]) for e in dev])
    assert metrics["f1"] == metrics["precision"] == metrics["recall"] == metrics["ARG0/f1"] == 1.0


def test_counts_give_the_score_and_a_sentence_without_a_predicate_adds_nothing(task: SemanticRoleLabelling) -> None:
    gold = [example(1, "B-A0 B-V B-A1"), example(None, "O O"), example(0, "B-V B-A1 B-C-A1")]
    found = [Prediction(id="x", value=tags.split()) for tags in ("B-A0 B-V B-A2", "B-A0 O", "B-V B-A1 O")]
    counts = task.counts(gold, found).numpy()
    assert counts.tolist() == [[2, 4], [0, 0], [0, 2]]
    assert ratio_of_sums(counts.sum(axis=0)) == pytest.approx(task.score(gold, found)["f1"]) == pytest.approx(2 / 6)


@pytest.mark.parametrize("output_dim", [0, 3])
def test_more_padding_changes_nothing(task: SemanticRoleLabelling, output_dim: int) -> None:
    head = task.build_head(input_dim=10, output_dim=output_dim).eval()
    long = max(task.examples("train"), key=lambda e: len(e.texts["tokens"]))
    short = min(task.examples("train"), key=lambda e: len(e.texts["tokens"]))
    alone, padded = task.collate([short]), task.collate([short, long])
    a, b = (head.scores(vectors(x, output_dim=output_dim), x) for x in (alone, padded))
    torch.testing.assert_close(b[0, : a.shape[1]], a[0], atol=1e-5, rtol=1e-5)
    together = head.loss(vectors(padded, output_dim=output_dim), padded)
    apart = [head.loss(vectors(x, output_dim=output_dim), x) for x in (alone, task.collate([long]))]
    torch.testing.assert_close(together, sum(apart) / 2)


@pytest.mark.parametrize("output_dim", [0, 4])
def test_gradients_reach_every_parameter(task: SemanticRoleLabelling, output_dim: int) -> None:
    head = task.build_head(input_dim=10, output_dim=output_dim)
    batch = task.collate(task.examples("train")[:8])
    head.loss(vectors(batch, output_dim=output_dim), batch).backward()
    assert [name for name, p in head.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("head", HEADS)
def test_ten_predicates_are_memorised(head: str) -> None:
    task = make_task(head, hidden_dim=24, dropout=0.0)
    torch.manual_seed(0)
    batch = task.collate([e for e in task.examples("train") if e.target["predicate"] is not None][:10])
    model = task.build_head(input_dim=10, output_dim=0)
    predictions = memorised(task, model, batch, vectors(batch))
    assert task.score(batch.examples, predictions)["f1"] == 1.0
    assert all(len(p.scores) == len(p.value) and p.scores.min() > 0.3 for p in predictions)


def test_the_loss_is_the_mean_over_the_tokens_of_a_sentence_and_then_over_sentences(
    task: SemanticRoleLabelling,
) -> None:
    """A role that the training data do not have is not learned."""
    head = task.build_head(input_dim=10, output_dim=0).eval()
    batch = task.collate([example(1, "B-ARG0 B-V B-NEW"), example(0, "B-V"), example(0, "B-NEW")])
    probabilities = head.scores(vectors(batch), batch)
    b_arg0, b_v = (task.labels.index(tag) for tag in ("B-ARG0", "B-V"))
    first = -(probabilities[0, 0, b_arg0] + probabilities[0, 1, b_v]) / 2
    torch.testing.assert_close(head.loss(vectors(batch), batch), (first - probabilities[1, 0, b_v]) / 2)


def test_an_untrained_head_predicts_only_bio(task: SemanticRoleLabelling) -> None:
    head, batch = task.build_head(input_dim=10, output_dim=0).eval(), task.collate(task.examples("train")[:20])
    with torch.inference_mode():
        for prediction in head.predict(vectors(batch), batch):
            spans(prediction.value, "bio")  # raises an error if it is not


def test_the_predicate_decides(task: SemanticRoleLabelling) -> None:
    head = task.build_head(input_dim=10, output_dim=0).eval()
    first, second = (task.collate([example(predicate, "O O O")]) for predicate in (0, 2))
    assert first.inputs["predicates"].tolist() == [[1, 0, 0]]
    assert not torch.allclose(*(head.scores(vectors(batch), batch) for batch in (first, second)))


def test_predicateless_sentences_are_kept_or_dropped_in_train_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    kept, dropped = (make_task("bilstm", predicateless=choice) for choice in ("keep", "drop"))
    without = sum(e.target["predicate"] is None for e in kept.examples("train"))
    assert without == len(kept.examples("train")) - len(dropped.examples("train")) > 10
    assert all(
        e.target["tags"] == ("O",) * len(e.texts["tokens"]) for e in kept.examples("train") if "-" not in e.id[6:]
    )
    assert all(e.target["predicate"] is not None for e in (*kept.examples("dev"), *dropped.examples("train")))
    assert f"train: left out {without} sentences without a predicate" in caplog.text
    assert kept.labels == dropped.labels


def test_a_sentence_with_many_predicates_is_encoded_once(tmp_path: Path) -> None:
    words = ["Ann", "came", ",", "saw", "and", "won"]
    frames = [{"pred": i, "tags": ["B-A0", *("B-V" if t == i else "O" for t in range(1, 6))]} for i in (1, 3, 5)]
    files = {split: tmp_path / f"{split}.jsonl" for split in ("train", "dev", "test")}
    for split, path in files.items():
        path.write_text(
            json.dumps({"words": [*words, split], "frames": [f | {"tags": [*f["tags"], "O"]} for f in frames]})
        )
    given = ["task=srl", "data=files", *(f"data.{split}={path}" for split, path in files.items())]
    quick = ("tracking=none", "threads=1", "embedding=none", "trainer.max_epochs=1")
    record = run(config_of(tmp_path, *TINY_ENCODER, *quick, *given), stop=Stop())
    assert record.data["sizes"] == {"train": 3, "dev": 3, "test": 3}
    assert record.timing["tokens_encoded"] == 3 * 7
    task = build(config_of(tmp_path, *given).task, kind=Task, where="task")
    assert len({id(e.texts["tokens"]) for e in task.examples("train")}) == 1


@pytest.mark.parametrize(
    ("head", "placement"),
    [("deep_bilstm", "input"), ("deep_bilstm", "output"), ("deep_bilstm", "both"), ("bilstm", "both")],
)
def test_every_placement_runs_and_is_recorded(head: str, placement: str, tmp_path: Path, one_store: Path) -> None:
    vectors_file = tmp_path / "vectors.txt"
    vectors_file.write_text("the 1 2 3\nby 4 5 6\nwas 7 8 9\n")
    config = config_of(
        one_store,
        *(override for override in SMALL if not override.startswith("task.")),
        "task=srl",
        f"task.head={head}",
        f"mixing.placement={placement}",
        "task.deep_bilstm.hidden_dim=4",
        "task.bilstm.hidden_dim=4",
        "embedding=file",
        f"embedding.path={vectors_file}",
        "data.fraction=0.02",
        "trainer.max_epochs=1",
    )
    record = run(config, stop=Stop())
    assert record.status == "ok"
    assert {"f1", "precision", "recall", "ARG0/f1"} <= set(record.metrics["test"])
    assert set(record.mixing["weights"]) == ({"input", "output"} if placement == "both" else {placement})
    assert (folder_of(record, config.results_dir) / "counts.json").exists()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the folder of a small run, and its dev file."""
    folder = tmp_path_factory.mktemp("runs")
    return trained_run(folder, "task=srl"), sample_files(folder, "task=srl")["dev"]


def test_new_text_with_given_predicates_is_labelled(
    trained: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "new.jsonl"
    text.write_text('{"words": ["The", "nurse", "saw", "it"], "frames": [{"pred": 2}, {"pred": 1}]}\n')
    assert predict([str(trained[0]), str(text), "--input", "task"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["predicate"]["text"] for row in rows] == ["saw", "nurse"]
    assert [len(row["labels"]) for row in rows] == [4, 4]
    for row in rows:
        assert score_roles([(row["labels"], row["labels"])])["f1"] in (0.0, 1.0)
        for argument in row["arguments"]:
            assert argument["role"] != "V"
            assert all(row["text"][p["start_char"] : p["end_char"]] == p["text"] for p in argument["pieces"])


def test_a_labelled_file_is_scored(trained: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert predict([str(trained[0]), str(trained[1]), "--score"]) == 0
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    recorded = json.loads((trained[0] / "record.json").read_text())["metrics"]["dev"]
    assert printed["f1"] == f"{100 * recorded['f1']:.2f}"


def test_text_without_predicates_is_refused_with_the_fix(
    trained: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "new.txt"
    text.write_text("The nurse saw it\n")
    assert predict([str(trained[0]), str(text)]) == 2
    assert 'text 1 has no predicate, and this model labels the arguments of a given one; give {"words":' in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("task.deep_bilstm.hidden_dim=0", r"task\.deep_bilstm\.hidden_dim is 0"),
        ("task.deep_bilstm.recurrent_dropout=1.0", r"task\.deep_bilstm\.recurrent_dropout is 1\.0"),
        ("task.predicate_dim=0", r"task\.predicate_dim is 0"),
        ("task.predicateless=forget", r"task\.predicateless"),
    ],
)
def test_a_value_out_of_range_is_named(override: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        build(config_of(tmp_path, "task=srl", override).task, kind=Task, where="task")


def test_the_preset_of_the_paper(tmp_path: Path) -> None:
    paper = config_of(tmp_path, "experiment=paper/srl")
    assert paper.task["deep_bilstm"] == {"hidden_dim": 300, "num_layers": 8, "recurrent_dropout": 0.1}
    assert (paper.task["head"], paper.task["predicate_dim"], paper.trainer.optimizer) == (
        "deep_bilstm",
        100,
        "Adadelta",
    )
    assert (paper.trainer.batch_size, paper.trainer.max_epochs, paper.trainer.patience) == (80, 500, 200)
    task = build(paper.task, kind=Task, where="task")
    with pytest.raises(ConfigError, match=r"data=official: there is nothing to download; add data=files data\.train="):
        task.examples("train")


def test_the_preset_of_the_project_composes(tmp_path: Path) -> None:
    files = [f"data.{split}={split}.jsonl" for split in ("train", "dev", "test")]
    config = config_of(tmp_path, "experiment=srl", "embedding.path=vectors.txt", *files)
    task = build(config.task, kind=Task, where="task")
    assert isinstance(task, SemanticRoleLabelling)
    assert task.deep_bilstm == DeepBiLstmOptions(hidden_dim=100, num_layers=4, recurrent_dropout=0.1)
    assert config.embedding["trainable"]


@pytest.mark.slow
def test_a_sentence_of_five_thousand_words_is_labelled(task: SemanticRoleLabelling) -> None:
    long = example(4000, " ".join(["O"] * 5000))
    head, batch = task.build_head(input_dim=10, output_dim=0), task.collate([long])
    head.loss(vectors(batch), batch).backward()
    assert all(torch.isfinite(p.grad).all() for p in head.parameters() if p.grad is not None)
    assert len(head.eval().predict(vectors(batch), batch)[0].value) == 5000


def test_a_sentence_of_one_word_is_labelled(task: SemanticRoleLabelling) -> None:
    head, batch = task.build_head(input_dim=10, output_dim=0), task.collate([example(0, "B-V")])
    loss = head.loss(vectors(batch), batch)
    loss.backward()
    assert bool(torch.isfinite(loss))
    assert len(head.eval().predict(vectors(batch), batch)[0].value) == 1

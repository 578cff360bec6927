"""The NER task: its score compared with published scores, and the rules for every head."""

from pathlib import Path

import pytest
import torch

from harness.analysis.statistics import ratio_of_sums
from harness.config.schema import DataConfig
from harness.types import Example, Prediction
from tasks.common.column_files import read_columns
from tasks.common.entity_scores import score_tags
from tasks.common.heads.bilstm_crf import BiLstmCrf, BiLstmCrfOptions
from tasks.ner.task import NamedEntityRecognition
from tests.support.memorise import memorised
from tests.support.vectors import vectors_of_words as vectors

SMALL = BiLstmCrfOptions(hidden_dim=12, num_layers=2, dropout=0.5, char_dim=4, char_filters=6)


@pytest.fixture
def task() -> NamedEntityRecognition:
    return NamedEntityRecognition(data=DataConfig(), bilstm_crf=SMALL)


# Columns: gold, prediction, F1 as conlleval counts, F1 of well-formed entities alone (reference sheet 5.1).
CASES = [
    ("B-X I-X O", "B-X I-X O", 1.0, 1.0),
    ("B-X I-X O", "I-X I-X O", 1.0, 0.0),
    ("O B-X O", "O I-X O", 1.0, 0.0),
    ("B-X B-X O", "B-X I-X O", 0.0, 0.0),
    ("B-X I-X", "B-X I-Y", 0.0, 0.0),
    ("B-X I-X O B-Y", "B-X I-X O B-X", 0.5, 0.5),
    ("O O", "O O", 0.0, 0.0),
    ("B-a-b I-a-b", "B-a-b I-a-b", 1.0, 1.0),
]


@pytest.mark.parametrize(("gold", "predicted", "lenient", "strict"), CASES)
def test_the_scorer_counts_as_conlleval_and_strictly(gold: str, predicted: str, lenient: float, strict: float) -> None:
    scores = score_tags([gold.split()], [predicted.split()])
    assert scores["f1"] == pytest.approx(lenient)
    assert scores["f1_strict"] == pytest.approx(strict)


@pytest.mark.parametrize(("gold", "predicted", "lenient", "strict"), CASES)
def test_counts_give_the_score(
    task: NamedEntityRecognition, gold: str, predicted: str, lenient: float, strict: float
) -> None:
    examples = [Example(id="0", texts={}, target=gold.split()), Example(id="1", texts={}, target=["B-X", "O"])]
    predictions = [Prediction(id="0", value=predicted.split()), Prediction(id="1", value=["B-X", "B-Y"])]
    counts = task.counts(examples, predictions).numpy()  # (examples, 2)
    assert ratio_of_sums(counts[0]) == pytest.approx(lenient)
    assert ratio_of_sums(counts.sum(axis=0)) == pytest.approx(task.score(examples, predictions)["f1"])


@pytest.mark.parametrize(
    ("gold", "predicted", "words"),
    [
        (["S-PER", "O"], ["O", "O"], "'S-PER' is not a BIO tag"),
        (["O", "O"], ["O", "L-PER"], "'L-PER' is not a BIO tag"),
        (["B", "O"], ["O", "O"], "'B' is not a BIO tag"),
        (["O", "O"], ["O"], "2 gold and 1 predicted tags in sentence 1"),
    ],
)
def test_what_is_not_bio_is_refused_in_one_line(gold: list[str], predicted: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        score_tags([["O"], gold], [["O"], predicted])
    assert "\n" not in str(caught.value)


def test_scores_by_type() -> None:
    scores = score_tags([["B-X", "O", "B-Y", "B-Y"]], [["B-X", "B-X", "B-Y", "O"]])
    assert scores["X/precision"] == pytest.approx(0.5)
    assert scores["X/recall"] == 1.0
    assert scores["Y/precision"] == 1.0
    assert scores["Y/recall"] == pytest.approx(0.5)
    assert scores["f1"] == pytest.approx(2 / 3)
    assert scores["Y/f1_strict"] == scores["Y/f1"] == pytest.approx(2 / 3)


@pytest.mark.realdata
@pytest.mark.parametrize(("system", "f1"), [("uh_ritual", 41.86), ("arcada", 39.98), ("flytxt", 38.35)])
def test_published_systems_get_their_published_scores(system: str, f1: float, shared: Path) -> None:
    folder = shared / "data" / "ner" / "wnut17"
    gold = [list(s.tags) for s in read_columns(folder / "test.conll")]
    predicted = [list(s.tags) for s in read_columns(folder / "system_outputs" / system)]
    assert round(100 * score_tags(gold, predicted)["f1"], 2) == f1


def test_gold_predictions_score_one(task: NamedEntityRecognition) -> None:
    dev = task.examples("dev")
    metrics = task.score(dev, [Prediction(id=e.id, value=e.target) for e in dev])
    assert metrics["f1"] == metrics["f1_strict"] == 1.0


@pytest.mark.parametrize("output_dim", [0, 3])
def test_more_padding_changes_nothing(task: NamedEntityRecognition, output_dim: int) -> None:
    head = task.build_head(input_dim=10, output_dim=output_dim).eval()
    long = max(task.examples("train"), key=lambda e: len(e.texts["tokens"]))
    short = min(task.examples("train"), key=lambda e: len(e.texts["tokens"]))
    alone, padded = task.collate([short]), task.collate([short, long])
    a, b = (head.emissions(vectors(x, output_dim=output_dim), x) for x in (alone, padded))
    torch.testing.assert_close(b[0, : a.shape[1]], a[0], atol=1e-5, rtol=1e-5)
    together = head.loss(vectors(padded, output_dim=output_dim), padded)
    apart = sum(head.loss(vectors(x, output_dim=output_dim), x) for x in (alone, task.collate([long])))
    torch.testing.assert_close(together, apart)


def test_gradients_reach_every_parameter(task: NamedEntityRecognition) -> None:
    head = task.build_head(input_dim=10, output_dim=4)
    batch = task.collate(task.examples("train")[:8])
    head.loss(vectors(batch, output_dim=4), batch).backward()
    without = [name for name, p in head.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_the_head_can_memorise_ten_sentences() -> None:
    task = NamedEntityRecognition(
        data=DataConfig(), bilstm_crf=BiLstmCrfOptions(hidden_dim=24, num_layers=1, dropout=0.0)
    )
    torch.manual_seed(0)
    examples = [e for e in task.examples("train") if any(tag != "O" for tag in e.target)][:10]
    head, batch = task.build_head(input_dim=10, output_dim=0), task.collate(examples)
    assert task.score(examples, memorised(task, head, batch, vectors(batch)))["f1"] == 1.0


@pytest.mark.parametrize("scheme", ["iob1", "bio", "iobes", "bioul"])
def test_an_untrained_head_decodes_only_legal_tags(scheme: str) -> None:
    task = NamedEntityRecognition(data=DataConfig(), bilstm_crf=SMALL, train_scheme=scheme)  # type: ignore[arg-type]
    head = task.build_head(input_dim=10, output_dim=0)
    batch = task.collate(task.examples("train")[:20])
    for prediction in head.eval().predict(vectors(batch), batch):
        before = "O"
        for tag in prediction.value:
            assert tag[0] != "I" or before[2:] == tag[2:]
            before = tag


@pytest.mark.parametrize("scheme", ["iob1", "bio", "iobes", "bioul"])
def test_gold_tags_reach_the_crf_in_its_scheme(scheme: str) -> None:
    task = NamedEntityRecognition(data=DataConfig(), train_scheme=scheme)  # type: ignore[arg-type]
    example = Example(id="x", texts={"tokens": ("a",) * 6}, target=("B-PER", "B-PER", "I-PER", "O", "B-LOC", "I-LOC"))
    tags = [task.labels[i] for i in task.collate([example]).gold["labels"][0]]
    expected = {
        "iob1": "I-PER B-PER I-PER O I-LOC I-LOC",
        "bio": "B-PER B-PER I-PER O B-LOC I-LOC",
        "iobes": "S-PER B-PER E-PER O B-LOC E-LOC",
        "bioul": "U-PER B-PER L-PER O B-LOC L-LOC",
    }
    assert " ".join(tags) == expected[scheme]


def test_a_type_that_is_only_in_dev_is_scored_but_not_trained_on(tmp_path: Path) -> None:
    for split, kind in (("train", "PER"), ("dev", "NEW"), ("test", "PER")):
        (tmp_path / f"{split}.conll").write_text(f"Ann B-{kind}\nruns O\n")
    data = DataConfig(source="files", **{split: str(tmp_path / f"{split}.conll") for split in ("train", "dev", "test")})
    task = NamedEntityRecognition(data=data, bilstm_crf=SMALL)
    assert not any("NEW" in label for label in task.labels)
    batch = task.collate(task.examples("dev"))
    predictions = task.build_head(input_dim=10, output_dim=0).eval().predict(vectors(batch), batch)
    assert "NEW/recall" in task.score(task.examples("dev"), predictions)


@pytest.mark.slow
def test_a_long_sentence_and_a_long_token_work(task: NamedEntityRecognition) -> None:
    tokens = ("x" * 400, *(["word"] * 4999))
    example = Example(id="long", texts={"tokens": tokens}, target=("B-PER", *(["O"] * 4999)))
    head, batch = task.build_head(input_dim=10, output_dim=0), task.collate([example])
    loss = head.loss(vectors(batch), batch)
    loss.backward()
    assert bool(torch.isfinite(loss))
    assert len(head.eval().predict(vectors(batch), batch)[0].value) == 5000


def test_unlabelled_text_can_be_tagged(task: NamedEntityRecognition) -> None:
    batch = task.collate([Example(id="x", texts={"tokens": ("Jordan", "smiled")})])
    assert not batch.gold
    assert len(task.build_head(input_dim=10, output_dim=0).eval().predict(vectors(batch), batch)[0].value) == 2


def test_zero_filters_mean_no_character_cnn(task: NamedEntityRecognition) -> None:
    bare = NamedEntityRecognition(
        data=DataConfig(), bilstm_crf=BiLstmCrfOptions(char_filters=0, hidden_dim=4, num_layers=1)
    )
    head = bare.build_head(input_dim=10, output_dim=0)
    assert isinstance(head, BiLstmCrf)
    assert head.char_cnn is None
    batch = bare.collate(bare.examples("train")[:3])
    assert bool(torch.isfinite(head.loss(vectors(batch), batch)))

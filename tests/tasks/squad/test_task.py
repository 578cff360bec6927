"""The SQuAD task: both heads against the rules for every head, cut and shared passages, dev as test."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from harness.analysis.statistics import ratio_of_sums
from harness.config.instantiate import build
from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.protocols import Task
from harness.runs.run import run
from harness.types import Batch, Example, Prediction, TokenVectors
from harness.utils.english_words import tokenize, words
from harness.utils.signals import Stop
from harness.utils.tokenized_text import TokenizedText
from tasks.squad.bidaf import BidafOptions
from tasks.squad.bidaf_self_attention import SelfAttentionOptions
from tasks.squad.task import ReadingComprehension, sample
from tasks.squad.token_embedding import CharCnnOptions
from tests.support.memorise import memorised
from tests.support.runs import SMALL, config_of

CHARS = CharCnnOptions(filters=5, dim=4, width=3, dropout=0.1, output_dropout=0.1)
HEADS = ("bidaf", "bidaf_self_attention")
DIM = 10


def make_task(head: str, *, hidden_dim: int = 8, dropout: float = 0.2, **changes: Any) -> ReadingComprehension:
    sizes = {"hidden_dim": hidden_dim, "dropout": dropout, "chars": CHARS} | changes
    return ReadingComprehension(
        data=DataConfig(),
        head=head,  # type: ignore[arg-type]
        bidaf=BidafOptions(**sizes, modelling_layers=2, highway_layers=1),
        bidaf_self_attention=SelfAttentionOptions(**sizes),
    )


@pytest.fixture(params=HEADS)
def task(request: pytest.FixtureRequest) -> ReadingComprehension:
    return make_task(request.param)


def vectors(batch: Batch, *, output_dim: int = 0) -> dict[str, TokenVectors]:
    """Return token vectors that depend only on the word."""
    made = {}
    for text, mask in batch.masks.items():
        table = torch.zeros(*mask.shape, DIM + output_dim)  # (batch, tokens, dim)
        for row, sentence in zip(table, batch.sentences(text), strict=True):
            for t, word in enumerate(sentence):
                generator = torch.Generator().manual_seed(sum(i * ord(c) for i, c in enumerate(word, start=1)))
                row[t] = torch.randn(DIM + output_dim, generator=generator)
        made[text] = TokenVectors(input=table[..., :DIM], output=table[..., DIM:] if output_dim else None)
    return made


def example(passage: str, question: str = "Who came first?", span: tuple[int, int] = (0, 0)) -> Example:
    text = TokenizedText.of(passage, tokenize)
    target = {"answers": (text.text_of(*span),), "spans": (span,)}
    return Example(
        id=passage[:20],
        texts={"passage": text.tokens, "question": words(question)},
        target=target,
        origin={"passage": text},
    )


def head_of(task: ReadingComprehension, output_dim: int = 0) -> Any:
    torch.manual_seed(0)
    head = task.build_head(input_dim=DIM, output_dim=output_dim)
    assert isinstance(head, nn.Module)
    return head


def test_gold_predictions_score_one(task: ReadingComprehension) -> None:
    dev = task.examples("dev")
    first = [Prediction(id=e.id, value={"text": e.target["answers"][0], "start": 0, "end": 0}) for e in dev]
    assert task.score(dev, first).values == {"f1": 1.0, "em": 1.0}
    spans = [Prediction(id=e.id, value={"text": e.origin["passage"].text_of(*e.target["spans"][0])}) for e in dev]
    assert task.score(dev, spans)["f1"] == 1.0


def test_counts_give_the_score(task: ReadingComprehension) -> None:
    dev = task.examples("dev")[:20]
    predictions = [Prediction(id=e.id, value={"text": " ".join(e.texts["passage"][:3])}) for e in dev]
    counts = task.counts(dev, predictions).numpy()
    assert counts.shape == (20, 2)
    assert ratio_of_sums(counts.sum(axis=0)) == pytest.approx(task.score(dev, predictions)["f1"])
    assert task.score(dev, predictions)["f1"] > 0


@pytest.mark.parametrize("output_dim", [0, 3])
def test_more_padding_changes_nothing(task: ReadingComprehension, output_dim: int) -> None:
    head = head_of(task, output_dim).eval()
    short, long = example("Ann came first."), example("Bob came long after Ann did. " * 3, "Did Bob or Ann come?")
    alone, padded = task.collate([short]), task.collate([short, long])
    for a, b in zip(
        *(head.network(vectors(x, output_dim=output_dim), x) for x in (alone, padded)),
        strict=True,
    ):
        torch.testing.assert_close(b[0, : a.shape[1]], a[0], atol=1e-5, rtol=1e-5)
    together = head.loss(vectors(padded, output_dim=output_dim), padded)
    apart = [head.loss(vectors(x, output_dim=output_dim), x) for x in (alone, task.collate([long]))]
    torch.testing.assert_close(together, sum(apart) / 2)


@pytest.mark.parametrize("output_dim", [0, 4])
def test_gradients_reach_every_parameter(task: ReadingComprehension, output_dim: int) -> None:
    head = head_of(task, output_dim)
    batch = task.collate(task.examples("train")[:8])
    head.loss(vectors(batch, output_dim=output_dim), batch).backward()
    assert [name for name, p in head.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
def test_ten_questions_are_memorised(head: str) -> None:
    task = make_task(head, hidden_dim=24, dropout=0.0, chars=CharCnnOptions())
    examples = task.examples("train")[:10]
    model, batch = head_of(task), task.collate(examples)
    predictions = memorised(task, model, batch, vectors(batch))
    assert task.score(examples, predictions).values == {"f1": 1.0, "em": 1.0}
    assert json.loads(json.dumps(predictions[0].value)) == predictions[0].value
    first, last = predictions[0].value["start"], predictions[0].value["end"]
    assert predictions[0].value["text"] == examples[0].origin["passage"].text_of(first, last)


def test_the_loss_is_the_negative_log_likelihood_of_both_ends(task: ReadingComprehension) -> None:
    head = head_of(task).eval()
    batch = task.collate([example("Ann came.", span=(0, 1)), example("Then Bob came too.", span=(3, 3))])
    starts, ends = head.network(vectors(batch), batch)
    total = 0.0
    for row, (length, span) in enumerate([(3, (0, 1)), (5, (3, 3))]):
        for scores, gold in zip((starts, ends), span, strict=True):
            total -= float(scores[row, :length].log_softmax(0)[gold].detach())
    assert head.loss(vectors(batch), batch).item() == pytest.approx(total / 2, rel=1e-5)


def test_an_answer_is_no_longer_than_the_limit(monkeypatch: pytest.MonkeyPatch, task: ReadingComprehension) -> None:
    head, batch = head_of(task).eval(), task.collate([example("One two three four five six.")])
    starts, ends = torch.zeros(1, 7), torch.zeros(1, 7)
    starts[0, 1] = ends[0, 5] = 9
    ends[0, 2] = 1
    monkeypatch.setattr(head.network, "forward", lambda *_: (starts, ends))
    assert head.predict({}, batch)[0].value == {"text": "two three four five six", "start": 1, "end": 5}
    head.max_answer_tokens = 4
    assert head.predict({}, batch)[0].value == {"text": "two three", "start": 1, "end": 2}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bidaf", "bidaf_self_attention"])
def test_twenty_thousand_words_are_read(kind: str) -> None:
    task = make_task(kind)
    head, long = head_of(task).eval(), example("word " * 19_999 + "end", span=(19_999, 19_999))
    batch = task.collate([long])
    width = {text: torch.randn(*mask.shape, DIM) for text, mask in batch.masks.items()}
    with torch.inference_mode():
        (prediction,) = head.predict({text: TokenVectors(input=v) for text, v in width.items()}, batch)
    assert 0 <= prediction.value["start"] <= prediction.value["end"] < 20_000


def test_one_word_is_read(task: ReadingComprehension) -> None:
    batch = task.collate([example("Ann", "Who?")])
    head = head_of(task)
    loss = head.loss(vectors(batch), batch)
    loss.backward()
    assert bool(torch.isfinite(loss))
    assert all(torch.isfinite(p.grad).all() for p in head.parameters() if p.grad is not None)
    assert head.eval().predict(vectors(batch), batch)[0].value == {"text": "Ann", "start": 0, "end": 0}


def test_unlabelled_text_can_be_answered(task: ReadingComprehension) -> None:
    passage = TokenizedText.of("Ann came first.", tokenize)
    texts = {"passage": passage.tokens, "question": ("Who", "?")}
    batch = task.collate([Example(id="x", texts=texts, origin={"passage": passage})])
    assert not batch.gold
    assert head_of(task).eval().predict(vectors(batch), batch)[0].value["text"] in passage.text


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("{}.hidden_dim=0", r"{}\.hidden_dim is 0"),
        ("{}.dropout=1.0", r"{}\.dropout is 1\.0"),
        ("{}.max_answer_tokens=0", r"{}\.max_answer_tokens is 0"),
        ("{}.chars.filters=-1", r"{}\.chars\.filters is -1"),
        ("{}.chars.output_dropout=1.0", r"{}\.chars\.output_dropout is 1\.0"),
        ("task.max_passage_tokens=0", r"task\.max_passage_tokens is 0; expected a value greater than or equal to 1"),
    ],
)
def test_a_value_out_of_range_is_named(head: str, override: str, message: str, tmp_path: Path) -> None:
    config = config_of(tmp_path, "task=squad", override.format(f"task.{head}"))
    with pytest.raises(ConfigError, match=message.format(rf"task\.{head}")):
        build(config.task, kind=Task, where="task")


def test_the_character_cnn_is_optional(task: ReadingComprehension) -> None:
    bare = make_task(task.head, chars=CharCnnOptions())
    batch = bare.collate(bare.examples("train")[:3])
    assert not batch.inputs
    assert bool(torch.isfinite(head_of(bare).loss(vectors(batch), batch)))


def files(folder: Path, **contexts: str) -> dict[str, str]:
    """Write files with two questions about the last word of a passage and one about its first characters."""
    for split, context in contexts.items():
        gold = [{"text": context.split()[-1], "answer_start": context.rindex(" ") + 1}]
        qas = [{"id": f"{split}{i}", "question": "Which is last?", "answers": gold} for i in range(2)]
        early = {"id": f"{split}2", "question": "First?", "answers": [{"text": context[:4], "answer_start": 0}]}
        data = {"data": [{"title": "T", "paragraphs": [{"context": context, "qas": [*qas, early]}]}]}
        (folder / f"{split}.json").write_text(json.dumps(data))
    return {split: str(folder / f"{split}.json") for split in contexts}


def test_only_training_passages_are_cut_and_the_lost_questions_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    paths = files(tmp_path, train="word " * 20 + "end", dev="word " * 20 + "end", test="word " * 30 + "end")
    task = ReadingComprehension(data=DataConfig(source="files", **paths), max_passage_tokens=20)
    (only,) = task.examples("train")
    assert (len(only.texts["passage"]), only.target["answers"]) == (20, ("word",))
    assert "cut 1 passages after 20 tokens (task.max_passage_tokens); left out 2 of 3 questions" in caplog.text
    assert [len(e.texts["passage"]) for e in task.examples("dev")] == [21] * 3
    assert len({id(e.texts["passage"]) for e in task.examples("dev")}) == 1
    assert len({id(e.origin) for e in task.examples("dev")}) == 1
    whole = ReadingComprehension(data=DataConfig(source="files", **paths), max_passage_tokens=None)
    assert len(whole.examples("train")) == 3
    content = json.loads(Path(paths["train"]).read_text())
    content["data"][0]["paragraphs"][0]["qas"].pop()
    Path(paths["train"]).write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="no answer is within this number of tokens"):
        ReadingComprehension(data=DataConfig(source="files", **paths), max_passage_tokens=3).examples("train")


def test_dev_may_be_test_and_a_warning_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = files(tmp_path, train="one two end", dev="one two end")
    data = DataConfig(source="files", **paths, test=str(tmp_path / "." / "dev.json"))
    task = ReadingComprehension(data=data)
    assert task.examples("test") is task.examples("dev")
    assert "the test data are the dev data" in caplog.text
    assert task.data_name == tmp_path.name


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("placement", ["input", "output", "both"])
def test_every_placement_runs_and_is_recorded(head: str, placement: str, tmp_path: Path, one_store: Path) -> None:
    vectors_file = tmp_path / "vectors.txt"
    vectors_file.write_text("the 1 2 3\nin 4 5 6\nParis 7 8 9\n")
    config = config_of(
        one_store,
        *(override for override in SMALL if not override.startswith("task.")),
        "task=squad",
        f"task.head={head}",
        f"mixing.placement={placement}",
        "task.bidaf.hidden_dim=4",
        "task.bidaf_self_attention.hidden_dim=4",
        "embedding=file",
        f"embedding.path={vectors_file}",
        "data.fraction=0.02",
        "trainer.max_epochs=1",
    )
    record = run(config, stop=Stop())
    assert set(record.metrics["test"]) == {"f1", "em"}
    assert set(record.mixing["weights"]) == ({"input", "output"} if placement == "both" else {placement})


def test_the_presets_compose(tmp_path: Path) -> None:
    paths = ["data.train=a", "data.dev=b", "data.test=b"]
    for name, head in (("paper/squad", HEADS[1]), ("allennlp/squad", HEADS[0]), ("squad", HEADS[0])):
        config = config_of(tmp_path, f"experiment={name}", *((*paths, "embedding.path=v") if name == "squad" else ()))
        assert config.task["head"] == head
    paper = config_of(tmp_path, "experiment=paper/squad")
    assert (paper.trainer.average, paper.trainer.optimizer, paper.mixing["placement"]) == (0.999, "Adadelta", "both")
    assert paper.task["bidaf_self_attention"]["chars"]["filters"] == 100
    reference = config_of(tmp_path, "experiment=allennlp/squad")
    assert reference.trainer.optimizer_options == {"betas": [0.9, 0.9]}
    assert reference.task["bidaf"]["hidden_dim"] == 100


def test_the_sample_is_read_in_its_own_layout() -> None:
    task = make_task("bidaf")
    assert task.data_name == "sample"
    sizes = {split: len(task.examples(split)) for split in ("train", "dev", "test")}
    assert sizes == {split: number * sample.QUESTIONS for split, number in sample.PASSAGES.items()}

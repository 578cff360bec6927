"""The task: its head against the rules for every head, folds, windows, singletons, and its sample data."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.runs.run import run
from harness.training.batching import bucketed, example_lengths
from harness.types import Batch, Document, Example, Prediction, TokenVectors
from harness.utils.signals import Stop
from harness.utils.tokenized_text import TokenizedText
from tasks.coref import sample
from tasks.coref.documents import TEXT, coref_target, read_documents
from tasks.coref.metric import score_documents, without_singletons
from tasks.coref.span_ranker import CharOptions, SpanRanker, SpanRankerOptions
from tasks.coref.task import Coreference
from tests.support.memorise import memorised
from tests.support.runs import SMALL, config_of
from tests.support.vectors import INPUT_DIM

TINY: dict[str, Any] = {"hidden_dim": 8, "ffnn_dim": 8, "feature_dim": 4, "max_width": 4}
PLAIN: dict[str, Any] = {"lexical_dropout": 0.0, "dropout": 0.0}


def make_task(singletons: Any = "emit", *, chars: int = 0, **sizes: Any) -> Coreference:
    options = SpanRankerOptions(**{**TINY, "chars": CharOptions(filters=chars, dim=3), **sizes})
    return Coreference(data=DataConfig(), singletons=singletons, span_ranker=options)


def head_of(task: Coreference, output_dim: int = 0) -> SpanRanker:
    torch.manual_seed(0)
    return task.build_head(input_dim=INPUT_DIM, output_dim=output_dim)


def vectors_of(batch: Batch, *, output_dim: int = 0, longer: int = 0) -> Mapping[str, TokenVectors]:
    """Return vectors that depend on the word and its position, with more padding at the end of each row."""
    mask = batch.masks[TEXT]
    made = torch.zeros(*mask.shape, INPUT_DIM + output_dim)  # (batch, tokens, dim)
    for row, document in zip(made, batch.sentences(TEXT), strict=True):
        for place, word in enumerate(document):
            generator = torch.Generator().manual_seed(sum(map(ord, word)) + 7 * place)
            row[place] = torch.randn(INPUT_DIM + output_dim, generator=generator)
    output = made[..., INPUT_DIM:] if output_dim else None
    return {TEXT: TokenVectors(input=made[..., :INPUT_DIM], output=output)}


STORIES = sample.documents("train")


def gold_predictions(examples: Sequence[Example], singletons: str) -> list[Prediction]:
    entities = [example.target["clusters"] for example in examples]
    kept = entities if singletons == "emit" else [without_singletons(one) for one in entities]
    return [Prediction(id=example.id, value=one) for example, one in zip(examples, kept, strict=True)]


@pytest.mark.parametrize("singletons", ["drop", "emit"])
def test_gold_predictions_score_one(singletons: str) -> None:
    task, dev = make_task(singletons), STORIES[:20]
    values = task.score(dev, gold_predictions(dev, singletons)).values
    assert {name: value for name, value in values.items() if value != 1.0 and "lee_clark" not in name} == {}
    assert (values["lee_clark_f1"] == 1.0) == (singletons == "drop")  # its CEAF-e misses those of the response


def test_the_ceiling_counts_what_the_head_can_find() -> None:
    """Of four mentions, one is wider than four tokens and one is in two sentences."""
    document = Document([("a", "b", "c", "d", "e"), ("f", "g")])
    target = coref_target([[(0, 4), (1, 4)], [(4, 5), (6, 6)]])
    example = Example(id="1", texts={TEXT: document}, target=target)
    assert make_task().score([example], [Prediction(id="1", value=[])])["mention_ceiling"] == 0.5


@pytest.mark.parametrize("output_dim", [0, 3])
def test_other_documents_and_padding_change_nothing(output_dim: int) -> None:
    task = make_task(chars=2, **PLAIN)
    head = head_of(task, output_dim).eval()
    short, long = STORIES[0], max(STORIES, key=lambda story: len(story.texts[TEXT]))
    together = task.collate([short, long])
    apart = [task.collate([one]) for one in (short, long)]
    losses = [head.loss(vectors_of(batch, output_dim=output_dim), batch) for batch in (together, *apart)]
    torch.testing.assert_close(losses[0], losses[1] + losses[2])
    both = head.predict(vectors_of(together, output_dim=output_dim), together)
    single = [head.predict(vectors_of(batch, output_dim=output_dim), batch)[0] for batch in apart]
    assert both == single


@pytest.mark.parametrize("output_dim", [0, 3])
def test_gradients_reach_every_parameter(output_dim: int) -> None:
    task = make_task(chars=2)
    head, batch = head_of(task, output_dim), task.collate(_with_speakers(STORIES[:8]))
    head.loss(vectors_of(batch, output_dim=output_dim), batch).backward()
    assert [name for name, p in head.named_parameters() if p.grad is None or not p.grad.any()] == []


def _with_speakers(examples: Sequence[Example]) -> list[Example]:
    """Return documents whose speaker changes with every token, each of another genre."""
    changed = []
    for number, example in enumerate(examples):
        speakers = [f"s{place % 2}" for place in range(len(example.texts[TEXT]))]
        target = coref_target(example.target["clusters"], speakers=speakers, genre=("", "bc", "nw")[number % 3])
        changed.append(Example(id=example.id, texts=example.texts, target=target))
    return changed


def test_sentences_are_read_apart() -> None:
    """Where a sentence ends changes the loss, because the LSTM and the spans end there."""
    task = make_task(**PLAIN)
    head = head_of(task)
    words, target = tuple("a b c d e f".split()), coref_target([[(0, 1), (4, 4)]])
    losses = set()
    for cut in (2, 3):
        example = Example(id="1", texts={TEXT: Document([words[:cut], words[cut:]])}, target=target)
        batch = task.collate([example])
        losses.add(float(head.loss(vectors_of(batch), batch).detach()))
    assert len(losses) == 2


def test_speakers_and_genres_are_read() -> None:
    task = make_task()
    plain = task.collate(STORIES[:3])
    assert not plain.inputs["speaker"].any()
    assert not plain.inputs["genre"].any()
    given = task.collate(_with_speakers(STORIES[:3]))
    assert given.inputs["genre"].tolist() == [0, 1, 4]
    assert given.inputs["speaker"][0, :4].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("singletons", ["drop", "emit"])
@pytest.mark.slow
def test_ten_documents_are_memorised(singletons: str) -> None:
    """With ``drop``, a mention that is not kept is never learned; so every word is kept, and mentions are words."""
    sizes: dict[str, Any] = {"max_width": 1, "mentions_per_word": 1.0} if singletons == "drop" else {}
    task = make_task(singletons, hidden_dim=16, ffnn_dim=24, **sizes, **PLAIN)
    examples = STORIES[:10] if singletons == "emit" else [_with_words(story) for story in STORIES[:10]]
    batch = task.collate(examples)
    predictions = memorised(task, head_of(task), batch, vectors_of(batch), lr=0.005)
    assert task.score(examples, predictions)["f1"] == 1.0
    assert json.loads(json.dumps(predictions[0].value)) == [[list(m) for m in one] for one in predictions[0].value]


def _with_words(example: Example) -> Example:
    """Return a document with those of its mentions that have one word."""
    clusters = [[(a, b) for a, b in entity if a == b] for entity in example.target["clusters"]]
    return Example(id=example.id, texts=example.texts, target=coref_target([one for one in clusters if one]))


def test_training_reads_a_random_window_of_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of a window is that of a document that has only these sentences, and the mentions within them."""
    story = STORIES[0]
    sentences = story.texts[TEXT].sentences  # type: ignore[attr-defined]
    starts = [sum(map(len, sentences[:i])) for i in range(len(sentences) + 1)]
    whole, cut = make_task(max_train_sentences=None, **PLAIN), make_task(max_train_sentences=4, **PLAIN)
    full = cut.collate([story])
    vectors = vectors_of(full)
    expected = []
    for first in range(len(sentences) - 3):
        begin, end = starts[first], starts[first + 4]
        inside = [[(a - begin, b - begin) for a, b in one if begin <= a <= b < end] for one in story.target["clusters"]]
        part = Example(id="1", texts={TEXT: Document(sentences[first : first + 4])}, target=coref_target(inside))
        own = {TEXT: TokenVectors(input=vectors[TEXT].input[:, begin:end])}
        expected.append(float(head_of(whole).loss(own, whole.collate([part])).detach()))
    head = head_of(cut)
    found = [float(head.loss(vectors, full).detach()) for _ in range(60)]
    assert all(min(abs(one - other) for other in expected) < 1e-2 for one in found)
    assert len({round(one, 2) for one in found}) > 3
    assert head.eval().predict(vectors, full) == head_of(whole).eval().predict(vectors, full)


def test_a_document_of_one_word_is_trained_and_read() -> None:
    task = make_task()
    for clusters in ([], [[(0, 0)]]):
        example = Example(id="1", texts={TEXT: Document([("Ann",)])}, target=coref_target(clusters))
        batch = task.collate([example])
        head = head_of(task)
        loss = head.loss(vectors_of(batch), batch)
        loss.backward()
        assert bool(torch.isfinite(loss))
        assert head.eval().predict(vectors_of(batch), batch)[0].value in ([], [[(0, 0)]])


def test_singletons_are_emitted_only_if_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    def links(vectors: Tensor, *_: Any) -> Tensor:
        return torch.tensor([[0.0, -1.0]]).repeat(len(vectors), 1)  # no mention has an antecedent

    values = {}
    for singletons in ("drop", "emit"):
        task = make_task(singletons, **PLAIN)
        head, batch = head_of(task).eval(), task.collate(STORIES[:1])
        monkeypatch.setattr(head.antecedent_scorer, "forward", links)
        values[singletons] = head.predict(vectors_of(batch), batch)[0].value
    assert values["drop"] == []
    assert values["emit"]
    assert all(len(entity) == 1 for entity in values["emit"])


def test_unlabelled_text_can_be_labelled_and_the_answer_refers_to_characters() -> None:
    task = make_task()
    text = TokenizedText.of_tokens(("Ann", "laughed", "and", "she", "left"))
    example = Example(id="x", texts={TEXT: text.tokens}, origin={TEXT: text})
    batch = task.collate([example])
    assert not batch.gold
    assert isinstance(head_of(task).eval().predict(vectors_of(batch), batch)[0].value, list)
    answer = task.answer(example, Prediction(id="x", value=[[(0, 0), (3, 3)]]))
    assert [mention["text"] for mention in answer["clusters"][0]] == ["Ann", "she"]
    assert (answer["clusters"][0][1]["start_char"], answer["clusters"][0][1]["start"]) == (16, 3)
    assert task.answer(example, Prediction(id="x", value=None)) == {"clusters": []}


def with_folds(path: Path, **options: Any) -> Coreference:
    return Coreference(data=DataConfig(source="files", train=str(path), **options.pop("data", {})), **options)


def test_folds_divide_the_documents(tmp_path: Path) -> None:
    path = tmp_path / "all.conll"
    path.write_text(sample.conll("dev"))
    everything = {example.id for example in read_documents(path)}
    tests: list[str] = []
    for fold in range(3):
        task = with_folds(path, fold=fold, folds=3)
        ids = {split: [e.id for e in task.examples(split)] for split in ("train", "dev", "test")}
        assert {name: len(one) for name, one in ids.items()} == {"train": 20, "dev": 20, "test": 20}
        assert {*ids["train"], *ids["dev"], *ids["test"]} == everything
        following = with_folds(path, fold=(fold + 1) % 3, folds=3)
        assert ids["dev"] == [example.id for example in following.examples("test")]
        tests += ids["test"]
    assert {*tests} == everything
    assert len(tests) == 60
    with pytest.raises(ConfigError, match=r"task\.fold=10 with task\.folds=10, of 60 documents; count folds from 0"):
        with_folds(path, fold=10).examples("train")
    for name, value in {"dev": str(path), "test": str(path), "dev_fraction": 0.1}.items():
        with pytest.raises(ConfigError, match=f"cuts dev and test data from data.train; leave out data.{name}$"):
            with_folds(path, fold=0, data={name: value}).examples("train")
    with pytest.raises(ConfigError, match=r"task\.fold=1: the sample data have a dev and a test split"):
        Coreference(data=DataConfig(source="sample"), fold=1).examples("dev")


def test_a_folder_of_documents_names_the_data(tmp_path: Path) -> None:
    (tmp_path / "stories").mkdir()
    (tmp_path / "stories" / "dev.conll").write_text(sample.conll("dev"))
    assert with_folds(tmp_path / "stories").data_name == "stories"
    assert with_folds(tmp_path / "stories" / "dev.conll").data_name == "stories"


def test_documents_have_little_padding() -> None:
    """No padding between sentences, and documents of similar length are in one batch."""
    lengths = [example_lengths(story) for story in STORIES]
    batches = bucketed(lengths, batch_size=8, max_tokens=16384, generator=torch.Generator().manual_seed(0))
    padded = sum(len(batch) * max(lengths[i][0] for i in batch) for batch in batches)
    assert sum(length for (length,) in lengths) / padded > 0.9


def test_the_sample_data_are_the_same_everywhere() -> None:
    digest = hashlib.sha256("".join(map(sample.conll, sample.SIZES)).encode()).hexdigest()
    assert digest[:16] == "fff9b23b96154651"
    with pytest.raises(ConfigError, match="no split 'tset'"):
        sample.documents("tset")


def test_in_the_sample_equal_words_are_often_different_entities() -> None:
    pairs = []
    for story in sample.documents("test"):
        text, by_words = story.texts[TEXT], dict[str, list[tuple[int, int]]]()
        gold = without_singletons(story.target["clusters"])
        for start, end in sorted(mention for entity in gold for mention in entity):
            by_words.setdefault(" ".join(text[start : end + 1]).lower(), []).append((start, end))
        pairs.append((gold, without_singletons(list(by_words.values()))))
    assert score_documents(pairs)["f1"] < 0.7


@pytest.mark.parametrize("placement", ["input", "output", "both"])
@pytest.mark.slow
def test_every_placement_runs_and_is_recorded(placement: str, tmp_path: Path) -> None:
    vectors_file = tmp_path / "vectors.txt"
    vectors_file.write_text("the 1 2 3\nin 4 5 6\nParis 7 8 9\n")
    config = config_of(
        tmp_path,
        *(override for override in SMALL if not override.startswith("task.")),
        "task=coref",
        f"mixing.placement={placement}",
        "task.span_ranker.hidden_dim=4",
        "embedding=file",
        f"embedding.path={vectors_file}",
        "data.fraction=0.02",
        "trainer.max_epochs=1",
    )
    record = run(config, stop=Stop())
    assert {"f1", "lee_clark_f1", "official_muc/f1", "mention_ceiling"} <= set(record.metrics["test"])
    assert set(record.mixing["weights"]) == ({"input", "output"} if placement == "both" else {placement})


def test_the_preset_of_the_paper_composes(tmp_path: Path) -> None:
    config = config_of(tmp_path, "experiment=paper/coref")
    with pytest.raises(ConfigError, match="data=official: there is nothing to download; add data=files"):
        Coreference(data=config.data).examples("train")
    sizes = config.task["span_ranker"]
    assert (sizes["hidden_dim"], sizes["ffnn_dim"], sizes["max_antecedents"], sizes["max_width"]) == (200, 150, 250, 10)
    assert (sizes["chars"]["filters"], config.trainer.batch_size, config.mixing["placement"]) == (50, 1, "input")

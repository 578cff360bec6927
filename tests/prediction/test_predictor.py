"""Answers of a trained head: their order, portions of a long text, empty texts, and the characters they refer to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness
from harness.errors import ConfigError
from harness.prediction import predictor as module
from harness.prediction.predictor import Predictor
from harness.types import Document, Example, Prediction
from harness.utils.tokenized_text import TokenizedText
from harness.utils.tokenizers import tokenizer_named
from tasks.common.answers import entities_answer
from tests.support.trained import trained_run

TEXTS = [
    "Jordan lives in Paris.",
    "",
    "Lincoln saw Mary Jordan (twice)!",
    "\U0001f600 猫",
    "  ",
    "Jordan lives in Paris.",
]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Predictor]:
    """Return a function that trains a task once, and loads it."""
    folder = tmp_path_factory.mktemp("runs")
    runs: dict[str, Path] = {}

    def loaded(task: str, *, trainable: bool = False, **options: Any) -> Predictor:
        overrides = [f"task={task}", f"embedding.trainable={trainable}"]
        key = f"{task} {trainable}"
        runs[key] = runs.get(key) or trained_run(folder, *overrides)
        return harness.load_predictor(runs[key], **options)

    return loaded


def test_answers_have_the_order_of_the_texts(load: Callable[..., Predictor]) -> None:
    answers = load("ner")(TEXTS)
    assert [None if answer is None else len(answer) for answer in answers] == [5, None, 8, 2, None, 5]
    assert answers[0] == answers[5]
    assert load("ner")(TEXTS[2]) == answers[2]
    assert load("ner")([]) == []


def test_raw_texts_and_tokens_have_the_same_answers(load: Callable[..., Predictor]) -> None:
    label = load("pos")
    tokens = [[text[a:b] for a, b in tokenizer_named("english")(text)] for text in TEXTS]
    assert label(tokens) == label(TEXTS)
    assert label(map(tuple, tokens)) == label(TEXTS)
    assert [len(one) for one in load("pos", tokenizer="characters")(["ab c", "猫"])] == [3, 1]


def test_several_texts_are_given_by_name(load: Callable[..., Predictor]) -> None:
    pairs = [{"premise": "A man sleeps.", "hypothesis": ["Nobody", "sleeps"]}, {"premise": "", "hypothesis": "A b"}]
    label, nothing = load("snli")(pairs)
    assert label in ("entailment", "neutral", "contradiction")
    assert nothing is None
    assert load("snli")(pairs[0]) == label
    with pytest.raises(ConfigError, match=r"item 1 has the texts text; give \{'premise': ..., 'hypothesis': ...\}"):
        load("snli")([pairs[0], {"text": "A man sleeps."}])
    with pytest.raises(ConfigError, match="item 0: no tokens and no text; give a string or a list of tokens"):
        load("pos")([3])


def test_a_document_keeps_its_sentences(load: Callable[..., Predictor], monkeypatch: pytest.MonkeyPatch) -> None:
    label, seen = load("coref"), list[Example]()
    collate = type(label.task).collate
    monkeypatch.setattr(type(label.task), "collate", lambda task, ones: seen.extend(ones) or collate(task, ones))
    sentences = (("Ann", "ran"), ("She", "fell"))  # without marks at which text is split
    label([Document(sentences), "Ann ran. She fell.", ["Ann", "ran"]])
    assert {example.texts["document"].sentences for example in seen} == {
        sentences,
        (("Ann", "ran", "."), ("She", "fell", ".")),
        (("Ann", "ran"),),
    }


def test_an_answer_is_in_the_passage(load: Callable[..., Predictor]) -> None:
    passage = "Ann  came first.\nBob came second."
    answer = load("squad")({"passage": passage, "question": "Who came first?"})
    assert answer["text"] in passage


@pytest.mark.parametrize("trainable", [False, True])
def test_portions_change_nothing(
    trainable: bool, load: Callable[..., Predictor], monkeypatch: pytest.MonkeyPatch
) -> None:
    label = load("ner", trainable=trainable)
    whole = label(TEXTS * 3)
    monkeypatch.setattr(module, "_PORTION", 7)
    assert label(TEXTS * 3) == whole
    features = label._model.features
    assert features.static is not None
    assert len(features.source._layers) <= 2  # type: ignore[union-attr]
    assert len(features.static.embedding.weight) <= 2 + len(features.static.trained_words) + 7
    assert bool(features.static.trained_words) == trainable


def test_texts_are_labelled_before_the_next_ones_are_read(
    load: Callable[..., Predictor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PORTION", 10)
    read = []

    def examples() -> Any:
        for i in range(100):
            read.append(i)
            yield Example(id=str(i), texts={"tokens": ("a", "b")})

    labelled = load("ner").predict(examples())
    assert next(labelled)[0].id == "0"
    assert len(read) == 4
    assert len(list(labelled)) == 99


def test_trained_vectors_are_those_of_the_run(load: Callable[..., Predictor]) -> None:
    trained, frozen = (load("ner", trainable=trainable) for trainable in (True, False))
    words = ["Jordan", "zebra", "xyzzy"]  # trained; not in the data; without a vector
    vectors = []
    for label in (trained, frozen):
        label([words])
        static = label._model.features.static
        assert static is not None
        vectors.append([static.embedding.weight[static._rows[word]].tolist() for word in words])
    assert vectors[0][0] != vectors[1][0]
    assert vectors[0][1:] == vectors[1][1:]


NAMES = st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), min_size=60, max_size=60)


@given(st.text(), NAMES, st.sampled_from(["english", "whitespace", "characters"]))
def test_an_entity_is_the_text_at_its_offsets(text: str, tags: list[str], tokenizer: str) -> None:
    tokenized = TokenizedText.of(text, tokenizer_named(tokenizer))
    example = Example(id="", texts={"tokens": tokenized.tokens}, origin={"tokens": tokenized})
    labels = (tags * (len(tokenized.tokens) // 60 + 1))[: len(tokenized.tokens)]
    answer = entities_answer(example, Prediction(id="", value=labels, scores=0.5))
    inside = 0
    for entity in answer["entities"]:
        assert entity["text"] == text[entity["start_char"] : entity["end_char"]]
        assert entity["text"].startswith(tokenized.tokens[entity["start"]])
        assert entity["text"].endswith(tokenized.tokens[entity["end"] - 1])
        inside += entity["end"] - entity["start"]
    assert inside == len(labels) - labels.count("O")


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.text(max_size=40), max_size=5))
def test_rows_refer_to_any_text(load: Callable[..., Predictor], texts: list[str]) -> None:
    label = load("ner")
    examples = [label._example(i, text) for i, text in enumerate(texts)]
    rows = [label.row(example, prediction) for example, prediction in label.predict(examples)]
    assert [row["text"] for row in rows] == texts
    for row in rows:
        assert len(row["tokens"]) == len(row["labels"])
        assert all(row["text"][e["start_char"] : e["end_char"]] == e["text"] for e in row["entities"])


@given(st.lists(st.text(alphabet="ab ", min_size=1), max_size=8), st.text(max_size=3))
def test_tokens_are_found_in_their_text(tokens: list[str], between: str) -> None:
    for found in (TokenizedText.of_tokens(tokens), TokenizedText.of_tokens(tokens, between.join(tokens))):
        assert [found.text[start:end] for start, end in found.offsets.tolist()] == tokens
        assert found.tokens == tuple(tokens)


def test_tokens_that_are_not_in_the_text_are_refused() -> None:
    with pytest.raises(ValueError, match="the token 'lives' is not in the text, or not after the token before it"):
        TokenizedText.of_tokens(["in", "lives"], "Jordan lives in Paris")

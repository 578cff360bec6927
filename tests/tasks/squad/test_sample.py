"""The sample data of SQuAD: the same everywhere; the words of a question decide the answer, its type alone does not."""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.config.schema import DataConfig
from harness.errors import ConfigError
from tasks.squad import sample as squad
from tasks.squad.metric import best_scores
from tasks.squad.reader import examples_of_articles, read_squad
from tasks.squad.task import ReadingComprehension

DATA = {split: squad.articles(split) for split in squad.PASSAGES}


def paragraphs(split: str) -> list[dict[str, Any]]:
    return [paragraph for article in DATA[split]["data"] for paragraph in article["paragraphs"]]


def questions(split: str) -> list[tuple[str, str, str, int]]:
    """Return passage, question, answer and the position of the answer."""
    return [
        (paragraph["context"], one["question"], one["answers"][0]["text"], one["answers"][0]["answer_start"])
        for paragraph in paragraphs(split)
        for one in paragraph["qas"]
    ]


PEOPLE = [f"{first} {last}" for first in (*squad.WOMEN, *squad.MEN) for last in squad.SURNAMES]


def kind_of(answer: str) -> str:
    return "year" if answer.isdigit() else "place" if answer in squad.PLACES else "person"


def candidates(text: str, kind: str) -> list[str]:
    """Return all names or years of a text that have this type."""
    if kind == "year":
        return [word.strip(".,") for word in text.split() if word.strip(".,").isdigit()]
    return [name for name in (squad.PLACES if kind == "place" else PEOPLE) if name in text]


def accuracy(choose: Callable[[str, str, str], Sequence[str]]) -> float:
    """Return the F1 on test if the answer is a random one of those that a rule returns."""
    rng = random.Random(0)
    asked = questions("test")
    chosen = [rng.choice(choose(passage, question, kind_of(gold))) for passage, question, gold, _ in asked]
    return sum(best_scores(c, [gold])[1] for c, (_, _, gold, _) in zip(chosen, asked, strict=True)) / len(asked)


def of_the_right_type(passage: str, question: str, kind: str) -> list[str]:
    return candidates(passage, kind)


def in_the_most_similar_sentence(passage: str, question: str, kind: str) -> list[str]:
    """Return everything of the right type in the sentence that shares most words with the question."""
    sought = set(question.strip("?").lower().split())
    found = [
        (len(sought & set(sentence.lower().split())), candidates(sentence, kind)) for sentence in passage.split(". ")
    ]
    return max(((shared, names) for shared, names in found if names), key=lambda pair: pair[0])[1]


def test_a_change_of_the_data_is_noticed() -> None:
    """If this digest changes, raise the version of the task, because every score on the sample data changes too."""
    digest = hashlib.sha256(json.dumps(DATA).encode()).hexdigest()
    assert digest == "2aac7ca4e173398b29e8b32036d4e39c3dd2ebcddc0f59b9fcd10e4f50c1cc3c"


def test_every_call_returns_the_same_data() -> None:
    assert squad.articles("dev") == DATA["dev"]


def test_every_answer_is_at_its_position() -> None:
    for split in DATA:
        assert len(paragraphs(split)) == squad.PASSAGES[split]
        for passage, question, answer, start in questions(split):
            assert passage[start:].startswith(answer)
            assert question.endswith("?")
            assert not set("{}|") & set(passage + question)


def test_answers_are_whole_words_of_passages_of_moderate_length() -> None:
    read = examples_of_articles(DATA["train"], "sample")
    assert all(
        e.origin["passage"].text_of(*span) == text for e in read for text, span in zip(*e.target.values(), strict=True)
    )
    lengths = [len(example.texts["passage"]) for example in read]
    assert min(lengths) >= 30
    assert max(lengths) <= 60


@pytest.mark.parametrize("split", DATA)
def test_types_are_balanced(split: str) -> None:
    kinds = Counter(kind_of(answer) for _, _, answer, _ in questions(split))
    assert kinds["place"] == kinds["year"] == 2 * kinds["person"]


def test_no_question_has_two_answers() -> None:
    """Nobody does the same thing twice, and no two people do it in the same place."""
    for split in DATA:
        for paragraph in paragraphs(split):
            asked = [one["question"] for one in paragraph["qas"]]
            assert len(set(asked)) == len(asked)
            for person in candidates(paragraph["context"], "person"):
                assert paragraph["context"].count(person) == 1


def test_the_type_alone_does_not_give_the_answer() -> None:
    open_ = [len(candidates(passage, kind_of(answer))) for passage, _, answer, _ in questions("test")]
    assert min(open_) >= 2
    assert sum(open_) / len(open_) > 3
    assert accuracy(of_the_right_type) < 0.45


def test_shared_words_alone_do_not_give_the_answer() -> None:
    assert 0.45 < accuracy(in_the_most_similar_sentence) < 0.6  # a small BiDAF reaches 0.75


def test_passages_of_dev_and_test_are_new() -> None:
    seen = {paragraph["context"] for paragraph in paragraphs("train")}
    assert not seen & {paragraph["context"] for split in ("dev", "test") for paragraph in paragraphs(split)}


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'train'"):
        squad.articles("trian")


def test_the_written_files_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    paths = ReadingComprehension(data=DataConfig()).write_sample(folder)
    assert paths == [folder / f"{split}.json" for split in DATA]
    for path, (split, data) in zip(paths, DATA.items(), strict=True):
        assert json.loads(path.read_text()) == data
        assert len(read_squad(path)) == squad.PASSAGES[split] * squad.QUESTIONS


def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot write to"):
        ReadingComprehension(data=DataConfig()).write_sample(tmp_path / "file")

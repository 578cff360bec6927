"""SQuAD v1.1: articles of paragraphs of questions, each answered by characters of its paragraph.

Source: Rajpurkar et al. 2016 (arXiv 1606.05250).
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataFormatError
from harness.types import Sentence
from harness.utils.text_files import read_json
from tasks.common.english_words import words
from tasks.squad.passage import Passage

log = logging.getLogger(__name__)

_LAYOUT = "give a file in the layout of SQuAD v1.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A gold answer.

    Attributes:
        text: as it is scored.
        span: the first and the last word of the passage that it has a part of.
        exact: whether those words are the answer, and not more.
    """

    text: str
    span: tuple[int, int]
    exact: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A question on a passage; all questions on one passage hold the same ``Passage``."""

    id: str
    tokens: Sentence
    passage: Passage
    answers: tuple[Answer, ...]


def read_squad(path: Path) -> list[Question]:
    """Read a file of SQuAD v1.1, plain or ``.gz``.

    Raises:
        DataFormatError: naming article, paragraph and question, or the line that is not JSON.
    """
    return questions_of_articles(read_json(path, fix=_LAYOUT), str(path))


def questions_of_articles(data: Any, source: str) -> list[Question]:
    """Read SQuAD as it is published: ``data`` of articles of paragraphs.

    Args:
        data: what the JSON file holds.
        source: where it is from, for errors.

    Raises:
        DataFormatError: naming article, paragraph and question.
    """
    return _reported(_of_articles(data, source), source)


def questions_of_rows(rows: Iterable[Mapping[str, Any]], source: str) -> list[Question]:
    """Read SQuAD as a table: ``id``, ``context``, ``question`` and ``answers`` of each row.

    Args:
        rows: questions on one context stand together, or apart.
        source: where they are from, for errors.

    Raises:
        DataFormatError: naming the row.
    """

    def questions() -> Iterator[Question]:
        passages: dict[str, Passage] = {}
        for number, row in enumerate(rows, start=1):
            context = row["context"]
            if context not in passages:
                passages[context] = Passage.of(context)
            yield _question(row, passages[context], f"{source}, row {number}")

    return _reported(questions(), source)


def _of_articles(data: Any, source: str) -> Iterator[Question]:
    for a, article in enumerate(_field(data, "data", list, source), start=1):
        where = f"{source}: article {a}"
        if isinstance(article, dict) and isinstance(article.get("title"), str):
            where += f" ({article['title']!r})"
        for p, paragraph in enumerate(_field(article, "paragraphs", list, where), start=1):
            place = f"{where}, paragraph {p}"
            passage = Passage.of(_field(paragraph, "context", str, place))
            for question in _field(paragraph, "qas", list, place):
                yield _question(question, passage, place)


def _question(node: Any, passage: Passage, where: str) -> Question:
    own = _field(node, "id", str, where)
    where = f"{where}, question {own!r}"
    tokens = words(_field(node, "question", str, where))
    if not tokens:
        raise DataFormatError(f"{where}: the question is empty; remove it, or give its words")
    answers = tuple(_answer(answer, passage, where) for answer in _field(node, "answers", list, where))
    if not answers:
        raise DataFormatError(f"{where}: no answer; SQuAD v1.1 answers every question (v2.0 does not, and is not read)")
    return Question(id=own, tokens=tokens, passage=passage, answers=answers)


def _answer(node: Any, passage: Passage, where: str) -> Answer:
    text, start = _field(node, "text", str, where), _field(node, "answer_start", int, where)
    end = start + len(text)
    if start < 0 or passage.text[start:end] != text:
        found = passage.text.find(text)
        fix = f"it is at {found}" if found >= 0 else "the passage does not hold it"
        raise DataFormatError(f"{where}: answer {text!r} is not at answer_start {start}; {fix}")
    span = passage.cover(start, end) if text else None
    if span is None:
        raise DataFormatError(f"{where}: answer {text!r} holds no word; remove it")
    return Answer(text=text, span=span, exact=passage.span(*span) == text)


def _field(node: Any, key: str, kind: type, where: str) -> Any:
    """Return a value of a JSON object, its type checked."""
    if not isinstance(node, Mapping):
        raise DataFormatError(f"{where}: expected an object with '{key}', found {type(node).__name__}; {_LAYOUT}")
    if key not in node:
        raise DataFormatError(f"{where}: no '{key}'; {_LAYOUT}")
    value = node[key]
    if type(value) is not kind:
        raise DataFormatError(f"{where}: '{key}' is {value!r:.50}, expected {kind.__name__}; {_LAYOUT}")
    return value


def _reported(questions: Iterable[Question], source: str) -> list[Question]:
    """Return the questions, none twice, and say how many there are and how many answers words cannot give."""
    found: dict[str, Question] = {}
    for question in questions:
        if question.id in found:
            raise DataFormatError(
                f"{source}: id {question.id!r} comes twice; ids must differ, since answers go by them"
            )
        found[question.id] = question
    if not found:
        raise DataFormatError(f"{source}: no question in it; {_LAYOUT}")
    answers = [answer for question in found.values() for answer in question.answers]
    log.info(
        "%s: %s questions on %s passages; %s of %s answers begin or end inside a word and are mapped to whole words",
        Path(source).name,
        f"{len(found):,}",
        f"{len({id(question.passage) for question in found.values()}):,}",
        f"{sum(not answer.exact for answer in answers):,}",
        f"{len(answers):,}",
    )
    return list(found.values())

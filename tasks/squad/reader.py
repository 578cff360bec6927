"""Read SQuAD v1.1: articles of paragraphs with questions, each answered by characters of its paragraph.

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
from tasks.squad.tokenized_passage import TokenizedPassage

log = logging.getLogger(__name__)

_LAYOUT = "give a file in the layout of SQuAD v1.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A gold answer.

    Args:
        text: The text, which is scored.
        span: The first and the last token of the passage that contain a part of the answer.
        exact: Whether these tokens are exactly the answer, and not more.
    """

    text: str
    span: tuple[int, int]
    exact: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A question about a passage.

    Args:
        id: The id of the question in the data set.
        tokens: The tokens of the question.
        passage: The passage; all questions about one passage share the same object.
        answers: The gold answers, at least one.
    """

    id: str
    tokens: Sentence
    passage: TokenizedPassage
    answers: tuple[Answer, ...]


def read_squad(path: Path) -> list[Question]:
    """Return the questions of a file in the layout of SQuAD v1.1, plain or ``.gz``.

    Raises:
        DataFormatError: The file is missing, unreadable, or in another layout. The message names the article, the
            paragraph and the question, or the line that is not JSON.
    """
    return questions_of_articles(read_json(path, fix=_LAYOUT), str(path))


def questions_of_articles(data: Any, source: str) -> list[Question]:
    """Return the questions of SQuAD in its published layout.

    Args:
        data: The content of the JSON file.
        source: The name of the file, which errors name.

    Raises:
        DataFormatError: The layout is another one. The message names the article, the paragraph and the question.
    """
    return _checked(_of_articles(data, source), source)


def questions_of_rows(rows: Iterable[Mapping[str, Any]], source: str) -> list[Question]:
    """Return the questions of SQuAD as a table.

    Args:
        rows: Rows with ``id``, ``context``, ``question`` and ``answers``, in any order.
        source: The name of the table, which errors name.

    Raises:
        DataFormatError: A field is wrong. The message names the row.
    """

    def questions() -> Iterator[Question]:
        passages: dict[str, TokenizedPassage] = {}
        for number, row in enumerate(rows, start=1):
            context = row["context"]
            if context not in passages:
                passages[context] = TokenizedPassage.of(context)
            yield _question(row, passages[context], f"{source}, row {number}")

    return _checked(questions(), source)


def _of_articles(data: Any, source: str) -> Iterator[Question]:
    """Yield the questions of all articles."""
    for a, article in enumerate(_field(data, "data", list, source), start=1):
        where = f"{source}: article {a}"
        if isinstance(article, dict) and isinstance(article.get("title"), str):
            where += f" ({article['title']!r})"
        for p, paragraph in enumerate(_field(article, "paragraphs", list, where), start=1):
            place = f"{where}, paragraph {p}"
            passage = TokenizedPassage.of(_field(paragraph, "context", str, place))
            for question in _field(paragraph, "qas", list, place):
                yield _question(question, passage, place)


def _question(node: Any, passage: TokenizedPassage, where: str) -> Question:
    """Return a question with its answers."""
    own_id = _field(node, "id", str, where)
    where = f"{where}, question {own_id!r}"
    tokens = words(_field(node, "question", str, where))
    if not tokens:
        raise DataFormatError(f"{where}: the question is empty; fill it in, or remove it")
    answers = tuple(_answer(answer, passage, where) for answer in _field(node, "answers", list, where))
    if not answers:
        raise DataFormatError(
            f"{where}: there is no answer; give SQuAD v1.1, where every question has one (v2.0 is not supported)"
        )
    return Question(id=own_id, tokens=tokens, passage=passage, answers=answers)


def _answer(node: Any, passage: TokenizedPassage, where: str) -> Answer:
    """Return an answer with the tokens that contain it."""
    text, start = _field(node, "text", str, where), _field(node, "answer_start", int, where)
    end = start + len(text)
    if start < 0 or passage.text[start:end] != text:
        found = passage.text.find(text)
        fix = f"it is at {found}" if found >= 0 else "the passage does not contain it"
        raise DataFormatError(f"{where}: answer {text!r} is not at answer_start {start}; {fix}")
    span = passage.tokens_in(start, end) if text else None
    if span is None:
        raise DataFormatError(f"{where}: answer {text!r} contains no word; remove it")
    return Answer(text=text, span=span, exact=passage.text_of(*span) == text)


def _field(node: Any, key: str, kind: type, where: str) -> Any:
    """Return a value of a JSON object, and check its type."""
    if not isinstance(node, Mapping):
        raise DataFormatError(f"{where}: expected an object with '{key}', found {type(node).__name__}; {_LAYOUT}")
    if key not in node:
        raise DataFormatError(f"{where}: no '{key}'; {_LAYOUT}")
    value = node[key]
    if type(value) is not kind:
        raise DataFormatError(f"{where}: '{key}' is {value!r:.50}, expected {kind.__name__}; {_LAYOUT}")
    return value


def _checked(questions: Iterable[Question], source: str) -> list[Question]:
    """Return the questions, check that no id occurs twice, and log how many answers are not whole tokens."""
    found: dict[str, Question] = {}
    for question in questions:
        if question.id in found:
            raise DataFormatError(f"{source}: two questions have the id {question.id!r}; give each question its own id")
        found[question.id] = question
    if not found:
        raise DataFormatError(f"{source}: no questions in it; {_LAYOUT}")
    answers = [answer for question in found.values() for answer in question.answers]
    log.info(
        "%s: %s questions about %s passages; %s of %s answers begin or end inside a word and become whole words",
        Path(source).name,
        f"{len(found):,}",
        f"{len({id(question.passage) for question in found.values()}):,}",
        f"{sum(not answer.exact for answer in answers):,}",
        f"{len(answers):,}",
    )
    return list(found.values())

"""Read SQuAD v1.1: articles of paragraphs with questions, each answered by characters of its paragraph.

The target of an example is a dictionary: ``answers``, the texts of the gold answers, and ``spans``, which holds for
each answer the first and the last token of the passage that contain a part of it. The origin of an example is its
passage as a ``TokenizedText``. All questions about one passage share the same origin.

Source: Rajpurkar et al. 2016 (arXiv 1606.05250).
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import DataFormatError
from harness.types import Example
from harness.utils.english_words import tokenize, words
from harness.utils.text_files import read_json
from harness.utils.tokenized_text import TokenizedText

log = logging.getLogger(__name__)

Origin = Mapping[str, TokenizedText]  # the passage, under this name

_LAYOUT = "give a file in the layout of SQuAD v1.1"


def read_squad(path: Path, *, labelled: bool = True) -> list[Example]:
    """Return the examples of a file in the layout of SQuAD v1.1.

    Args:
        path: A UTF-8 file, plain or ``.gz``.
        labelled: Whether to read the answers. If not, the targets are None.

    Raises:
        DataFormatError: The file is missing, unreadable, or in another layout. The message names the article, the
            paragraph and the question, or the line that is not JSON.
    """
    return examples_of_articles(read_json(path, fix=_LAYOUT), str(path), labelled=labelled)


def examples_of_articles(data: Any, source: str, *, labelled: bool = True) -> list[Example]:
    """Return the examples of SQuAD in its published layout.

    Args:
        data: The content of the JSON file.
        source: The name of the file, which errors name.
        labelled: Whether to read the answers.

    Raises:
        DataFormatError: The layout is another one. The message names the article, the paragraph and the question.
    """
    return _checked(_of_articles(data, source, labelled=labelled), source)


def examples_of_rows(rows: Iterable[Mapping[str, Any]], source: str) -> list[Example]:
    """Return the examples of SQuAD as a table.

    Args:
        rows: Rows with ``id``, ``context``, ``question`` and ``answers``, in any order.
        source: The name of the table, which errors name.

    Raises:
        DataFormatError: A field is wrong. The message names the row.
    """
    return _checked(_of_rows(rows, source), source)


def _of_rows(rows: Iterable[Mapping[str, Any]], source: str) -> Iterator[Example]:
    """Yield the examples of a table."""
    passages: dict[str, Origin] = {}
    for number, row in enumerate(rows, start=1):
        context = row["context"]
        if context not in passages:
            passages[context] = _origin(context)
        yield _example(row, passages[context], f"{source}, row {number}")


def _of_articles(data: Any, source: str, *, labelled: bool) -> Iterator[Example]:
    """Yield the examples of all articles."""
    for a, article in enumerate(_field(data, "data", list, source), start=1):
        where = f"{source}: article {a}"
        if isinstance(article, dict) and isinstance(article.get("title"), str):
            where += f" ({article['title']!r})"
        for p, paragraph in enumerate(_field(article, "paragraphs", list, where), start=1):
            place = f"{where}, paragraph {p}"
            origin = _origin(_field(paragraph, "context", str, place))
            for question in _field(paragraph, "qas", list, place):
                yield _example(question, origin, place, labelled=labelled)


def _origin(passage: str) -> Origin:
    """Return a passage, split into tokens."""
    return {"passage": TokenizedText.of(passage, tokenize)}


def _example(node: Any, origin: Origin, where: str, *, labelled: bool = True) -> Example:
    """Return a question as an example, with its answers if they are read."""
    own_id = _field(node, "id", str, where)
    where = f"{where}, question {own_id!r}"
    question = words(_field(node, "question", str, where))
    if not question:
        raise DataFormatError(f"{where}: the question is empty; fill it in, or remove it")
    passage = origin["passage"]
    texts = {"passage": passage.tokens, "question": question}
    if not labelled:
        return Example(id=own_id, texts=texts, origin=origin)
    answers = [_answer(answer, passage, where) for answer in _field(node, "answers", list, where)]
    if not answers:
        raise DataFormatError(
            f"{where}: there is no answer; give SQuAD v1.1, where every question has one (v2.0 is not supported)"
        )
    gold, spans = zip(*answers, strict=True)
    return Example(id=own_id, texts=texts, target={"answers": gold, "spans": spans}, origin=origin)


def _answer(node: Any, passage: TokenizedText, where: str) -> tuple[str, tuple[int, int]]:
    """Return the text of an answer, and the first and the last token that contain a part of it."""
    text, start = _field(node, "text", str, where), _field(node, "answer_start", int, where)
    end = start + len(text)
    if start < 0 or passage.text[start:end] != text:
        found = passage.text.find(text)
        fix = f"it is at {found}" if found >= 0 else "the passage does not contain it"
        raise DataFormatError(f"{where}: answer {text!r} is not at answer_start {start}; {fix}")
    span = passage.tokens_in(start, end) if text else None
    if span is None:
        raise DataFormatError(f"{where}: answer {text!r} contains no word; remove it")
    return text, span


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


def _checked(examples: Iterable[Example], source: str) -> list[Example]:
    """Return the examples, check that no id occurs twice, and log how many answers are not whole tokens."""
    found: dict[str, Example] = {}
    answers = inexact = 0
    for example in examples:
        if example.id in found:
            raise DataFormatError(f"{source}: two questions have the id {example.id!r}; give each question its own id")
        found[example.id] = example
        target = example.target or {"answers": (), "spans": ()}
        for text, span in zip(target["answers"], target["spans"], strict=True):
            answers += 1
            inexact += example.origin["passage"].text_of(*span) != text
    if not found:
        raise DataFormatError(f"{source}: no questions in it; {_LAYOUT}")
    log.info(
        "%s: %s questions about %s passages; %s of %s answers begin or end inside a word and become whole words",
        Path(source).name,
        f"{len(found):,}",
        f"{len({id(example.origin) for example in found.values()}):,}",
        f"{inexact:,}",
        f"{answers:,}",
    )
    return list(found.values())

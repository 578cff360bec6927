"""Labelled spans and pairs of spans: from JSON lines, and from the data of parsing, roles, coreference and entities."""

import itertools
import json
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from harness.errors import DataFormatError
from harness.types import Example, Sentence, sentences_of
from harness.utils.text_files import is_json, suffix_of
from tasks.common.column_files import Columns, check_words, read_columns
from tasks.common.conllu import DEPREL, FORM, HEAD, conllu_sentences, filled
from tasks.common.table_files import json_objects
from tasks.common.tag_schemes import spans
from tasks.common.tagged_sentences import in_bio
from tasks.coref.documents import TEXT, is_documents, read_documents
from tasks.srl.reader import read_frames

log = logging.getLogger(__name__)

_FORM = 'expected {"text": "...", "targets": [{"span1": [0, 1], "span2": [2, 4], "label": "..."}]}'


class Target(TypedDict):
    """A span, or a pair of spans, and its label; a span is its first token and the token after its last one.

    ``label`` is a list for a target with several labels, or with none.
    """

    span1: list[int]
    span2: NotRequired[list[int]]
    label: str | list[str]


Labelled = tuple[Sentence, list[Target]]


def labels_of(target: Target) -> list[str]:
    """Return the labels of a target."""
    label = target["label"]
    return [label] if isinstance(label, str) else list(label)


def read_edges(path: Path, columns: Columns | None = None, *, labelled: bool = True) -> list[Labelled]:
    """Return the sentences of a file that have at least one target; the name of the file tells its format.

    ``.jsonl``: one object on each line, ``{"text": ..., "targets": [...]}``, as edge probing data are published; the
    text is a list of tokens, or spaces separate them. ``.jsonl`` with ``frames``, as ``task=srl`` reads: ``span1`` is a
    verb, ``span2`` an argument of it, and the label its role. ``.conllu``: the arcs of the dependency tree, where
    ``span1`` is a word, ``span2`` its head (the word itself for the root), and the label their relation. Documents as
    ``task=coref`` reads: all pairs of mentions of one sentence, and the label is 1 if both are of one entity, else 0.
    Other files, and those with ``columns``: column files of named entities, where ``span1`` is an entity, and the label
    its type.

    Args:
        path: A UTF-8 file, plain or ``.gz``.
        columns: For column files, the numbers of the columns of the token and of its tag.
        labelled: Whether every target of JSON lines needs a label. If not, a target without one has none.

    Raises:
        DataFormatError: The file is not in its format, no sentence has a target, or only some targets are pairs. The
            message names the file and, if possible, the line.

    Source:
        Tenney et al. 2019 (arXiv 1905.06316); format, arc of the root and pairs of mentions as in jiant's probing data.
    """
    if is_json(path):
        first = next((values for _, values in json_objects(path)), {})
        has_frames = "frames" in first and "targets" not in first
        sentences = list(_of_frames(path) if has_frames else _of_json(path, labelled=labelled))
    elif columns is None and is_documents(path):
        sentences = list(_of_documents(path))
    elif suffix_of(path) == ".conllu":
        sentences = list(_of_conllu(path))
    else:
        tagged = in_bio(read_columns(path, columns), path=path)
        sentences = [(words, _of_entities(tags)) for words, tags in tagged]
    found = [(words, targets) for words, targets in sentences if targets]
    if not found:
        raise DataFormatError(f"{path}: no sentence with a target; give labelled spans")
    check_words((words for words, _ in found), where=str(path), fix="give the words of each sentence")
    if len({"span2" in target for _, targets in found for target in targets}) > 1:
        raise DataFormatError(f"{path}: some targets have a span2 and others have none; give it to all, or to none")
    number = sum(len(targets) for _, targets in found)
    left_out = len(sentences) - len(found)
    log.info(
        "%s: %s targets in %s sentences; left out %s without a target",
        path.name,
        *(f"{count:,}" for count in (number, len(found), left_out)),
    )
    return found


def edge_examples(sentences: Sequence[Labelled], prefix: str) -> list[Example]:
    """Return one example per sentence; its target is the list of its labelled spans.

    Args:
        sentences: The tokens and the targets of each sentence.
        prefix: The start of the ids.
    """
    return [
        Example(id=f"{prefix}-{i}", texts={"tokens": words}, target=targets)
        for i, (words, targets) in enumerate(sentences)
    ]


def _of_json(path: Path, *, labelled: bool) -> Iterator[Labelled]:
    """Yield the sentences of a file of JSON lines."""
    for where, values in json_objects(path):
        text, targets = values.get("text"), values.get("targets")
        tokens = text.split() if isinstance(text, str) else text
        if not (isinstance(tokens, list) and tokens and all(isinstance(token, str) and token for token in tokens)):
            raise DataFormatError(f"{where}: 'text' is {_shown(text)}; {_FORM}")
        if not isinstance(targets, list):
            raise DataFormatError(f"{where}: 'targets' is {_shown(targets)}; {_FORM}")
        yield tuple(map(sys.intern, tokens)), [_target(one, len(tokens), where, labelled=labelled) for one in targets]


def _target(values: Any, tokens: int, where: str, *, labelled: bool) -> Target:
    """Return a target of a JSON object, once its form is checked."""
    if not isinstance(values, dict):
        raise DataFormatError(f"{where}: a target is {_shown(values)}; {_FORM}")
    label = values.get("label", None if labelled else [])
    if not (isinstance(label, str) or (isinstance(label, list) and all(isinstance(one, str) for one in label))):
        raise DataFormatError(f"{where}: 'label' is {_shown(label)}; give text, or a list of texts")
    target: Target = {"span1": _span(values, "span1", tokens, where), "label": label}
    if values.get("span2") is not None:
        target["span2"] = _span(values, "span2", tokens, where)
    return target


def _span(values: dict[str, Any], name: str, tokens: int, where: str) -> list[int]:
    """Return a span of a target, which must be inside the text."""
    span: Any = values.get(name)
    is_span = isinstance(span, list) and len(span) == 2 and all(type(end) is int for end in span)
    if not is_span or not 0 <= span[0] < span[1] <= tokens:
        raise DataFormatError(
            f"{where}: '{name}' is {_shown(span)}; give the first token, counted from 0, and the token after the last "
            f"one, at most {tokens}"
        )
    return span


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:80]


def _of_conllu(path: Path) -> Iterator[Labelled]:
    """Yield the sentences of a CoNLL-U file, with one target per word."""
    for rows in conllu_sentences(path):
        words, targets = [], []
        for i, (where, columns) in enumerate(rows):
            words.append(sys.intern(filled(columns[FORM], "word (column 2)", where)))
            head, relation = columns[HEAD].strip(" "), columns[DEPREL].strip(" ")
            if not re.fullmatch(r"\d+", head) or int(head) > len(rows):
                raise DataFormatError(
                    f"{where}: the head (column 7) is '{head}'; give the id of a word of the sentence, or 0"
                )
            if relation in ("", "_"):
                raise DataFormatError(f"{where}: the relation (column 8) is '{relation}'; fill it in")
            other = int(head) - 1 if int(head) else i
            target: Target = {"span1": [i, i + 1], "span2": [other, other + 1], "label": sys.intern(relation)}
            targets.append(target)
        yield tuple(words), targets


def _of_entities(tags: Sequence[str]) -> list[Target]:
    """Return the entities that the BIO tags of a sentence mark."""
    return [{"span1": [start, end], "label": kind} for start, end, kind in spans(tags, "bio")]


def _of_frames(path: Path) -> Iterator[Labelled]:
    """Yield the sentences of a file of semantic roles, with one target per argument."""
    for words, frames in read_frames(path):
        targets: list[Target] = []
        for predicate, tags in frames:
            found = spans(tags or (), "bio")
            verb = next(([start, end] for start, end, role in found if role == "V"), [predicate, predicate + 1])
            arguments = [(start, end, role) for start, end, role in found if role != "V"]
            targets += [{"span1": verb, "span2": [start, end], "label": role} for start, end, role in arguments]
        yield words, targets


def _of_documents(path: Path) -> Iterator[Labelled]:
    """Yield the sentences of documents with entities, with one target per pair of mentions of the same sentence."""
    for example in read_documents(path):
        mentions = sorted((span, entity) for entity, some in enumerate(example.target["clusters"]) for span in some)
        start = 0
        for words in sentences_of(example.texts[TEXT]):
            stop = start + len(words)
            inside = [([a - start, b + 1 - start], entity) for (a, b), entity in mentions if start <= a and b < stop]
            pairs = itertools.combinations(inside, 2)
            yield words, [{"span1": a, "span2": b, "label": str(int(one == other))} for (a, one), (b, other) in pairs]
            start = stop

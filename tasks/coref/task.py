"""Coreference: find the mentions of a document, and which of them are the same entity.

Source: Lee et al. 2017 (arXiv 1707.07045); Peters et al. 2018, section 4 and supplement A.6.
"""

import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch.nn.utils.rnn import pad_sequence

from harness.config.bounds import Count
from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.nn.char_cnn import char_ids
from harness.nn.masking import mask_of_sentences
from harness.types import Batch, Document, Example, Metrics, Prediction, Split
from tasks.common.answers import span_of
from tasks.common.official import data_name
from tasks.common.sample_data import some, write_sample_files
from tasks.common.splits import CUTS, check_options, read_once
from tasks.coref import sample
from tasks.coref.documents import TEXT, read_documents, sentence_numbers, sentences_in
from tasks.coref.gap import is_gap, read_gap, score_gap
from tasks.coref.metric import score_documents, without_singletons
from tasks.coref.span_ranker import GENRES, Singletons, SpanRanker, SpanRankerOptions

log = logging.getLogger(__name__)

Folds = Annotated[int, Field(ge=3)]
_FOLD_SEED = 1  # the same parts in every run


@dataclass(frozen=True, kw_only=True)
class Coreference:
    """Coreference, scored by the mean F1 of MUC, B-cubed and CEAF-e.

    Args:
        data: The data: files in the columns of CoNLL-2012, folders or archives of them, or the sample data.
        head: The name of the head.
        span_ranker: The sizes of the head ``span_ranker``.
        singletons: Whether entities with one mention count: ``emit``, as in LitBank, where the head has to find them,
            or ``drop``, as in OntoNotes. With ``drop``, they are removed from gold entities before scoring.
        fold: With a number, dev and test data are cut from the documents of ``data.train``: the test data are the part
            with this number, counted from 0, and the dev data are the next part. None if there are files of them.
        folds: The number of equal parts, for ``fold``.
    """

    name: ClassVar[str] = "coref"
    version: ClassVar[int] = 2
    primary_metric: ClassVar[str] = "f1"
    learned: ClassVar[tuple[str, ...]] = ()
    tokenizer: ClassVar[str] = "english"
    own_columns: ClassVar[bool] = True

    data: DataConfig
    head: Literal["span_ranker"] = "span_ranker"
    span_ranker: SpanRankerOptions = field(default_factory=SpanRankerOptions)
    singletons: Singletons = "drop"
    fold: Count | None = None
    folds: Folds = 10

    @property
    def data_name(self) -> str:
        """The name of the data in tables."""
        return data_name(self.data, "conll2012") if self.data.source != "official" else "conll2012"

    @read_once
    def examples(self, split: Split) -> Sequence[Example]:
        """Return the documents of a split; the target has the ``clusters``, ``speakers`` and the ``genre``."""
        if self.data.source == "sample":
            if self.fold is not None:
                raise ConfigError(f"task.fold={self.fold}: the sample data have a dev and a test split; leave it out")
            return sample.documents(split)
        check_options(self.data, CUTS)
        if self.fold is not None:
            return self._parts[split]
        return self.read(self.data.path(split), prefix=split)

    @cached_property
    def _parts(self) -> Mapping[Split, Sequence[Example]]:
        """The documents of each split, cut from those of the training file."""
        assert self.fold is not None
        if given := [name for name in ("dev", "test", *CUTS) if getattr(self.data, name) is not None]:
            names = " and ".join(f"data.{name}" for name in given)
            raise ConfigError(f"task.fold cuts dev and test data from data.train; leave out {names}")
        documents = self.read(self.data.path("train"), prefix="train")
        if not self.fold < self.folds <= len(documents):
            raise ConfigError(
                f"task.fold={self.fold} with task.folds={self.folds}, of {len(documents)} documents; "
                "count folds from 0, and give each at least one document"
            )
        order = some(range(len(documents)), len(documents), random.Random(_FOLD_SEED))
        part_of = {place: number % self.folds for number, place in enumerate(order)}
        splits: dict[int, Split] = {self.fold: "test", (self.fold + 1) % self.folds: "dev"}
        parts: dict[Split, list[Example]] = {"train": [], "dev": [], "test": []}
        for place, document in enumerate(documents):
            parts[splits.get(part_of[place], "train")].append(document)
        return dict(parts)

    def read(self, path: Path, *, prefix: str, labelled: bool = True) -> list[Example]:  # noqa: ARG002
        """Return the documents of a file, a folder or an archive; see ``read_documents``.

        A file of GAP is read too, to score a trained head: ``python -m harness predict RUN gap-test.tsv --score``.

        Args:
            path: The file.
            prefix: Not used, because every document has its own id.
            labelled: Whether to read the mentions.
        """
        return read_gap(path) if is_gap(path) else read_documents(path, labelled=labelled)

    def write_sample(self, folder: Path) -> list[Path]:
        """Write the sample data in the columns of CoNLL-2012; return the paths of the files."""
        return write_sample_files(folder, suffix=".conll", text=sample.conll)

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad documents to a batch.

        ``inputs`` are int64: ``sentence`` and ``speaker`` (batch, tokens), ``genre`` (batch,), and ``chars`` (batch,
        tokens, chars) if the head has a character CNN. Gold ``mentions`` are int64 (mentions, 4): the row, the first
        and the last token, and the number of the entity in the row, from 1.
        """
        documents = [example.texts[TEXT] for example in examples]
        targets = [example.target or {} for example in examples]
        sentences = [torch.tensor(sentence_numbers(document)) for document in documents]
        speakers = [
            _numbers(target.get("speakers") or [""] * len(d)) for target, d in zip(targets, documents, strict=True)
        ]
        genres = [GENRES.index(genre) + 1 if (genre := t.get("genre")) in GENRES else 0 for t in targets]
        inputs = {
            "sentence": pad_sequence(sentences, batch_first=True),  # (batch, tokens)
            "speaker": pad_sequence(speakers, batch_first=True),  # (batch, tokens)
            "genre": torch.tensor(genres),  # (batch,)
        }
        if self.span_ranker.chars.filters:
            inputs["chars"] = char_ids(documents)  # (batch, tokens, chars)
        gold = {}
        if all(target.get("clusters") is not None for target in targets):
            mentions = [
                (row, start, end, entity)
                for row, target in enumerate(targets)
                for entity, cluster in enumerate(target["clusters"], start=1)
                for start, end in cluster
            ]
            gold["mentions"] = torch.tensor(mentions, dtype=torch.int64).view(-1, 4)  # (mentions, 4)
        masks = {TEXT: mask_of_sentences(documents)}  # (batch, tokens)
        return Batch(examples=tuple(examples), masks=masks, inputs=inputs, gold=gold)

    def build_head(self, *, input_dim: int, output_dim: int) -> SpanRanker:
        """Return an untrained head.

        Args:
            input_dim: The width of the token vectors that enter the head.
            output_dim: The width of the vectors that are joined to the output of its LSTM; 0 for none.
        """
        return SpanRanker(
            input_dim=input_dim, output_dim=output_dim, sizes=self.span_ranker, singletons=self.singletons
        )

    def with_sentences(self, example: Example) -> Example:
        """Return an example whose text is a ``Document``; a text without sentences is split at marks that end one."""
        if isinstance(example.texts[TEXT], Document):
            return example
        return replace(example, texts={TEXT: Document(sentences_in(example.origin[TEXT]))})

    def answer(self, example: Example, prediction: Prediction) -> Mapping[str, Any]:
        """Return the entities of a document: the tokens, characters and text of each of their mentions.

        Args:
            example: The document.
            prediction: Its entities.
        """
        text = example.origin[TEXT]
        return {"clusters": [[span_of(text, a, b + 1) for a, b in entity] for entity in prediction.value or ()]}

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Score entities by both families of scorers; see ``score_documents``. Texts of GAP have scores of their own.

        ``mention_ceiling`` is the part of the gold mentions that are in one sentence and not wider than the head reads.

        Args:
            gold: The documents with their entities.
            predictions: The prediction for each document, in the same order.
        """
        if gold and "gap" in gold[0].target:
            return Metrics(score_gap(gold, predictions))
        keys = [example.target["clusters"] for example in gold]
        if self.singletons == "drop":
            keys = [without_singletons(key) for key in keys]
        pairs = [(key, prediction.value) for key, prediction in zip(keys, predictions, strict=True)]
        widest = self.span_ranker.max_width
        found, total = 0, 0
        for example, key in zip(gold, keys, strict=True):
            sentence = sentence_numbers(example.texts[TEXT])
            mentions = [mention for entity in key for mention in entity]
            total += len(mentions)
            found += sum(end - start < widest and sentence[start] == sentence[end] for start, end in mentions)
        return Metrics({**score_documents(pairs), "mention_ceiling": found / total if total else 0.0})


def _numbers(names: Sequence[str]) -> torch.Tensor:
    """Return a number for each name, equal for equal names: int64 (names,)."""
    known: dict[str, int] = {}
    return torch.tensor([known.setdefault(name, len(known)) for name in names])

"""Named-entity recognition: find the names in a sentence and their types.

Source: Peters et al. 2018, section 4 and supplement A.7.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch.nn.utils.rnn import pad_sequence

from harness.config.schema import DataConfig
from harness.nn.char_cnn import char_ids
from harness.nn.masking import mask_of_sentences
from harness.types import Batch, Example, Metrics, Prediction, Split
from tasks.common.answers import entities_answer
from tasks.common.entity_scores import entity_counts, score_tags
from tasks.common.heads.bilstm_crf import BiLstmCrf, BiLstmCrfOptions
from tasks.common.official import data_name, official_rows
from tasks.common.sample_data import write_sample_files
from tasks.common.splits import CUTS, check_options, read_once, tagged_examples
from tasks.common.tag_schemes import TagScheme, all_tags, convert
from tasks.ner import sample
from tasks.ner.reader import read_tagged


@dataclass(frozen=True, kw_only=True)
class NamedEntityRecognition:
    """Named-entity recognition, scored by F1 over entities.

    Args:
        data: The data: column files (token first, tag last) or JSON lines with ``tokens`` and ``tags``, CoNLL-2003 from
            the Hugging Face hub, or the sample data.
        head: The name of the head.
        bilstm_crf: The sizes of the head ``bilstm_crf``.
        scheme: The tag scheme of the files; ``auto`` detects it for each file.
        train_scheme: The tag scheme of the CRF.
    """

    name: ClassVar[str] = "ner"
    version: ClassVar[int] = 1
    primary_metric: ClassVar[str] = "f1"
    counts = staticmethod(entity_counts)
    learned: ClassVar[tuple[str, ...]] = ("labels",)
    tokenizer: ClassVar[str] = "whitespace"
    answer = staticmethod(entities_answer)

    data: DataConfig
    head: Literal["bilstm_crf"] = "bilstm_crf"
    bilstm_crf: BiLstmCrfOptions = field(default_factory=BiLstmCrfOptions)
    scheme: Literal["auto", "iob1", "bio", "iobes", "bioul"] = "auto"
    train_scheme: TagScheme = "bioul"

    @property
    def own_columns(self) -> bool:
        """Whether an option says which column has the words."""
        return self.data.columns is not None

    @property
    def data_name(self) -> str:
        """The name of the data in tables."""
        return data_name(self.data, "conll2003")

    @read_once
    def examples(self, split: Split) -> Sequence[Example]:
        """Return the examples of a split; the target of an example is its tags, in BIO."""
        if self.data.source == "sample":
            return tagged_examples(sample.sentences(split), split)
        if self.data.source == "official":
            rows = official_rows("conll2003", split, cache_dir=self.data.cache_dir)
            return tagged_examples([(tuple(row["tokens"]), tuple(row["tags"])) for row in rows], split)
        check_options(self.data, ("columns", *CUTS))
        return self.read(self.data.path(split), prefix=split)

    def read(self, path: Path, *, prefix: str, labelled: bool = True) -> list[Example]:
        """Return the examples of a file.

        Args:
            path: The file: JSON lines if its name ends in ``.jsonl``, else columns.
            prefix: The start of the ids of the examples.
            labelled: Whether to read the tags. If not, the targets are None.
        """
        return tagged_examples(read_tagged(path, self.scheme, self.data.columns, labelled=labelled), prefix)

    def write_sample(self, folder: Path) -> list[Path]:
        """Write the sample data as CoNLL column files; return their paths."""
        return write_sample_files(folder, suffix=".conll", text=sample.conll)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The tags of the CRF: those of the entity types in the training data."""
        types = {tag[2:] for example in self.examples("train") for tag in example.target if tag != "O"}
        return all_tags(types, self.train_scheme)

    @cached_property
    def _label_ids(self) -> dict[str, int]:
        return {label: i for i, label in enumerate(self.labels)}

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples to a batch; gold ``labels`` are int64 (batch, tokens), 0 at padding."""
        sentences = [example.texts["tokens"] for example in examples]
        masks = {"tokens": mask_of_sentences(sentences)}  # (batch, tokens)
        inputs = {"chars": char_ids(sentences)} if self.bilstm_crf.char_filters else {}  # (batch, tokens, chars)
        gold = {}
        if all(self._has_known_tags(example) for example in examples):
            tags = [convert(example.target, "bio", self.train_scheme) for example in examples]
            rows = [torch.tensor([self._label_ids[tag] for tag in row], dtype=torch.int64) for row in tags]
            gold["labels"] = pad_sequence(rows, batch_first=True)  # (batch, tokens)
        return Batch(examples=tuple(examples), masks=masks, inputs=inputs, gold=gold)

    def _has_known_tags(self, example: Example) -> bool:
        """Return whether an example has tags, and all their types are in the training data."""
        known = self._label_ids
        return example.target is not None and all(tag == "O" or f"B-{tag[2:]}" in known for tag in example.target)

    def build_head(self, *, input_dim: int, output_dim: int) -> BiLstmCrf:
        """Return an untrained head.

        Args:
            input_dim: The width of the token vectors that enter the head.
            output_dim: The width of the vectors that are joined to the output of its BiLSTM; 0 for none.
        """
        return BiLstmCrf(
            input_dim=input_dim,
            output_dim=output_dim,
            labels=self.labels,
            scheme=self.train_scheme,
            **asdict(self.bilstm_crf),
        )

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Score BIO tags by entity; see ``score_tags``.

        Args:
            gold: The examples with their tags.
            predictions: The prediction for each example, in the same order.
        """
        return Metrics(score_tags([list(e.target) for e in gold], [list(p.value) for p in predictions]))

"""Natural language inference: decide whether a sentence follows from another one.

Source: Bowman et al. 2015 (the data); Peters et al. 2018, section 4 and supplement A.3.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import torch

from harness.config.schema import DataConfig
from harness.nn.masking import mask_of_sentences
from harness.types import Batch, Example, Metrics, Prediction, Split
from harness.utils.english_words import tokenize, words
from harness.utils.tokenized_text import TokenizedText
from tasks.common.answers import label_answer
from tasks.common.heads.esim import Esim, EsimOptions
from tasks.common.heads.text_classifier import PAIR, TextClassifier
from tasks.common.label_scores import label_counts, score_labels
from tasks.common.official import data_name, official_rows
from tasks.common.sample_data import write_sample_files
from tasks.common.splits import read_once, split_file
from tasks.snli import sample
from tasks.snli.reader import LABELS, SentencePair, pairs_of_rows, read_pairs


@dataclass(frozen=True, kw_only=True)
class NaturalLanguageInference:
    """Natural language inference with three labels, scored by accuracy.

    Args:
        data: The data: files of SNLI, SNLI from the Hugging Face hub, or the sample data.
        head: The name of the head.
        esim: The sizes of the head ``esim``.
    """

    name: ClassVar[str] = "snli"
    version: ClassVar[int] = 1
    primary_metric: ClassVar[str] = "accuracy"
    counts = staticmethod(label_counts)
    learned: ClassVar[tuple[str, ...]] = ()
    labels: ClassVar[tuple[str, ...]] = LABELS
    tokenizer: ClassVar[str] = "english"
    answer = label_answer

    data: DataConfig
    head: Literal["esim"] = "esim"
    esim: EsimOptions = field(default_factory=EsimOptions)

    @property
    def data_name(self) -> str:
        """The name of the data in tables."""
        return data_name(self.data, "snli")

    @read_once
    def examples(self, split: Split) -> Sequence[Example]:
        """Return the examples of a split; the target of an example is its label."""
        if self.data.source == "sample":
            return to_examples(sample.pairs(split), split)
        if self.data.source == "official":
            rows = official_rows("snli", split, cache_dir=self.data.cache_dir)
            return to_examples(pairs_of_rows(rows, f"{self.data_name}, {split}"), split)
        return self.read(split_file(self.data, split, official="snli"), prefix=split)

    def read(self, path: Path, *, prefix: str, labelled: bool = True) -> tuple[Example, ...]:
        """Return the examples of a file.

        Args:
            path: The file.
            prefix: The start of the ids of the examples.
            labelled: Whether to read the labels and to drop pairs without one. If not, the targets are None.
        """
        return to_examples(read_pairs(path, labelled=labelled), prefix)

    def write_sample(self, folder: Path) -> list[Path]:
        """Write the sample data as jsonl files; return their paths."""
        return write_sample_files(folder, suffix=".jsonl", text=sample.jsonl)

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples to a batch; gold ``labels`` are int64 (batch,)."""
        masks = {text: mask_of_sentences(e.texts[text] for e in examples) for text in PAIR}  # (batch, tokens) each
        gold = {}
        if all(example.target is not None for example in examples):
            gold["labels"] = torch.tensor([LABELS.index(example.target) for example in examples])  # (batch,)
        return Batch(examples=tuple(examples), masks=masks, gold=gold)

    def build_head(self, *, input_dim: int, output_dim: int) -> TextClassifier:
        """Return an untrained head.

        Args:
            input_dim: The width of the token vectors that enter the head.
            output_dim: The width of the vectors that are joined to the output of its first BiLSTM; 0 for none.
        """
        network = Esim(input_dim=input_dim, output_dim=output_dim, num_labels=len(LABELS), **asdict(self.esim))
        return TextClassifier(network=network, labels=LABELS)

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Score the labels; see ``score_labels``.

        Args:
            gold: The examples with their labels.
            predictions: The prediction for each example, in the same order.
        """
        return Metrics(score_labels([e.target for e in gold], [p.value for p in predictions], LABELS))


def to_examples(pairs: Sequence[SentencePair], prefix: str) -> tuple[Example, ...]:
    """Return one example per pair, with both sentences split into words; one without a label keeps its raw texts.

    An example has the id of the data set if every pair has one and no two are equal, otherwise its position as id.

    Args:
        pairs: The pairs.
        prefix: The start of an id from the position.
    """
    own_ids = len({pair.id for pair in pairs if pair.id}) == len(pairs)
    return tuple(
        Example(
            id=pair.id if own_ids else f"{prefix}-{i}",
            texts={"premise": words(pair.premise), "hypothesis": words(pair.hypothesis)},
            target=pair.label,
            origin=_origin(pair) if pair.label is None else None,  # training does not need it, and it takes memory
        )
        for i, pair in enumerate(pairs)
    )


def _origin(pair: SentencePair) -> dict[str, TokenizedText]:
    """Return the raw texts of a pair with the positions of their words."""
    return {text: TokenizedText.of(getattr(pair, text), tokenize) for text in PAIR}

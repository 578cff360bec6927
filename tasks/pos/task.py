"""Part-of-speech tagging: give each word of a sentence its class.

Source: Peters et al. 2018, section 5.3, where a linear classifier shows what a layer encodes of syntax.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from harness.config.bounds import Seed
from harness.config.schema import DataConfig
from harness.nn.masking import mask_of_sentences
from harness.types import Batch, Example, Metrics, Prediction, Split
from tasks.common.answers import token_labels_answer
from tasks.common.control import labels_of_tokens, tokens_of, with_token_labels
from tasks.common.heads.bilstm_options import BiLstmOptions
from tasks.common.heads.bilstm_tagger import BiLstmTagger
from tasks.common.heads.linear_tagger import LinearTagger
from tasks.common.heads.mlp import MlpOptions, MlpTagger
from tasks.common.heads.token_classifier import TokenClassifier
from tasks.common.label_scores import IGNORED, labels_in_train, score_labels, token_label_counts
from tasks.common.official import data_name
from tasks.common.sample_data import write_sample_files
from tasks.common.splits import CUTS, read_once, split_file, tagged_examples
from tasks.pos import sample
from tasks.pos.reader import Tagset, read_conllu


@dataclass(frozen=True, kw_only=True)
class PosTagging:
    """Part-of-speech tagging with one label per token, scored by accuracy over tokens.

    Args:
        data: The data: CoNLL-U files, English EWT from its owners, or the sample data.
        tagset: Which tags to predict: universal tags, or those of the language.
        control: The seed of the control task, in which each word type has one label, drawn at random; None for the task
            itself.
        head: The name of the head: a linear probe, an MLP probe or a BiLSTM tagger.
        mlp: The sizes of the head ``mlp``.
        bilstm: The sizes of the head ``bilstm``.
    """

    name: ClassVar[str] = "pos"
    version: ClassVar[int] = 1
    primary_metric: ClassVar[str] = "accuracy"
    counts = staticmethod(token_label_counts)
    learned: ClassVar[tuple[str, ...]] = ("labels",)
    labels_of = staticmethod(labels_of_tokens)
    kinds_of = staticmethod(tokens_of)
    with_labels = staticmethod(with_token_labels)
    tokenizer: ClassVar[str] = "whitespace"
    answer = staticmethod(token_labels_answer)

    data: DataConfig
    tagset: Tagset = "upos"
    control: Seed | None = None
    head: Literal["linear", "mlp", "bilstm"] = "linear"
    mlp: MlpOptions = field(default_factory=MlpOptions)
    bilstm: BiLstmOptions = field(default_factory=BiLstmOptions)

    @property
    def data_name(self) -> str:
        """The name of the data in tables."""
        return data_name(self.data, "ewt")

    @read_once
    def examples(self, split: Split) -> Sequence[Example]:
        """Return the examples of a split; the target of an example is one tag per token."""
        if self.data.source == "sample":
            return tagged_examples(sample.tagged(split, self.tagset), split)
        return self.read(split_file(self.data, split, official="ewt", taken=CUTS), prefix=split)

    def read(self, path: Path, *, prefix: str, labelled: bool = True) -> list[Example]:
        """Return the examples of a file.

        Args:
            path: The file.
            prefix: The start of the ids of the examples.
            labelled: Whether to read the tags. If not, the targets are None.
        """
        return tagged_examples(read_conllu(path, self.tagset, labelled=labelled), prefix)

    def write_sample(self, folder: Path) -> list[Path]:
        """Write the sample data as CoNLL-U files; return their paths."""
        return write_sample_files(folder, suffix=".conllu", text=sample.conllu)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The tags in the training data; a head predicts no other tag."""
        return labels_in_train(self.examples, lambda example: example.target, "tokens have a tag")

    @cached_property
    def _label_ids(self) -> dict[str, int]:
        return {label: i for i, label in enumerate(self.labels)}

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples to a batch; gold ``labels`` are int64 (batch, tokens), ``IGNORED`` at padding."""
        masks = {"tokens": mask_of_sentences(example.texts["tokens"] for example in examples)}  # (batch, tokens)
        gold = {}
        if all(example.target is not None for example in examples):
            rows = [torch.tensor([self._label_ids.get(tag, IGNORED) for tag in e.target]) for e in examples]
            gold["labels"] = pad_sequence(rows, batch_first=True, padding_value=IGNORED)  # (batch, tokens)
        return Batch(examples=tuple(examples), masks=masks, gold=gold)

    def build_head(self, *, input_dim: int, output_dim: int) -> TokenClassifier:
        """Return an untrained head.

        Args:
            input_dim: The width of the token vectors that enter the head.
            output_dim: The width of the vectors that are joined to the output of its encoder; 0 for none.
        """
        dims: dict[str, Any] = {"input_dim": input_dim, "output_dim": output_dim, "num_labels": len(self.labels)}
        network: nn.Module
        if self.head == "linear":
            network = LinearTagger(**dims)
        elif self.head == "mlp":
            network = MlpTagger(**dims, options=self.mlp)
        else:
            network = BiLstmTagger(
                **dims,
                hidden_dim=self.bilstm.hidden_dim,
                num_layers=self.bilstm.num_layers,
                dropout=self.bilstm.dropout,
            )
        return TokenClassifier(network=network, labels=self.labels)

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Score the labels of all tokens together; see ``score_labels``.

        There is no confusion matrix, because it would have 50 x 50 numbers for the tags of English.

        Args:
            gold: The examples with their tags.
            predictions: The prediction for each example, in the same order.
        """
        expected = list(chain.from_iterable(example.target for example in gold))
        found = list(chain.from_iterable(prediction.value for prediction in predictions))
        labels = sorted({*self.labels, *expected})
        return Metrics(score_labels(expected, found, labels, confusion=False))

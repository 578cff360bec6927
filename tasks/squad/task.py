"""Reading comprehension on SQuAD v1.1: answer a question with a span of a passage.

Source: Rajpurkar et al. 2016 (the data); Peters et al. 2018, section 4 and supplement A.4.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from harness.config.bounds import Positive
from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.nn.char_cnn import CharCnnWords, char_ids
from harness.nn.masking import mask_of_sentences
from harness.types import Batch, Example, Metrics, Prediction, Split
from tasks.common.answers import span_of
from tasks.common.official import data_name, official_rows
from tasks.common.sample_data import write_sample_files
from tasks.common.splits import read_once, split_file
from tasks.squad import sample
from tasks.squad.bidaf import Bidaf, BidafOptions
from tasks.squad.bidaf_self_attention import BidafSelfAttention, SelfAttentionOptions
from tasks.squad.metric import best_scores, score_answers
from tasks.squad.reader import Origin, examples_of_articles, examples_of_rows, read_squad
from tasks.squad.span_head import SpanHead
from tasks.squad.token_embedding import TokenEmbedding

log = logging.getLogger(__name__)

TEXTS = ("passage", "question")


@dataclass(frozen=True, kw_only=True)
class ReadingComprehension:
    """Reading comprehension, scored by F1 over the words of an answer and by exact match.

    The test set of SQuAD is not public, so ``data=official`` uses dev as test and logs a warning. With ``data=files``,
    ``data.test`` may be any file, including the one of ``data.dev``.

    Args:
        data: The data: files in the layout of SQuAD v1.1, SQuAD v1.1 from the Hugging Face hub, or the sample data.
        head: The name of the head: BiDAF, or the model of the paper.
        bidaf: The sizes of the head ``bidaf``.
        bidaf_self_attention: The sizes of the head ``bidaf_self_attention``.
        max_passage_tokens: The number of tokens after which a passage of the training data is cut; null for no limit.
    """

    name: ClassVar[str] = "squad"
    version: ClassVar[int] = 2
    primary_metric: ClassVar[str] = "f1"
    learned: ClassVar[tuple[str, ...]] = ()
    tokenizer: ClassVar[str] = "english"

    data: DataConfig
    head: Literal["bidaf", "bidaf_self_attention"] = "bidaf"
    bidaf: BidafOptions = field(default_factory=BidafOptions)
    bidaf_self_attention: SelfAttentionOptions = field(default_factory=SelfAttentionOptions)
    max_passage_tokens: Positive | None = 400

    @property
    def data_name(self) -> str:
        """The name of the data in tables."""
        return data_name(self.data, "squad")

    @read_once
    def examples(self, split: Split) -> Sequence[Example]:
        """Return the examples of a split; the target of an example is its ``answers`` and the ``spans`` of tokens."""
        if split == "test" and self._test_is_dev:
            log.warning("the test data are the dev data, which select the epoch; the test score is not on unseen data")
            return self.examples("dev")
        if self.data.source == "sample":
            examples = examples_of_articles(sample.articles(split), f"sample {split}")
        elif self.data.source == "official":
            rows = official_rows("squad", split, cache_dir=self.data.cache_dir)
            examples = examples_of_rows(rows, f"squad {split}")
        else:
            examples = self.read(split_file(self.data, split, official="squad"), prefix=split)
        if split == "train" and self.max_passage_tokens is not None:
            return _with_short_passages(examples, self.max_passage_tokens)
        return examples

    def read(self, path: Path, *, prefix: str, labelled: bool = True) -> list[Example]:  # noqa: ARG002
        """Return the examples of a file with their whole passages.

        Args:
            path: The file.
            prefix: Not used, because every question has its own id.
            labelled: Whether to read the answers. If not, the targets are None.
        """
        return read_squad(path, labelled=labelled)

    @property
    def _test_is_dev(self) -> bool:
        """Whether the test data are the dev data."""
        if self.data.source == "files":
            return self.data.path("test").resolve() == self.data.path("dev").resolve()
        return self.data.source == "official"

    def write_sample(self, folder: Path) -> list[Path]:
        """Write the sample data as JSON files in the layout of SQuAD v1.1; return their paths."""
        return write_sample_files(folder, suffix=".json", text=sample.json_text)

    @property
    def _sizes(self) -> BidafOptions | SelfAttentionOptions:
        """The sizes of the chosen head."""
        return self.bidaf if self.head == "bidaf" else self.bidaf_self_attention

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples to a batch; gold ``span`` is int64 (batch, 2), the first and the last token of an answer."""
        texts = {text: [example.texts[text] for example in examples] for text in TEXTS}
        masks = {text: mask_of_sentences(sentences) for text, sentences in texts.items()}  # (batch, tokens) each
        gold, inputs, chars = {}, {}, self._sizes.chars
        if chars.filters:  # (batch, tokens, chars) each
            inputs = {f"{text}_chars": char_ids(sentences, chars.max_chars) for text, sentences in texts.items()}
        if all(example.target is not None for example in examples):
            gold["span"] = torch.tensor([example.target["spans"][0] for example in examples])  # (batch, 2)
        return Batch(examples=tuple(examples), masks=masks, inputs=inputs, gold=gold)

    def build_head(self, *, input_dim: int, output_dim: int) -> SpanHead:
        """Return an untrained head.

        Args:
            input_dim: The width of the token vectors that enter the head.
            output_dim: The width of the vectors that are joined to the output of its first BiLSTM or BiGRU; 0 for none.
        """
        sizes, chars = self._sizes, self._sizes.chars
        char_cnn = None
        if chars.filters:
            char_cnn = CharCnnWords(char_dim=chars.dim, filters=chars.filters, width=chars.width, dropout=chars.dropout)
        words = TokenEmbedding(input_dim=input_dim, char_cnn=char_cnn, char_dropout=chars.output_dropout)
        network: nn.Module
        if isinstance(sizes, BidafOptions):
            network = Bidaf(
                words=words,
                output_dim=output_dim,
                hidden_dim=sizes.hidden_dim,
                modelling_layers=sizes.modelling_layers,
                highway_layers=sizes.highway_layers,
                dropout=sizes.dropout,
            )
        else:
            network = BidafSelfAttention(
                words=words, output_dim=output_dim, hidden_dim=sizes.hidden_dim, dropout=sizes.dropout
            )
        return SpanHead(network=network, max_answer_tokens=sizes.max_answer_tokens)

    def answer(self, example: Example, prediction: Prediction) -> Mapping[str, Any]:
        """Return the answer to a question: its tokens, its characters and its text in the passage.

        Args:
            example: The question and its passage.
            prediction: The best span of the passage.
        """
        best = prediction.value
        if best is None:
            return {"answer": None}
        span = span_of(example.origin["passage"], best["start"], best["end"] + 1)
        return {"answer": span, "probability": prediction.scores}

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Score the answers by the official rules; see ``score_answers``.

        Args:
            gold: The examples with their answers.
            predictions: The prediction for each example, in the same order.
        """
        answers = {prediction.id: prediction.value["text"] for prediction in predictions}
        return Metrics(score_answers({example.id: example.target["answers"] for example in gold}, answers))

    def counts(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Tensor:
        """Return the F1 of each question, and 1 for the question itself: float64 (questions, 2).

        Args:
            gold: The examples with their answers.
            predictions: The prediction for each example, in the same order.
        """
        pairs = zip(gold, predictions, strict=True)
        scores = [best_scores(p.value["text"], e.target["answers"])[1] for e, p in pairs]
        return torch.tensor([[score, 1.0] for score in scores], dtype=torch.float64)


def _with_short_passages(examples: Sequence[Example], max_tokens: int) -> list[Example]:
    """Cut long passages, and leave out the examples whose first answer is no longer in the passage."""
    short: dict[int, Origin] = {}
    kept = []
    for example in examples:
        origin: Origin = example.origin
        if len(origin["passage"].tokens) > max_tokens:
            origin = short.setdefault(id(origin), {"passage": origin["passage"].truncated(max_tokens)})
        if example.target["spans"][0][1] < max_tokens:
            texts = {**example.texts, "passage": origin["passage"].tokens}
            kept.append(replace(example, texts=texts, origin=origin))
    if short:
        log.info(
            "train: cut %s passages after %d tokens (task.max_passage_tokens); left out %s of %s questions",
            f"{len(short):,}",
            max_tokens,
            f"{len(examples) - len(kept):,}",
            f"{len(examples):,}",
        )
    if not kept:
        raise ConfigError(
            f"task.max_passage_tokens is {max_tokens}: no answer is within this number of tokens; raise it"
        )
    return kept

"""Reading comprehension on SQuAD v1.1: which words of a passage answer a question? Scored by exact match and F1.

Source: Rajpurkar et al. 2016 (the data); Peters et al. 2018, section 4 and supplement A.4.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

import torch
from torch import Tensor

from harness.config.instantiate import check_bounds
from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.nn.masking import mask_of_sentences
from harness.protocols import Head
from harness.types import Batch, Example, Metrics, Prediction, Split
from tasks.common.label_scores import mean_of_counts
from tasks.common.official import data_name, official_rows
from tasks.squad import sample
from tasks.squad.bidaf import Bidaf, BidafOptions
from tasks.squad.bidaf_self_attention import BidafSelfAttention, SelfAttentionOptions
from tasks.squad.metric import best_scores, score_answers
from tasks.squad.passage import Passage
from tasks.squad.reader import Question, questions_of_articles, questions_of_rows, read_squad

log = logging.getLogger(__name__)

TEXTS = ("passage", "question")


@dataclass(frozen=True, kw_only=True)
class ReadingComprehension:
    """Reading comprehension: the span of a passage that answers a question.

    The test set of SQuAD is not public. ``data=files`` takes any file as ``data.test``, also that of dev;
    ``data=official`` scores dev as test, and says so.

    Args:
        data: files in the layout of SQuAD v1.1, SQuAD v1.1 from the hub, or the project's sample.
        head: which head is trained; its sizes are the node of the same name.
        bidaf, bidaf_self_attention: sizes of each head.
        max_passage_tokens: words after which a passage is cut, in training alone; null: never.
    """

    name: ClassVar[str] = "squad"
    version: ClassVar[int] = 2
    primary_metric: ClassVar[str] = "f1"

    data: DataConfig
    head: Literal["bidaf", "bidaf_self_attention"] = "bidaf"
    bidaf: BidafOptions = field(default_factory=BidafOptions)
    bidaf_self_attention: SelfAttentionOptions = field(default_factory=SelfAttentionOptions)
    max_passage_tokens: int | None = 400

    @property
    def data_name(self) -> str:
        """``sample``, the published data set, or the folder that the training file lies in."""
        return data_name(self.data, "squad")

    def examples(self, split: Split) -> Sequence[Example]:
        """Return a split; an example's target is its gold ``answers`` and the ``spans`` of words that hold them."""
        return self._splits[split]

    @cached_property
    def _splits(self) -> dict[Split, tuple[Example, ...]]:
        train = to_examples(within(self._questions("train"), self.max_passage_tokens))
        dev = to_examples(self._questions("dev"))
        if not self._test_is_dev:
            return {"train": train, "dev": dev, "test": to_examples(self._questions("test"))}
        log.warning("test is the dev data again, by which the epoch is chosen: no score of unseen data")
        return {"train": train, "dev": dev, "test": dev}

    @property
    def _test_is_dev(self) -> bool:
        if self.data.source == "files":
            return self.data.path("test").resolve() == self.data.path("dev").resolve()
        return self.data.source == "official"

    def _questions(self, split: Split) -> list[Question]:
        if self.data.source == "sample":
            return questions_of_articles(sample.articles(split), f"sample {split}")
        if self.data.source == "official":
            return questions_of_rows(official_rows("squad", split, cache_dir=self.data.cache_dir), f"squad {split}")
        return read_squad(self.data.path(split))

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples; gold ``span`` is int64 (batch, 2), the first and the last word of the first answer."""
        texts = {text: [example.texts[text] for example in examples] for text in TEXTS}
        masks = {text: mask_of_sentences(sentences) for text, sentences in texts.items()}  # (batch, tokens) each
        gold = {}
        if all(example.target is not None for example in examples):
            gold["span"] = torch.tensor([example.target["spans"][0] for example in examples])  # (batch, 2)
        chars = (self.bidaf if self.head == "bidaf" else self.bidaf_self_attention).chars
        return Batch(examples=tuple(examples), masks=masks, inputs=chars.inputs(texts), gold=gold)

    def build_head(self, *, input_dim: int, output_dim: int) -> Head:
        """Return an untrained head of the chosen kind."""
        if self.head == "bidaf":
            return Bidaf(input_dim=input_dim, output_dim=output_dim, options=self.bidaf)
        return BidafSelfAttention(input_dim=input_dim, output_dim=output_dim, options=self.bidaf_self_attention)

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Score answers by the official rules; see ``score_answers``."""
        answers = {prediction.id: prediction.value["text"] for prediction in predictions}
        return Metrics(score_answers({example.id: example.target["answers"] for example in gold}, answers))

    def counts(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Tensor:
        """Return each question's F1, and 1 for the question: float64 (questions, 2)."""
        both = zip(gold, predictions, strict=True)
        scores = [best_scores(p.value["text"], e.target["answers"])[1] for e, p in both]
        return torch.tensor([[score, 1.0] for score in scores], dtype=torch.float64)

    def score_of_counts(self, sums: Tensor) -> Tensor:
        """Return the mean F1."""
        return mean_of_counts(sums)


def to_examples(questions: Iterable[Question]) -> tuple[Example, ...]:
    """Make examples of questions; those on one passage hold the same tokens and the same origin."""
    return tuple(
        Example(
            id=question.id,
            texts={"passage": question.passage.tokens, "question": question.tokens},
            target={
                "answers": tuple(answer.text for answer in question.answers),
                "spans": tuple(answer.span for answer in question.answers),
            },
            origin=question.passage,
        )
        for question in questions
    )


def within(questions: Sequence[Question], max_tokens: int | None) -> list[Question]:
    """Cut passages after a number of words, and leave out the questions whose first answer lies beyond.

    Raises:
        ConfigError: no question is left.
    """
    if max_tokens is None:
        return list(questions)
    check_bounds([("task.max_passage_tokens", max_tokens, 1, float("inf"))])
    cut: dict[int, Passage] = {}
    kept = []
    for question in questions:
        passage = question.passage
        if len(passage.tokens) > max_tokens:
            passage = cut.setdefault(id(question.passage), passage.cut(max_tokens))
        if question.answers[0].span[1] < max_tokens:
            kept.append(Question(id=question.id, tokens=question.tokens, passage=passage, answers=question.answers))
    if cut:
        log.info(
            "train: %s passages cut after %d words (task.max_passage_tokens), %s of %s questions left out",
            f"{len(cut):,}",
            max_tokens,
            f"{len(questions) - len(kept):,}",
            f"{len(questions):,}",
        )
    if not kept:
        raise ConfigError(f"task.max_passage_tokens is {max_tokens}: no question is answered within; raise it")
    return kept

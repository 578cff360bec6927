"""Word-sense disambiguation: which sense of a word is meant, by the nearest average vector of its senses.

Source: Peters et al. 2018, section 5.3; Raganato et al. 2017 (EACL E17-1010) for data and score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.nn.masking import mask_of_sentences
from harness.types import Batch, Example, Metrics, Prediction, Split
from tasks.common.answers import span_of
from tasks.common.official import data_name
from tasks.common.splits import CUTS, check_options, read_once
from tasks.wsd import sample
from tasks.wsd.metric import credit, score_senses
from tasks.wsd.reader import Instance, read_senses
from tasks.wsd.sense_averages import SenseAverages
from tasks.wsd.senses import SenseIndex, lemma_of, read_sense_index

# Raganato et al. and Peters et al. use this set as dev data, so their score is over the other four.
_DEV_SET = "semeval2007"


@dataclass(frozen=True, kw_only=True)
class WordSenses:
    """Word-sense disambiguation without training, scored by F1 over the tagged words.

    Args:
        data: The data: SemCor as JSON lines or XML, and XML files of the evaluation framework; or the sample data.
        sense_index: WordNet's ``index.sense``, which gives the order of the senses; needed for ``data=files``.
    """

    name: ClassVar[str] = "wsd"
    version: ClassVar[int] = 1
    primary_metric: ClassVar[str] = "f1"
    learned: ClassVar[tuple[str, ...]] = ("senses", "first_senses")
    tokenizer: ClassVar[str] = "whitespace"

    data: DataConfig
    sense_index: str | None = None

    @property
    def data_name(self) -> str:
        """The name of the data in tables."""
        return data_name(self.data, "wsd")

    @cached_property
    def index(self) -> SenseIndex:
        """The senses of each lemma."""
        if self.data.source == "sample":
            return SenseIndex(sample.SENSES)
        if self.sense_index is None:
            raise ConfigError("task.sense_index is not given; add task.sense_index=FILE, WordNet's index.sense")
        return read_sense_index(Path(self.sense_index))

    @property
    def file_digests(self) -> Mapping[str, str]:
        """The digest of the sense index, which stands for its path in the identity of a run."""
        return {} if self.data.source == "sample" else {"sense_index": self.index.digest}

    @read_once
    def examples(self, split: Split) -> Sequence[Example]:
        """Return the sentences of a split that have tagged words; see ``Instance`` for their targets."""
        if self.data.source == "sample":
            return sample.examples(split)
        return self.read(self.data.path(split), prefix=split)

    def read(self, path: Path, *, prefix: str, labelled: bool = True) -> list[Example]:
        """Return the sentences of a file that have tagged words.

        Args:
            path: The file; see ``read_senses``.
            prefix: The start of the ids of sentences without an id of their own.
            labelled: Whether to read the senses. If not, XML needs no file of keys.
        """
        check_options(self.data, CUTS)
        return read_senses(path, self.index if labelled else None, prefix=prefix)

    def is_own(self, values: Mapping[str, Any]) -> bool:
        """Return whether the tokens of an object of JSON lines have lemmas."""
        tokens = values.get("tokens")
        return isinstance(tokens, list) and bool(tokens) and isinstance(tokens[0], list)

    def write_sample(self, folder: Path) -> list[Path]:
        """Write the sample data: SemCor's JSON lines, XML with its keys, and a sense index; return their paths."""
        return sample.write(folder)

    @cached_property
    def senses(self) -> tuple[str, ...]:
        """The senses that occur in the training data, those of one lemma together, in the order of the index."""
        found = {key for example in self.examples("train") for one in example.target for key in one.senses}
        lemmas = sorted({lemma for key in found if (lemma := lemma_of(key))})
        return tuple(key for lemma in lemmas for key in self.index.senses[lemma] if key in found)

    @cached_property
    def first_senses(self) -> tuple[str, ...]:
        """The first sense of each lemma in the index."""
        return self.index.first_senses

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples to a batch.

        Input ``words`` is int64 (words, 3): of each word of a tagged token, the number of the token in the batch, the
        row and the place. The senses stay in the targets.

        Raises:
            ConfigError: An example does not say which of its words need a sense.
        """
        words: list[tuple[int, int, int]] = []
        count = 0
        for row, example in enumerate(examples):
            if example.target is None:
                raise ConfigError(
                    f"text {example.id} does not say which of its words need a sense; give an .xml file with "
                    '<instance id="1" lemma="bank" pos="NOUN">banks</instance> for each of them'
                )
            for instance in example.target:
                words += [(count, row, place) for place in range(instance.start, instance.end)]
                count += 1
        return Batch(
            examples=tuple(examples),
            masks={"tokens": mask_of_sentences(example.texts["tokens"] for example in examples)},  # (batch, tokens)
            inputs={"words": torch.tensor(words, dtype=torch.int64).reshape(-1, 3)},  # (words, 3)
        )

    def build_head(self, *, input_dim: int, output_dim: int) -> SenseAverages:
        """Return a head that has observed nothing.

        Args:
            input_dim: The width of the token vectors that enter the head.
            output_dim: The width of the vectors that are joined to them; 0 for none.
        """
        return SenseAverages(dim=input_dim + output_dim, senses=self.senses, first_senses=self.first_senses)

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Score the senses of all words together, and those of each set that the ids name; see ``score_senses``.

        ``coverage`` is the part of the words whose lemma was seen in training; the others have the first sense.
        ``first_sense_f1`` is the score of the first sense of every word.

        Args:
            gold: The sentences with the senses of their words.
            predictions: The prediction for each sentence, in the same order.
        """
        words = {word.id: word for example in gold for word in example.target}
        found = {own_id: answer for prediction in predictions for own_id, answer in prediction.value.items()}
        senses = {own_id: word.senses for own_id, word in words.items()}
        answers = {own_id: _as_list(answer["sense"]) for own_id, answer in found.items()}
        first = {own_id: _as_list(self._first.get((word.lemma, word.pos))) for own_id, word in words.items()}
        scores = score_senses(senses, answers)
        scores["coverage"] = sum(found[own_id]["seen"] for own_id in words if own_id in found) / len(words)
        scores["first_sense_f1"] = score_senses(senses, first)["f1"]
        sets = {own_id: _set_of(own_id) for own_id in words}
        names = [name for name in dict.fromkeys(sets.values()) if name]
        if _DEV_SET in names and len(names) > 1:
            rest = {own_id: keys for own_id, keys in senses.items() if sets[own_id] != _DEV_SET}
            scores[f"f1_without_{_DEV_SET}"] = score_senses(rest, answers)["f1"]
        for name in names:
            part = {own_id: keys for own_id, keys in senses.items() if sets[own_id] == name}
            scores[f"{name}/f1"] = score_senses(part, answers)["f1"]
        return Metrics(scores)

    @cached_property
    def _first(self) -> dict[tuple[str, str] | None, str]:
        return {lemma_of(key): key for key in self.first_senses}

    def counts(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Tensor:
        """Return what each sentence adds to numerator and denominator of F1, float64 (sentences, 2).

        Args:
            gold: The sentences with the senses of their words.
            predictions: The prediction for each sentence, in the same order.
        """
        rows = []
        for example, prediction in zip(gold, predictions, strict=True):
            answers = {word: _as_list(answer["sense"]) for word, answer in prediction.value.items()}
            given = [(word, answers[word.id]) for word in example.target if answers.get(word.id)]
            right = sum(credit(word.senses, keys) for word, keys in given)
            rows.append([2 * right, len(given) + len(example.target)])
        return torch.tensor(rows, dtype=torch.float64)

    def answer(self, example: Example, prediction: Prediction) -> Mapping[str, Any]:
        """Return what ``predict`` writes for a sentence: for each tagged token its place, lemma, sense and cosine.

        Args:
            example: The sentence.
            prediction: The senses of its tagged tokens.
        """
        words: Sequence[Instance] = example.target or ()
        rows = []
        for word in words:
            place = span_of(example.origin["tokens"], word.start, word.end)
            found = {**prediction.value[word.id], "cosine": prediction.scores[word.id]}
            rows.append({"id": word.id, "lemma": word.lemma, "pos": word.pos, **place, **found})
        return {"senses": rows}


def _as_list(sense: str | None) -> list[str]:
    """Return an answer as a list, which is empty if there is none."""
    return [] if sense is None else [sense]


def _set_of(own_id: str) -> str:
    """Return the set that the id of a word names (``senseval2.d000.s000.t000``), or nothing (``d000.s000.t000``)."""
    first, *rest = own_id.split(".")
    return first if len(rest) == 3 else ""

"""Trained heads for new text: ``label = harness.load_predictor("results/ner/NAME")``."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.config.schema import TrainerConfig
from harness.errors import ConfigError
from harness.optional_protocols import SplitsText
from harness.prediction.input_text import tokenized
from harness.runs.model_file import Restorable
from harness.training.evaluation import predict
from harness.training.model import Model
from harness.types import Document, Example, Prediction, sentences_of
from harness.utils.tokenized_text import TokenizedText
from harness.utils.tokenizers import tokenizer_named

_PORTION = 20_000  # tokens that are encoded together

Text = str | Sequence[str]  # raw, or its tokens


class Predictor:
    """A trained head that is called with texts, and returns its answers in the same order.

    Args:
        task: The task, which has what it learned from the training data.
        model: The trained model.
        texts: The names of the texts of an example.
        options: The trainer's options; ``eval_batch_size`` and ``max_batch_tokens`` are used.
        tokenizer: The name of the tokeniser of raw text; see ``harness.load_encoder``.
        own_suffix: The suffix of the names of the files of the task's own format that the run has read.
    """

    def __init__(
        self,
        *,
        task: Restorable,
        model: Model,
        texts: Sequence[str],
        options: TrainerConfig,
        tokenizer: str,
        own_suffix: str = "",
    ) -> None:
        self.own_suffix = own_suffix
        self.task, self.texts, self.tokenize = task, tuple(texts), tokenizer_named(tokenizer)
        self._model, self._options = model, options

    def __call__(self, texts: Text | Mapping[str, Text] | Iterable[Text | Mapping[str, Text]]) -> Any:
        """Label texts.

        Args:
            texts: Several texts, each a string, which is tokenised, or a list of tokens; or one string. If the task
                needs several texts, each item is a mapping: ``{"premise": "...", "hypothesis": "..."}``.

        Returns:
            One answer for each item, in the given order: a list of labels, a label, or what the task answers; None for
            a text without tokens. For one string or one mapping, its answer.
        """
        if isinstance(texts, str | Mapping):
            return self([texts])[0]
        if not isinstance(texts, Iterable):
            raise ConfigError(f"{texts!r} is no text; give a string, or a list of texts")
        examples = (self._example(i, item) for i, item in enumerate(texts))
        return [_plain(prediction.value) for _, prediction in self.predict(examples)]

    def predict(self, examples: Iterable[Example]) -> Iterator[tuple[Example, Prediction]]:
        """Yield each example with its prediction, in the given order; memory does not grow with their number.

        Args:
            examples: The examples. Their origin is completed, so that an answer can refer to characters.
        """
        portion: list[Example] = []
        waiting = 0
        for example in examples:
            known = _with_origin(example)
            portion.append(self.task.with_sentences(known) if isinstance(self.task, SplitsText) else known)
            waiting += 1 + sum(map(len, example.texts.values()))
            if waiting >= _PORTION:
                yield from self._label(portion)
                portion, waiting = [], 0
        yield from self._label(portion)

    def row(self, example: Example, prediction: Prediction) -> dict[str, Any]:
        """Return the id, the texts, the tokens and the answer of an example as JSON values.

        Args:
            example: An example that ``predict`` has yielded.
            prediction: Its prediction.
        """
        row: dict[str, Any] = {"id": example.id}
        if len(self.texts) == 1:
            text = example.origin[self.texts[0]]
            row |= {"text": text.text, "tokens": list(text.tokens)}
        else:
            row |= {name: example.origin[name].text for name in self.texts}
            row["tokens"] = {name: list(example.origin[name].tokens) for name in self.texts}
        return row | dict(self.task.answer(example, prediction))

    def _label(self, portion: Sequence[Example]) -> Iterator[tuple[Example, Prediction]]:
        """Yield the examples of a portion with their predictions; a text without tokens has none."""
        whole = [example for example in portion if all(example.texts.values())]
        predictions: Iterator[Prediction] = iter(())
        if whole:
            texts = [text for example in whole for text in example.texts.values()]
            self._model.features.fill_portion([sentence for text in texts for sentence in sentences_of(text)])
            predictions = iter(predict(self.task, self._model, whole, self._options))
        for example in portion:
            empty = not all(example.texts.values())
            yield example, Prediction(id=example.id, value=None) if empty else next(predictions)

    def _example(self, index: int, item: Text | Mapping[str, Text]) -> Example:
        """Return an item of a call as an example."""
        given = item if isinstance(item, Mapping) else {self.texts[0]: item}
        if set(given) != set(self.texts):
            wanted = "{" + ", ".join(f"'{name}': ..." for name in self.texts) + "}"
            raise ConfigError(f"item {index} has the texts {', '.join(map(str, given))}; give {wanted}")
        try:
            origin = {name: tokenized(given[name], self.tokenize) for name in self.texts}
        except ValueError as error:
            raise ConfigError(f"item {index}: {error}; give a string or a list of tokens") from None
        # A document keeps the sentences that it has.
        texts = {name: one if isinstance(one := given[name], Document) else origin[name].tokens for name in origin}
        return Example(id=str(index), texts=texts, origin=origin)


def _with_origin(example: Example) -> Example:
    """Return an example whose origin has every text; tokens without a raw text are joined by spaces."""
    known = example.origin or {}
    joined = {name: TokenizedText.of_tokens(tokens) for name, tokens in example.texts.items() if name not in known}
    return replace(example, origin={**known, **joined}) if joined else example


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value

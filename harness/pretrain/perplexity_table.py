"""A table of perplexities: a biLM under each state policy, next to count-based models.

All models predict the same words of the same vocabulary, ``<UNK>`` and sentence ends included.
"""

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter

import numpy as np

from harness.encoders.elmo import StatePolicy
from harness.pretrain.corpus import Corpus
from harness.pretrain.network import PretrainingNetwork
from harness.pretrain.ngram import Ints, KneserNeyTrigram, Unigram, bounded
from harness.pretrain.perplexity import Perplexity, perplexity
from harness.pretrain.vocabulary import BOS_ROW, EOS_ROW, UNK_ROW, Vocabulary

_STATES: tuple[StatePolicy, ...] = ("zeros", "warm", "carry")
_COUNT_BASED: dict[str, type[Unigram | KneserNeyTrigram]]
_COUNT_BASED = {"unigram": Unigram, "Kneser-Ney trigram": KneserNeyTrigram}
_HEADER = """\
| text | model | forward | backward | average | predictions | unknown |
| --- | --- | --- | --- | --- | --- | --- |"""

Row = tuple[str, str, Perplexity]  # the name of the text, the name of the model, and its perplexities


def bilm_rows(network: PretrainingNetwork, tests: Mapping[str, Corpus], vocabulary: Vocabulary) -> Iterator[Row]:
    """Yield the perplexities of a biLM under each state policy.

    Args:
        network: The biLM with its softmax.
        tests: Held-out texts, by name.
        vocabulary: The words of the softmax.
    """
    texts = {name: [test.words_of(index) for index in range(len(test))] for name, test in tests.items()}
    for state in _STATES:
        for name, sentences in texts.items():
            yield name, f"biLM, state={state}", perplexity(network, sentences, vocabulary, state=state)


def count_based_rows(train: Corpus, tests: Mapping[str, Corpus], vocabulary: Vocabulary) -> Iterator[Row]:
    """Yield the perplexities of a unigram and of a Kneser-Ney trigram.

    Args:
        train: The text whose words are counted.
        tests: Held-out texts, by name.
        vocabulary: The words that are predicted.
    """
    for label, model in _COUNT_BASED.items():
        perplexities: dict[str, list[float]] = {name: [] for name in tests}
        unknown: dict[str, int] = {}
        for begin, end in ((BOS_ROW, EOS_ROW), (EOS_ROW, BOS_ROW)):
            trained = model(tokens=_tokens(train, vocabulary, begin, end), size=len(vocabulary), begin=begin)
            for name, test in tests.items():
                tokens = _tokens(test, vocabulary, begin, end)
                perplexities[name].append(float(np.exp(-trained.log_probabilities(tokens).mean())))
                unknown[name] = int((tokens == UNK_ROW).sum())
        for name, test in tests.items():
            forward, backward = perplexities[name]
            predictions = test.num_tokens + len(test)
            yield name, label, Perplexity(forward, backward, predictions, unknown[name] / predictions)


def _tokens(corpus: Corpus, vocabulary: Vocabulary, begin: int, end: int) -> Ints:
    """Return a corpus as rows of the vocabulary, each sentence in reading order between its boundaries."""
    rows, step = vocabulary.rows_of(corpus.words), 1 if begin == BOS_ROW else -1
    return bounded((rows[corpus.sentence(i)][::step] for i in range(len(corpus))), begin=begin, end=end)


def table(rows: Sequence[Row]) -> str:
    """Return a Markdown table with one line per text and model."""
    lines = [_HEADER]
    for text, model, one in sorted(rows, key=itemgetter(0)):
        lines.append(
            f"| {text} | {model} | {one.forward:.1f} | {one.backward:.1f} | {one.average:.1f} | "
            f"{one.tokens:,} | {100 * one.unknown:.1f} % |"
        )
    return "\n".join(lines)

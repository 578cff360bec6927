"""Draw the sentences, tokens and words of a text that are measured. The same seed draws the same ones."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import DataFormatError
from harness.types import Sentence

Array = np.ndarray

FEWEST_CONTEXTS = 5  # a word in fewer sentences has no self-similarity (Ethayarajh 2019, section 3.2)
MOST_CONTEXTS = 50


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What is drawn from a text. The rows of ``places`` are the vectors to measure.

    Attributes:
        sentences: Different sentences.
        places: int64 (rows, 2): the sentence of each row and the position of its token there.
        tokens: The rows of tokens that are drawn at random from all sentences.
        words: The rows of each word: one place in each of 5 to 50 sentences with the word.
        controls: For each word, as many rows of ``tokens``, drawn at random.
        whole: The rows of whole sentences, two or more tokens each.
    """

    sentences: Sequence[Sentence]
    places: Array
    tokens: slice
    words: Sequence[slice]
    controls: Sequence[Array]
    whole: Sequence[slice]

    @property
    def token_count(self) -> int:
        """The number of tokens drawn at random."""
        return int(self.tokens.stop - self.tokens.start)

    @property
    def intra_sentence_of_noise(self) -> float:
        """The intra-sentence similarity of independent vectors in these sentences, if they had many dimensions."""
        lengths = [rows.stop - rows.start for rows in self.whole]
        return float(np.mean(np.array(lengths) ** -0.5)) if lengths else math.nan


def sampled_sentences(text: Iterable[Sentence], *, count: int, seed: int) -> list[Sentence]:
    """Return different sentences of a text in random order; memory does not grow with the text.

    Each sentence has a pseudo-random number, a digest of the seed and its words, and those with the smallest numbers
    are kept. So their order and their repetitions in the text change nothing.

    Args:
        text: The sentences of the text; those without tokens are left out.
        count: How many sentences to keep; all of a smaller text.
        seed: The seed of the draw.
    """
    kept: dict[bytes, Sentence] = {}
    for sentence in text:
        if sentence:
            words = "\0".join(sentence).encode("utf-8", "surrogatepass")
            kept[hashlib.blake2b(words, digest_size=16, key=str(seed).encode()).digest()] = sentence
            if len(kept) >= 2 * count + 1000:
                kept = dict(sorted(kept.items())[:count])
    return [sentence for _, sentence in sorted(kept.items())[:count]]


def draw(sentences: Sequence[Sentence], *, tokens: int, words: int, whole: int, seed: int) -> Sample:
    """Draw tokens, words and whole sentences.

    Args:
        sentences: Different sentences in random order.
        tokens: How many tokens to draw from all sentences.
        words: How many of the words to draw that are in at least five sentences; each is equally likely.
        whole: How many sentences of two or more tokens to use whole.
        seed: The seed of the draws.

    Raises:
        DataFormatError: There are fewer than four tokens.
    """
    generator = np.random.default_rng(seed)
    lengths = np.array([len(sentence) for sentence in sentences], dtype=np.int64)  # (sentences,)
    total = int(lengths.sum())
    if total < 4:
        raise DataFormatError(f"the text has {total} token(s), and geometry needs 4 or more; give a longer text")
    drawn = np.sort(generator.choice(total, size=min(tokens, total), replace=False))  # (tokens,)
    ends = lengths.cumsum()
    own = np.searchsorted(ends, drawn, side="right")  # (tokens,), the sentence of each token
    groups: list[Array] = [np.stack([own, drawn - (ends - lengths)[own]], axis=1)]
    contexts = _contexts(sentences)
    names = sorted(contexts)
    chosen = [names[i] for i in generator.permutation(len(names))[:words]]
    for name in chosen:
        places = np.array(contexts[name], dtype=np.int64)  # (contexts, 2)
        groups.append(places[generator.permutation(len(places))[:MOST_CONTEXTS]])
    controls = [generator.choice(len(drawn), size=min(len(group), len(drawn)), replace=False) for group in groups[1:]]
    longer = [i for i, sentence in enumerate(sentences) if len(sentence) > 1][:whole]
    groups += [np.stack([np.full(lengths[i], i), np.arange(lengths[i])], axis=1) for i in longer]
    stops = np.cumsum([len(group) for group in groups]).tolist()
    slices = [slice(stop - len(group), stop) for stop, group in zip(stops, groups, strict=True)]
    return Sample(
        sentences=sentences,
        places=np.concatenate(groups),
        tokens=slices[0],
        words=slices[1 : 1 + len(chosen)],
        controls=controls,
        whole=slices[1 + len(chosen) :],
    )


def _contexts(sentences: Sequence[Sentence]) -> dict[str, list[tuple[int, int]]]:
    """Return the first place in each sentence of every word that is in enough sentences."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for i, sentence in enumerate(sentences):
        for word in dict.fromkeys(sentence):
            found[word].append((i, sentence.index(word)))
    return {word: places for word, places in found.items() if len(places) >= FEWEST_CONTEXTS}

"""Windows of text for truncated backpropagation: parallel streams of sentences, cut into equal numbers of steps.

Source: bilm-tf (``bilm/data.py``). Sentences are packed without padding: when the sentence of a stream ends, the stream
takes the next one. The LSTM state is carried from window to window. The forward LM reads ``<S> w1 .. wn`` and
predicts ``w1 .. wn </S>``; the backward LM reads ``</S> wn .. w1`` and predicts ``wn .. w1 <S>``.
"""

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.pretrain.corpus import BOS_TYPE, EOS_TYPE, Corpus

Ids = NDArray[np.int64]


class Windows:
    """An endless sequence of windows. Each epoch visits the sentences in another random order.

    Args:
        corpus: The text.
        streams: Number of sentences that are read in parallel.
        steps: Number of words per stream in one window.
        seed: Seed of the random orders.
    """

    def __init__(self, *, corpus: Corpus, streams: int, steps: int, seed: int) -> None:
        self._corpus, self._streams, self._steps, self._seed = corpus, streams, steps, seed
        self._epoch, self._taken = 0, 0
        self._order = self._shuffled()
        self._current = [self._take() for _ in range(streams)]  # the sentence that each stream reads
        self._offset = [0] * streams  # how many of its words are already read

    def next(self) -> tuple[Ids, Ids]:
        """Return the words that are read and those that are predicted, int64 (directions, steps, streams) each."""
        inputs = np.empty((2, self._steps, self._streams), dtype=np.int64)
        targets = np.empty_like(inputs)
        for stream in range(self._streams):
            filled = 0
            while filled < self._steps:
                words = self._corpus.sentence(self._current[stream])  # (words,)
                sentence = np.concatenate([[BOS_TYPE], words, [EOS_TYPE]])  # (words + 2,)
                offset = self._offset[stream]
                if offset == len(sentence) - 1:
                    self._current[stream], self._offset[stream] = self._take(), 0
                    continue
                end = min(filled + len(sentence) - 1 - offset, self._steps)
                size = end - filled
                for direction, words in enumerate((sentence, sentence[::-1])):
                    inputs[direction, filled:end, stream] = words[offset : offset + size]
                    targets[direction, filled:end, stream] = words[offset + 1 : offset + size + 1]
                self._offset[stream] += size
                filled = end
        return inputs, targets

    def state(self) -> dict[str, Any]:
        """Return the position of every stream, for ``restore``."""
        streams = {"current": list(self._current), "offset": list(self._offset)}
        return {"epoch": self._epoch, "taken": self._taken, **streams}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from the position that ``state`` returned.

        Raises:
            ValueError: There is no such position in this text.
        """
        self._epoch, self._taken = map(operator.index, (state["epoch"], state["taken"]))
        self._current, self._offset = ([operator.index(n) for n in state[key]] for key in ("current", "offset"))
        known = range(len(self._corpus))
        if len(self._current) != self._streams or self._taken not in range(len(known) + 1) or self._epoch < 0:
            raise ValueError("it is at another place than this text has")
        for sentence, offset in zip(self._current, self._offset, strict=True):
            if sentence not in known or offset not in range(len(self._corpus.sentence(sentence)) + 2):
                raise ValueError("it is at another place than this text has")
        self._order = self._shuffled()

    def _shuffled(self) -> Ids:
        return np.random.default_rng([self._seed, self._epoch]).permutation(len(self._corpus))  # (sentences,)

    def _take(self) -> int:
        """Return the next sentence of the epoch, and begin another epoch after the last one."""
        if self._taken == len(self._order):
            self._epoch, self._taken = self._epoch + 1, 0
            self._order = self._shuffled()
        self._taken += 1
        return int(self._order[self._taken - 1])

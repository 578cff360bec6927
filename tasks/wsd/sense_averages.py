"""The head of word senses: the nearest of the average vectors of the senses, which one pass over the data gives.

Source: Melamud et al. 2016 (context2vec, K16-1006), section 4.3; Peters et al. 2018, section 5.3.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.types import Batch, Prediction, TokenVectors
from tasks.wsd.senses import by_lemma, lemma_of

_EQUAL = 1e-6  # cosines that differ by less are equal; without context, those of one word differ by rounding alone


class SenseAverages(nn.Module):
    """Gives a word the sense whose average vector has the greatest cosine with the vector of the word.

    Only the senses of its lemma and part of speech that were observed are compared; of equal ones, the first wins. If
    none was observed, the answer is the first sense of the lemma in the sense index. The vector of several words is
    their mean.

    A cosine does not depend on the length of a vector, so the sums of the vectors are kept, and not the averages. They
    are summed in float64.

    Args:
        dim: The width of the vectors.
        senses: The senses that occur in the training data, those of one lemma together, in the order of the index.
        first_senses: The first sense of each lemma in the index.
    """

    def __init__(self, *, dim: int, senses: Sequence[str], first_senses: Sequence[str]) -> None:
        super().__init__()
        self._candidates = by_lemma(senses)
        self._first = {lemma_of(key): key for key in first_senses}
        # A lemma with only one sense needs no vectors, so its sense has no row among the sums.
        several = [key for keys in self._candidates.values() if len(keys) > 1 for key in keys]
        self._rows = {key: row for row, key in enumerate(several)}
        self._places = {key: place for place, key in enumerate(senses)}
        self.sums: Tensor
        self.counts: Tensor
        self.register_buffer("sums", torch.zeros(len(several), dim, dtype=torch.float64))
        self.register_buffer("counts", torch.zeros(len(senses), dtype=torch.int64))

    def observe(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> None:
        """Add the vectors of a batch to the sums of their senses.

        Args:
            vectors: The token vectors of the text ``tokens``.
            batch: Sentences with tagged tokens.
        """
        pooled = _pooled(vectors["tokens"], batch)  # (instances, dim)
        instances = [instance for example in batch.examples for instance in example.target]
        pairs = [(i, key) for i, instance in enumerate(instances) for key in instance.senses]
        summed = torch.tensor([(i, self._rows[key]) for i, key in pairs if key in self._rows], device=pooled.device)
        if summed.numel():
            self.sums.index_add_(0, summed[:, 1], pooled[summed[:, 0]])
        for _, key in pairs:
            self.counts[self._places[key]] += 1

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return a mapping from the id of each tagged token to its ``sense``, and to whether the lemma was ``seen``.

        Args:
            vectors: The token vectors of the text ``tokens``.
            batch: Sentences with tagged tokens, with or without senses.
        """
        pooled = iter(_pooled(vectors["tokens"], batch))
        counts = self.counts.tolist()
        predictions = []
        for example in batch.examples:
            value, cosines = {}, {}
            for instance in example.target:
                lemma, vector = (instance.lemma, instance.pos), next(pooled)  # (dim,)
                seen = [key for key in self._candidates.get(lemma, ()) if counts[self._places[key]]]
                sense, cosine = self._nearest(vector, seen) if seen else (self._first.get(lemma), None)
                value[instance.id] = {"sense": sense, "seen": bool(seen)}
                cosines[instance.id] = cosine
            predictions.append(Prediction(id=example.id, value=value, scores=cosines))
        return predictions

    def _nearest(self, vector: Tensor, senses: Sequence[str]) -> tuple[str, float | None]:
        """Return the nearest of some senses and its cosine with a vector, float64 (dim,); a single one has none."""
        if len(senses) == 1:
            return senses[0], None
        sums = self.sums[[self._rows[key] for key in senses]]  # (senses, dim)
        cosines = F.cosine_similarity(sums, vector[None], dim=1).tolist()
        best = next(i for i, cosine in enumerate(cosines) if cosine >= max(cosines) - _EQUAL)
        return senses[best], cosines[best]


def _pooled(tokens: TokenVectors, batch: Batch) -> Tensor:
    """Return the mean vector of the words of each tagged token, float64 (instances, dim)."""
    words = batch.inputs["words"]  # (words, 3): the instance, the row and the place of each word
    joined = tokens.join_output(tokens.input)  # (batch, tokens, dim)
    each = joined[words[:, 1], words[:, 2]].double()  # (words, dim)
    number = int(words[-1, 0]) + 1 if len(words) else 0
    sums = each.new_zeros(number, each.shape[1]).index_add_(0, words[:, 0], each)  # (instances, dim)
    return sums / torch.bincount(words[:, 0], minlength=number).unsqueeze(1)

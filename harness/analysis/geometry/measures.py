"""Measures of the geometry of vectors, on arrays (vectors, dim) in float64.

Source: Ethayarajh 2019 (EMNLP), "How Contextual are Contextualized Word Representations?", section 3; Kornblith et al.
2019 (ICML), "Similarity of Neural Network Representations Revisited", section 3.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray


def mean_cosine(vectors: Array) -> float:
    """Return the mean cosine of all pairs of different rows; NaN if there is no pair.

    Over the occurrences of one word, this is its self-similarity. Over random words of a text, it is the anisotropy of
    the space: 0 if the directions of the vectors are uniformly distributed. The sum over pairs is computed from the
    sum of the unit vectors, so that no pair is left out. A vector of zeros has cosine 0 with every other.

    Source: Ethayarajh 2019, sections 3.3 and 3.4.
    """
    if len(vectors) < 2:
        return math.nan
    units = _units(vectors)  # (vectors, dim)
    total = units.sum(axis=0)  # (dim,)
    return float(total @ total - np.vdot(units, units)) / (len(vectors) * (len(vectors) - 1))


def similarity_to_mean(vectors: Array) -> float:
    """Return the mean cosine between the vectors of a sentence and their mean: the intra-sentence similarity.

    It depends on the length of the sentence: n independent vectors of many dimensions have about ``1 / sqrt(n)``.

    Source: Ethayarajh 2019, section 3.3.
    """
    mean = _units(vectors.mean(axis=0, keepdims=True))[0]  # (dim,)
    return float((_units(vectors) @ mean).mean())


def first_component_share(vectors: Array) -> float:
    """Return the share of the variance that lies along the first principal component; NaN without any variance.

    The mean is subtracted first, as in the code of the paper: its formula, which takes the singular values of the
    vectors themselves, gives mainly the length of their mean.

    Source: Ethayarajh 2019, section 3.3, "maximum explainable variance".
    """
    centred = _centred(vectors)  # (vectors, dim)
    products = centred @ centred.T if len(centred) < centred.shape[1] else centred.T @ centred  # (smaller, smaller)
    total = float(np.trace(products))
    return float(np.linalg.eigvalsh(products)[-1]) / total if total > 0 else math.nan


def linear_cka(views: Sequence[Callable[[], Array]]) -> tuple[Array, Array]:
    """Return the linear CKA of each pair of views of the same tokens, plain and debiased.

    Plain CKA of unrelated views is not 0, but about ``dim / tokens``; the debiased estimate is near 0. Both are 1 if
    one view is a rotation of the other. A view without any variance gives NaN.

    Args:
        views: One function per view that returns its vectors, (tokens, dim), one row per token, in the same order
            for all views. Two views are in memory at the same time. At least four tokens are needed.

    Returns:
        Plain and debiased CKA, both (views, views) and symmetric.

    Source: Kornblith et al. 2019, equation 4 and section 3 (linear kernel); for the debiased estimate, Song et al. 2012
    (JMLR), "Feature Selection via Dependence Maximization", equation 5.
    """
    products = np.zeros((2, len(views), len(views)))
    for i, view in enumerate(views):
        x = _centred(view())
        for j in range(i, len(views)):
            y = x if j == i else _centred(views[j]())
            products[:, i, j] = products[:, j, i] = _hsic(x, y)
    own = np.diagonal(products, axis1=1, axis2=2)  # (2, views)
    scales = np.sqrt(np.where(own > 0, own, math.nan))  # (2, views)
    plain, debiased = products / (scales[:, :, None] * scales[:, None, :])
    return plain, debiased


def _hsic(x: Array, y: Array) -> tuple[float, float]:
    """Return the dependence of two centred views, up to a factor: the biased and the unbiased estimate."""
    biased = float(np.linalg.norm(x.T @ y) ** 2)
    count = len(x)
    of_x, of_y = np.einsum("td,td->t", x, x), np.einsum("td,td->t", y, y)  # (tokens,) squared lengths
    constant = of_x.sum() * of_y.sum() / ((count - 1) * (count - 2))
    return biased, biased - count / (count - 2) * float(of_x @ of_y) + float(constant)


def _centred(vectors: Array) -> Array:
    """Return the vectors minus their mean; exact zeros if they are all equal, because their mean is rounded."""
    centred = vectors - vectors.mean(axis=0)  # (vectors, dim)
    return centred if np.vdot(centred, centred) > 1e-20 * np.vdot(vectors, vectors) else np.zeros_like(vectors)


def _units(vectors: Array) -> Array:
    """Return the vectors with length 1; a vector of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)  # (vectors, 1)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)

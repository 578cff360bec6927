"""Measure the layers of encoders on the same sample of a text: one pass over the sentences for each encoder."""

import math
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from harness.analysis.geometry.measures import first_component_share, linear_cka, mean_cosine, similarity_to_mean
from harness.analysis.geometry.sample import Sample
from harness.errors import CacheError
from harness.features.uncached import LayerSource
from harness.utils.console import human_bytes, progress

Array = np.ndarray
Check = Callable[[], None]  # raises in order to stop

_BATCH = 32  # sentences that are read together


@dataclass(frozen=True, kw_only=True)
class LayerGeometry:
    """The measures of one layer. An adjusted one is the raw one minus what random words of the text have.

    Attributes:
        encoder, layer: The encoder's name, and the number of the layer from 0.
        anisotropy: The mean cosine of random tokens.
        self_similarity: The mean cosine of the occurrences of a word in different sentences, mean over words.
        self_similarity_adjusted: The same minus the anisotropy.
        intra_sentence: The mean cosine of the tokens of a sentence with their mean, mean over sentences.
        intra_sentence_adjusted: The same minus the anisotropy.
        first_component: The share of the variance of a word's occurrences along their first principal component, mean
            over words.
        first_component_adjusted: The same minus that of as many random tokens.
    """

    encoder: str
    layer: int
    anisotropy: float
    self_similarity: float
    self_similarity_adjusted: float
    intra_sentence: float
    intra_sentence_adjusted: float
    first_component: float
    first_component_adjusted: float


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """The geometry of all layers of all encoders.

    Attributes:
        layers: The measures of each layer, encoder by encoder.
        cka, cka_debiased: Linear CKA of each pair of layers, (layers, layers) in the order of ``layers``.
    """

    layers: Sequence[LayerGeometry]
    cka: Array
    cka_debiased: Array


def measured(sources: Sequence[LayerSource], sample: Sample, *, folder: Path, check: Check = lambda: None) -> Geometry:
    """Measure every layer of every encoder; the vectors of the sample are kept in a file meanwhile, not in memory.

    Args:
        sources: Where the layers of each encoder are read; they have been filled with the sample's sentences.
        sample: What to measure.
        folder: The folder for the file, which is removed at the end.
        check: Called from time to time; it may raise in order to stop.

    Raises:
        CacheError: The disk has too little space for the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = sum(4 * len(sample.places) * source.encoder.num_layers * source.encoder.dim for source in sources)
    free = shutil.disk_usage(folder).free
    if size > free:  # writing to a mapped file would end the process
        fix = "set cache_dir=DIR, or draw less with --tokens and --types"
        raise CacheError(f"{folder}: the vectors take {human_bytes(size)}, {human_bytes(free)} are free; {fix}")
    found: list[LayerGeometry] = []
    views: list[Callable[[], Array]] = []
    with ExitStack() as stack:
        for source in sources:
            own = Path(stack.enter_context(TemporaryDirectory(prefix="geometry-", dir=folder)))
            vectors = gathered(source, sample, own / "vectors.npy", check=check)  # (layers, rows, dim)
            for layer, of_layer in enumerate(progress(vectors, "measuring", total=len(vectors))):
                found.append(_of_layer(of_layer, sample, encoder=source.encoder.name, layer=layer))
                views.append(partial(_in_float64, of_layer[sample.tokens]))
                check()
        plain, debiased = linear_cka([partial(_checked, view, check) for view in views])
    return Geometry(layers=found, cka=plain, cka_debiased=debiased)


def gathered(source: LayerSource, sample: Sample, path: Path, *, check: Check = lambda: None) -> Array:
    """Return all layers of the sample's tokens, float32 (layers, rows, dim), in a file that is mapped into memory.

    Args:
        source: Where the layers are read.
        sample: Says which tokens.
        path: The file to create.
        check: Called after each batch; it may raise in order to stop.
    """
    encoder = source.encoder
    shape = encoder.num_layers, len(sample.places), encoder.dim
    vectors = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)  # (layers, rows, dim)
    rows_of: dict[int, list[int]] = defaultdict(list)
    for row, sentence in enumerate(sample.places[:, 0].tolist()):
        rows_of[sentence].append(row)
    by_length = sorted(rows_of, key=lambda i: len(sample.sentences[i]))  # so that a batch has little padding
    batches = [by_length[start : start + _BATCH] for start in range(0, len(by_length), _BATCH)]
    for batch in progress(batches, "reading", total=len(batches)):
        read = source.read([sample.sentences[i] for i in batch]).numpy()  # (batch, layers, tokens, dim)
        for layers, sentence in zip(read, batch, strict=True):
            rows = rows_of[sentence]
            vectors[:, rows] = layers[:, sample.places[rows, 1]]
        check()
    return vectors


def _of_layer(vectors: Array, sample: Sample, *, encoder: str, layer: int) -> LayerGeometry:
    """Return the measures of one layer, (rows, dim)."""
    tokens = _in_float64(vectors[sample.tokens])  # (tokens, dim)
    anisotropy = mean_cosine(tokens)
    similar, shares, more = [], [], []
    for rows, control in zip(sample.words, sample.controls, strict=True):
        word = _in_float64(vectors[rows])  # (contexts, dim)
        similar.append(mean_cosine(word))
        shares.append(first_component_share(word))
        more.append(shares[-1] - first_component_share(tokens[control]))
    within = [similarity_to_mean(_in_float64(vectors[rows])) for rows in sample.whole]
    self_similarity, intra = _mean(similar), _mean(within)
    return LayerGeometry(
        encoder=encoder,
        layer=layer,
        anisotropy=anisotropy,
        self_similarity=self_similarity,
        self_similarity_adjusted=self_similarity - anisotropy,
        intra_sentence=intra,
        intra_sentence_adjusted=intra - anisotropy,
        first_component=_mean(shares),
        first_component_adjusted=_mean(more),
    )


def _mean(values: Sequence[float]) -> float:
    """Return the mean of the values that are numbers; NaN if there are none."""
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan


def _in_float64(vectors: Array) -> Array:
    return np.asarray(vectors, dtype=np.float64)


def _checked(view: Callable[[], Array], check: Check) -> Array:
    """Return the vectors of a view, once nobody has asked to stop."""
    check()
    return view()

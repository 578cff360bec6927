"""The span ranker against enumeration: spans, scores, pruning, antecedents, loss, entities, and its memory."""

import itertools
import random
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tasks.coref.antecedents import AntecedentScorer, links_log_likelihood
from tasks.coref.pair_products import pair_products
from tasks.coref.span_ranker import entities_of
from tasks.coref.spans import SpanScorer, best_without_crossing, candidates

CONTEXT, WORD, WIDTH = 6, 5, 3
SENTENCES = torch.tensor([0, 0, 0, 0, 1, 2, 2])
SIZES: dict[str, Any] = {"feature_dim": 4, "ffnn_dim": 7, "ffnn_layers": 2, "dropout": 0.0}


def test_every_span_within_a_sentence_is_a_candidate() -> None:
    spans = candidates(SENTENCES, max_width=WIDTH)
    expected = [
        (start, end)
        for start, end in itertools.product(range(7), range(7))
        if 0 <= end - start < WIDTH and SENTENCES[start] == SENTENCES[end]
    ]
    assert list(zip(spans.starts.tolist(), spans.ends.tolist(), strict=True)) == expected


@pytest.fixture
def scorer() -> SpanScorer:
    torch.manual_seed(0)
    return SpanScorer(context_dim=CONTEXT, word_dim=WORD, max_width=WIDTH, **SIZES)


def span_vector(scorer: SpanScorer, context: Tensor, words: Tensor, start: int, end: int) -> Tensor:
    """Return the vector of one span, from the definition."""
    weights = scorer.attention(context[start : end + 1]).squeeze(1).softmax(dim=0)
    return torch.cat([context[start], context[end], weights @ words[start : end + 1], scorer.width.weight[end - start]])


def test_vectors_and_scores_of_spans_are_those_of_the_definition(scorer: SpanScorer) -> None:
    context, words = torch.randn(7, CONTEXT), torch.randn(7, WORD)
    spans = candidates(SENTENCES, max_width=WIDTH)
    scores, attention, features = scorer(context, words, spans)
    places = list(zip(spans.starts.tolist(), spans.ends.tolist(), strict=True))
    expected = torch.stack([span_vector(scorer, context, words, start, end) for start, end in places])
    torch.testing.assert_close(scorer.vectors(context, words, spans, attention, features), expected)
    torch.testing.assert_close(scores, scorer.score(scorer.network(expected)).squeeze(1))


def crossing(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[0] <= one[1] < other[1] or other[0] < one[0] <= other[1] < one[1]


def test_the_best_spans_are_kept_without_crossing() -> None:
    rng = random.Random(0)
    for _ in range(200):
        spans = [(start, end) for start in range(8) for end in range(start, min(8, start + 4))]
        order = rng.sample(range(len(spans)), len(spans))
        most = rng.randrange(1, 12)
        kept: list[int] = []
        for i in order:
            if len(kept) < most and not any(crossing(spans[i], spans[j]) for j in kept):
                kept.append(i)
        starts, ends = zip(*spans, strict=True)
        assert best_without_crossing(starts, ends, order, most=most) == sorted(kept)


@pytest.mark.parametrize("limit", [2, 50])
def test_scores_of_antecedents_are_those_of_the_definition(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pair, one by one; small blocks, so that there are several, and the gradients too."""
    monkeypatch.setattr("tasks.coref.antecedents._BLOCK", 7 * 3)
    monkeypatch.setattr("tasks.coref.pair_products._BLOCK", 5 * 2)
    torch.manual_seed(0)
    scorer = AntecedentScorer(span_dim=5, max_antecedents=limit, genres=3, **SIZES)
    vectors, own = torch.randn(6, 5, requires_grad=True), torch.randn(6, requires_grad=True)
    speakers = torch.tensor([0, 1, 0, 0, 1, 1])
    scores = scorer(vectors, own, speakers, torch.tensor(2))
    expected = torch.full((6, 1 + min(limit, 5)), float("-inf"))
    expected[:, 0] = 0.0
    for i, j in [(i, j) for i, j in itertools.product(range(6), range(6)) if 0 < i - j <= limit]:
        same = scorer.same_speaker.weight[int(speakers[i] == speakers[j])]
        features = [scorer.distance.weight[min(i - j, 5)], same, scorer.genre.weight[2]]
        pair = torch.cat([vectors[i], vectors[j], vectors[i] * vectors[j], *features])
        expected[i, i - j] = own[i] + own[j] + scorer.score(scorer.network(pair)).squeeze()
    torch.testing.assert_close(scores, expected)
    wanted = [vectors, own, *scorer.parameters()]
    finite = torch.isfinite(expected)
    found = torch.autograd.grad(scores[finite].sin().sum(), wanted)
    for one, other in zip(found, torch.autograd.grad(expected[finite].sin().sum(), wanted), strict=True):
        torch.testing.assert_close(one, other)


def test_distances_have_the_bins_of_the_reference() -> None:
    torch.manual_seed(0)
    scorer = AntecedentScorer(span_dim=1, max_antecedents=100, genres=1, **SIZES)
    seen: list[Tensor] = []
    scorer.distance.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    zeros = torch.zeros(101)
    scorer(zeros.unsqueeze(1), zeros, zeros.long(), torch.tensor(0))
    bins = seen[0][-100:].tolist()  # of the last mention: distances 1 to 100
    firsts = {number: distance for distance, number in reversed(list(enumerate(bins, start=1)))}
    assert firsts == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 16, 8: 32, 9: 64}


def test_pair_products_are_a_linear_map_of_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.coref.pair_products._BLOCK", 8)
    vectors = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    first, second = torch.tensor([1, 2, 2, 3, 3]), torch.tensor([0, 0, 1, 1, 2])
    expected = F.linear(vectors[first] * vectors[second], weight)
    torch.testing.assert_close(pair_products(vectors, weight, first, second), expected)
    assert torch.autograd.gradcheck(lambda v, w: pair_products(v, w, first, second), (vectors, weight))


def test_the_loss_is_that_of_all_right_antecedents_together() -> None:
    torch.manual_seed(0)
    scores = torch.randn(5, 4)
    scores[:, 0] = 0.0
    for i in range(5):
        scores[i, i + 1 :] = float("-inf")
    entities = [2, 0, 2, 1, 2]
    total = 0.0
    for i, own in enumerate(entities):
        right = [c for c in range(1, 4) if i - c >= 0 and own and entities[i - c] == own] or [0]
        total += float(scores[i].softmax(0)[right].sum().log())
    assert float(links_log_likelihood(scores, torch.tensor(entities))) == pytest.approx(total, rel=1e-5)


def test_links_form_entities() -> None:
    mentions = [(0, 1), (1, 1), (2, 2), (3, 5), (4, 4)]
    assert entities_of(mentions, [0, 0, 2, 0, 2], [False] * 5) == [[(0, 1), (2, 2), (4, 4)]]
    alone = [False, True, False, False, True]
    assert entities_of(mentions, [0, 0, 2, 0, 2], alone) == [[(0, 1), (2, 2), (4, 4)], [(1, 1)]]


_LONG = """
import resource, sys, torch
from harness.config.schema import DataConfig
from harness.types import Document, Example, TokenVectors
from tasks.coref.documents import coref_target
from tasks.coref.span_ranker import SpanRankerOptions
from tasks.coref.task import Coreference

torch.set_num_threads(1)
sizes = SpanRankerOptions(hidden_dim=200, ffnn_dim=150, max_antecedents=250, max_train_sentences=None)
task = Coreference(data=DataConfig(), span_ranker=sizes)
document = Document([tuple(f"w{i}" for i in range(20))] * 500)
clusters = [[(start, start + 1) for start in range(first, 10_000, 700)] for first in range(0, 700, 7)]
batch = task.collate([Example(id="long", texts={"document": document}, target=coref_target(clusters))])
head = task.build_head(input_dim=350, output_dim=0)
vectors = {"document": TokenVectors(input=torch.randn(1, 10_000, 350))}
head.loss(vectors, batch).backward()
with torch.inference_mode():
    predictions = head.eval().predict(vectors, batch)
task.score(batch.examples, predictions)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


@pytest.mark.slow
def test_ten_thousand_words_are_trained_and_scored_within_four_gibibytes() -> None:
    ended = subprocess.run([sys.executable, "-c", _LONG], capture_output=True, text=True, check=True, timeout=300)
    assert float(ended.stdout) < 4.0

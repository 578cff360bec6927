"""The SNLI task: ESIM against its equations, and against the rules for every head."""

import json
import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor

from harness.analysis.statistics import ratio_of_sums
from harness.config.instantiate import build
from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.optional_protocols import Decomposable
from harness.protocols import Task
from harness.runs.record import RunRecord
from harness.runs.run import run
from harness.training.batching import bucketed, example_lengths
from harness.types import Example, Prediction, TokenVectors
from harness.utils.signals import Stop
from tasks.common.heads.esim import Esim, EsimOptions, align, compare
from tasks.common.heads.text_classifier import TextClassifier
from tasks.snli.reader import LABELS, SentencePair, read_pairs
from tasks.snli.task import NaturalLanguageInference, to_examples
from tests.support.memorise import memorised
from tests.support.padding import padding_waste
from tests.support.runs import config_of
from tests.support.vectors import vectors_of_words as vectors

SMALL = EsimOptions(hidden_dim=6, dropout=0.5, attention_dropout=0.2)
QUICK = (
    "task=snli",
    "tracking=none",
    "threads=1",
    "encoder=random",
    "encoder.options.char_cnn.filters=[[1,8],[2,8]]",
    "encoder.options.lstm.dim=16",
    "encoder.options.lstm.projection_dim=8",
    "task.esim.hidden_dim=8",
    "trainer.max_epochs=1",
)


@pytest.fixture(scope="module")
def task() -> NaturalLanguageInference:
    return NaturalLanguageInference(data=DataConfig(), esim=SMALL)


def esim(input_dim: int, output_dim: int, *, hidden_dim: int = 6) -> Esim:
    sizes = {"hidden_dim": hidden_dim, "dropout": 0.5, "attention_dropout": 0.0}
    return Esim(input_dim=input_dim, output_dim=output_dim, num_labels=3, **sizes)  # type: ignore[arg-type]


def attended(queries: Tensor, keys: Tensor) -> Tensor:
    """Return the attention of each query to the keys, computed with loops over single numbers."""
    queries, keys = queries.detach(), keys.detach()
    result = torch.zeros(len(queries), keys.shape[1])
    for i, query in enumerate(queries):
        weights = [float(torch.exp(sum(q * k for q, k in zip(query, key, strict=True)))) for key in keys]
        for weight, key in zip(weights, keys, strict=True):
            result[i] += weight / sum(weights) * key
    return result


def test_alignment_is_attention_both_ways() -> None:
    generator = torch.Generator().manual_seed(0)
    premise, hypothesis = torch.randn(2, 5, 3, generator=generator), torch.randn(2, 4, 3, generator=generator)
    lengths = [(5, 2), (3, 4)]
    masks = [torch.arange(size) < torch.tensor([pair[i] for pair in lengths])[:, None] for i, size in ((0, 5), (1, 4))]
    of_premise, of_hypothesis = align(premise, hypothesis, *masks)
    for row, (m, n) in enumerate(lengths):
        first, second = premise[row, :m], hypothesis[row, :n]
        torch.testing.assert_close(of_premise[row, :m], attended(first, second))
        torch.testing.assert_close(of_hypothesis[row, :n], attended(second, first))


def test_comparison_by_hand() -> None:
    compared = compare(torch.tensor([[[2.0, 3.0]]]), torch.tensor([[[5.0, -1.0]]]))
    assert compared.tolist() == [[[2.0, 3.0, 5.0, -1.0, -3.0, 4.0, 10.0, -3.0]]]


@pytest.mark.parametrize("output_dim", [0, 3])
def test_the_head_is_what_the_paper_says(task: NaturalLanguageInference, output_dim: int) -> None:
    """Compute one pair without padding: each equation in full, each text alone through a plain ``nn.LSTM``."""
    head = esim(10, output_dim).eval()
    batch = task.collate(task.examples("train")[:1])
    given = vectors(batch, output_dim=output_dim)
    encoded = []
    for text in ("premise", "hypothesis"):
        states = head.encoder.lstm(given[text].input[0])[0]
        output = given[text].output
        encoded.append(states if output is None else torch.cat([states, output[0]], dim=1))
    a, b = encoded
    pooled = []
    for own, other in ((a, attended(a, b)), (b, attended(b, a))):
        m = torch.cat([own, other, own - other, own * other], dim=1)
        projected = torch.relu(m @ head.projection.weight.T + head.projection.bias)
        v = head.composition.lstm(projected)[0]
        pooled += [v.sum(dim=0) / len(v), v.max(dim=0).values]
    first, last = head.classifier[1], head.classifier[4]
    hidden = torch.relu(first.weight @ torch.cat(pooled) + first.bias)
    expected = last.weight @ hidden + last.bias
    torch.testing.assert_close(head(given, batch)[0], expected, atol=1e-5, rtol=1e-4)


def test_widths_of_the_reference() -> None:
    """Compare with AllenNLP's esim_elmo: 1024 -> 300 in each direction, 2400 -> 300, 300, 2400 -> 300 -> 3."""
    head = esim(1024, 0, hidden_dim=300)
    lstm = 2 * 4 * 300  # both directions, four gates
    parts = [
        lstm * (1024 + 300 + 2),
        2400 * 300 + 300,
        lstm * (300 + 300 + 2),
        2400 * 300 + 300,
        300 * 3 + 3,
    ]
    assert sum(p.numel() for p in head.parameters()) == sum(parts)


@pytest.mark.parametrize("output_dim", [0, 3])
@pytest.mark.parametrize("text", ["premise", "hypothesis"])
def test_more_padding_changes_nothing(task: NaturalLanguageInference, output_dim: int, text: str) -> None:
    head = task.build_head(input_dim=10, output_dim=output_dim).eval()
    by_length = sorted(task.examples("train"), key=lambda e: len(e.texts[text]))
    short, long = by_length[0], by_length[-1]
    alone, padded = task.collate([short]), task.collate([short, long])
    assert padded.masks[text].shape[1] > alone.masks[text].shape[1]
    a, b = (head.network(vectors(x, output_dim=output_dim), x) for x in (alone, padded))
    torch.testing.assert_close(b[:1], a, atol=1e-5, rtol=1e-5)
    given = vectors(padded, output_dim=output_dim)
    given[text].input[0, -1] = 1e3  # the vector of a padded position does not matter either
    torch.testing.assert_close(head.network(given, padded)[:1], a, atol=1e-5, rtol=1e-5)


def test_gradients_reach_every_parameter_and_vector(task: NaturalLanguageInference) -> None:
    head = task.build_head(input_dim=10, output_dim=4)
    batch = task.collate(task.examples("train")[:8])
    given = vectors(batch, output_dim=4)
    leaves = [x.requires_grad_() for v in given.values() for x in (v.input, v.output) if x is not None]
    head.loss(given, batch).backward()
    assert [name for name, p in head.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert all(leaf.grad is not None and bool(leaf.grad.any()) for leaf in leaves)


def test_ten_pairs_are_memorised() -> None:
    task = NaturalLanguageInference(data=DataConfig(), esim=EsimOptions(hidden_dim=16, dropout=0.0))
    torch.manual_seed(0)
    examples = task.examples("train")[:10]
    head, batch = task.build_head(input_dim=10, output_dim=0), task.collate(examples)
    assert task.score(examples, memorised(task, head, batch, vectors(batch)))["accuracy"] == 1.0


def test_the_same_dimensions_are_dropped_at_every_token_of_a_text() -> None:
    head = TextClassifier(network=esim(10, 0), labels=LABELS)
    seen: list[Tensor] = []
    head.network.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    example = Example(id="x", texts={"premise": ("a",) * 5, "hypothesis": ("b",) * 5}, target="neutral")
    batch = NaturalLanguageInference(data=DataConfig(), esim=SMALL).collate([example])
    ones = TokenVectors(input=torch.ones(1, 5, 10))
    head.loss({"premise": ones, "hypothesis": ones}, batch)
    (dropped,) = seen  # (2, 5, 10): both texts in one call
    assert set(dropped.flatten().tolist()) == {0.0, 2.0}
    assert bool((dropped == dropped[:, :1]).all())
    assert not torch.equal(dropped[0], dropped[1])


def test_gold_predictions_score_one(task: NaturalLanguageInference) -> None:
    dev = task.examples("dev")
    metrics = task.score(dev, [Prediction(id=e.id, value=e.target) for e in dev])
    assert metrics["accuracy"] == metrics["macro_f1"] == 1.0


def test_scores_by_hand(task: NaturalLanguageInference) -> None:
    gold = [Example(id=str(i), texts={}, target=LABELS[i % 3]) for i in range(6)]
    metrics = task.score(gold, [Prediction(id=e.id, value=LABELS[0]) for e in gold])
    assert metrics["accuracy"] == pytest.approx(1 / 3)
    assert metrics["macro_f1"] == pytest.approx((2 * 1 / 3 / (1 + 1 / 3)) / 3)
    assert metrics["entailment/recall"] == 1.0
    assert metrics["confusion/neutral/entailment"] == pytest.approx(1 / 3)


def test_counts_give_the_same_accuracy(task: NaturalLanguageInference) -> None:
    gold = task.examples("dev")[:50]
    predictions = [Prediction(id=e.id, value=LABELS[i % 3]) for i, e in enumerate(gold)]
    counts = task.counts(gold, predictions).numpy()
    assert isinstance(task, Decomposable)
    assert ratio_of_sums(counts.sum(axis=0)) == task.score(gold, predictions)["accuracy"]


def test_the_published_rows_are_read(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    rows = [
        {"premise": "A man eats.", "hypothesis": "He eats.", "label": "entailment"},
        {"premise": "A man eats.", "hypothesis": "He sings.", "label": "-"},
        {"premise": "A man eats.", "hypothesis": "He sleeps.", "label": "contradiction"},
    ]
    monkeypatch.setattr("tasks.snli.task.official_rows", lambda name, *_, **__: rows if name == "snli" else [])
    task = NaturalLanguageInference(data=DataConfig(source="official", cache_dir="somewhere"))
    with caplog.at_level(logging.INFO):
        examples = task.examples("dev")
    assert [(e.id, e.texts["hypothesis"], e.target) for e in examples] == [
        ("dev-0", ("He", "eats", "."), "entailment"),
        ("dev-1", ("He", "sleeps", "."), "contradiction"),
    ]
    assert task.data_name == "snli@cdb5c3d"
    assert "snli@cdb5c3d, dev: 2 pairs; dropped 1 without a gold label" in caplog.text


def test_predictions_come_in_row_order(task: NaturalLanguageInference) -> None:
    examples = task.examples("train")[:7]
    head, batch = task.build_head(input_dim=10, output_dim=0).eval(), task.collate(examples)
    predictions = head.predict(vectors(batch), batch)
    assert [p.id for p in predictions] == [e.id for e in examples]
    best = head.network(vectors(batch), batch).argmax(dim=1)
    assert [p.value for p in predictions] == [LABELS[i] for i in best]


def test_unlabelled_pairs_can_be_classified(task: NaturalLanguageInference) -> None:
    texts = {"premise": ("It", "rains", "."), "hypothesis": ("It", "is", "wet", ".")}
    batch = task.collate([Example(id="x", texts=texts)])
    assert not batch.gold
    assert task.build_head(input_dim=10, output_dim=0).eval().predict(vectors(batch), batch)[0].value in LABELS


def test_examples_keep_the_ids_of_the_data_only_if_all_pairs_have_different_ones() -> None:
    pairs = [SentencePair(premise="A man eats.", hypothesis="He eats.", label="neutral", id=i) for i in ("a", "b")]
    assert [e.id for e in to_examples(pairs, "dev")] == ["a", "b"]
    nameless = SentencePair(premise="A man eats.", hypothesis="He eats.", label="neutral")
    assert [e.id for e in to_examples([pairs[0], nameless], "dev")] == ["dev-0", "dev-1"]
    assert [e.id for e in to_examples([pairs[0], pairs[0]], "dev")] == ["dev-0", "dev-1"]
    assert to_examples(pairs, "dev")[0].texts == {
        "premise": ("A", "man", "eats", "."),
        "hypothesis": ("He", "eats", "."),
    }


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("task.esim.dropout=1.0", r"task\.esim\.dropout is 1\.0; expected a value less than 1"),
        ("task.esim.attention_dropout=-0.1", r"task\.esim\.attention_dropout is -0\.1; expected a value greater"),
        ("task.esim.hidden_dim=0", r"task\.esim\.hidden_dim is 0; expected a value greater than or equal to 1"),
        ("task.head=bilstm", r"task\.head is 'bilstm'; expected 'esim'"),
    ],
)
def test_a_bad_option_is_an_error_of_one_line(override: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        build(config_of(tmp_path, "task=snli", override).task, kind=Task, where="task")


def files_of(folder: Path) -> list[str]:
    """Write thirty pairs, three with each premise, and return the overrides that read them."""
    labels = dict(zip(LABELS, ("Somebody eats", "Somebody is tall", "Nobody eats"), strict=True))
    rows = [
        {"gold_label": label, "sentence1": f"A man eats {i} cakes.", "sentence2": f"{said} at {i}."}
        for i in range(10)
        for label, said in labels.items()
    ]
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ["data=files", *(f"data.{split}={path}" for split in ("train", "dev", "test"))]


def quick_run(folder: Path, *overrides: str) -> RunRecord:
    return run(config_of(folder, *QUICK, *overrides), stop=Stop())


def test_a_premise_that_three_pairs_share_is_encoded_once(tmp_path: Path) -> None:
    record = quick_run(tmp_path, *files_of(tmp_path), "embedding=none")
    pairs = read_pairs(tmp_path / "pairs.jsonl")
    sentences = {e.texts[text] for e in to_examples(pairs, "train") for text in ("premise", "hypothesis")}
    assert len(pairs) == 30
    assert len(sentences) == 10 + 30
    assert record.timing["tokens_encoded"] == sum(map(len, sentences))


@pytest.mark.parametrize("placement", ["input", "output", "both"])
def test_every_placement_of_the_mix_runs(placement: str, tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("A 1 2 3\nman 4 5 6\neats 7 8 9\n")
    record = quick_run(
        tmp_path,
        *files_of(tmp_path),
        "embedding=file",
        f"embedding.path={vectors}",
        f"mixing.placement={placement}",
    )
    assert record.status == "ok"
    places = {"input", "output"} if placement == "both" else {placement}
    assert set(record.mixing["weights"]) == places
    width = 3 + 16 * ("input" in places)
    head = esim(width, 16 * ("output" in places), hidden_dim=8)
    assert record.parameters == sum(p.numel() for p in head.parameters()) + 4 * len(places)


def test_the_presets_compose_and_have_the_values_of_their_sources(tmp_path: Path) -> None:
    paper = config_of(tmp_path, "experiment=paper/snli")
    allennlp = config_of(tmp_path, "experiment=allennlp/snli")
    for config in (paper, allennlp):
        assert (config.encoder["name"], config.data.source) == ("elmo_original", "official")
        assert (config.task["head"], config.task["esim"]["hidden_dim"]) == ("esim", 300)
        trainer = config.trainer
        assert (trainer.lr, trainer.batch_size, trainer.plateau_patience) == (0.0004, 32, 0)
    assert (paper.embedding["name"], allennlp.embedding["name"]) == ("glove_840b_300d", "none")
    assert (paper.mixing["placement"], allennlp.mixing["placement"]) == ("both", "input")
    assert (paper.mixing["lambda_"], paper.mixing["layer_norm"]) == (0.001, "paper")
    assert (paper.trainer.grad_norm, allennlp.trainer.grad_norm) == (5.0, 10.0)
    own = config_of(tmp_path, "experiment=snli", "data.train=a", "data.dev=b", "data.test=c", "embedding.path=d")
    assert own.task["_target_"] == "tasks.snli.task.NaturalLanguageInference"


@pytest.mark.slow
def test_the_default_run_learns_the_sample(tmp_path: Path) -> None:
    """The limit is above logistic regression over the words of both texts: 56 % at most (test_sample.py)."""
    record = run(config_of(tmp_path, "task=snli", "tracking=none", "threads=1"), stop=Stop())
    assert record.metrics["test"]["accuracy"] > 0.7


@pytest.mark.realdata
def test_little_of_a_batch_is_padding(shared: Path) -> None:
    pairs = read_pairs(shared / "data" / "snli" / "snli_1.0_train_subset.jsonl.gz")
    lengths = [example_lengths(example) for example in to_examples(pairs, "train")]
    batches = bucketed(lengths, batch_size=32, max_tokens=16384, generator=torch.Generator().manual_seed(1))
    waste = padding_waste(lengths, batches)
    print(f"padding: {100 * waste:.1f} % of the positions of both texts")
    assert waste < 0.1

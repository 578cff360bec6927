"""The SST-5 task: its training examples, and its heads against loops and the rules for every head."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.analysis.statistics import ratio_of_sums
from harness.config.instantiate import build
from harness.config.schema import DataConfig
from harness.errors import ConfigError, DataFormatError
from harness.protocols import Task
from harness.runs.record import RunRecord
from harness.runs.run import run
from harness.training.batching import bucketed, example_lengths
from harness.types import SPLITS, Example, Prediction
from harness.utils.signals import Stop
from tasks.common.heads.bcn import BcnOptions, BiattentiveClassifier, biattend
from tasks.common.heads.bilstm_options import PooledBiLstmOptions
from tasks.sst5.reader import parse_tree, read_trees
from tasks.sst5.task import LABELS, Granularity, SentimentTreebank, distinct_of, examples_of
from tests.support.memorise import memorised
from tests.support.padding import padding_waste
from tests.support.runs import SMALL, config_of
from tests.support.vectors import vectors_of_words as vectors

BCN = {"pre_encode_dim": 7, "hidden_dim": 6, "output_dims": (8, 5)}
TASKS = {
    "maxout": SentimentTreebank(data=DataConfig(), bcn=BcnOptions(**BCN)),
    "relu": SentimentTreebank(data=DataConfig(), bcn=BcnOptions(**BCN, output="relu")),
    "bilstm": SentimentTreebank(
        data=DataConfig(), head="bilstm", bilstm=PooledBiLstmOptions(hidden_dim=6, num_layers=2)
    ),
    "bilstm mean": SentimentTreebank(
        data=DataConfig(), head="bilstm", bilstm=PooledBiLstmOptions(hidden_dim=6, pooling="mean")
    ),
}
TREES = [
    parse_tree(line, where="x")
    for line in (
        "(4 (2 (2 The) (2 film)) (4 (3 (2 is) (3 good)) (2 .)))",
        "(3 (3 good) (2 .))",
        "(4 (2 (2 The) (2 film)) (4 (3 (2 is) (3 good)) (2 .)))",
    )
]
SMALL_SST = (
    "task=sst5",
    *(override for override in SMALL if not override.startswith("task.")),
    "trainer.max_epochs=1",
    "data.fraction=0.02",
    "task.bcn.pre_encode_dim=8",
    "task.bcn.hidden_dim=8",
    "task.bcn.output_dims=[8,8]",
    "task.bilstm.hidden_dim=8",
)


@pytest.fixture(params=TASKS)
def task(request: pytest.FixtureRequest) -> SentimentTreebank:
    return TASKS[request.param]


def words(examples: list[Example]) -> list[str]:
    return [f"{e.id} {' '.join(e.texts['tokens'])} {LABELS.index(e.target)}" for e in examples]


def small(folder: Path, *overrides: str) -> RunRecord:
    """Run a config that takes about a second."""
    return run(config_of(folder, *SMALL_SST, *overrides), stop=Stop())


def build_head(folder: Path, *overrides: str) -> None:
    """Compose a config and build its head without running it."""
    task: SentimentTreebank = build(config_of(folder, "task=sst5", *overrides).task, kind=Task, where="task")
    task.build_head(input_dim=10, output_dim=0)


def write_splits(folder: Path, **contents: str) -> DataConfig:
    """Write the given splits, and a file with one correct tree for each other split."""
    for split in ("train", "dev", "test"):
        (folder / f"{split}.txt").write_text(contents.get(split, "(3 (2 It) (4 works))\n"))
    return DataConfig(source="files", **{s: str(folder / f"{s}.txt") for s in ("train", "dev", "test")})


def test_granularity_selects_the_training_examples() -> None:
    assert words(examples_of(TREES, "root", prefix="t")) == [
        "t-0 The film is good . 4",
        "t-1 good . 3",
        "t-2 The film is good . 4",
    ]
    assert len(examples_of(TREES, "phrases", prefix="t")) == 9 + 3 + 9
    assert words(examples_of(TREES, "phrases", prefix="t"))[8:11] == ["t-0.8 . 2", "t-1 good . 3", "t-1.1 good 3"]
    long = parse_tree("(1 (1 (0 (2 a) (0 b)) (2 (2 c) (2 d))) (2 e))", where="x")
    assert words(examples_of([long, TREES[1]], "phrases_min4", prefix="t")) == [
        "t-0 a b c d e 1",
        "t-0.1 a b c d 1",
        "t-1 good . 3",  # a whole sentence, however short
    ]


def test_equal_phrases_are_one_object() -> None:
    examples = examples_of(TREES, "phrases", prefix="t")
    assert len({id(e.texts) for e in examples}) == len({e.texts["tokens"] for e in examples})
    assert len({e.id for e in examples}) == len(examples)


def test_distinct_leaves_out_repeated_examples(tmp_path: Path) -> None:
    lines = "(4 (2 The) (3 film))\n(4 (2 The) (3 film))\n(2 (2 The) (3 film))\n"
    data = write_splits(tmp_path, train=lines, dev=lines)
    kept = SentimentTreebank(data=data, granularity="phrases").examples("train")
    distinct = SentimentTreebank(data=data, granularity="phrases", distinct=True)
    assert len(kept) == 9
    assert words(list(distinct.examples("train"))) == [
        "train-0 The film 4",
        "train-0.1 The 2",
        "train-0.2 film 3",
        "train-2 The film 2",
    ]
    assert len(distinct.examples("dev")) == 3


def test_dev_and_test_are_whole_sentences() -> None:
    task = SentimentTreebank(data=DataConfig(), granularity="phrases")
    assert len(task.examples("dev")) == len(task.examples("test")) == 300
    assert len(task.examples("train")) > 20_000


def test_escapes_are_an_option(tmp_path: Path) -> None:
    data = write_splits(tmp_path, train="(2 (2 -LRB-) (2 a\\/b))\n")
    assert SentimentTreebank(data=data).examples("train")[0].texts["tokens"] == ("(", "a/b")
    assert SentimentTreebank(data=data, unescape=False).examples("train")[0].texts["tokens"] == ("-LRB-", "a\\/b")


@pytest.mark.parametrize(("trees", "warned"), [(9_645, True), (9_644, False)])
def test_a_copy_that_contains_dev_gives_a_warning(
    trees: int, warned: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = write_splits(tmp_path, train="(3 good)\n" * trees)
    with caplog.at_level(logging.WARNING):
        SentimentTreebank(data=data).examples("train")
    assert ("contains the 1,101 trees of the development set too" in caplog.text) is warned


def test_a_bad_file_is_named_with_its_line(tmp_path: Path) -> None:
    data = write_splits(tmp_path, dev="(3 good)\n(7 bad)\n")
    with pytest.raises(DataFormatError, match=r"dev\.txt:2: a label is '7'"):
        SentimentTreebank(data=data).examples("dev")


@pytest.mark.realdata
def test_the_published_files_give_known_numbers_of_examples(shared: Path) -> None:
    folder = shared / "data" / "sst"
    trees = read_trees(folder / "train.txt")
    counts: dict[Granularity, tuple[int, int]] = {  # all examples, and different ones
        "root": (8_544, 8_534),
        "phrases_min4": (93_703, 93_296),  # 93,567 phrases, and 136 whole sentences that are shorter
        "phrases": (318_582, 159_274),
    }
    for granularity, expected in counts.items():
        examples = examples_of(trees, granularity, prefix="train")
        assert (len(examples), len(distinct_of(examples))) == expected
        lengths = [example_lengths(example) for example in examples]
        batches = bucketed(lengths, batch_size=100, max_tokens=16384, generator=torch.Generator().manual_seed(1))
        assert padding_waste(lengths, batches) < 0.1
    data = DataConfig(source="files", **{s: str(folder / f"{s}.txt") for s in ("train", "dev", "test")})
    task = SentimentTreebank(data=data, granularity="phrases_min4", distinct=True)
    assert [len(task.examples(split)) for split in SPLITS] == [93_296, 1_101, 2_210]
    assert task.data_name == "sst"


def test_scores_by_hand() -> None:
    gold = [Example(id=str(i), texts={}, target=LABELS[label]) for i, label in enumerate((0, 1, 1, 4))]
    predictions = [Prediction(id=str(i), value=LABELS[label]) for i, label in enumerate((0, 1, 2, 3))]
    metrics = TASKS["maxout"].score(gold, predictions)
    assert metrics["accuracy"] == 0.5
    assert metrics["macro_f1"] == pytest.approx((1 + 2 / 3 + 0 + 0 + 0) / 5)
    assert metrics["confusion/negative/neutral"] == 0.25
    assert metrics["confusion/very_positive/positive"] == 0.25


def test_counts_give_the_score() -> None:
    task = TASKS["maxout"]
    gold = [Example(id=str(i), texts={}, target=LABELS[i]) for i in range(4)]
    predictions = [Prediction(id=str(i), value=LABELS[min(i, 2)]) for i in range(4)]
    counts = task.counts(gold, predictions).numpy()  # (examples, 2)
    assert ratio_of_sums(counts.sum(axis=0)) == task.score(gold, predictions)["accuracy"] == 0.75


def test_gold_predictions_score_one(task: SentimentTreebank) -> None:
    dev = task.examples("dev")
    metrics = task.score(dev, [Prediction(id=e.id, value=e.target) for e in dev])
    assert metrics["accuracy"] == metrics["macro_f1"] == 1.0


def test_biattention_equals_loops_over_rows_and_tokens() -> None:
    torch.manual_seed(0)
    batch = TASKS["maxout"].collate(examples_of(TREES, "root", prefix="t"))
    mask = batch.masks["tokens"]  # (3, 5)
    encoded = torch.randn(3, 5, 4, dtype=torch.float64)
    joined = biattend(encoded, mask)
    for b in range(3):
        n = int(mask[b].sum())
        for i in range(n):
            similar = [sum((encoded[b, i] * encoded[b, j]).tolist()) for j in range(n)]
            total = sum(torch.tensor(similar, dtype=torch.float64).exp().tolist())
            attended = sum(
                torch.tensor(s, dtype=torch.float64).exp() / total * encoded[b, j] for j, s in enumerate(similar)
            )
            own = encoded[b, i]
            torch.testing.assert_close(joined[b, i], torch.cat([own, own - attended, own * attended]))


@pytest.mark.parametrize("output_dim", [0, 3])
@pytest.mark.parametrize("output", ["maxout", "relu"])
def test_the_bcn_equals_its_definition_row_by_row(output: Any, output_dim: int) -> None:
    """Compute one unpadded row after another, without masks."""
    torch.manual_seed(0)
    sizes = asdict(BcnOptions(**BCN, output=output))
    net = BiattentiveClassifier(input_dim=10, output_dim=output_dim, num_labels=5, **sizes).eval()
    batch = TASKS["maxout"].collate(examples_of(TREES, "root", prefix="t"))
    given = vectors(batch, output_dim=output_dim)["tokens"]
    scores = net({"tokens": given}, batch)
    dense = [layer for layer in net.pre_encode.modules() if isinstance(layer, torch.nn.Linear)]
    assert [layer.weight.shape for layer in dense] == [(7, 10)]
    for row, sentence in enumerate(batch.sentences("tokens")):
        n = len(sentence)
        x = torch.relu(given.input[row, :n] @ dense[0].weight.T + dense[0].bias)  # (n, 7)
        e = net.encoder.lstm(x)[0]  # (n, 12)
        a = torch.stack([torch.softmax(e @ e[i], dim=0) @ e for i in range(n)])  # (n, 12)
        i = net.integrator.lstm(torch.cat([e, e - a, e * a], dim=1))[0]  # (n, 12)
        if given.output is not None:
            i = torch.cat([i, given.output[row, :n]], dim=1)  # (n, 12 + output_dim)
        beta = torch.softmax(i @ net.attentive_pool.score.weight[0], dim=0)  # (n,)
        pooled = torch.cat([i.max(dim=0).values, i.min(dim=0).values, i.mean(dim=0), beta @ i])
        layers = [layer for layer in net.output.modules() if isinstance(layer, torch.nn.Linear)]
        for k, layer in enumerate(layers):
            pooled = pooled @ layer.weight.T + layer.bias
            if output == "maxout":
                pooled = torch.stack([piece.max() for piece in pooled.split(4)])
            elif k < len(layers) - 1:
                pooled = torch.relu(pooled)
        assert [len(pooled), len(layers)] == [5, 3]
        torch.testing.assert_close(scores[row], pooled, atol=1e-5, rtol=1e-5)


def test_the_reference_sizes_follow_from_the_options() -> None:
    with torch.device("meta"):
        net = BiattentiveClassifier(input_dim=1324, output_dim=1024, num_labels=5, **asdict(BcnOptions()))
    shapes = {name: tuple(p.shape) for name, p in net.named_parameters()}
    assert shapes["pre_encode.layers.0.weight"] == (300, 1324)
    assert shapes["integrator.lstm.weight_ih_l0"] == (1200, 1800)
    assert shapes["output.maps.0.weight"] == (4 * 1200, 6496)  # AllenNLP 0.5: (600 + 1024) * 4 pooled
    assert shapes["output.maps.2.weight"] == (4 * 5, 600)


@pytest.mark.parametrize("output_dim", [0, 3])
def test_more_padding_changes_nothing(task: SentimentTreebank, output_dim: int) -> None:
    head = task.build_head(input_dim=10, output_dim=output_dim).eval()
    long = max(task.examples("dev"), key=lambda e: len(e.texts["tokens"]))
    short = min(task.examples("dev"), key=lambda e: len(e.texts["tokens"]))
    alone, padded = task.collate([short]), task.collate([short, long])
    a, b = (head.network(vectors(x, output_dim=output_dim), x) for x in (alone, padded))
    torch.testing.assert_close(b[0], a[0], atol=1e-5, rtol=1e-5)


def test_gradients_reach_every_parameter(task: SentimentTreebank) -> None:
    torch.manual_seed(0)
    head = task.build_head(input_dim=10, output_dim=4)
    batch = task.collate(task.examples("train")[:32])
    head.loss(vectors(batch, output_dim=4), batch).backward()
    without = [name for name, p in head.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize("head", ["bcn", "bilstm"])
def test_ten_sentences_are_memorised(head: Any) -> None:
    task = SentimentTreebank(
        data=DataConfig(),
        granularity="root",
        head=head,
        bcn=BcnOptions(
            pre_encode_dim=20,
            hidden_dim=10,
            output_dims=(20,),
            output_dropouts=(0.0,),
            input_dropout=0.0,
            pre_encode_dropout=0.0,
            pooled_dropout=0.0,
        ),
        bilstm=PooledBiLstmOptions(hidden_dim=20, dropout=0.0),
    )
    torch.manual_seed(0)
    examples = list(task.examples("train")[:10])
    assert len({e.target for e in examples}) >= 4
    model, batch = task.build_head(input_dim=10, output_dim=0), task.collate(examples)
    assert task.score(examples, memorised(task, model, batch, vectors(batch)))["accuracy"] == 1.0


def test_the_loss_is_the_mean_over_the_batch(task: SentimentTreebank) -> None:
    head = task.build_head(input_dim=10, output_dim=0).eval()
    examples = task.examples("dev")[:3]
    whole = task.collate(examples)
    apart = [task.collate([e]) for e in examples]
    mean = sum(head.loss(vectors(x), x) for x in apart) / 3
    torch.testing.assert_close(head.loss(vectors(whole), whole), mean)


def test_one_word_long_text_and_unlabelled_text_work(task: SentimentTreebank) -> None:
    texts = [("word",), ("x" * 400, *(["word"] * 2999))]
    batch = task.collate([Example(id=str(i), texts={"tokens": text}) for i, text in enumerate(texts)])
    assert not batch.gold
    predictions = task.build_head(input_dim=10, output_dim=0).eval().predict(vectors(batch), batch)
    assert [p.id for p in predictions] == ["0", "1"]
    assert {p.value for p in predictions} <= set(LABELS)


@pytest.mark.parametrize("head", ["bcn", "bilstm"])
@pytest.mark.parametrize("placement", ["input", "output", "both"])
def test_every_placement_runs_with_either_head(head: str, placement: str, one_store: Path) -> None:
    vectors_too = ["embedding=static_mini"] if placement == "output" else []  # without them, the head has no input
    record = small(one_store, *vectors_too, f"task.head={head}", f"mixing.placement={placement}")
    assert record.status == "ok"
    assert record.primary_metric == "accuracy"
    assert set(record.mixing["weights"]) == {"input", "output"} & {
        placement,
        *(["input", "output"] * (placement == "both")),
    }


def test_the_name_of_the_head_changes_the_identity_of_a_run(tmp_path: Path) -> None:
    bcn, bilstm = (small(tmp_path, f"task.head={head}") for head in ("bcn", "bilstm"))
    assert bcn.identity != bilstm.identity
    assert bcn.parameters != bilstm.parameters


REQUESTS = [
    ("task.head=bcm", "task.head is 'bcm'; expected 'bcn' or 'bilstm'"),
    ("task.granularity=leaves", "task.granularity is 'leaves'; expected 'root', 'phrases' or 'phrases_min4'"),
    ("task.bcn.hidden_dim=0", "task.bcn.hidden_dim is 0"),
    ("task.bcn.pool_size=0", "task.bcn.pool_size is 0"),
    ("task.bcn.output_dims=[8,0]", "task.bcn.output_dims is [8, 0]; expected a value greater than or equal to 1"),
    ("task.bcn.output_dims=[8]", "task.bcn.output_dropouts has 2 values for 1 layers"),
    ("task.bcn.output_dropouts=[0.1,1.0]", "task.bcn.output_dropouts is [0.1, 1.0]; expected a value less than 1"),
    ("task.bcn.input_dropout=-0.1", "task.bcn.input_dropout is -0.1"),
    ("task.bcn.output=softmax", "task.bcn.output is 'softmax'"),
    ("+task.bcn.hiden_dim=3", "did you mean 'hidden_dim'?"),
]


@pytest.mark.parametrize(("override", "message"), REQUESTS, ids=[override for override, _ in REQUESTS])
def test_a_bad_option_is_an_error_of_one_line(override: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        build_head(tmp_path, override)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("override", ["task.bilstm.hidden_dim=0", "task.bilstm.num_layers=0", "task.bilstm.dropout=1"])
def test_a_bad_size_of_the_bilstm_is_named(override: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=override.split("=")[0]):
        build_head(tmp_path, "task.head=bilstm", override)


@pytest.mark.parametrize("preset", ["paper/sst5", "allennlp/sst5"])
def test_the_presets_have_the_reference_sizes(preset: str, tmp_path: Path) -> None:
    config = config_of(tmp_path, f"experiment={preset}")
    assert config.data.source == "official"
    assert config.task["bcn"]["hidden_dim"] == config.task["bcn"]["pre_encode_dim"] == 300
    assert config.task["bcn"]["output_dims"] == [1200, 600]
    assert config.trainer.batch_size == 100
    assert (config.task["granularity"], config.task["bcn"]["output"], config.mixing["placement"]) == {
        "paper/sst5": ("phrases_min4", "relu", "both"),
        "allennlp/sst5": ("phrases", "maxout", "input"),
    }[preset]


@pytest.mark.slow
def test_context_is_far_better_than_a_bag_of_words(tmp_path: Path) -> None:
    """Naive Bayes and logistic regression over words reach at most 0.50 on the sample."""
    record = run(config_of(tmp_path, "task=sst5", "tracking=none", "threads=1"), stop=Stop())
    assert record.metrics["test"]["accuracy"] > 0.75

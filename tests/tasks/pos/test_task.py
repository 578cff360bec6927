"""The part-of-speech task: its score compared with counts by hand, and the rules for every head."""

from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest
import torch

from harness.analysis.statistics import ratio_of_sums
from harness.config.instantiate import build
from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.optional_protocols import Decomposable
from harness.protocols import Task
from harness.runs.run import run
from harness.types import Batch, Example, Prediction, TokenVectors
from harness.utils.signals import Stop
from tasks.common.heads.bilstm_options import BiLstmOptions
from tasks.common.label_scores import IGNORED
from tasks.pos.task import PosTagging
from tests.support.memorise import memorised
from tests.support.runs import SMALL as SMALL_RUN
from tests.support.runs import config_of

HEADS = ["linear", "mlp", "bilstm"]
SMALL = BiLstmOptions(hidden_dim=12, num_layers=2, dropout=0.5)
PLACES = {"input": (10, 0), "output": (10, 4), "both": (7, 3)}


@pytest.fixture(params=HEADS)
def task(request: pytest.FixtureRequest) -> PosTagging:
    return PosTagging(data=DataConfig(), head=request.param, bilstm=SMALL)


def vectors(batch: Batch, *, input_dim: int = 10, output_dim: int = 0) -> dict[str, TokenVectors]:
    """Token vectors that depend on the word and its two neighbours."""
    width, dim = batch.masks["tokens"].shape[1], input_dim + output_dim
    table = torch.zeros(len(batch.examples), width, dim)  # (batch, tokens, dim)
    for row, sentence in zip(table, batch.sentences("tokens"), strict=True):
        padded = ("<s>", *sentence, "</s>")
        for t in range(len(sentence)):
            seed = crc32("|".join(padded[t : t + 3]).encode())
            row[t] = torch.randn(dim, generator=torch.Generator().manual_seed(seed))
    output = table[..., input_dim:] if output_dim else None
    return {"tokens": TokenVectors(input=table[..., :input_dim], output=output)}


def files(folder: Path, **tags: str) -> DataConfig:
    """Write a sentence of two words for each split, with these tags."""
    paths = {}
    for split in ("train", "dev", "test"):
        rows = enumerate(zip(("Ann", "runs"), tags[split].split(), strict=True), start=1)
        lines = [f"{i}\t{word}\t_\t{tag}\t{tag}\t_\t_\t_\t_\t_\n" for i, (word, tag) in rows]
        path = folder / f"{split}.conllu"
        path.write_text("".join(lines))
        paths[split] = str(path)
    return DataConfig(source="files", **paths)


def test_scores_by_hand(tmp_path: Path) -> None:
    task = PosTagging(data=files(tmp_path, train="N V", dev="N V", test="N V"))
    gold = [Example(id="0", texts={}, target=("N", "V", "N")), Example(id="1", texts={}, target=("N",))]
    scores = task.score(gold, [Prediction(id="0", value=("N", "N", "V")), Prediction(id="1", value=("N",))])
    assert scores["accuracy"] == 0.5  # two of four tokens, not the mean of 1/3 and 1
    assert scores["N/precision"] == scores["N/recall"] == pytest.approx(2 / 3)
    assert scores["V/f1"] == 0.0
    assert scores["macro_f1"] == pytest.approx(1 / 3)
    assert not [name for name in scores if name.startswith("confusion")]
    assert isinstance(task, Decomposable)
    counts = task.counts(gold, [Prediction(id="0", value=["N", "N", "V"]), Prediction(id="1", value=["N"])])
    assert counts.tolist() == [[1, 3], [1, 1]]
    assert ratio_of_sums(counts.numpy().sum(axis=0)) == 0.5


@pytest.mark.parametrize("tagset", ["upos", "xpos"])
def test_gold_predictions_score_one(tagset: str) -> None:
    task = PosTagging(data=DataConfig(), tagset=tagset)  # type: ignore[arg-type]
    dev = task.examples("dev")
    metrics = task.score(dev, [Prediction(id=e.id, value=e.target) for e in dev])
    assert metrics["accuracy"] == metrics["macro_f1"] == 1.0


@pytest.mark.parametrize("place", PLACES)
def test_more_padding_changes_nothing(place: str, task: PosTagging) -> None:
    input_dim, output_dim = PLACES[place]
    head = task.build_head(input_dim=input_dim, output_dim=output_dim).eval()
    long = max(task.examples("train"), key=lambda e: len(e.texts["tokens"]))
    short = min(task.examples("train"), key=lambda e: len(e.texts["tokens"]))
    alone, padded, other = task.collate([short]), task.collate([short, long]), task.collate([long])
    read = {id(x): vectors(x, input_dim=input_dim, output_dim=output_dim) for x in (alone, padded, other)}
    a, b = (head.scores(read[id(x)], x) for x in (alone, padded))
    torch.testing.assert_close(b[0, : a.shape[1]], a[0])
    losses = [head.loss(read[id(x)], x) * x.masks["tokens"].sum() for x in (alone, other)]
    together = head.loss(read[id(padded)], padded) * padded.masks["tokens"].sum()
    torch.testing.assert_close(together, sum(losses))
    assert head.predict(read[id(padded)], padded)[0] == head.predict(read[id(alone)], alone)[0]


def test_gradients_reach_every_parameter(task: PosTagging) -> None:
    head = task.build_head(input_dim=10, output_dim=4)
    batch = task.collate(task.examples("train")[:8])
    head.loss(vectors(batch, output_dim=4), batch).backward()
    assert [name for name, p in head.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_the_probe_is_exactly_one_linear_layer() -> None:
    task = PosTagging(data=DataConfig())
    head = task.build_head(input_dim=10, output_dim=4)
    batch = task.collate(task.examples("train")[:3])
    read = vectors(batch, output_dim=4)
    weight, bias = (parameter.tolist() for parameter in head.parameters())
    scores = head.train().scores(read, batch).detach()
    for b, length in enumerate(batch.masks["tokens"].sum(dim=1).tolist()):
        for t in range(length):
            joined = [*read["tokens"].input[b, t].tolist(), *read["tokens"].output[b, t].tolist()]  # type: ignore[index]
            for k, row in enumerate(weight):
                expected = sum(w * x for w, x in zip(row, joined, strict=True)) + bias[k]
                assert float(scores[b, t, k]) == pytest.approx(expected, abs=1e-5)


def test_the_loss_is_the_mean_over_tokens(task: PosTagging) -> None:
    head = task.build_head(input_dim=10, output_dim=0).eval()
    batch = task.collate(task.examples("train")[:5])
    scores = head.scores(vectors(batch), batch).detach().log_softmax(dim=2)
    likelihoods = [
        float(scores[b, t, task.labels.index(tag)])
        for b, example in enumerate(batch.examples)
        for t, tag in enumerate(example.target)
    ]
    expected = -sum(likelihoods) / len(likelihoods)
    assert head.loss(vectors(batch), batch).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("place", PLACES)
def test_every_head_can_memorise_ten_sentences(place: str, task: PosTagging) -> None:
    task = replace(task, bilstm=BiLstmOptions(hidden_dim=24, dropout=0.0))
    torch.manual_seed(0)
    dims = dict(zip(("input_dim", "output_dim"), (16 * dim for dim in PLACES[place]), strict=True))
    head, batch = task.build_head(**dims), task.collate(task.examples("train")[:10])
    read = vectors(batch, **dims)
    assert task.score(batch.examples, memorised(task, head, batch, read, lr=0.05))["accuracy"] == 1.0


def test_a_tag_that_is_only_in_dev_counts_as_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    task = PosTagging(data=files(tmp_path, train="N V", dev="N NEW", test="N V"), head="bilstm", bilstm=SMALL)
    batch = task.collate(task.examples("dev"))
    assert task.labels == ("N", "V")
    assert "dev: 1 tokens have a tag that is not in the training data (NEW); they count as errors" in caplog.text
    assert batch.gold["labels"].tolist() == [[0, IGNORED]]
    predictions = task.build_head(input_dim=10, output_dim=0).eval().predict(vectors(batch), batch)
    metrics = task.score(task.examples("dev"), predictions)
    assert metrics["NEW/recall"] == 0.0
    assert metrics["accuracy"] <= 0.5


@pytest.mark.slow
def test_a_long_sentence_works(task: PosTagging) -> None:
    example = Example(id="long", texts={"tokens": ("word",) * 5000}, target=("NOUN",) * 5000)
    head, batch = task.build_head(input_dim=10, output_dim=0), task.collate([example])
    loss = head.loss(vectors(batch), batch)
    loss.backward()
    assert bool(torch.isfinite(loss))
    assert len(head.eval().predict(vectors(batch), batch)[0].value) == 5000


def test_unlabelled_text_can_be_tagged(task: PosTagging) -> None:
    batch = task.collate([Example(id="x", texts={"tokens": ("They", "light", "it")})])
    assert not batch.gold
    assert len(task.build_head(input_dim=10, output_dim=0).eval().predict(vectors(batch), batch)[0].value) == 3


@pytest.mark.parametrize("wrong", [{"hidden_dim": 0}, {"num_layers": 0}, {"dropout": 1.0}, {"dropout": -0.1}])
def test_sizes_out_of_range_are_named(wrong: dict[str, float]) -> None:
    node = {"_target_": "tasks.pos.task.PosTagging", "data": {}, "head": "bilstm", "bilstm": wrong}
    with pytest.raises(ConfigError, match=rf"task\.bilstm\.{next(iter(wrong))} is"):
        build(node, kind=Task, where="task")


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("placement", PLACES)
def test_a_run_of_every_head_at_every_place(head: str, placement: str, tmp_path: Path) -> None:
    vectors_file = tmp_path / "vectors.txt"
    vectors_file.write_text("the 1 2 3\nof 4 5 6\nlevel 7 8 9\n")
    small = [option for option in SMALL_RUN if not option.startswith("task.")]
    chosen = [f"task.head={head}", "task.bilstm.hidden_dim=8", f"mixing.placement={placement}", "trainer.max_epochs=1"]
    static = ["embedding=file", f"embedding.path={vectors_file}"]
    record = run(config_of(tmp_path, "task=pos", *small, *chosen, *static), stop=Stop())
    assert record.status == "ok"
    assert record.data["name"] == "sample"
    assert record.primary_metric == "accuracy"
    assert {"accuracy", "macro_f1", "NOUN/f1"} <= set(record.metrics["test"])


def test_the_experiment_composes(tmp_path: Path) -> None:
    config = config_of(tmp_path, "experiment=pos", "embedding.path=v")
    assert (config.task["head"], config.data.source) == ("linear", "official")
    layers = config_of(tmp_path, "experiment=pos", "embedding=none", "mixing=layer", "mixing.index=1")
    assert layers.mixing["index"] == 1
    files = ("data=files", "data.train=a", "data.dev=b", "data.test=c")
    assert config_of(tmp_path, "experiment=pos", "embedding.path=v", *files).data.path("dev") == Path("b")

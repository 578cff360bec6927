"""The online code length agrees with a second implementation, and with what is known in advance."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.errors import ConfigError
from harness.runs.plan import build_model, prepare
from harness.runs.record import folder_of
from harness.runs.run import run
from harness.runs.summary import print_summary
from harness.training.code_length import CodeLength, OnlineCode, portion_ends
from harness.training.model import Model
from harness.types import Batch, Example, Prediction, TokenVectors
from harness.utils.signals import Stop
from tests.support.runs import StopAfter, config_of

SMALL = ["task=pos", "embedding=static_mini", "encoder=none", "tracking=none", "threads=1"]
SMALL += ["data.fraction=0.02", "trainer.max_epochs=1"]


def config(folder: Path, *more: str) -> Any:
    return config_of(folder, *SMALL, "code_length=true", *more)


def test_the_portions_are_those_of_the_paper() -> None:
    assert portion_ends(100_000) == [100, 200, 400, 800, 1600, 3200, 6250, 12500, 25000, 50000, 100_000]
    assert portion_ends(10) == [1, 2, 5, 10]
    assert portion_ends(1) == [1]


def test_bits_by_hand() -> None:
    """Four labels: the first portion of 2 costs 2 bits each; the next one has the probabilities 1/2 and 1/8."""
    code = CodeLength(classes=4, examples=(1, 1), labels=(2, 2), costs=(2.0, (1 + 3) / 2))
    assert (code.bits, code.uniform_bits, code.compression) == (8.0, 8.0, 1.0)
    assert code.values()["portions"]["bits"] == [4.0, 4.0]


class SameForAll(nn.Module):
    """Gives each label the same probability and learns nothing; it has one weight, which changes nothing."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        super().__init__()
        self.labels, self.bias = labels, nn.Parameter(torch.ones(()))

    def scores(self, batch: Batch) -> Tensor:
        return self.bias * torch.ones(*batch.masks["tokens"].shape, len(self.labels))

    def loss(self, _: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        return self.scores(batch).log_softmax(dim=2).square().mean()

    def label_nats(self, _: Mapping[str, TokenVectors], batch: Batch) -> tuple[Tensor, Tensor]:
        return -self.scores(batch).double().log_softmax(dim=2)[..., 0], batch.masks["tokens"]

    def predict(self, _: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        raise NotImplementedError


def online_code(folder: Path, plan: Any, model: Model) -> OnlineCode:
    return OnlineCode(
        task=plan.task,
        model=model,
        train=plan.examples["train"],
        dev=plan.examples["dev"][:20],
        options=plan.config.trainer,
        seed=1,
        device="cpu",
        folder=folder,
        stop=Stop(),
    )


def test_a_uniform_predictor_has_the_compression_one_exactly(tmp_path: Path) -> None:
    plan = prepare(config(tmp_path))
    model = build_model(plan)
    model.head = SameForAll(plan.task.labels)  # type: ignore[attr-defined]
    code = online_code(tmp_path, plan, model).measure()
    assert code.compression == 1.0
    assert code.classes == len(plan.task.labels) > 10  # type: ignore[attr-defined]
    assert code.bits == code.uniform_bits == sum(code.labels) * math.log2(code.classes)
    assert sum(code.examples) == len(plan.examples["train"])
    assert sum(code.labels) == sum(len(example.target) for example in plan.examples["train"])


def bits_of(model: Model, task: Any, example: Example) -> float:
    """Return the code length of the labels of a sentence, from the weights of the linear probe, in NumPy."""
    batch = task.collate([example])
    with torch.no_grad():
        vectors = model.features(model.features.read(batch), batch)["tokens"].input[0]  # (tokens, dim)
        scores = model.head.network.to_labels(vectors).double().numpy()  # type: ignore[attr-defined,operator,union-attr]
    bits = 0.0
    for row, tag in zip(scores, example.target, strict=True):
        powers = np.exp2(row / math.log(2))
        bits -= math.log2(powers[task.labels.index(tag)] / powers.sum())
    return bits


def test_a_second_implementation_agrees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes only the weights after each training from the first one, and checks what they were trained on."""
    trained: list[tuple[set[str], dict[str, Tensor]]] = []
    fit = OnlineCode._fit

    def remembered(self: OnlineCode, coder: Any, examples: list[Example]) -> None:
        fit(self, coder, examples)
        weights = {name: tensor.clone() for name, tensor in self.model.trained().items()}
        trained.append(({example.id for example in examples}, weights))

    monkeypatch.setattr(OnlineCode, "_fit", remembered)
    plan = prepare(config(tmp_path, "trainer.lr=0.05", "trainer.max_epochs=3"))
    torch.manual_seed(1)
    model = build_model(plan)
    before = {name: tensor.clone() for name, tensor in model.trained().items()}
    code = online_code(tmp_path, plan, model).measure()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.trained().items())

    train = {example.id: example for example in plan.examples["train"]}
    classes = len({tag for example in plan.task.examples("train") for tag in example.target})
    assert [len(ids) for ids, _ in trained] == portion_ends(len(train))[:-1]
    (first, _), *_ = trained
    expected = sum(len(train[one].target) for one in first) * math.log2(classes)
    model.eval()
    for (known, weights), (following, _) in zip(trained, [*trained[1:], (set(train), {})], strict=True):
        assert known < following
        model.load_trained(weights)
        expected += sum(bits_of(model, plan.task, train[one]) for one in following - known)
    assert code.bits == pytest.approx(expected, rel=1e-9)
    total = sum(len(example.target) for example in train.values())
    assert code.compression == pytest.approx(total * math.log2(classes) / expected, rel=1e-9)
    assert code.compression > 1.1


def test_a_run_records_it_and_is_otherwise_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_code = run(config(tmp_path), stop=Stop())
    without = run(config(tmp_path, "code_length=false"), stop=Stop())
    assert with_code.identity != without.identity
    assert with_code.determining["code_length"] is True
    assert "code_length" not in without.determining
    assert without.code_length == {}
    assert (with_code.metrics, with_code.weights_sha256) == (without.metrics, without.weights_sha256)
    code = with_code.code_length
    assert code["compression"] == pytest.approx(code["uniform_bits"] / code["bits"])
    assert code["bits"] == pytest.approx(sum(code["portions"]["bits"]))
    folder = folder_of(with_code, f"{tmp_path}/results")
    assert not list(folder.glob("checkpoint*"))
    print_summary(with_code, folder=folder)
    bits = f"code length of the training labels {code['bits']:,.0f} bits"
    assert bits in capsys.readouterr().out


@pytest.mark.slow
def test_a_stopped_run_continues_to_the_same_code(tmp_path: Path) -> None:
    whole = run(config(tmp_path / "whole"), stop=Stop())
    stopped = run(config(tmp_path / "stopped"), stop=StopAfter(5))
    assert stopped.status == "interrupted"
    kept = list(folder_of(stopped, f"{tmp_path}/stopped/results").glob("checkpoint-*.pt"))
    assert 1 < len(kept) < len(whole.code_length["portions"]["bits"]) - 1
    resumed = run(config(tmp_path / "stopped"), stop=Stop())
    assert resumed.code_length == whole.code_length
    assert resumed.metrics == whole.metrics


@pytest.mark.parametrize(("task", "head"), [("ner", "bilstm_crf"), ("srl", "deep_bilstm"), ("wsd", "SenseAverages")])
def test_a_head_that_reports_no_probabilities_is_refused(task: str, head: str, tmp_path: Path) -> None:
    """The fix is right for a task without another head, too."""
    wrong = config(tmp_path, f"task={task}", "vectors=static")
    with pytest.raises(ConfigError, match=f"code_length=true: the head '{head}' .*; leave it out, or .*=linear"):
        run(wrong, stop=Stop())

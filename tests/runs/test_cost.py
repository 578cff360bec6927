"""The cost of a run: what the record holds, how the speed of an encoder is measured, and that no result changes."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.features.store import FeatureStore
from harness.runs import cost
from harness.runs.cost import COST_FIELDS, cost_of, encoding_speed, tokens_per_second
from harness.runs.plan import build_model, prepare, sentences
from harness.runs.record import read_record
from harness.runs.run import run
from harness.types import Sentence
from harness.utils.memory import peak_memory
from harness.utils.signals import Stop
from tests.support.encoders import tiny_elmo
from tests.support.runs import SMALL, config_of, small_run, without_times

ONE_EPOCH = "trainer.max_epochs=1"
_REAL = {name: getattr(cost, name) for name in ("_MOST", "_PLACES")}  # before the first test makes them smaller


def test_a_record_has_the_costs_of_its_run(tmp_path: Path) -> None:
    torch.ones(600_000_000, dtype=torch.uint8)  # freed before the run: not part of its peak
    before = peak_memory("cpu")["process"]
    record = small_run(tmp_path, "trainer.max_epochs=2", whole=True)
    (path,) = tmp_path.glob("results/ner/*/record.json")
    assert read_record(path) == record
    found = cost_of(record)
    assert tuple(found) == COST_FIELDS
    plan = prepare(config_of(tmp_path, *SMALL, "trainer.max_epochs=2"))
    model = build_model(plan)
    assert found["head_parameters"] == sum(p.numel() for p in model.head.parameters())
    assert found["head_parameters"] == record.parameters - 4  # the mix has three weights and gamma
    assert found["encoder_parameters"] == sum(p.numel() for p in plan.encoder.bilm.parameters())  # type: ignore[union-attr]
    assert found["epoch_s"] == record.timing["train_s"] / 2
    assert found["tokens_per_s"] > 0
    assert found["device"] == f"{record.environment['processor']}, 1 thread"
    assert before is not None
    assert 1e8 < found["peak_memory_bytes"] < (before - 3e8 if sys.platform == "linux" else 1e11)
    assert found["peak_gpu_memory_bytes"] is None
    (store,) = (tmp_path / "cache" / "features").iterdir()
    stored = sum(path.stat().st_size for path in store.iterdir() if path.suffix in (".bin", ".idx"))
    tokens = sum(map(len, set(sentences(plan.examples))))
    assert found["bytes_per_token"] == pytest.approx(stored / tokens, rel=1e-12)
    assert not any("cost" in key for key in record.determining)
    (speeds,) = (tmp_path / "cache").glob("features/*/tokens_per_s.json")
    assert json.loads(speeds.read_text()) == {found["device"]: found["tokens_per_s"]}
    raw = json.loads(path.read_text())
    del raw["cost"]  # an older record
    path.write_text(json.dumps(raw))
    assert read_record(path) == replace(record, cost={})
    assert set(cost_of(read_record(path)).values()) == {None}


def test_the_speed_is_measured_once_for_each_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = prepare(config_of(tmp_path, *SMALL))
    speed = encoding_speed(plan, tmp_path)
    path = tmp_path / "tokens_per_s.json"
    device = f"{plan.environment['processor']}, 1 thread"
    assert json.loads(path.read_text()) == {device: speed}
    monkeypatch.setattr(cost, "tokens_per_second", lambda *_: 7.5)
    assert encoding_speed(plan, tmp_path) == speed
    for damage in ("{", "[]", '{"other": 1.0}'):
        path.write_text(damage)
        assert encoding_speed(plan, tmp_path) == 7.5
    assert json.loads(path.read_text()) == {"other": 1.0, device: 7.5}
    path.unlink()
    path.mkdir()  # cannot be written
    assert encoding_speed(plan, tmp_path) == 7.5


def test_runs_without_store_or_encoder(tmp_path: Path) -> None:
    uncached = small_run(tmp_path, ONE_EPOCH, "cache=none").cost
    assert isinstance(uncached["tokens_per_s"], float)
    assert uncached["bytes_per_token"] == 0
    static = tmp_path / "vectors.txt"
    static.write_text("the 1 0\nof 0 1\n")
    words = [one for one in SMALL if not one.startswith(("encoder", "embedding"))]
    config = config_of(
        tmp_path, *words, "encoder=none", "embedding=file", f"embedding.path={static}", "embedding.name=x", ONE_EPOCH
    )
    alone = run(config, stop=Stop()).cost
    assert (alone["encoder_parameters"], alone["tokens_per_s"], alone["bytes_per_token"]) == (0, None, 0)


def test_measuring_changes_no_result_even_if_vectors_depend_on_what_was_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried = (ONE_EPOCH, "cache=none", "encoder.state=carry", "data.fraction=0.05")
    measured = small_run(tmp_path / "a", *carried)
    monkeypatch.setattr(cost, "encoding_speed", lambda *_: None)
    assert without_times(small_run(tmp_path / "b", *carried)) | {"config": 0} == without_times(measured) | {"config": 0}


class Timed:
    """An encoder with a clock of its own: a second for each sentence, and a hundredth for each new word."""

    def __init__(self) -> None:
        self.now, self.known = 0.0, set[str]()
        self.batches: list[Sequence[Sentence]] = []

    def encode(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
        assert len(set(sentences)) == len(sentences)
        self.batches.append(sentences)
        self.now += len(sentences) + 0.01 * len(set().union(*sentences) - self.known)
        self.known.update(*sentences)
        yield from ((i, torch.zeros(1, len(one), 1)) for i, one in enumerate(sentences))


@pytest.fixture
def _as_in_real_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _REAL.items():
        monkeypatch.setattr(cost, name, value)


@pytest.mark.usefixtures("_as_in_real_runs")
@pytest.mark.parametrize(("enough", "size"), [(0.0, 16), (20.0, 32), (1e9, 100)])
def test_the_speed_is_the_median_of_five_batches_after_warm_up(
    enough: float, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = [("the", f"a{i}", *["of"] * (i % 7)) for i in range(100)]
    encoder: Any = Timed()
    monkeypatch.setattr(cost, "_LONG_ENOUGH", enough)
    monkeypatch.setattr("time.perf_counter", lambda: encoder.now)
    speed = tokens_per_second(encoder, [*text, *text, ()])
    timed = encoder.batches[-9::2]
    assert encoder.batches[-10::2] == timed  # each is encoded before it is timed
    assert {len(batch) for batch in timed} == {size}
    speeds = sorted(sum(map(len, batch)) / size for batch in timed)  # no word is new any more
    assert speed == pytest.approx(speeds[2])
    assert tokens_per_second(encoder, [(), ()]) is None


class Filling(Timed):
    """An encoder that reads 32 sentences of one length in a second, and takes as long for fewer."""

    def encode(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
        self.now += sum(-(-count // 32) for count in Counter(map(len, sentences)).values())
        yield from ((i, torch.zeros(1, len(one), 1)) for i, one in enumerate(sentences))


@pytest.mark.usefixtures("_as_in_real_runs")
def test_an_encoder_that_fills_up_its_batches_is_not_called_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    text = [(f"a{i}", *["of"] * (i % 20)) for i in range(2000)]
    encoder: Any = Filling()
    monkeypatch.setattr("time.perf_counter", lambda: encoder.now)
    list(encoder.encode(text))
    whole = sum(map(len, text)) / encoder.now
    assert whole / 2 < tokens_per_second(encoder, text) < 2 * whole  # type: ignore[operator]


def test_the_size_of_an_elmo_is_that_of_its_network(tmp_path: Path) -> None:
    encoder = tiny_elmo(tmp_path)
    assert encoder.num_parameters == sum(p.numel() for p in encoder.bilm.parameters()) > 1000
    assert tiny_elmo(tmp_path, dtype="bfloat16").num_parameters == encoder.num_parameters


def test_the_plan_tells_the_bytes_of_each_token_before_and_after_encoding(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, tiny_elmo(tmp_path))
    text = [("a", "b"), ("b", "c", "c"), ("a", "b")]
    rows = 2 * 16 * 5 + 3 * 16  # two layers of five tokens, and layer 0 of three words
    expected = (2 * rows + 5 * 40) / 5  # a record of 40 bytes for each sentence and word
    assert store.plan(text).bytes_per_token == expected
    store.fill(text)
    assert store.plan(text).bytes_per_token == expected
    assert store.plan([]).bytes_per_token == 0

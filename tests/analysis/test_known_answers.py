"""Layers in which one alone holds the label: every method finds it. A layer of words has no selectivity."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.layer_use import centre_of_gravity, expected_layer
from harness.runs.plan import SharedObjects
from harness.runs.record import RunRecord
from harness.runs.run import run
from harness.utils.signals import Stop
from tests.support.known_layer import LABELS, write_data
from tests.support.runs import config_of

LAYERS = 4
ONE_RUN = ["task=tagging", "task.head=linear", "embedding=none", "tracking=none", "threads=1", "trainer.lr=0.05"]
ONE_RUN += ["trainer.max_epochs=5", "trainer.batch_size=10"]

Runner = Callable[..., RunRecord]


def runner(folder: Path, *, holds: list[str], by_word: bool = False) -> Runner:
    """Return a function that runs a setting on an encoder of known layers."""
    data, shared = write_data(folder, by_word=by_word), SharedObjects()
    encoder = {"_target_": "tests.support.known_layer.KnownLayers", "holds": holds}

    def runs(*overrides: str) -> RunRecord:
        config = config_of(folder, *ONE_RUN, *data, *overrides)
        known: Any = replace(config, encoder=encoder, plugins=["tests.support.known_layer"])
        return run(known, stop=Stop(), shared=shared)

    return runs


def accuracy(record: RunRecord) -> float:
    return record.metrics["test"]["accuracy"]


def best(values: list[float]) -> int:
    return max(range(len(values)), key=lambda layer: values[layer])


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 2, 3])
def test_every_method_finds_the_only_layer_that_holds_the_label(k: int, tmp_path: Path) -> None:
    runs = runner(tmp_path, holds=["label" if layer == k else "noise" for layer in range(LAYERS)])
    alone = [runs("mixing=layer", f"mixing.index={layer}", "code_length=true") for layer in range(LAYERS)]
    scores = [accuracy(record) for record in alone]
    assert best(scores) == k
    assert scores[k] > 0.98
    assert sorted(scores)[-2] < 0.4

    compressions = [record.code_length["compression"] for record in alone]
    assert best(compressions) == k
    assert compressions[k] > 3
    assert all(0.5 < one < 1.2 for layer, one in enumerate(compressions) if layer != k)

    control = [runs("mixing=layer", f"mixing.index={layer}", "task.control=1") for layer in range(LAYERS)]
    selectivities = [score - accuracy(record) for score, record in zip(scores, control, strict=True)]
    assert best(selectivities) == k
    assert selectivities[k] > 0.4
    assert all(abs(one) < 0.25 for layer, one in enumerate(selectivities) if layer != k)

    sums = [accuracy(runs("mixing=cumulative", f"mixing.index={layer}", "mixing.lambda_=0")) for layer in range(LAYERS)]
    found = expected_layer(sums)
    assert best([0.0, *found.gains]) == k
    assert found.clipped == pytest.approx(k, abs=0.25)

    mix = runs("mixing=scalar_mix", "mixing.lambda_=0", "trainer.lr=0.3").mixing["weights"]["input"]
    assert best(mix) == k
    assert centre_of_gravity(mix) == pytest.approx(k, abs=0.5)


def test_a_layer_that_holds_only_the_word_has_no_selectivity(tmp_path: Path) -> None:
    """Where the label depends on the word alone, a probe learns the control task from such a layer as well."""
    runs = runner(tmp_path, holds=["word", "noise"], by_word=True)
    task, control = (runs("mixing=layer_0", f"task.control={seed}", "trainer.max_epochs=12") for seed in ("null", 3))
    assert accuracy(task) > 0.95
    assert accuracy(task) - accuracy(control) == pytest.approx(0.0, abs=0.05)
    assert len(LABELS) == 4


@pytest.mark.slow
@pytest.mark.realdata
def test_a_trained_encoder_shortens_the_code_of_parts_of_speech_more_than_a_random_one(
    tmp_path: Path, shared: Path
) -> None:
    """Static vectors alone, then with a random encoder, then with a trained one; the last two as in Voita and Titov."""
    treebank = shared / "data" / "pos" / "en_ewt-ud-dev.conllu.gz"
    data = ["data=files", f"data.train={treebank}", "data.dev_fraction=0.1", "data.test_fraction=0.1"]
    words = ["experiment=probe", "task.head=linear", "mixing.index=1", "vectors=both", "tracking=none", "threads=1"]
    encoders, shared_objects = ("none", "random", "elmo_mini"), SharedObjects()
    configs = [
        config_of(tmp_path, *words, *data, f"encoder={encoder}", "trainer.max_epochs=12") for encoder in encoders
    ]
    codes = [run(config, stop=Stop(), shared=shared_objects).code_length["compression"] for config in configs]
    assert codes == sorted(codes)
    assert codes[2] > 2 * codes[1]

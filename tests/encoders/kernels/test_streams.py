"""Streams: the bits of a sentence's vectors depend on the sentence alone, and are nearly those of the plain biLM."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.config.instantiate import build
from harness.encoders.elmo import ElmoEncoder
from harness.encoders.kernels import frozen_product
from harness.encoders.kernels.frozen_char_cnn import FrozenCharCnn
from harness.encoders.kernels.frozen_product import FrozenProduct
from harness.encoders.kernels.streams import Schedule
from harness.encoders.random_elmo import random_elmo
from harness.encoders.word_vector_cache import word_vectors
from harness.errors import ConfigError
from harness.features.store import FeatureStore
from harness.features.uncached import Uncached
from harness.nn.packing import Packing
from harness.types import Sentence
from tests.benchmarks import texts
from tests.support.encoders import changed, tiny_elmo
from tests.support.runs import config_of

ODD: dict[str, Any] = {
    "char_cnn": {"filters": [[1, 3], [2, 5], [7, 1]], "embedding": {"dim": 5}},
    "lstm": {"dim": 24, "projection_dim": 7},
}
FORMS: dict[str, dict[str, Any]] = {
    "odd": ODD,
    "one layer, no highway": {"lstm": {"dim": 24, "n_layers": 1}, "char_cnn": {"n_highway": 0}},
    "three layers, two highways": {"lstm": ODD["lstm"] | {"n_layers": 3}, "char_cnn": {"n_highway": 2}},
    "no skips, no clips": {"lstm": {"use_skip_connections": False, "cell_clip": None, "proj_clip": None}},
    "no projections": {"lstm": {"dim": 13, "projection_dim": 13}, "char_cnn": {"filters": [[1, 4], [3, 9]]}},
    "tanh, wide": {"char_cnn": {"activation": "tanh"}, "lstm": {"dim": 200, "projection_dim": 50, "cell_clip": 0.3}},
}
EXTREMES: list[Sentence] = [("word",), (), tuple(f"w{i % 9}" for i in range(90)), ("", "x" * 60, "🙂")]
SENTENCES = [*texts.drawn(40), *EXTREMES]


def encoder_of(form: str, folder: Path, **options: Any) -> ElmoEncoder:
    if form == "elmo_mini":
        overrides = [f"encoder.{key}={'null' if value is None else value}" for key, value in options.items()]
        encoder: ElmoEncoder = build(config_of(folder, *overrides).encoder, kind=ElmoEncoder, where="encoder")
        return encoder
    return random_elmo(options=changed(FORMS[form]), cache_dir=str(folder), **options)


def encoded(encoder: ElmoEncoder, sentences: list[Sentence], threads: int = 1) -> list[Tensor]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return [layers for _, layers in sorted(encoder.encode(sentences), key=lambda pair: pair[0])]
    finally:
        torch.set_num_threads(before)


def check_bits(make: Callable[..., ElmoEncoder]) -> None:
    """Check that a sentence has the same bits in every company, order, size of batches and number of threads."""
    expected = encoded(make(), SENTENCES)
    places = list(range(len(SENTENCES)))
    random.Random(1).shuffle(places)
    for max_tokens, threads in ((None, 2), (200, 1), (30, 2), (None, 3), (150, 6)):
        got = encoded(make(max_tokens=max_tokens), [SENTENCES[place] for place in places], threads)
        assert all(torch.equal(one, expected[place]) for one, place in zip(got, places, strict=True))
    backwards = encoded(make(), SENTENCES[::-1], threads=2)[::-1]
    assert all(map(torch.equal, backwards, expected))
    alone = make()
    for place in (0, *range(len(SENTENCES) - len(EXTREMES), len(SENTENCES))):
        for threads in (1, 2):
            assert torch.equal(encoded(alone, [SENTENCES[place]], threads)[0], expected[place])


@pytest.mark.parametrize("state", ["zeros", "warm"])
@pytest.mark.parametrize("form", [*FORMS, "elmo_mini"])
def test_a_sentence_has_the_same_bits_in_any_company(form: str, state: str, tmp_path: Path) -> None:
    check_bits(lambda **options: encoder_of(form, tmp_path, state=state, **options))


@pytest.mark.parametrize("form", ["odd", pytest.param("elmo_mini", marks=pytest.mark.slow)])
def test_the_public_product_keeps_the_bits_too(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_packed = encoded(encoder_of(form, tmp_path), SENTENCES)
    monkeypatch.setattr(frozen_product, "packed", lambda _: None)
    if form == "odd":  # as on a machine where the bits depend on the number of rows
        monkeypatch.setattr(frozen_product, "GRAIN", frozen_product.BLOCK)
    check_bits(lambda **options: encoder_of(form, tmp_path, **options))
    for one, other in zip(encoded(encoder_of(form, tmp_path), SENTENCES), with_packed, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-5)


@pytest.mark.slow
def test_bfloat16_keeps_the_bits_too(tmp_path: Path) -> None:
    check_bits(lambda **options: encoder_of("elmo_mini", tmp_path, dtype="bfloat16", **options))


@pytest.mark.slow
@pytest.mark.parametrize(
    "variables", ["ATEN_CPU_CAPABILITY=default", "ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=avx2"]
)
def test_other_instruction_sets_keep_the_bits_too(variables: str) -> None:
    test = f"{Path(__file__)}::{test_a_sentence_has_the_same_bits_in_any_company.__name__}"
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider"]
    command += [f"{test}[{form}-zeros]" for form in ("odd", "tanh, wide")]
    environment = os.environ | dict(pair.split("=") for pair in variables.split())
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout


def test_what_the_store_holds_does_not_depend_on_how_it_was_filled(tmp_path: Path) -> None:
    kept = []
    for name, parts in (("at once", [SENTENCES]), ("in parts", [SENTENCES[40:], SENTENCES[:50], SENTENCES])):
        store = FeatureStore(tmp_path / name, encoder_of("elmo_mini", tmp_path))
        for part in parts:
            store.fill(part)
        kept.append(store.read(SENTENCES))
    assert torch.equal(*kept)
    assert torch.equal(kept[0], Uncached(encoder_of("elmo_mini", tmp_path)).read(SENTENCES))


@pytest.mark.parametrize("form", [*FORMS, "elmo_mini"])
def test_streams_compute_what_the_bilm_computes(form: str, tmp_path: Path) -> None:
    encoder = encoder_of(form, tmp_path, state="warm")
    sentences = sorted(filter(None, SENTENCES), key=len, reverse=True)
    words = [word for sentence in sentences for word in sentence]
    lengths = [len(sentence) for sentence in sentences]
    with torch.inference_mode():
        types, rows = word_vectors(encoder.bilm.char_cnn, words)
        expected, _ = encoder.bilm(types, rows, Packing.of(lengths), encoder._repeat(len(sentences)))
    for one, other in zip(encoded(encoder, sentences), expected.split(lengths, dim=1), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("form", [*FORMS, "elmo_mini"])
def test_the_frozen_character_cnn_computes_the_same(form: str, tmp_path: Path) -> None:
    char_cnn = encoder_of(form, tmp_path).bilm.char_cnn
    words = ["<S>", "</S>", "", "a", "🙂", "x" * 45, "x" * 48, "x" * 60, *(word for s in SENTENCES for word in s)]
    with torch.inference_mode():
        ours, theirs = (word_vectors(one, words) for one in (FrozenCharCnn(char_cnn), char_cnn))
    torch.testing.assert_close(ours[0], theirs[0], atol=1e-5, rtol=1e-5)
    assert torch.equal(ours[1], theirs[1])


@pytest.mark.slow
@pytest.mark.parametrize("without_onednn", [False, True])
@pytest.mark.parametrize("shape", [(1024, 16384), (4096, 512), (2048, 4096), (256, 2048), (512, 128), (7, 32)])
def test_a_row_of_a_product_depends_on_itself_alone(
    shape: tuple[int, int], without_onednn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if without_onednn:
        monkeypatch.setattr(frozen_product, "packed", lambda _: None)
    generator = torch.Generator().manual_seed(0)
    rows, weight = torch.randn(80, shape[0], generator=generator), torch.randn(shape, generator=generator)
    bias = torch.randn(shape[1], generator=generator)
    product = FrozenProduct(weight, bias)
    expected = product(rows)
    torch.testing.assert_close(expected, rows @ weight + bias, atol=1e-3, rtol=1e-4)
    for count in (1, 2, 7, 8, 9, 16, 24, 40, 64, 65):
        assert torch.equal(product(rows[-count:]), expected[-count:])
        assert torch.equal(FrozenProduct(weight)(rows[:count]) + bias, expected[:count])


def test_rows_take_the_next_sentence_at_once() -> None:
    lengths = sorted((len(sentence) for sentence in SENTENCES if sentence), reverse=True)
    for groups in (1, 3):
        schedules = [Schedule.of(lengths, first=group, every=groups) for group in range(groups)]
        positions = torch.cat([schedule.positions for schedule in schedules])
        assert sorted(positions.tolist()) == list(range(sum(lengths)))
        for group, schedule in enumerate(schedules):
            for slots in schedule.slots:
                assert len(set(slots.tolist())) == len(slots)
                assert int(slots.max()) < schedule.steps * schedule.rows
            assert sum(len(begin) for begin in schedule.begins if begin is not None) == len(lengths[group::groups])
            assert schedule.steps < 2 * max(lengths[group], sum(lengths[group::groups]) / schedule.rows)
    schedule = Schedule.of([5, 3, 2])
    assert (schedule.rows, schedule.steps) == (4, 5)
    first, middle, last = [(step * 4) for step in (0, 2, 4)]
    assert schedule.slots[0][[0, 2, 4]].tolist() == schedule.slots[1][[4, 2, 0]].tolist()
    assert [slot - int(schedule.slots[0][0]) for slot in schedule.slots[0][[0, 2, 4]].tolist()] == [first, middle, last]


def test_a_string_is_not_a_sentence(tmp_path: Path) -> None:
    encoder = tiny_elmo(tmp_path)
    for use in (
        lambda: list(encoder.encode(["The bank"])),  # type: ignore[list-item]
        lambda: FeatureStore(tmp_path, encoder).fill(["The bank"]),  # type: ignore[list-item]
        lambda: Uncached(encoder).read(["The bank"]),  # type: ignore[list-item]
    ):
        with pytest.raises(ConfigError, match="sentence 0 is 'The bank'; give its words"):
            use()

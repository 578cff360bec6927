"""The encoder, checked against stored activations of the official code, and against itself in other batches."""

import functools
import http.server
import json
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from harness.config.instantiate import build
from harness.encoders.elmo import ElmoEncoder, load_elmo
from harness.encoders.kernels import projected_lstm
from harness.encoders.options import parse_options
from harness.encoders.random_elmo import random_weights
from harness.errors import ConfigError, DownloadError
from harness.runs.run import run
from harness.utils.signals import Stop
from tests.benchmarks.reference import ReferenceElmo
from tests.support.encoders import TINY, Array, tiny_elmo, write_official
from tests.support.runs import SMALL, config_of

SENTENCES = [
    tuple("A short one .".split()),
    tuple("The bank by the river was closed because the bank had no money left .".split()),
    ("word",),
    (),
    tuple(f"w{i}" for i in range(40)),
    tuple("The bank by the river was open .".split()),
]


def official(folder: Path, tmp_path: Path, **options: int | str) -> ElmoEncoder:
    return load_elmo(
        name="official",
        options=str(folder / "options.json"),
        weights=str(folder / "lm_weights.hdf5"),
        cache_dir=str(tmp_path),
        **options,
    )


def vectors(encoder: ElmoEncoder, sentences: list[tuple[str, ...]]) -> list[torch.Tensor]:
    return [layers for _, layers in sorted(encoder.encode(sentences), key=lambda pair: pair[0])]


@pytest.mark.realdata
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("fixture", ["elmo", "bilm_no_skip"])
def test_carry_equals_the_stored_activations_of_the_official_code(
    fixture: str, device: str, shared: Path, tmp_path: Path
) -> None:
    folder = shared / "fixtures" / fixture
    listing = folder / ("sentences.json" if fixture == "elmo" else "lm_embeddings_sentences.json")
    streams = json.loads(listing.read_text())
    encoder = official(folder, tmp_path, state="carry", carry_rows=3, device=device)
    calls = [tuple(stream[k].split()) for k in range(10) for stream in streams]
    encoded = vectors(encoder, calls)
    worst = 0.0
    for i in range(3):
        with h5py.File(folder / f"lm_embeddings_{i}.hdf5") as stored:
            for k in range(10):
                expected = stored[str(k)][()]  # (directions, tokens, projection_dim)
                top = encoded[k * 3 + i][-1].numpy()  # (tokens, dim)
                assert top.shape == (expected.shape[1], 2 * expected.shape[2])
                worst = max(worst, float(np.abs(top - np.concatenate(list(expected), axis=1)).max()))
    assert worst < 1e-5


@pytest.mark.realdata
def test_layer_0_is_the_stored_token_embedding_twice(shared: Path, tmp_path: Path) -> None:
    folder = shared / "fixtures" / "elmo"
    with h5py.File(folder / "elmo_token_embeddings.hdf5") as stored:
        expected = stored["embedding"][()]  # (words, projection_dim)
    words = (folder / "vocab_test.txt").read_text(encoding="utf-8").split("\n")
    words = [word for word in words if word]
    layer_0 = vectors(official(folder, tmp_path), [(word,) for word in words])
    actual = np.stack([layers[0, 0].numpy() for layers in layer_0])  # (words, dim)
    offset = len(expected) - len(words)
    np.testing.assert_allclose(actual, np.concatenate([expected[offset:]] * 2, axis=1), atol=1e-5)


@pytest.mark.parametrize("state", ["zeros", "warm"])
def test_vectors_do_not_depend_on_batch_companions_order_or_padding(state: str, tmp_path: Path) -> None:
    alone = [vectors(tiny_elmo(tmp_path, state=state), [sentence])[0] for sentence in SENTENCES]
    together = vectors(tiny_elmo(tmp_path, state=state), SENTENCES)
    backwards = vectors(tiny_elmo(tmp_path, state=state, max_tokens=20), SENTENCES[::-1])[::-1]
    again = vectors(encoder := tiny_elmo(tmp_path, state=state), SENTENCES)
    once_more = vectors(encoder, SENTENCES)
    for i, sentence in enumerate(SENTENCES):
        assert alone[i].shape == (3, len(sentence), 16)
        for other in (together[i], backwards[i], again[i], once_more[i]):
            torch.testing.assert_close(other, alone[i], atol=1e-5, rtol=0)


def test_carry_depends_on_what_came_before(tmp_path: Path) -> None:
    encoder = tiny_elmo(tmp_path, state="carry", carry_rows=1)
    first, second = vectors(encoder, [SENTENCES[0], SENTENCES[0]])
    assert not encoder.cacheable
    assert (first - second).abs().max() > 1e-4


def test_context_reaches_both_directions(tmp_path: Path) -> None:
    encoder = tiny_elmo(tmp_path)
    one, right, left = vectors(encoder, [("a", "b", "c"), ("a", "b", "x"), ("x", "b", "c")])
    width = encoder.dim // 2
    assert torch.equal(one[0, 1], right[0, 1])  # layer 0 does not depend on the context
    torch.testing.assert_close(one[1:, 1, :width], right[1:, 1, :width])  # forward direction: left context only
    assert (one[1:, 1, width:] - right[1:, 1, width:]).abs().max() > 1e-4
    torch.testing.assert_close(one[1:, 1, width:], left[1:, 1, width:])  # backward direction: right context only
    assert (one[1:, 1, :width] - left[1:, 1, :width]).abs().max() > 1e-4


def test_state_policies_differ_and_have_different_fingerprints(tmp_path: Path) -> None:
    zeros, warm = tiny_elmo(tmp_path), tiny_elmo(tmp_path, state="warm")
    assert zeros.fingerprint != warm.fingerprint
    assert zeros.fingerprint != tiny_elmo(tmp_path, seed=1).fingerprint
    assert zeros.fingerprint == tiny_elmo(tmp_path, max_tokens=7).fingerprint
    assert (vectors(zeros, SENTENCES[:1])[0] - vectors(warm, SENTENCES[:1])[0])[1:].abs().max() > 1e-4


def test_a_warm_state_is_the_same_for_every_encoder(tmp_path: Path) -> None:
    before = vectors(tiny_elmo(tmp_path, state="warm"), SENTENCES)
    after = vectors(tiny_elmo(tmp_path, state="warm"), SENTENCES)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_odd_tokens_and_long_sentences(tmp_path: Path) -> None:
    encoder = tiny_elmo(tmp_path, max_tokens=64)
    sentence = ("x" * 400, "", "\u2028", "é" * 60, "🙂", *["long"] * 5000)
    (layers,) = vectors(encoder, [sentence])
    assert layers.shape == (3, 5005, 16)
    assert bool(torch.isfinite(layers).all())


def test_a_full_word_vector_cache_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = vectors(tiny_elmo(tmp_path), SENTENCES)
    monkeypatch.setattr("harness.encoders.word_vector_cache._MAX_CACHED", 5)
    actual = vectors(tiny_elmo(tmp_path, max_tokens=12), SENTENCES)
    for a, b in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def tiny_weights() -> dict[str, Array]:
    architecture = parse_options(TINY, source="test")
    return {name: tensor.numpy() for name, tensor in random_weights(architecture, seed=0).items()}


def test_a_model_is_downloaded_once_and_verified_afterwards(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    write_official(site, TINY, tiny_weights())
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        urls = {"options": f"{base}/options.json", "weights": f"{base}/weights.hdf5"}
        fetched = load_elmo(name="small", cache_dir=str(tmp_path / "cache"), **urls)
        server.shutdown()
    again = load_elmo(name="small", cache_dir=str(tmp_path / "cache"), **urls)  # without the server
    assert again.fingerprint == fetched.fingerprint
    assert torch.equal(vectors(again, SENTENCES)[0], vectors(tiny_elmo(tmp_path, state="warm"), SENTENCES)[0])
    with (tmp_path / "cache" / "encoders" / "small" / "weights.hdf5").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DownloadError, match=r"weights\.hdf5 is not the file first used"):
        load_elmo(name="small", cache_dir=str(tmp_path / "cache"), **urls)


def test_a_table_of_word_types_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ElmoEncoder, "_streams", None)  # batches on a CPU as on a GPU
    expected = vectors(tiny_elmo(tmp_path), SENTENCES)
    monkeypatch.setattr(projected_lstm, "_TABLE", 1)  # too many types for one
    monkeypatch.setattr(projected_lstm, "_BLOCK", 100)
    for ours, theirs in zip(vectors(tiny_elmo(tmp_path), SENTENCES), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


def test_the_reference_of_the_benchmarks_gives_the_same_vectors(tmp_path: Path) -> None:
    encoder = tiny_elmo(tmp_path)
    weights = random_weights(encoder.options, seed=0)
    reference = dict(ReferenceElmo(encoder.options, weights, encoder.bilm.char_cnn).encode(SENTENCES, batch_size=4))
    for ours, theirs in zip(vectors(encoder, SENTENCES), (reference[i] for i in range(len(SENTENCES))), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("state", ["zeros", "warm"])
def test_bfloat16_is_another_encoder_and_reports_its_rounding_error(state: str, tmp_path: Path) -> None:
    exact, rounded = tiny_elmo(tmp_path, state=state), tiny_elmo(tmp_path, state=state, dtype="bfloat16")
    assert exact.fingerprint != rounded.fingerprint
    assert (exact.dtype, exact.rounding_error) == ("float32", 0)
    assert rounded.dtype == "bfloat16"
    theirs, ours = (torch.cat(vectors(encoder, SENTENCES), dim=1) for encoder in (exact, rounded))
    assert ours.dtype == torch.float32
    error = float((ours - theirs).norm() / theirs.norm())
    assert 1e-4 < error < 2e-2
    assert error / 3 < rounded.rounding_error < 3 * error  # it is measured on another text


def test_the_record_and_the_store_name_the_precision(tmp_path: Path) -> None:
    record = run(config_of(tmp_path, *SMALL, "encoder.dtype=bfloat16", "trainer.max_epochs=1"), stop=Stop())
    assert record.encoder["dtype"] == "bfloat16"
    (kept,) = tmp_path.rglob("meta.json")
    assert json.loads(kept.read_text())["products"] == {
        "dtype": "bfloat16",
        "rounding_error": record.encoder["rounding_error"],
    }


def test_another_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"encoder\.dtype is 'float16'; expected .*bfloat16"):
        build(config_of(tmp_path, "encoder.dtype=float16").encoder, kind=ElmoEncoder, where="encoder")


def test_a_whole_run_on_official_files_with_carried_state(tmp_path: Path) -> None:
    options, weights = write_official(tmp_path, TINY, tiny_weights())
    small = [option for option in SMALL if not option.startswith("encoder.")]
    files = [f"encoder.options={options}", f"encoder.weights={weights}", "encoder.state=carry", "cache=none"]
    record = run(config_of(tmp_path, *small, "encoder=elmo", *files, "trainer.max_epochs=1"), stop=Stop())
    assert record.status == "ok"
    assert (record.encoder["name"], record.encoder["state"], record.encoder["dim"]) == ("elmo", "carry", 16)

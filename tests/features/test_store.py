"""The feature store: what it returns, what remains after a crash, and which process writes."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.errors import CacheError, ConfigError, HarnessError
from harness.features import store as store_module
from harness.features.blob_file import BlobFile
from harness.features.store import FeatureStore
from harness.features.uncached import Uncached
from harness.types import Sentence
from tests.support.encoders import tiny_elmo

SENTENCES = [tuple(f"w{(i * j) % 17}" for j in range(i % 9)) for i in range(60)]


class SlowEncoder:
    """Simple vectors: every value of layer l of a token is l plus the number of its characters."""

    name, fingerprint, state, num_layers, dim, word_layer, cacheable = (
        "slow",
        "f" * 64,
        "none",
        3,
        4,
        True,
        True,
    )

    def __init__(self, *, pause: float = 0.0, log: Path | None = None) -> None:
        self.pause, self.log = pause, log

    def encode(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
        for i, sentence in enumerate(sentences):
            time.sleep(self.pause)
            if self.log is not None:
                with self.log.open("a") as file:
                    file.write(f"{os.getpid()}\n")
            yield i, expected(sentence)


def expected(sentence: Sentence) -> Tensor:
    lengths = torch.tensor([float(len(word)) for word in sentence])  # (tokens,)
    return (lengths[None, :, None] + torch.arange(3.0)[:, None, None]).expand(3, len(sentence), 4).contiguous()


def assert_holds(store: FeatureStore, sentences: Sequence[Sentence]) -> None:
    layers = store.read(sentences)
    for row, sentence in zip(layers, sentences, strict=True):
        assert torch.equal(row[:, : len(sentence)], expected(sentence))
        assert not row[:, len(sentence) :].any()


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 1e-3), ("float32", 0.0)])
def test_read_returns_what_the_encoder_gave(dtype: str, tolerance: float, tmp_path: Path) -> None:
    encoder = tiny_elmo(tmp_path)
    store = FeatureStore(tmp_path, encoder, dtype=dtype)
    report = store.fill(SENTENCES)
    assert report.found == 0
    assert store.tokens_encoded == sum(len(s) for s in set(SENTENCES))
    layers = store.read(SENTENCES)  # (batch, layers, tokens, dim)
    direct = dict(encoder.encode(list(dict.fromkeys(SENTENCES))))
    for row, sentence in zip(layers, SENTENCES, strict=True):
        value = direct[list(dict.fromkeys(SENTENCES)).index(sentence)]
        torch.testing.assert_close(row[:, : len(sentence)], value, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(Uncached(encoder, dtype=dtype).read(SENTENCES), layers, atol=1e-3, rtol=1e-3)
    for some in ([0], [2], [0, 2], [1, 2]):
        assert torch.equal(store.read(SENTENCES, some), layers[:, some])
        again = Uncached(encoder, dtype=dtype).read(SENTENCES, some)
        torch.testing.assert_close(again, layers[:, some], atol=1e-3, rtol=1e-3)


def test_each_unique_sentence_is_encoded_only_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    first = FeatureStore(tmp_path, SlowEncoder(log=log)).fill(SENTENCES + SENTENCES)
    assert first.hit_rate == 0.0
    assert first.sentences == len(set(SENTENCES))
    store = FeatureStore(tmp_path, SlowEncoder(log=log))
    second = store.fill([*SENTENCES, ("new",)])
    assert second.found == len(set(SENTENCES))
    assert store.tokens_encoded == 1
    third = FeatureStore(tmp_path, SlowEncoder(log=log)).fill(SENTENCES)
    assert third.hit_rate == 1.0
    assert len(log.read_text().split()) == len(set(SENTENCES)) + 1


def test_layer_0_is_kept_once_per_word_type(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, SlowEncoder())
    store.fill(SENTENCES)
    types = {word for sentence in SENTENCES for word in sentence}
    tokens = sum(len(sentence) for sentence in set(SENTENCES))
    assert (store.folder / "words-1.bin").stat().st_size == len(types) * 4 * 2
    assert (store.folder / "sentences-1.bin").stat().st_size == tokens * 2 * 4 * 2


def test_the_predicted_size_is_the_written_size(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, SlowEncoder())
    planned = store.plan(SENTENCES).bytes
    store.fill(SENTENCES)
    written = sum(path.stat().st_size for path in store.folder.iterdir() if path.suffix in (".bin", ".idx"))
    assert planned == written
    assert store.plan(SENTENCES).bytes == 0


@pytest.mark.parametrize("name", ["words-1", "sentences-1"])
@pytest.mark.parametrize(("suffix", "cut"), [(".bin", 3), (".idx", 7), (".idx", 40), (".bin", 64)])
def test_an_incomplete_end_is_cut_and_computed_again(name: str, suffix: str, cut: int, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, SlowEncoder())
    store.fill(SENTENCES)
    path = store.folder / f"{name}{suffix}"
    os.truncate(path, path.stat().st_size - cut)
    again = FeatureStore(tmp_path, SlowEncoder())
    again.fill(SENTENCES)
    assert_holds(again, SENTENCES)
    assert_holds(FeatureStore(tmp_path, SlowEncoder()), SENTENCES)


def test_bytes_after_the_last_record_are_cut(tmp_path: Path) -> None:
    FeatureStore(tmp_path, SlowEncoder()).fill(SENTENCES[:30])
    for path in (FeatureStore(tmp_path, SlowEncoder()).folder).iterdir():
        if path.suffix in (".bin", ".idx"):
            with path.open("ab") as file:
                file.write(b"half a record")
    store = FeatureStore(tmp_path, SlowEncoder())
    store.fill(SENTENCES)
    assert_holds(FeatureStore(tmp_path, SlowEncoder()), SENTENCES)


@pytest.mark.parametrize("name", ["words-1.bin", "sentences-1.bin", "sentences-1.idx"])
def test_a_changed_byte_is_an_error_that_names_the_file(name: str, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, SlowEncoder())
    store.fill(SENTENCES)
    data = bytearray((store.folder / name).read_bytes())
    data[5] ^= 1
    (store.folder / name).write_bytes(data)
    with pytest.raises(CacheError, match=rf"{name}.*delete the folder"):
        FeatureStore(tmp_path, SlowEncoder()).read(SENTENCES)


def test_too_little_space_is_an_error_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureStore(tmp_path, SlowEncoder())
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("usage", (), {"free": 10})())
    with pytest.raises(CacheError, match=r"are free; set cache_dir=DIR.*cache=none"):
        store.fill(SENTENCES)
    assert not list(store.folder.glob("*.bin"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, SlowEncoder())
    store.fill(SENTENCES[:30])
    real = store._sentences._data_path
    store._sentences._data_path = Path("/dev/full")
    with pytest.raises(CacheError, match="no space left"):
        store._sentences.append([(b"k" * 16, b"x" * 100)])
    store._sentences._data_path = real
    store.fill(SENTENCES)
    assert_holds(FeatureStore(tmp_path, SlowEncoder()), SENTENCES)


def test_a_vector_beyond_half_precision_is_an_error(tmp_path: Path) -> None:
    sentence = ("x" * 70000,)
    with pytest.raises(CacheError, match="cache_dtype=float32"):
        FeatureStore(tmp_path, SlowEncoder()).fill([sentence])
    store = FeatureStore(tmp_path, SlowEncoder(), dtype="float32")
    store.fill([sentence])
    assert_holds(store, [sentence])


def test_a_vector_that_is_not_finite_is_no_question_of_precision(tmp_path: Path) -> None:
    class Broken(SlowEncoder):
        def encode(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
            yield 0, expected(sentences[0]) / 0

    for dtype in ("float16", "float32"):
        with pytest.raises(CacheError, match="NaN or infinity; check its weights"):
            FeatureStore(tmp_path, Broken(), dtype=dtype).fill([("a",)])


def test_what_a_slow_encoder_has_made_is_written_from_time_to_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_SECONDS", 0.0)
    checks = iter([None, HarnessError("stopped")])

    def check() -> None:
        if (reason := next(checks)) is not None:
            raise reason

    with pytest.raises(HarnessError, match="stopped"):
        FeatureStore(tmp_path, SlowEncoder()).fill(SENTENCES, check=check)
    assert FeatureStore(tmp_path, SlowEncoder()).plan(SENTENCES).missing == tuple(dict.fromkeys(SENTENCES))[2:]


def test_the_name_of_an_encoder_is_no_path(tmp_path: Path) -> None:
    encoder = SlowEncoder()
    encoder.name = "../../up"
    store = FeatureStore(tmp_path / "a" / "b", encoder)
    assert store.folder.parent == tmp_path / "a" / "b"
    assert store.folder.name.startswith(".._.._up-")


def test_carried_state_is_never_kept(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"its vectors depend on earlier texts \(encoder.state=carry\); add cache=none"
    ):
        FeatureStore(tmp_path, tiny_elmo(tmp_path, state="carry"))


def _fill(folder: Path, log: Path, pause: float) -> None:
    store = FeatureStore(folder, SlowEncoder(pause=pause, log=log))
    store.fill(SENTENCES)
    assert_holds(store, SENTENCES)


def test_if_two_processes_fill_a_store_one_encodes_and_both_read(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    both = [context.Process(target=_fill, args=(tmp_path, log, 0.005), daemon=True) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    encoded_by = log.read_text().split()
    assert len(encoded_by) == len(set(SENTENCES))
    assert len(set(encoded_by)) == 1


def _fill_shard(folder: Path, log: Path, shard: int) -> None:
    FeatureStore(folder, SlowEncoder(pause=0.005, log=log)).fill(SENTENCES, shard=shard, shards=3)


def test_processes_fill_one_store_at_the_same_time_with_a_shard_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.features.store._FLUSH", 64)  # write after nearly every sentence
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    parts = [context.Process(target=_fill_shard, args=(tmp_path, log, shard), daemon=True) for shard in range(3)]
    for process in parts:
        process.start()
    for process in parts:
        process.join(60)
    assert [process.exitcode for process in parts] == [0, 0, 0]
    encoded_by = log.read_text().split()
    assert len(encoded_by) == len(set(SENTENCES))
    assert len(set(encoded_by)) == 3
    store = FeatureStore(tmp_path, SlowEncoder())
    assert store.plan(SENTENCES).missing == ()
    assert_holds(store, SENTENCES)
    assert (store.folder / "words-1.idx").stat().st_size == 40 * len({word for s in SENTENCES for word in s})


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_writer_killed_at_any_moment_leaves_a_correct_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.features.store._FLUSH", 64)  # write after nearly every sentence
    context = multiprocessing.get_context("fork")
    for attempt in range(8):
        process = context.Process(target=_fill, args=(tmp_path, tmp_path / "log", 0.002))
        process.start()
        time.sleep(0.02 + 0.013 * attempt)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        sound = FeatureStore(tmp_path, SlowEncoder())
        kept = [s for s in dict.fromkeys(SENTENCES) if s not in sound.plan(SENTENCES).missing]
        assert_holds(sound, kept)
    store = FeatureStore(tmp_path, SlowEncoder())
    store.fill(SENTENCES)
    assert_holds(store, SENTENCES)


def test_a_blob_file_reads_what_another_has_appended(tmp_path: Path) -> None:
    writer, reader = BlobFile(tmp_path / "x"), BlobFile(tmp_path / "x")
    writer.append([(b"a" * 16, b"one"), (b"b" * 16, b"")])
    assert b"a" * 16 not in reader
    reader.refresh()
    assert bytes(reader.read(b"a" * 16)) == b"one"
    assert bytes(reader.read(b"b" * 16)) == b""
    writer.append([(b"c" * 16, b"three")])
    reader.refresh()
    assert bytes(reader.read(b"c" * 16)) == b"three"


def test_released_pages_can_be_read_again(tmp_path: Path) -> None:
    blobs = BlobFile(tmp_path / "x")
    written = {bytes([i]) * 16: np.random.default_rng(i).bytes(60) for i in range(50)}
    blobs.append(written.items())
    for key, blob in written.items():
        assert bytes(blobs.read(key)) == blob
        blobs.release()

"""One whole pre-training: it learns, it continues after a kill, and it says what is wrong with a request."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from harness import cli
from harness.commands import perplexity
from harness.config.compose import compose_values
from harness.config.instantiate import typed_as
from harness.config.schema import resolved
from harness.encoders.weights import read_weights
from harness.errors import ConfigError, HarnessError, WeightsError
from harness.pretrain.config import PretrainConfig
from harness.pretrain.exported_model import RECORD, SOFTMAX, VOCABULARY, WEIGHTS
from harness.pretrain.pretrain import pretrain
from harness.pretrain.trainer import CHECKPOINT, HISTORY, BiLmTrainer
from harness.utils.files import file_digest
from harness.utils.signals import Interrupted, Stop
from tests.runs.test_run import StopAfter

SMALL = (
    "tracking=none",
    "model.vocabulary=30",
    "model.options.char_cnn.filters=[[1,8],[2,8]]",
    "model.options.lstm.dim=16",
    "model.options.lstm.projection_dim=8",
    "trainer.streams=8",
    "trainer.window=5",
    "trainer.negatives=12",
    "trainer.lr=0.01",
    "trainer.warmup_steps=2",
    "trainer.max_steps=24",
    "log_every=4",
    "dev_every=8",
    "checkpoint_every=5",
    "threads=1",
)


def write_texts(folder: Path) -> Path:
    """Write text in which each word determines the next one, in nine cases of ten."""
    generator = np.random.default_rng(0)
    for name, count in (("train", 400), ("dev", 40)):
        lines = []
        for _ in range(count):
            words = [int(generator.integers(20))]
            while len(words) < 8:
                words.append((words[-1] * 3 + 1 + int(generator.random() < 0.1)) % 20)
            lines.append(" ".join(f"w{word}" for word in words) + "\n")
        (folder / f"{name}.txt").write_text("".join(lines))
    return folder


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_texts(tmp_path)


def overrides(folder: Path, *more: str, out: str = "out") -> list[str]:
    files = [f"data.train=[{folder}/train.txt]", f"data.dev=[{folder}/dev.txt]"]
    return [*SMALL, *files, f"out={folder}/{out}", f"cache_dir={folder}/cache", *more]


def config_of(folder: Path, *more: str, out: str = "out") -> PretrainConfig:
    config = typed_as(PretrainConfig, resolved(compose_values("pretrain", overrides(folder, *more, out=out))))
    return config


def train(folder: Path, *more: str, out: str = "out", stop: Stop | None = None) -> dict:
    return pretrain(config_of(folder, *more, out=out), stop=stop or Stop())


def history(folder: Path, out: str = "out") -> list[dict]:
    return [json.loads(line) for line in (folder / out / HISTORY).read_text().splitlines()]


def weights(folder: Path, out: str = "out") -> dict[str, torch.Tensor]:
    from harness.encoders.options import read_options

    return read_weights(folder / out / WEIGHTS, read_options(folder / out / "options.json"))


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_it_learns_and_exports_an_encoder(text: Path) -> None:
    record = train(text, "trainer.max_steps=150", "trainer.epochs=2", "dev_every=50", "trainer.warmup_steps=10")
    names = {"history.jsonl", "options.json", RECORD, SOFTMAX, VOCABULARY, WEIGHTS}
    assert {path.name for path in (text / "out").iterdir()} == names
    rows = history(text)
    assert rows[-1]["loss/forward"] < rows[0]["loss/forward"]
    held_out = [row["dev/forward"] for row in rows if "dev/forward" in row]
    assert len(held_out) == 3
    assert held_out[-1] < 10 < 21  # 20 words and the sentence end
    assert record["perplexity"]["after"]["forward"] == held_out[-1]
    assert record["steps"] == 150
    assert record["tokens_seen"] == 150 * 8 * 5
    assert record["text"]["tokens"] == 400 * 8
    options = json.loads((text / "out" / "options.json").read_text())
    assert options["lstm"]["cell_clip"] is None
    assert options["char_cnn"]["n_characters"] == 262


def test_the_weights_depend_only_on_command_and_seed(text: Path) -> None:
    for out, more in (("a", []), ("b", []), ("c", ["seed=2"])):
        train(text, *more, out=out)
    assert equal(weights(text, "a"), weights(text, "b"))
    assert not equal(weights(text, "a"), weights(text, "c"))


SLOW = pytest.mark.slow
ADAGRAD = ["trainer.optimizer=adagrad", "model.dropout=0.1", "trainer.accumulate=2"]


@pytest.mark.parametrize("more", [pytest.param([], marks=SLOW), ADAGRAD])
@pytest.mark.parametrize("looks", [pytest.param(1, marks=SLOW), 7, pytest.param(17, marks=SLOW)])
def test_stopping_anywhere_does_not_change_the_result(text: Path, looks: int, more: list[str]) -> None:
    train(text, *more, out="whole")
    with pytest.raises(Interrupted):
        train(text, *more, stop=StopAfter(looks))
    assert (text / "out" / CHECKPOINT).exists()
    train(text, *more)
    assert history(text) == history(text, "whole")
    assert equal(weights(text), weights(text, "whole"))
    assert equal(load_file(text / "out" / SOFTMAX), load_file(text / "whole" / SOFTMAX))


def test_a_crash_between_checkpoints_does_not_change_the_result(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(text, out="whole")
    update = BiLmTrainer._update
    crash_at = 13

    def crash(self: BiLmTrainer) -> list[float]:
        if self.progress.step == crash_at:
            raise KeyboardInterrupt
        return update(self)

    monkeypatch.setattr(BiLmTrainer, "_update", crash)
    with pytest.raises(KeyboardInterrupt):
        train(text, out="crashed")
    assert history(text, "crashed")[-1]["step"] == 12  # later than the checkpoint
    crash_at = 10
    with pytest.raises(KeyboardInterrupt):
        train(text, out="crashed")
    assert history(text, "crashed")[-1]["step"] == 8  # not later than the checkpoint
    monkeypatch.setattr(BiLmTrainer, "_update", update)
    train(text, out="crashed")
    assert history(text, "crashed") == history(text, "whole")
    assert equal(weights(text, "crashed"), weights(text, "whole"))


@pytest.mark.slow
def test_the_same_command_continues_after_sigkill(text: Path) -> None:
    more = ["trainer.max_steps=400", "trainer.epochs=5", "log_every=20", "dev_every=100", "checkpoint_every=7"]
    train(text, *more, out="whole")
    command = [sys.executable, "-m", "harness", "pretrain", *overrides(text, *more, out="killed")]
    for _ in range(2):  # a training from its start, and one that continues
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        checkpoint = text / "killed" / CHECKPOINT
        stamp = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns > stamp:
                break
            time.sleep(0.005)
        assert process.poll() is None, "the training ended before it could be killed"
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=60)
    assert not (text / "killed" / RECORD).exists()
    train(text, *more, out="killed")
    assert history(text, "killed") == history(text, "whole")
    assert equal(weights(text, "killed"), weights(text, "whole"))


def test_a_finished_training_is_not_repeated(text: Path) -> None:
    first = train(text)
    stamp = (text / "out" / WEIGHTS).stat().st_mtime_ns
    assert train(text) == first
    assert (text / "out" / WEIGHTS).stat().st_mtime_ns == stamp
    with pytest.raises(ConfigError, match="trained with other options or text"):
        train(text, "seed=2")
    assert train(text, "seed=2", "overwrite=true")["identity"] != first["identity"]


def test_a_stopped_training_with_a_constant_rate_can_be_made_longer(text: Path) -> None:
    constant = "trainer.schedule=constant"
    train(text, constant, "trainer.decay_steps=8", out="whole")
    with pytest.raises(Interrupted):
        train(text, constant, "trainer.max_steps=1000", stop=StopAfter(9))
    train(text, constant, "trainer.decay_steps=8")
    assert equal(weights(text), weights(text, "whole"))


def test_a_falling_rate_must_end_at_the_planned_step(text: Path) -> None:
    falling = ("trainer.schedule=constant", "trainer.decay_steps=20")
    with pytest.raises(Interrupted):
        train(text, *falling, stop=StopAfter(9))
    with pytest.raises(ConfigError, match=r"only with trainer\.max_steps=24 trainer\.decay_steps=20"):
        train(text, *falling, "trainer.max_steps=100")


def test_fine_tuning_starts_from_an_exported_encoder(text: Path) -> None:
    train(text, "trainer.max_steps=60", out="base")
    record = train(text, f"init={text}/base", "trainer.max_steps=60", "trainer.schedule=constant", out="tuned")
    before, after = record["perplexity"]["before"], record["perplexity"]["after"]
    rows = [row for row in history(text, "base") if "dev/forward" in row]
    assert before["forward"] == pytest.approx(rows[-1]["dev/forward"], rel=1e-6)
    assert after["forward"] < before["forward"]
    assert (text / "tuned" / VOCABULARY).read_text() == (text / "base" / VOCABULARY).read_text()


def test_fine_tuning_without_a_softmax_trains_a_new_one(text: Path) -> None:
    train(text, out="base")
    for name in (SOFTMAX, VOCABULARY):
        (text / "base" / name).unlink()
    record = train(text, f"init={text}/base", out="tuned")
    assert record["perplexity"]["before"] is None  # the perplexity of an untrained softmax says nothing
    assert record["perplexity"]["after"]["forward"] < 20


def test_fine_tuning_says_what_is_missing(text: Path) -> None:
    with pytest.raises(WeightsError, match=r"options\.json: no such file"):
        train(text, f"init={text}/nowhere")
    train(text, out="base")
    (text / "base" / SOFTMAX).write_bytes(b"not this")
    with pytest.raises(WeightsError, match="not this model's softmax"):
        train(text, f"init={text}/base", out="tuned")


def test_it_learns_with_bfloat16_products(text: Path) -> None:
    record = train(text, "trainer.precision=bfloat16", "trainer.max_steps=60")
    assert record["perplexity"]["after"]["forward"] < 20


def test_a_loss_that_is_not_finite_ends_the_training(text: Path) -> None:
    with pytest.raises(HarnessError, match=r"in step \d+; lower trainer.lr"):
        train(text, "trainer.lr=1e30", "trainer.grad_norm=null", "trainer.warmup_steps=0", "trainer.max_steps=100")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.streams=0", "trainer.streams is 0; expected a value greater than or equal to 1"),
        ("trainer.optimizer=sgd", "trainer.optimizer is 'sgd'"),
        ("model.dropout=1", "model.dropout is 1"),
        ("model.options.lstm.dim=-1", "model.options: lstm.dim is -1"),
        ("data.train=[]", "data.train is not given"),
    ],
)
def test_a_bad_request_is_reported_in_one_line(override: str, message: str, text: Path) -> None:
    with pytest.raises(HarnessError, match=message.replace(".", r"\.")) as caught:
        train(text, override)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2


@pytest.mark.slow
def test_the_command_line(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["pretrain", "--help"])
    assert exit_.value.code == 0
    helped = capsys.readouterr().out
    assert "trainer.negatives=4096" in helped
    assert "model=mini" in helped
    tracked = [*(one for one in overrides(text) if one != "tracking=none"), "tracking=wandb"]
    command = [sys.executable, "-m", "harness", "pretrain", *tracked]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "held-out perplexity after" in done.stdout
    assert f"encoder.weights={text}/out/weights.hdf5" in done.stdout
    assert list((text / "out" / "wandb").glob("offline-run-*"))
    for arguments, message in (
        (["out=x", "trainer.lrr=1"], "trainer.lrr: there is no such option; did you mean 'trainer.lr'"),
        ([], "out=..."),
        (["model=tiny", "out=x"], "model=tiny: there is no such choice"),
    ):
        with pytest.raises(SystemExit) as exit_:
            cli.main(["pretrain", *arguments])
        assert exit_.value.code == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
        assert message in line


def test_an_encoder_can_be_exported_in_half_precision(text: Path) -> None:
    train(text)
    record = train(text, "weights_precision=float16", out="half")
    whole, half = weights(text), weights(text, "half")
    assert equal(half, {name: tensor.half().float() for name, tensor in whole.items()})
    assert record["sha256"][WEIGHTS] == file_digest(text / "half" / WEIGHTS)


def test_the_table_compares_the_bilm_with_count_based_models(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(text, "trainer.max_steps=150", "trainer.epochs=2", "trainer.warmup_steps=10")
    files = ["--test", f"held-out={text}/dev.txt", "--train", f"{text}/train.txt", "--cache-dir", f"{text}/cache"]
    assert perplexity.main([str(text / "out"), *files, "--json", str(text / "rows.json")]) == 0
    rows = {row["model"]: row for row in json.loads((text / "rows.json").read_text())}
    assert list(rows) == ["biLM, state=zeros", "biLM, state=warm", "biLM, state=carry", "unigram", "Kneser-Ney trigram"]
    assert len({(row["tokens"], row["unknown"]) for row in rows.values()}) == 1
    assert rows["Kneser-Ney trigram"]["forward"] < 4 < rows["unigram"]["forward"]
    assert rows["biLM, state=carry"]["forward"] < rows["unigram"]["forward"]
    assert "| held-out | unigram |" in capsys.readouterr().out
    (text / "out" / VOCABULARY).unlink()
    assert perplexity.main([str(text / "out"), *files]) == 2

"""wandb receives a copy of a run, and its failures never fail the run."""

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from harness.optional_protocols import Linked
from harness.protocols import Tracker
from harness.runs.run import run
from harness.tracking.wandb_tracker import NoTracker, _mode, _predictions, wandb_tracker
from harness.utils.signals import Stop
from tests.support.runs import SMALL, config_of
from tests.support.transformers import tiny_transformer

WANDB = [*(o for o in SMALL if not o.startswith("tracking")), "tracking=wandb", "trainer.max_epochs=2"]


def test_a_run_is_tracked_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    record = run(config_of(tmp_path, *WANDB), stop=Stop())
    assert (record.status, record.url) == ("ok", "")
    (folder,) = (tmp_path / "results" / "wandb").glob("offline-run-*")
    names = [b"dev/f1", b"test/f1", b"mix/input/s0", b"mix/input/gamma", b"time/train_s", b"cost/epoch_s"]
    names += [b"predictions", b"record"]
    deadline = time.monotonic() + 30
    missing = names
    while missing and time.monotonic() < deadline:  # wandb's service may write the file after the run has finished
        logged = b"".join(path.read_bytes() for path in folder.glob("*.wandb"))
        missing = [name for name in names if name not in logged]
        time.sleep(0.01)
    assert missing == []


def test_a_failure_at_the_start_is_one_warning_and_the_run_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import wandb

    def broken(**_: object) -> None:
        raise OSError("the service\nis down")

    monkeypatch.setattr(wandb, "init", broken)
    with caplog.at_level(logging.WARNING):
        record = run(config_of(tmp_path, *WANDB), stop=Stop())
    assert record.status == "ok"
    assert [r.message for r in caplog.records if "wandb" in r.message] == [
        "wandb failed and is not used any more: the service is down"
    ]


def test_a_failure_during_a_run_is_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import wandb

    class Broken:
        id, url = "x", "https://wandb.ai/x"

        closed = False

        def log(self, *_: object, **__: object) -> None:
            raise RuntimeError("broken pipe")

        def finish(self, **_: object) -> None:
            Broken.closed = True

    monkeypatch.setattr(wandb, "init", lambda **_: Broken())
    with caplog.at_level(logging.WARNING):
        tracker = wandb_tracker(
            project="p", dir=str(tmp_path), run_name="n", run_group="g", run_tags=["a:b"], job_type="j", config={}
        )
        assert isinstance(tracker, Linked)
        assert tracker.url == Broken.url
        tracker.log({"dev/f1": 0.5}, step=1)
        tracker.log({"dev/f1": 0.6}, step=2)
        tracker.finish({"status": "ok"}, {})
    assert Broken.closed
    assert [r.message for r in caplog.records] == ["wandb failed and is not used any more: broken pipe"]


@pytest.fixture
def _no_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start from a computer on which wandb was never used: no key, no settings."""
    import wandb

    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    wandb.teardown()  # wandb reads its settings once per process
    yield
    wandb.teardown()


@pytest.mark.usefixtures("_no_wandb")
def test_auto_is_online_only_with_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _mode("auto") == "offline"
    (tmp_path / "netrc").write_text("machine api.wandb.ai\n  login user\n  password key\n")
    assert _mode("auto") == "online"
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("WANDB_API_KEY", "key")
    assert _mode("auto") == "online"
    assert _mode("offline") == "offline"


@pytest.mark.usefixtures("_no_wandb")
@pytest.mark.parametrize("mode", ["offline", "disabled"])
@pytest.mark.parametrize("place", ["wandb/settings", "config/settings", "WANDB_MODE"])
def test_auto_obeys_the_switches_of_wandb_itself(
    mode: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``wandb offline`` writes ``wandb/settings`` in the working directory."""
    monkeypatch.setenv("WANDB_API_KEY", "key")
    if place == "WANDB_MODE":
        monkeypatch.setenv("WANDB_MODE", mode)
    else:
        path = tmp_path / place
        path.parent.mkdir()
        path.write_text(f"[default]\nmode = {mode}\n")
    assert _mode("auto") == mode
    assert _mode("online") == "online"


@pytest.mark.usefixtures("_no_wandb")
def test_a_disabled_wandb_gets_nothing_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "key")
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "settings").write_text("[default]\nmode = disabled\n")
    with caplog.at_level(logging.WARNING):
        assert run(config_of(tmp_path, *WANDB), stop=Stop()).status == "ok"
    assert [r.message for r in caplog.records if "wandb" in r.message] == []
    assert list(tmp_path.glob("**/*run-*")) == []


def test_the_table_of_predictions_is_a_sample_of_both_splits(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    row = {"texts": {"tokens": ["a"]}, "gold": ["O"], "prediction": ["O"]}
    sizes = {"dev": 400, "test": 1000}
    rows = [row | {"split": split, "id": f"{split}-{i}"} for split, size in sizes.items() for i in range(size)]
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    shown = _predictions(path).data
    assert Counter(split for split, *_ in shown) == {"dev": 100, "test": 100}
    assert _predictions(path).data == shown
    numbers = [int(name.rpartition("-")[2]) for split, name, *_ in shown if split == "test"]
    assert numbers == sorted(set(numbers))
    assert 300 < sum(numbers) / 100 < 700  # from the whole split
    path.write_text(json.dumps(rows[0]) + "\n")
    assert len(_predictions(path).data) == 1


def test_data_and_encoders_of_the_user_have_the_axes_of_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    folder = tiny_transformer(tmp_path / "tiny", "bert")
    (folder / "README.md").write_text("# Tiny\n")
    path = tmp_path / "mine" / "all.tsv"
    path.parent.mkdir()
    path.write_text("1\tthe\tO\n2\tcat\tB-X\n\n1\tdogs\tB-X\n2\tbark\tO\n")
    started: list[dict[str, Any]] = []

    def tracker(**given: Any) -> Tracker:
        started.append(given)
        return NoTracker()

    monkeypatch.setattr("harness.tracking.wandb_tracker.wandb_tracker", wraps(wandb_tracker)(tracker))
    own = [
        "data=files",
        "data.columns=[2,3]",
        "data.fraction=1",
        *(f"data.{s}={path}" for s in ("train", "dev", "test")),
    ]
    small = [one for one in WANDB if not one.startswith(("encoder", "data."))]
    record = run(config_of(tmp_path, *small, *own, "encoder=transformers", f"encoder.model={folder}"), stop=Stop())
    run(config_of(tmp_path, *WANDB), stop=Stop())
    mine, usual = (one["config"] for one in started)
    assert list(mine) == list(usual)
    shown = {"data": "mine", "encoder": "tiny", "model_card": "Tiny", "state": "none", "mixing": "scalar_mix"}
    assert {axis: mine[axis] for axis in shown} == shown
    assert mine["config"]["data"]["columns"] == (2, 3)
    assert record.encoder["model_card"] == "Tiny"
    assert started[0]["run_tags"] == ["task:ner", "encoder:tiny", "embedding:none", "mixing:scalar_mix"]

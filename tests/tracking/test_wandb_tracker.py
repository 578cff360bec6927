"""wandb receives a copy of a run, and its failures never fail the run."""

import logging
import time
from pathlib import Path

import pytest

from harness.runs.run import run
from harness.tracking.wandb_tracker import _mode, wandb_tracker
from harness.utils.signals import Stop
from tests.support.runs import SMALL, config_of

WANDB = [*(o for o in SMALL if not o.startswith("tracking")), "tracking=wandb", "trainer.max_epochs=2"]


def test_a_run_is_tracked_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    record = run(config_of(tmp_path, *WANDB), stop=Stop())
    assert record.status == "ok"
    (folder,) = (tmp_path / "results" / "wandb").glob("offline-run-*")
    names = [b"dev/f1", b"test/f1", b"mix/input/s0", b"mix/input/gamma", b"time/train_s", b"predictions", b"record"]
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
        id = "x"

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
        tracker.log({"dev/f1": 0.5}, step=1)
        tracker.log({"dev/f1": 0.6}, step=2)
        tracker.finish({"status": "ok"}, {})
    assert Broken.closed
    assert [r.message for r in caplog.records] == ["wandb failed and is not used any more: broken pipe"]


def test_auto_is_online_only_with_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert _mode("auto") == "offline"
    (tmp_path / "netrc").write_text("machine api.wandb.ai\n  login user\n  password key\n")
    assert _mode("auto") == "online"
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("WANDB_API_KEY", "key")
    assert _mode("auto") == "online"
    assert _mode("offline") == "offline"

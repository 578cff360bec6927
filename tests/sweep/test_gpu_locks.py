"""Each job that runs at the same time reserves a GPU, in a folder of the user and by the GPU's UUID."""

from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import DictConfig, OmegaConf

from harness.sweep import job_entry
from harness.sweep.gpu_locks import reserve_gpu
from harness.utils.signals import Stop

AUTO = OmegaConf.create({"device": "auto"})


@pytest.fixture
def gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the UUIDs of the GPUs that the process sees; a test may change the list."""
    visible = ["a", "b"]
    monkeypatch.setattr("torch.cuda.device_count", lambda: len(visible))
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda gpu: SimpleNamespace(uuid=visible[gpu]))
    monkeypatch.setattr("harness.sweep.gpu_locks.user_cache", lambda: str(tmp_path))
    return visible


def reserved(jobs: ExitStack) -> str:
    return str(jobs.enter_context(reserve_gpu(AUTO)).device)


def test_surplus_jobs_share_the_gpus_equally(gpus: list[str], tmp_path: Path) -> None:
    with ExitStack() as jobs:
        assert [reserved(jobs) for _ in range(5)] == ["cuda:0", "cuda:1", "cuda:0", "cuda:1", "cuda:0"]
    with ExitStack() as jobs:
        assert reserved(jobs) == "cuda:0"
    assert {path.name for path in (tmp_path / "gpus").iterdir()} >= {"a.0.lock", "b.0.lock", "a.2.lock"}


def test_allocations_that_see_the_same_gpus_in_another_order_do_not_collide(gpus: list[str]) -> None:
    with ExitStack() as jobs:
        assert reserved(jobs) == "cuda:0"  # the GPU "a"
        gpus[:] = ["b", "a"]
        assert reserved(jobs) == "cuda:0"  # the GPU "b"
        gpus[:] = ["c", "d"]
        assert [reserved(jobs), reserved(jobs)] == ["cuda:0", "cuda:1"]


def test_the_configuration_is_unchanged_with_a_chosen_device_or_one_gpu(gpus: list[str]) -> None:
    with reserve_gpu(OmegaConf.create({"device": "cpu"})) as chosen:
        assert chosen.device == "cpu"
    gpus.pop()
    with reserve_gpu(AUTO) as one:
        assert one.device == "auto"


def test_a_lock_that_cannot_be_opened_is_the_reason_of_the_job(gpus: list[str], tmp_path: Path) -> None:
    (tmp_path / "gpus").write_text("not a folder")
    outcome = job_entry._outcome(AUTO, Stop(), "seed=1")
    assert outcome.status == "failed"
    assert str(tmp_path / "gpus") in outcome.reason


def test_sys_exit_in_a_job_is_its_own_failure(gpus: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def leaves(*_: DictConfig, **__: object) -> None:
        raise SystemExit(3)

    monkeypatch.setattr(job_entry, "run_job", leaves)
    monkeypatch.setattr(
        job_entry, "HydraConfig", SimpleNamespace(get=lambda: OmegaConf.create({"runtime": {"choices": {}}}))
    )
    outcome = job_entry._outcome(AUTO, Stop(), "seed=1")
    assert outcome.status == "failed"
    assert "sys.exit(3)" in outcome.reason

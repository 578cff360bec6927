"""What a sweep encodes ahead of its jobs: by itself, or shared among the processes of a launcher."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from harness.config.instantiate import build
from harness.features.store import FeatureStore
from harness.runs.plan import prepare, sentences
from harness.sweep import prefill, sweeper
from harness.sweep.expand import Job
from harness.sweep.launcher import encoding_processes
from harness.sweep.prefill import encoding_jobs
from harness.sweep.state import SweepFolder
from harness.utils.signals import Stop
from tests.support.runs import config_of
from tests.support.sweeps import QUICK, records_in, sweep

ROOT = Path(__file__).resolve().parents[2]


def test_what_is_to_be_encoded_is_shared_where_that_is_worth_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(tmp_path, *QUICK)
    jobs = [Job((f"mixing={mix}",), (f"mixing={mix}",), config) for mix in ("top", "mean")]
    assert encoding_jobs(jobs, 2, Stop()) == []  # 8,165 tokens
    monkeypatch.setattr(prefill, "_WORTH_SHARING", 8000)
    assert [job.own for job in encoding_jobs(jobs, 2, Stop())] == [("mixing=top", f"shard={i}/2") for i in (1, 2)]
    assert encoding_jobs(jobs, 1, Stop()) == []
    prefill.fill_features(jobs, Stop())
    assert encoding_jobs(jobs, 2, Stop()) == []


def test_parts_are_jobs_of_a_sweep_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep(tmp_path, "shard=1/2,2/2") == 0
    shown = capsys.readouterr().out
    counts = re.findall(r"part \d of 2: .* 0 already in the store, ([\d,]+) tokens encoded", shown)
    assert len(counts) == 2
    assert sum(int(count.replace(",", "")) for count in counts) == 8165
    assert records_in(tmp_path) == []


def test_a_part_that_fails_leaves_no_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep(tmp_path, "shard=1/2,half") == 1
    assert "shard=half: expected shard=I/N" in capsys.readouterr().err
    assert not (tmp_path / "results" / "ner").exists()


def test_a_stop_holds_for_all_that_comes_after_it(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)

    def stopped(stop: Stop) -> None:
        stop.requested = True
        stop.check()

    assert sweeper._unless_stopped(folder, lambda _: 1) == 1
    assert sweeper._unless_stopped(folder, stopped) is None
    assert folder.stopped
    assert sweeper._unless_stopped(folder, lambda _: 1) is None


@pytest.mark.parametrize(("kind", "expected"), [("Slurm", 3), ("Ray", 3), ("Joblib", 2), ("Basic", 1)])
def test_as_many_processes_encode_as_the_launcher_runs(kind: str, expected: int) -> None:
    hydra = {"launcher": {"_target_": f"x.{kind}Launcher", "n_jobs": 2}, "sweeper": {"max_batch_size": None}}
    config = OmegaConf.create({"hydra": hydra})
    assert encoding_processes(config, 3) == expected
    assert encoding_processes(config, 100) == {3: 8}.get(expected, expected)


@pytest.mark.slow
def test_processes_of_a_launcher_share_what_is_to_be_encoded(two_processes: list[str], tmp_path: Path) -> None:
    given = ["data.fraction=0.2", "mixing=top,mean", *two_processes]
    paths = [f"results_dir={tmp_path}/results", f"cache_dir={tmp_path}/cache"]
    command = [sys.executable, "-m", "harness", "-m", *QUICK, *paths, *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    said = done.stdout + "".join(path.read_text() for path in tmp_path.rglob("*_log.out"))  # where submitit keeps it
    parts = re.findall(r"part (\d) of 2: .* 0 already in the store, ([\d,]+) tokens encoded", said)
    assert sorted(number for number, _ in parts) == ["1", "2"]
    tokens = sum(int(count.replace(",", "")) for _, count in parts)
    source = FeatureStore(tmp_path / "new", build(config_of(tmp_path, *QUICK).encoder, where="encoder"))
    texts = sentences(prepare(config_of(tmp_path, *QUICK, "data.fraction=0.2")).examples)
    assert tokens == sum(map(len, source.plan(texts).missing))  # nothing was left to the process of the sweep
    records = records_in(tmp_path)
    assert [record.timing["tokens_encoded"] for record in records] == [0, 0]
    assert all(record.timing["cache_hit_rate"] == 1.0 for record in records)

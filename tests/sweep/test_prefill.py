"""Encoding before the jobs of a sweep: in one process, or shared among the processes of a launcher."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from harness.config.instantiate import build
from harness.encoders.elmo import ElmoEncoder
from harness.features.store import FeatureStore
from harness.runs.plan import prepare, sentences
from harness.sweep import prefill, sweeper
from harness.sweep.expand import Job
from harness.sweep.launcher import encoding_processes
from harness.sweep.state import SweepFolder
from harness.utils.signals import Stop
from tests.support.runs import config_of
from tests.support.sweeps import QUICK, records_in, sweep

ROOT = Path(__file__).resolve().parents[2]


def test_processes_share_the_encoding_where_that_is_worth_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def launched(folder: str, processes: int) -> list[tuple[str, ...]]:
        config = config_of(tmp_path / folder, *QUICK)
        jobs = [Job((f"mixing={mix}",), (f"mixing={mix}",), config) for mix in ("top", "mean")]
        parts: list[Job] = []
        prefill.fill_features(jobs, processes=processes, launch=parts.extend, stop=Stop())
        return [job.own for job in parts]

    assert launched("a", 2) == []  # 8,165 tokens
    monkeypatch.setattr(prefill, "_WORTH_SHARING", 8000)
    assert launched("b", 1) == []
    assert launched("c", 2) == [("mixing=top", f"shard={i}/2") for i in (1, 2)]
    assert launched("c", 2) == []  # what the parts left undone was encoded


def test_a_finished_job_is_neither_launched_nor_encoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sweep(tmp_path, "seed=1") == 0
    launched: list[str] = []

    def launch(jobs: list[Job], *_: Any) -> str:
        launched.extend(str(job) for job in jobs)
        return "not launched"

    monkeypatch.setattr(sweeper, "launch_jobs", launch)
    assert sweep(tmp_path, "seed=1,2") == 1
    assert launched == ["seed=2"]
    assert sweep(tmp_path, "seed=1") == 0
    assert sweep(tmp_path, "seed=1", "overwrite=true") == 1
    assert len(launched) == 2  # it runs again
    (tmp_path / "results" / "ner").rename(tmp_path / "away")
    assert sweep(tmp_path, "seed=1") == 1  # what the sweep's folder says of an earlier time does not count


def test_parts_are_jobs_of_a_sweep_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep(tmp_path, "shard=1/2,2/2", whole=True) == 0
    shown = capsys.readouterr().out
    counts = re.findall(r"part \d of 2: .* 0 already in the store, ([\d,]+) tokens encoded", shown)
    assert len(counts) == 2
    assert sum(int(count.replace(",", "")) for count in counts) == 8165
    assert records_in(tmp_path) == []


def test_a_part_that_fails_leaves_no_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep(tmp_path, "shard=1/2,half") == 1
    assert "shard=half: expected shard=I/N" in capsys.readouterr().err
    assert not (tmp_path / "results" / "ner").exists()


@pytest.mark.parametrize("raises", [True, False])
def test_a_stop_while_features_are_encoded_stops_the_sweep(
    raises: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any, stop: Stop, **__: Any) -> None:
        stop.requested = True
        if raises:
            stop.check()

    config = OmegaConf.create({"hydra": {"launcher": {"_target_": "x.BasicLauncher"}}})
    monkeypatch.setattr(sweeper, "fill_features", lambda *_, **__: None)
    sweeper._fill_features([], config, SweepFolder(tmp_path))
    assert not SweepFolder(tmp_path).stopped
    monkeypatch.setattr(sweeper, "fill_features", stopped)
    sweeper._fill_features([], config, SweepFolder(tmp_path))
    assert SweepFolder(tmp_path).stopped


def test_a_stop_in_a_process_that_encodes_stops_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = SweepFolder(tmp_path / "sweep")
    monkeypatch.setattr(prefill, "_WORTH_SHARING", 8000)
    monkeypatch.setattr(sweeper, "encoding_processes", lambda *_: 2)
    monkeypatch.setattr(sweeper, "launch_jobs", lambda *_: folder.stop())
    job = Job(("seed=1",), ("seed=1",), config_of(tmp_path, *QUICK))
    sweeper._fill_features([job], OmegaConf.create(), folder)
    assert folder.stopped
    assert not list((tmp_path / "cache").glob("**/*.bin"))  # the process of the sweep encodes nothing after it


@pytest.mark.parametrize(("kind", "expected"), [("Slurm", 3), ("Ray", 3), ("Joblib", 2), ("Basic", 1)])
def test_as_many_processes_encode_as_the_launcher_runs(kind: str, expected: int) -> None:
    hydra = {"launcher": {"_target_": f"x.{kind}Launcher", "n_jobs": 2}, "sweeper": {"max_batch_size": None}}
    config = OmegaConf.create({"hydra": hydra})
    assert encoding_processes(config, 3) == expected
    assert encoding_processes(config, 100) == {3: 8}.get(expected, expected)


@pytest.mark.slow
def test_processes_of_a_launcher_share_the_encoding(two_processes: list[str], tmp_path: Path) -> None:
    given = ["data.fraction=0.2", "mixing=top,mean", *two_processes]
    paths = [f"results_dir={tmp_path}/results", f"cache_dir={tmp_path}/cache"]
    command = [sys.executable, "-m", "harness", "-m", *QUICK, *paths, *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    output = done.stdout + "".join(
        path.read_text() for path in tmp_path.rglob("*_log.out")
    )  # the output of submitit's jobs
    parts = re.findall(r"part (\d) of 2: .* 0 already in the store, ([\d,]+) tokens encoded", output)
    assert sorted(number for number, _ in parts) == ["1", "2"]
    tokens = sum(int(count.replace(",", "")) for _, count in parts)
    source = FeatureStore(
        tmp_path / "new", build(config_of(tmp_path, *QUICK).encoder, kind=ElmoEncoder, where="encoder")
    )
    texts = sentences(prepare(config_of(tmp_path, *QUICK, "data.fraction=0.2")).examples)
    assert tokens == sum(map(len, source.plan(texts).missing))  # nothing was left to the process of the sweep
    records = records_in(tmp_path)
    assert [record.timing["tokens_encoded"] for record in records] == [0, 0]
    assert all(record.timing["cache_hit_rate"] == 1.0 for record in records)

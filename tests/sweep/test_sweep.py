"""Sweeps: the list of jobs, failures of every kind, and launchers that run jobs in separate processes."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from harness.commands.report import main as report
from harness.config.compose import CONF, register_resolvers
from harness.sweep.expand import Job, expand_jobs, sweep_dir
from harness.sweep.state import SweepFolder
from harness.utils.signals import Stop
from tests.support.runs import SMALL
from tests.support.sweeps import records_in, sweep

ROOT = Path(__file__).resolve().parents[2]
PROCESSORS = len(os.sched_getaffinity(0))


def test_combinations_with_the_same_result_are_one_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ("vectors=static,contextual", "embedding=static_mini", "mixing=top,mean")
    assert sweep(tmp_path, *more, "dry_run=true") == 0
    shown = capsys.readouterr().out
    assert "3 jobs: 0 finished, 3 to run" in shown  # there is nothing to mix in static vectors alone


def test_a_dry_run_shows_what_all_jobs_would_cost_and_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweep(tmp_path, "mixing=top,mean", "task.scheme=auto,bix", "dry_run=true", whole=True) == 1
    shown = capsys.readouterr().out
    assert "mixing=top task.scheme=auto" in shown
    assert "4 jobs: 0 finished, 2 to run, 2 would fail; to encode, once: 629 sentences (8,165 tokens" in shown
    assert "to train, one after the other: an unknown time for 2 jobs (no finished run" in shown
    assert not (tmp_path / "results").exists()
    assert sweep(tmp_path, "mixing=top") == 0
    capsys.readouterr()
    assert sweep(tmp_path, "mixing=top,mean", "dry_run=true") == 0
    shown = capsys.readouterr().out
    assert "mixing=top   finished" in shown
    assert "to encode, once: 0 sentences" in shown
    assert "would train at most 1 epochs (" in shown
    assert "no finished run" not in shown
    assert "unknown" not in shown


@pytest.mark.slow
def test_the_same_command_finds_its_folder_and_runs_only_what_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "late.conll"
    more = ("data=files", f"data.train={data}", f"data.dev={data}", f"data.test={data}", "seed=1,2", "data.fraction=1")
    assert sweep(tmp_path, *more) == 1
    shown = capsys.readouterr()
    assert "2 of 2 runs did not succeed" in shown.err
    assert "late.conll" in shown.err
    data.write_text("Ann B-PER\nruns O\n\n" * 20)
    assert sweep(tmp_path, *more) == 0
    assert sweep(tmp_path, *more) == 0
    shown = capsys.readouterr()
    assert "2 of 2 runs are finished" in shown.err
    assert shown.out.count("scores in percent") == 2 + 1 + 1  # of each run, of the sweep, and of the finished sweep
    (folder,) = (tmp_path / "results" / "sweeps").iterdir()
    written = (folder / "table.md").read_text()
    assert "| 2 |" in written
    assert sweep(tmp_path, "seed=3") == 0  # of another sweep
    capsys.readouterr()
    assert report([str(folder)]) == 0
    numbers = re.findall(r"\d+\.\d\d ± \d+\.\d\d", capsys.readouterr().out)
    assert len(numbers) == 4  # in the first sentence and in the table
    assert all(number in written for number in numbers)


def test_a_sweep_with_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep(tmp_path, "sweep=mine", "seed=1") == 0
    shown = capsys.readouterr()
    assert "sweeps/mine/table.md" in shown.out
    assert re.search(r"the sweep took \d+ s: features before the runs \d+ s \(\d+%\), runs \d+ s", shown.err)
    assert sweep(tmp_path, "sweep=../mine", "seed=1") == 2
    assert "sweep is '../mine'; expected the name of a folder" in capsys.readouterr().err


def test_a_sweep_is_named_by_its_presets() -> None:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        named = [
            sweep_dir(compose("config", overrides=[f"experiment={preset}", *more], return_hydra_config=True)).name
            for preset in ("table2", "[paper/snli,table2]")
            for more in ([], ["dry_run=true"], ["seed=1"])
        ]
    assert [name.rpartition("-")[0] for name in named] == ["table2"] * 3 + ["paper-snli-table2"] * 3
    assert named[0] == named[1] != named[2]


def test_an_error_before_the_jobs_does_not_stop_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a plug-in's own mistake")

    for module in ("prefill", "dry_run"):
        monkeypatch.setattr(f"harness.sweep.{module}.prepare", broken)
    assert sweep(tmp_path, "seed=1", "dry_run=true") == 1
    assert "would fail: RuntimeError: a plug-in's own mistake" in capsys.readouterr().out
    assert sweep(tmp_path, "seed=1") == 0
    assert [record.status for record in records_in(tmp_path)] == ["ok"]


def test_a_dry_run_times_an_encoder_and_reads_records_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    read: list[Path] = []
    monkeypatch.setattr(
        "harness.runs.cost_estimate._seconds_per_token", lambda encoder, _: tried.append(encoder.name) or 0.1
    )
    monkeypatch.setattr("harness.runs.cost_estimate._finished_records", lambda folder: read.append(folder) or [])
    assert sweep(tmp_path, "mixing=top,mean", "seed=1,2", "dry_run=true") == 0
    assert tried == ["random"]
    assert len(read) == 1


def test_a_sweep_stopped_while_it_encodes_starts_no_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(_: Any, *, stop: Stop, **__: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        stop.check()

    monkeypatch.setattr("harness.sweep.sweeper.fill_features", stopped)
    assert sweep(tmp_path, "seed=1,2") == 1
    errors = capsys.readouterr().err
    assert "2 of 2 runs did not succeed" in errors
    assert "seed=2: not begun: the sweep was stopped" in errors
    assert records_in(tmp_path) == []


PRESETS = {  # the number of jobs for one seed, and the name of one of them
    "table1": (12, "task=squad vectors=both"),
    "table2": (4, "vectors=both mixing=lambda_1"),
    "table3": (3, "mixing.placement=both"),
    "table5": (4, "mixing=layer_2"),
    "table6": (3, "mixing=layer_1"),
    "layers": (4, "mixing=concat"),
    "figure1": (14, "data.fraction=0.001 vectors=static"),
    "figure2": (7, "task=pos"),
    "glove_or_elmo": (3, "vectors=contextual"),
    "encoders": (2, "encoder=random"),
    "cumulative": (3, "mixing.index=1"),
    "probe": (14, "task.head=mlp vectors=contextual encoder=elmo_mini mixing.index=2"),
    "layer_mixing": (36, "mixing=mean mixing.layer_norm=token mixing.placement=output"),
}


def jobs_of(*overrides: str) -> list[Job]:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return expand_jobs(compose("config", overrides=list(overrides), return_hydra_config=True))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_expands_to_its_jobs(preset: str) -> None:
    jobs = jobs_of(f"experiment={preset}", "seed=1")
    count, one = PRESETS[preset]
    assert len(jobs) == count
    assert one in [str(job) for job in jobs]
    assert all(job.config is not None for job in jobs)


def test_the_command_line_replaces_an_axis_of_a_preset() -> None:
    jobs = jobs_of("experiment=table3", "seed=7")
    assert [str(job) for job in jobs] == [f"mixing.placement={place}" for place in ("input", "both", "output")]
    assert [job.config.seed for job in jobs if job.config is not None] == [7, 7, 7]


@pytest.mark.parametrize(("preset", "mix"), [("cumulative", "cumulative1"), ("probe", "layer1")])
def test_a_preset_of_layers_can_be_reduced_to_one(preset: str, mix: str) -> None:
    jobs = jobs_of(f"experiment={preset}", "seed=1", "mixing.index=1", "task=pos", "task.head=linear")
    assert {job.config.mixing["name"] for job in jobs if job.config is not None} == {mix}


@pytest.mark.parametrize("paper", ["ner", "sst5", "snli", "squad", "srl", "coref"])
def test_a_preset_of_the_paper_and_a_table_can_be_combined(paper: str) -> None:
    """The mixes of the table must not be replaced by the mix of the paper's preset."""
    jobs = jobs_of(f"experiment=[paper/{paper},table2]", "seed=1")
    mixes = [job.config.mixing for job in jobs if job.config is not None and job.config.vectors == "both"]
    assert [(mix["name"], mix.get("lambda_")) for mix in mixes] == [
        ("top", None),
        ("scalar_mix", 1.0),
        ("scalar_mix", 0.001),
    ]
    assert all(
        job.config is not None and job.config.task["_target_"] == jobs[0].config.task["_target_"] for job in jobs
    )


FAILING = '''
import os, signal, time
from dataclasses import dataclass
from tests.test_cli import PLUGIN
exec(PLUGIN.replace("class Vowels", "class Plain"))

@dataclass(frozen=True, kw_only=True)
class Failing(Plain):
    """A task that fails in a chosen way."""
    failure: str = "never"
    pause: float = 0.0
    def build_head(self, *, input_dim, output_dim):
        time.sleep(self.pause)
        if self.failure == "raises":
            raise RuntimeError("this head\\ncannot be built")
        if self.failure == "exits":
            raise SystemExit(5)
        if self.failure == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().build_head(input_dim=input_dim, output_dim=output_dim)
    def examples(self, split):
        if self.failure == "empty":
            from harness.errors import DataFormatError
            raise DataFormatError(f"{split}.txt: no such file")
        return super().examples(split)
'''


def failing_sweep(folder: Path, *arguments: str) -> list[str]:
    """Return the command of a sweep over ways to fail."""
    (folder / "conf" / "task").mkdir(parents=True, exist_ok=True)
    (folder / "failing.py").write_text(FAILING)
    (folder / "conf" / "task" / "failing.yaml").write_text(
        "_target_: failing.Failing\ndata: ${data}\nsize: 40\nfailure: never\npause: 0.0\n"
    )
    small = [a for a in SMALL if not a.startswith(("task.", "threads="))]
    own = [
        "task=failing",
        "plugins=[failing]",
        "data.fraction=1",
        "--config-dir",
        "conf",
        f"cache_dir={folder}/cache",
    ]
    return [sys.executable, "-m", "harness", "-m", *small, *own, *arguments]


def started(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    search = os.pathsep.join(filter(None, [str(folder), str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        failing_sweep(folder, *arguments),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": search},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_one_job_raises_one_is_killed_one_exits_one_has_no_data(two_processes: list[str], tmp_path: Path) -> None:
    process = started(tmp_path, *two_processes, "task.failure=raises,never,dies,exits,empty")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1, errors
    assert "4 of 5 runs did not succeed:" in errors
    ended = errors.partition("did not succeed:")[2]
    assert "task.failure=raises: RuntimeError: this head cannot be built" in ended
    assert "task.failure=dies: its process died" in ended
    assert "task.failure=exits: its code has called sys.exit(5)" in ended
    assert "task.failure=empty: train.txt: no such file" in ended
    (record,) = [record for record in records_in(tmp_path) if record.status == "ok"]
    assert record.environment["threads"] == max(1, PROCESSORS // 2)  # divided among the parallel jobs
    process = started(tmp_path, "hydra/launcher=basic", "task.failure=never", "seed=1,2")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    tables = (tmp_path / "results" / "sweeps").glob("*/table.md")
    assert any("| 2 |" in table.read_text() for table in tables)  # two seeds, one of them of the earlier sweep


@pytest.mark.slow
def test_a_job_that_exits_does_not_end_the_sweep(tmp_path: Path) -> None:
    """The job runs in the process of the sweep."""
    process = started(tmp_path, "hydra/launcher=basic", "task.failure=exits,raises,never", "trainer.max_epochs=1")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1, errors
    assert "task.failure=exits: its code has called sys.exit(5)" in errors
    reason = rf"task\.failure=raises: RuntimeError: this head cannot be built, at {tmp_path}/\S+:\d+, in build_head\n"
    assert re.search(reason, errors.partition("2 of 3 runs did not")[2])


def test_a_full_disk_is_one_line_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    write = SweepFolder.write_outcome
    for begun in (False, True):  # before the first job, and after it has begun
        with monkeypatch.context() as patch:
            if begun:
                patch.setattr(
                    SweepFolder,
                    "write_outcome",
                    lambda self, overrides, outcome: (
                        write(self, overrides, outcome) if outcome.status == "running" else full(self.path)
                    ),
                )
            else:
                patch.setattr("harness.sweep.state.write_json", lambda path, _: full(path))
            assert sweep(tmp_path, "sweep=mine", "seed=1") == (1 if begun else 2)
            shown = capsys.readouterr().err
            place = f"{tmp_path}/results/sweeps/mine"
            assert f"{place}{'' if begun else '/sweep.json'}: No space left on device; free some space there" in shown
            assert "Traceback" not in shown
            assert ("or could not write how it ended" in shown) is begun
    assert sweep(tmp_path, "sweep=mine", "seed=1") == 0


@pytest.mark.slow
def test_a_sweep_killed_at_random_moments_ends_in_the_same_table(tmp_path: Path) -> None:
    """Once in CI; SWEEP_KILLS=20 repeats it as in results/published/sweeps.md, with four runs."""
    arguments = ("threads=1", "task.pause=0.3", "trainer.max_epochs=5", "seed=1,2", "mixing=top,mean")

    def ended(folder: Path) -> tuple[str, list[dict[str, dict[str, float]]]]:
        process = started(folder, *arguments)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        (path,) = (folder / "results" / "sweeps").glob("*/table.md")
        return path.read_text(), [dict(record.metrics) for record in records_in(folder)]

    began = time.monotonic()
    whole = ended(tmp_path / "whole")
    took = time.monotonic() - began
    moments = random.Random(5)
    for number in range(int(os.environ.get("SWEEP_KILLS", "1"))):
        folder = tmp_path / f"broken-{number}"
        process = started(folder, *arguments)
        try:
            process.wait(timeout=took * moments.random())
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate(timeout=60)
        assert ended(folder) == whole

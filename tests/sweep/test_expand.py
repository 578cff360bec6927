"""What a command line expands to: as Hydra composes each job, but with each choice of groups composed once."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from harness.config.compose import CONF, register_resolvers
from harness.config.schema import plain, typed
from harness.sweep.expand import Job, by_data, expand_jobs
from tests.support.sweeps import records_in, sweep


@contextmanager
def expanded(*overrides: str) -> Iterator[list[Job]]:
    """Yield the jobs of a command line with ``-m``; Hydra can compose in the block."""
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        yield expand_jobs(loader.load_configuration("config", list(overrides), run_mode=RunMode.MULTIRUN))


@pytest.mark.parametrize(
    "overrides",
    [
        ("mixing=top,scalar_mix", "seed=1,2", "trainer.lr=0.1,0.2"),
        ("experiment=[paper/ner,table2]", "seed=1,2"),
        ("task=ner,pos", "embedding=none,static_mini", "+trainer.optimizer_options.betas=[0.9,0.9],[0.8,0.9]"),
        (
            "mixing=scalar_mix",
            "mixing.lambda_=0,1",
            "data=files",
            "data.train='a b','c=d,e'",
            "data.dev=d",
            "data.test=t",
        ),
        ("encoder=random,elmo_mini", "++seed=3,4", "~experiment"),
    ],
)
def test_each_job_is_what_hydra_composes(overrides: tuple[str, ...]) -> None:
    with expanded(*overrides) as jobs:
        for job in jobs:
            assert job.config is not None, job.error
            assert plain(job.config) == plain(typed(compose("config", overrides=list(job.overrides))))
    assert len({json.dumps(plain(job.config), default=str) for job in jobs if job.config}) == len(jobs) > 1


def test_groups_are_composed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    composed = []
    load = ConfigLoaderImpl.load_sweep_config

    def counted(self: ConfigLoaderImpl, config: object, overrides: list[str]) -> object:
        composed.append(overrides)
        return load(self, config, overrides)  # type: ignore[arg-type]

    monkeypatch.setattr(ConfigLoaderImpl, "load_sweep_config", counted)
    with expanded("mixing=top,mean", "seed=range(1,11)", "trainer.lr=0.1,0.2") as jobs:
        assert len(jobs) == 40
    assert composed == [["mixing=top"], ["mixing=mean"]]


def test_jobs_with_the_same_data_are_planned_one_after_the_other() -> None:
    with expanded("seed=1,2,3", "task=ner,pos") as jobs:
        pass
    assert [str(job).split()[1] for job in jobs] == ["task=ner", "task=pos"] * 3
    tasks = [str(job).split()[1] for job in by_data(jobs)]
    assert tasks == ["task=ner"] * 3 + ["task=pos"] * 3


def test_a_wrong_job_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep(tmp_path, "trainer.lr=0.1,-1", "dry_run=true") == 1
    assert "would fail: trainer.lr is -1" in capsys.readouterr().out


@pytest.mark.slow
def test_several_presets_are_a_union_of_their_lists() -> None:
    def own(*overrides: str) -> list[set[str]]:
        with expanded(*overrides) as jobs:
            return [{word for word in job.own if not word.startswith("experiment=")} for job in jobs]

    union = own("experiment=layers,table2", "task=pos", "seed=1,2")
    assert union == own("experiment=layers", "task=pos", "seed=1,2") + own("experiment=table2", "task=pos", "seed=1,2")
    assert len(union) > 8
    assert own("experiment=layers,layers", "task=pos") == own("experiment=layers", "task=pos")


def test_equal_numbers_are_one_job() -> None:
    with expanded("mixing.lambda_=0,0.0,1,1.0,0.1") as jobs:
        assert [job.own for job in jobs] == [("mixing.lambda_=0",), ("mixing.lambda_=1",), ("mixing.lambda_=0.1",)]


def test_two_folders_of_results_are_two_jobs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert sweep(tmp_path, f"results_dir={one},{two}", "sweep=mine") == 0
    assert all(len(list(folder.glob("*/*/record.json"))) == 1 for folder in (one, two))


@pytest.mark.parametrize(
    "name",
    ["a, b=c", *(pytest.param(name, marks=pytest.mark.slow) for name in (r"back\slash", r"end\\", "quo'te", r"a\'b"))],
)
def test_a_folder_of_results_may_have_any_name(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (tmp_path / "other").mkdir()
    quoted = str(folder / "results").replace("\\'", "\\\\'").replace("'", "\\'")
    assert sweep(tmp_path, f"results_dir='{quoted}'", "sweep=mine", "seed=1,2") == 0
    assert len(records_in(folder)) == 2
    assert (folder / "results" / "sweeps" / "mine" / "table.md").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["cache", "other", name])


@pytest.mark.parametrize("preset", [path.stem for path in sorted((CONF / "experiment").glob("*.yaml"))])
def test_the_number_of_runs_that_a_preset_promises(preset: str) -> None:
    promised = re.search(r"# Cost \(estimate\): (\d+) runs", (CONF / "experiment" / f"{preset}.yaml").read_text())
    if promised is not None:
        with expanded(f"experiment={preset}") as jobs:
            assert len(jobs) == int(promised[1])

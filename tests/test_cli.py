"""The command line: subcommands, exit statuses, and errors in one line."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from harness import cli
from harness.config.options import CONF
from harness.runs.record import read_record
from tests.support.runs import SMALL
from tests.support.sweeps import not_given

ROOT = Path(__file__).resolve().parents[1]
QUICK = [*SMALL, "trainer.max_epochs=1", "data.fraction=0.02"]


def harness(folder: Path, *arguments: str) -> int:
    paths = [f"results_dir={folder}/results", f"cache_dir={folder}/cache"]
    with pytest.raises(SystemExit) as exit_:
        cli.main([*not_given(QUICK, arguments), *paths, *arguments])
    return int(exit_.value.code or 0)


def write(path: Path, content: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_a_run_prints_its_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness(tmp_path, "trainer.max_epochs=2") == 0
    shown = capsys.readouterr().out
    for expected in ("ner on sample", "f1_strict", "PER/f1", "dev f1 by epoch", "mix at the input", "record.json"):
        assert expected in shown
    assert " of 2, ended by trainer.max_epochs: more may be better" in shown


def test_an_unknown_command_is_one_line_with_the_nearest_name(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["repot", "results"])
    assert exit_.value.code == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: there is no command 'repot'; did you mean 'report'?")


@pytest.mark.parametrize("name", ["report", "static-vectors"])
def test_a_known_command_gets_the_other_words_and_gives_the_exit_status(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, given = ModuleType("command"), []
    module.main = lambda arguments: given.append(arguments) or 1  # type: ignore[attr-defined, func-returns-value]
    monkeypatch.setitem(sys.modules, f"harness.commands.{name.replace('-', '_')}", module)
    with pytest.raises(SystemExit) as exit_:
        cli.main([name, "folder", "--help", "task=ner"])
    assert exit_.value.code == 1
    assert given == [["folder", "--help", "task=ner"]]


@pytest.mark.parametrize("words", [[], ["report=1"], ["+seed=2", "report"], ["~tracking"], ["-m", "seed=1,2"]], ids=str)
def test_words_that_do_not_begin_with_a_command_go_to_hydra(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr(cli, "run_jobs", lambda root, argv, _: given.append((root, argv)))
    with pytest.raises(SystemExit) as exit_:
        cli.main(words)
    assert exit_.value.code == 0
    assert given == [("config", words)]


def test_the_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["--help"])
    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    for name, summary in cli.COMMANDS.items():
        assert f"\n  {name:<16}{summary}\n" in shown.replace("\n" + " " * 18, " ")


REQUESTS = [
    (["task=nre"], "task=nre: there is no such choice; did you mean 'ner'?"),
    (["task="], "task=: there is no such choice; choose one of: classification, "),
    (["tsk=ner"], "tsk: there is no such option; did you mean 'task'?"),
    (["mixing=sclar_mix"], "did you mean 'scalar_mix'?"),
    (["experiment=paper/nre"], "did you mean 'paper/ner'?"),
    (["trainer.ptience=3"], "trainer.ptience: there is no such option; did you mean 'trainer.patience'?"),
    (["+trainer.ptience=3"], "trainer.ptience: there is no such option; did you mean 'patience'?"),
    (["foo.bar=3"], "foo.bar: there is no such option (--cfg job shows all options)"),
    (["mixing.index=1"], "there is no such option; another choice of the group 'mixing' has it"),
    (["+sed=3"], "sed: there is no such option; did you mean 'seed'?"),
    (
        ["+task.schem=bio"],
        "task.schem: tasks.ner.task.NamedEntityRecognition has no such option; did you mean 'scheme'?",
    ),
    (
        ["+task.bilstm_crf.hiden_dim=3"],
        "task.bilstm_crf.hiden_dim: there is no such option; did you mean 'hidden_dim'?",
    ),
    (
        ["+mixing.lamda=3"],
        "mixing.lamda: harness.features.layer_mix.ScalarMix has no such option; did you mean 'lambda_'?",
    ),
    (["trainer.lr=fast"], "trainer.lr is 'fast'; expected float"),
    (["trainer.max_epochs=1.5"], "trainer.max_epochs is 1.5; expected a valid integer"),
    (["trainer.max_epochs=0"], "trainer.max_epochs is 0; expected a value greater than or equal to 1"),
    (["trainer.optimizer=Adma"], "no optimiser of torch.optim; did you mean"),
    (["data.fraction=2"], "data.fraction is 2; expected a value less than or equal to 1"),
    (["trainer.average=1"], "trainer.average is 1; expected a value less than 1"),
    (["trainer.optimizer_options.betas=[0,0]"], "add each with a plus: +trainer.optimizer_options.NAME=VALUE"),
    (["trainer.optimizer_options={betas:[0,0]}"], "add each with a plus: +trainer.optimizer_options.NAME=VALUE"),
    (["+trainer.optimizer_options.beta=1"], "torch.optim.Adam has no such option; did you mean 'betas'?"),
    (["+trainer.optimizer_options.betas=x"], "trainer.optimizer_options.betas is 'x'; expected a valid tuple"),
    (["+trainer.optimizer_options.betas=[2,0.9]"], "trainer.optimizer=Adam cannot train this model: Invalid beta"),
    (["+trainer.optimizer_options.lr=1"], "trainer.optimizer_options.lr: set trainer.lr instead"),
    (["task.scheme=bix"], "task.scheme is 'bix'; expected 'auto', 'iob1'"),
    (["task.head=crf"], "task.head is 'crf'; expected 'bilstm_crf'"),
    (["task.bilstm_crf.dropout=1.5"], "task.bilstm_crf.dropout is 1.5; expected a value less than 1"),
    (["mixing=layer"], "a value is needed; add mixing.index=..."),
    (["mixing=layer", "mixing.index=3"], "mixing.index is 3; the encoder has layers 0 to 2"),
    (["mixing.placement=inptu"], "mixing.placement is 'inptu'; expected 'input', 'output' or 'both'"),
    (["encoder=none"], "nothing enters the head at its input"),
    (["encoder.state=carry"], "add cache=none"),
    (["embedding=file"], "a value is needed; add embedding.path=..."),
    (["embedding=file", "embedding.path=nowhere.txt"], "nowhere.txt"),
    (["data=files"], "a value is needed; add data.train=..."),
    (["task._target_=os.system"], "only harness., tasks., torch.nn., torch.optim. may be used"),
    (["task._target_=tasks.ner.task.Nothing"], "tasks.ner.task has no 'Nothing'"),
    (["task._target_=tasks.nothing.Task"], "no module 'tasks.nothing'"),
    (["device=cdua"], "no such device; use auto, cpu, cuda or cuda:N"),
    (["device=meta"], "no such device; use auto, cpu, cuda or cuda:N"),
    (["data.train=x.conll"], "data.train is given, but data=sample reads no local file; add data=files"),
    (["data=official", "data.dev=x.conll"], "data.dev is given, but data=official reads no local file; add data=files"),
    (["data=files", "data.train=x", "data.dev=y", "data.dev_fraction=0.1"], "leave out data.dev"),
    (["+data.tokenize=english"], "data.tokenize is given, but data=sample reads no local file; add data=files"),
    (["+data.test_fraction=1.0"], "data.test_fraction is 1.0; expected a value less than 1"),
    (["data.source=official"], "data.cache_dir is not given; choose data=official"),
    (["data.source=sampel"], "data.source is 'sampel'; expected 'sample', 'official' or 'files'"),
    (["~encoder._target_"], "encoder._target_ is missing"),
    (["task=null"], "override must be a string"),
    (["data=null"], "override must be a string"),
    (["~tracking"], "tracking is missing"),
    (["task._target_=null"], "task._target_ is missing"),
    (["trainer.weight_decay=-1"], "trainer.weight_decay is -1; expected a value greater than or equal to 0"),
    (["trainer.plateau_factor=2"], "trainer.plateau_factor is 2; expected a value less than 1"),
    (["task.bilstm_crf.hidden_dim=0"], "task.bilstm_crf.hidden_dim is 0; expected a value greater than or equal to 1"),
    (["trainer.optimizer=LBFGS"], "is not supported"),
    (["encoder.max_tokens=0"], "encoder.max_tokens is 0"),
    (["encoder.weights_seed=-1"], "encoder.weights_seed is -1"),
    (["seed=["], "seed=[: the value has special characters; write it in quotes: 'seed=\"[\"'"),
    (["-m", "mixing=top,"], "mixing=top,: nothing follows the last comma; write mixing=top"),
    (["seed=1,2"], "seed=1,2: add -m to run each value in turn, or write seed=[1,2] for one list"),
    (["results_dir=${nowhere}"], "nowhere"),
]


@pytest.mark.parametrize(("arguments", "message"), REQUESTS, ids=[" ".join(arguments) for arguments, _ in REQUESTS])
def test_a_bad_request_is_one_line_and_exit_status_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    quick = not_given(QUICK, arguments)
    if arguments == ["encoder=none"]:
        quick = [a for a in quick if not a.startswith("encoder.")]
    paths = [f"cache_dir={tmp_path}/cache"] + ([] if "results_dir" in arguments[0] else [f"results_dir={tmp_path}/r"])
    with pytest.raises(SystemExit) as exit_:
        cli.main([*quick, *paths, *arguments])
    errors = capfd.readouterr().err
    assert exit_.value.code == 2, errors
    assert "Traceback" not in errors
    lines = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert not (tmp_path / "r").exists()


GOOD = "Ann B-PER\nruns O\n\n"
FILES = [
    (b"Ann B-PER\nruns\n\n", r"dev.conll:2"),
    (b"", "dev.conll"),
    (b"Ann O\nruns O\n\n", "no entity"),
    (b"Ann B-PER\nruns Z-PER\n\n", "dev.conll:2"),
    (b"Ann B-PER\nr\xff\xfens O\n\n", "dev.conll:2"),
    (b"Ann\tB-PER\n\tO\n\n", "dev.conll:2"),
]


@pytest.mark.parametrize(("content", "message"), FILES, ids=range(len(FILES)))
def test_a_bad_data_file_is_one_line_with_file_and_line(
    content: bytes, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    good = write(tmp_path / "train.conll", GOOD)
    bad = write(tmp_path / "dev.conll", content)
    assert harness(tmp_path, "data=files", f"data.train={good}", f"data.dev={bad}", f"data.test={good}") == 2
    errors = capfd.readouterr().err
    assert message in errors
    assert "Traceback" not in errors


@pytest.mark.slow
def test_a_run_accepts_a_long_sentence_and_a_long_token(tmp_path: Path) -> None:
    long = "x" * 400 + " B-PER\n" + "word O\n" * 5000 + "\n"
    paths = [f"data.{split}={write(tmp_path / f'{split}.conll', GOOD + long)}" for split in ("train", "dev", "test")]
    assert harness(tmp_path, "data=files", *paths) == 0


def test_a_damaged_file_is_one_line_that_says_what_to_delete(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert harness(tmp_path) == 0
    (folder,) = (tmp_path / "results" / "ner").iterdir()
    for name, content, status in (("record.json", '{"schema_version": 1}', 2), ("checkpoint.pt", "garbage", 1)):
        write(folder / name, content)
        capfd.readouterr()
        assert harness(tmp_path) == status
        errors = capfd.readouterr().err
        assert "Traceback" not in errors
        (line,) = [line for line in errors.splitlines() if line.startswith("error: ")]
        assert f"{name}: " in line
        assert "delete it" in line
        (folder / "record.json").unlink(missing_ok=True)
        (folder / "checkpoint.pt").unlink(missing_ok=True)


def test_a_results_folder_that_is_a_file_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "results", "a file")
    assert harness(tmp_path) == 1
    errors = capfd.readouterr().err
    assert "Traceback" not in errors
    assert "results" in errors.splitlines()[-1]


def test_a_dry_run_only_says_what_it_would_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness(tmp_path, "dry_run=true") == 0
    shown = capsys.readouterr().out
    assert "would encode" in shown
    assert "would train" in shown
    assert not (tmp_path / "results").exists()
    assert not list((tmp_path / "cache").glob("**/*.bin"))


def test_the_help_has_a_line_for_every_group_choice_and_option(capsys: pytest.CaptureFixture[str]) -> None:
    helps = {}
    for root, command in (("config", []), ("pretrain", ["pretrain"])):
        with pytest.raises(SystemExit) as exit_:
            cli.main([*command, "--help"])
        assert exit_.value.code == 0
        helps[root] = capsys.readouterr().out
    assert max(map(len, "\n".join(helps.values()).splitlines())) <= 80
    helps = {root: re.sub(r"\n {12,32}(?=\S)", " ", shown) for root, shown in helps.items()}  # one line per entry
    for group in (path for path in CONF.iterdir() if path.is_dir()):
        shown = helps["pretrain" if group.name == "model" else "config"]
        assert f"\n  {group.name} " in shown
        for choice in group.glob("**/*.yaml"):
            name = choice.relative_to(group).with_suffix("").as_posix()
            (line,) = [one for one in shown.splitlines() if one.startswith(f"  {group.name}={name} ")]
            assert len(line.split(maxsplit=1)) == 2, line
    for option in ("seed=1", "trainer.lr=0.001", "cache=disk", "overwrite=false"):
        assert f"\n  {option} " in helps["config"]
    for option in ("seed=1", "trainer.lr=0.002", "init=null", "text.tokenize=false"):
        assert f"\n  {option} " in helps["pretrain"]


def run_in_process(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a separate process that works in ``folder`` and can import from ``folder/code``."""
    search = os.pathsep.join(filter(None, [str(folder / "code"), str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "harness", *arguments]
    environment = {**os.environ, "PYTHONPATH": search}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def test_files_of_the_user_with_the_names_of_ours_are_not_read(tmp_path: Path) -> None:
    """``python -m`` puts the working directory first on the import path."""
    write(tmp_path / "tasks.py", "raise RuntimeError('the tasks.py of the working directory was imported')")
    write(tmp_path / "conf" / "config.yaml", "a key without a colon")
    write(tmp_path / "conf" / "task" / "ner.yaml", "a key without a colon")
    paths = [f"results_dir={tmp_path}/results", f"cache_dir={tmp_path}/cache"]
    ended = run_in_process(tmp_path, *QUICK, *paths, "dry_run=true")
    assert ended.returncode == 0, ended.stderr
    assert "would train" in ended.stdout


PLUGIN = '''
from dataclasses import dataclass
from typing import ClassVar
import torch
from torch import nn
from harness.config.schema import DataConfig
from harness.types import Batch, Example, Metrics, Prediction

@dataclass(frozen=True, kw_only=True)
class Vowels:
    """Does the first word begin with a vowel?"""
    name: ClassVar[str] = "vowels"
    version: ClassVar[int] = 1
    primary_metric: ClassVar[str] = "accuracy"
    data: DataConfig
    size: int = 20
    @property
    def data_name(self):
        return "letters"
    def examples(self, split):
        words = [letter * 5 for _ in range(self.size // 4) for letter in "aexy"]
        return [Example(id=f"{i}", texts={"tokens": (w,)}, target=int(w[0] in "ae")) for i, w in enumerate(words)]
    def collate(self, examples):
        gold = torch.tensor([e.target for e in examples])
        return Batch(examples=tuple(examples), masks={"tokens": torch.ones(len(examples), 1, dtype=torch.bool)},
                     gold={"label": gold})
    def build_head(self, *, input_dim, output_dim):
        return Linear(input_dim)
    def score(self, gold, predictions):
        right = [g.target == p.value for g, p in zip(gold, predictions)]
        return Metrics({"accuracy": sum(right) / len(right)})

class Linear(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.linear = nn.Linear(dim, 2)
    def loss(self, vectors, batch):
        return nn.functional.cross_entropy(self.linear(vectors["tokens"].input[:, 0]), batch.gold["label"])
    def predict(self, vectors, batch):
        labels = self.linear(vectors["tokens"].input[:, 0]).argmax(dim=1).tolist()
        return [Prediction(id=e.id, value=label) for e, label in zip(batch.examples, labels)]
'''


@pytest.mark.slow
def test_a_task_from_outside_the_tree_is_one_file_and_one_yaml(tmp_path: Path) -> None:
    """The command runs in a separate process and folder, as for a user who has installed the harness."""
    write(tmp_path / "code" / "vowel_task.py", PLUGIN)
    write(tmp_path / "conf" / "task" / "vowels.yaml", "_target_: vowel_task.Vowels\ndata: ${data}\nsize: 40\n")
    small = [a for a in SMALL if not a.startswith("task.")]
    paths = [f"results_dir={tmp_path}/results", f"cache_dir={tmp_path}/cache", "data.fraction=1", "trainer.patience=30"]
    arguments = [*small, *paths, "task=vowels", "--config-dir", "conf", "trainer.max_epochs=30", "trainer.lr=0.1"]
    refused = run_in_process(tmp_path, *arguments)
    assert refused.returncode == 2  # a user must name the modules whose code may run
    assert "name a module of your own with plugins=[MODULE]" in refused.stderr
    ended = run_in_process(tmp_path, *arguments, "plugins=[vowel_task]")
    assert ended.returncode == 0, ended.stderr
    assert "vowels on letters" in ended.stdout
    (path,) = (tmp_path / "results" / "vowels").glob("*/record.json")
    record = read_record(path)
    assert record.metrics["test"]["accuracy"] > 0.9
    assert record.data["sizes"] == {"train": 40, "dev": 40, "test": 40}
    assert record.environment["config_dirs"] == [str(tmp_path / "conf")]

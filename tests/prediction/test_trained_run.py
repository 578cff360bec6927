"""Which runs are loaded and which are refused: each refusal is one line that says what to do."""

import json
import shutil
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

import harness
from harness.config.compose import CONF
from harness.config.instantiate import build
from harness.errors import HarnessError
from harness.protocols import Task
from harness.runs.model_file import MODEL, OLD_MODEL, Restorable
from tasks.ner.task import NamedEntityRecognition
from tests.support.runs import config_of
from tests.support.trained import trained_run

OVERRIDES = ("task=ner", "task.bilstm_crf.hidden_dim=8")
AGAIN = "repeat the run with overwrite=true"
SENTENCE = ["Jordan", "lives", "in", "Paris", "."]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_run(tmp_path_factory.mktemp("runs"), *OVERRIDES)


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def change(copy: Path) -> Callable[..., None]:
    """Return a function that sets values in the record of the copied run, by dotted key."""

    def changed(**values: Any) -> None:
        path = copy / "record.json"
        record = json.loads(path.read_text())
        for key, value in values.items():
            *sections, last = key.split("__")
            node = record
            for section in sections:
                node = node[section]
            node[last] = value
        path.write_text(json.dumps(record))

    return changed


def refusal(folder: Path, **options: Any) -> str:
    with pytest.raises(HarnessError) as caught:
        harness.load_predictor(folder, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2
    return str(caught.value)


def test_a_run_can_be_moved_and_its_data_removed(copy: Path, change: Callable[..., None], trained: Path) -> None:
    nowhere = {"source": "files", "train": "/nowhere/train", "dev": "/nowhere/dev", "test": "/nowhere/test"}
    assets = "/elsewhere/lib/harness/assets/static_mini/vectors.txt.gz"
    change(config__task__data=nowhere, config__data=nowhere, config__embedding__path=assets)
    moved, own = harness.load_predictor(copy), harness.load_predictor(trained)
    assert moved([SENTENCE]) == own([SENTENCE])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"status": "failed", "error": "HarnessError: the loss is nan"},
            "failed (HarnessError: the loss is nan); start",
        ),
        ({"status": "interrupted", "error": "stopped"}, "is interrupted (stopped); start it again with its command"),
        ({"task_version": 7}, f"version 7 of the task, and this is 1; {AGAIN}"),
        ({"weights_sha256": "0" * 64}, f"record.json says {'0' * 12}; {AGAIN}"),
        ({"encoder__fingerprint": "a" * 64}, f"its encoder random had the fingerprint {'a' * 16}, and now it is "),
        ({"embedding__fingerprint": "b" * 64}, f"its embedding static_mini had the fingerprint {'b' * 16}, and now"),
        ({"config__mixing__layer_norm": "paper"}, "with mixing.layer_norm=paper, the vectors of a text depend on the "),
        ({"config__task__bilstm_crf__hidden_dim": 9}, "not of the model that record.json describes (its tensor"),
        ({"config__encoder": "random"}, f"record.json does not have the options of the encoder; {AGAIN}"),
        ({"config__task__head": "linear"}, "task.head is 'linear'"),
        (
            {"determining": {"task.code": "Ner@0123456789"}},
            f"the code of its task was Ner@0123456789, and now it is NamedEntityRecognition; {AGAIN}",
        ),
        (
            {"determining": {"mixing.code": "Mine@0123456789"}},
            "the code of its mixing was Mine@0123456789, and now it is",
        ),
    ],
)
def test_a_run_that_is_not_what_it_was_is_refused(
    changes: dict[str, Any], message: str, copy: Path, change: Callable[..., None]
) -> None:
    change(**changes)
    assert message in refusal(copy)


def test_changed_files_are_reported_with_both_fingerprints(copy: Path, tmp_path: Path) -> None:
    record = json.loads((copy / "record.json").read_text())
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("the 1 2 3\n")
    now = harness.load_predictor(copy)._model.features.source.encoder  # type: ignore[union-attr]
    assert now.fingerprint == record["encoder"]["fingerprint"]
    message = refusal(copy, embedding={"path": str(vectors)})
    assert record["embedding"]["fingerprint"][:16] in message
    assert "give the same files with embedding.KEY=VALUE" in message
    message = refusal(copy, encoder={"weights_seed": 1})
    assert record["encoder"]["fingerprint"][:16] in message


def test_a_folder_without_a_model_is_refused(copy: Path, tmp_path: Path) -> None:
    assert "because it has no record.json; give results/TASK/NAME" in refusal(tmp_path)
    (copy / MODEL).rename(copy / OLD_MODEL)
    assert f"an older version of the harness wrote the weights alone; {AGAIN}" in refusal(copy)
    (copy / OLD_MODEL).unlink()
    assert f"there is no such file; {AGAIN}" in refusal(copy)


@pytest.mark.parametrize("content", [b"", b"not tensors", None])
def test_a_file_that_is_not_a_model_is_refused(content: bytes | None, copy: Path, change: Callable[..., None]) -> None:
    path = copy / MODEL
    tensors = load_file(path)
    save_file(tensors, path)  # the weights alone
    if content is not None:
        path.write_bytes(content)
    change(weights_sha256=sha256(path.read_bytes()).hexdigest())
    assert "not the model of a run" in refusal(copy)


@pytest.mark.parametrize(
    ("learned", "message"), [({}, "lacks what the task learned (labels)"), ({"labels": 3}, "learned")]
)
def test_other_labels_than_strings_are_refused(
    learned: Any, message: str, copy: Path, change: Callable[..., None]
) -> None:
    path = copy / MODEL
    save_file(load_file(path), path, {"model": json.dumps({"learned": learned, "texts": ["tokens"], "vocabulary": []})})
    change(weights_sha256=sha256(path.read_bytes()).hexdigest())
    assert message in refusal(copy)


def test_whoever_may_read_the_record_may_read_the_model(trained: Path) -> None:
    assert (trained / MODEL).stat().st_mode == (trained / "record.json").stat().st_mode


def test_an_older_finished_run_is_recognised_and_repeated_on_demand(tmp_path: Path) -> None:
    folder = trained_run(tmp_path, *OVERRIDES)
    (folder / MODEL).rename(folder / OLD_MODEL)
    assert trained_run(tmp_path, *OVERRIDES) == folder
    assert not (folder / MODEL).exists()
    assert trained_run(tmp_path, *OVERRIDES, "overwrite=true") == folder
    assert (folder / MODEL).exists()
    assert not (folder / OLD_MODEL).exists()
    harness.load_predictor(folder)


def test_vectors_that_depend_on_earlier_texts_are_refused(tmp_path: Path) -> None:
    folder = trained_run(tmp_path, *OVERRIDES, "encoder.state=carry", "cache=none")
    assert "with encoder.state=carry, the vectors of a text depend on the texts before it" in refusal(folder)


def test_a_record_cannot_choose_the_code_that_runs(
    copy: Path, change: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "foreign_code.py").write_text("from pathlib import Path\nPath(__file__).with_suffix('.ran').touch()\n")
    monkeypatch.syspath_prepend(tmp_path)
    for group in ("task", "encoder", "embedding", "mixing"):
        key = f"config__{group}___target_"
        before = json.loads((copy / "record.json").read_text())["config"][group]["_target_"]
        change(**{key: "foreign_code.Thing", "config__plugins": ["foreign_code"]})
        assert f"{group}._target_ is 'foreign_code.Thing'; only harness., tasks." in refusal(copy)
        change(**{key: before})
    assert "foreign_code" not in sys.modules
    assert not (tmp_path / "foreign_code.ran").exists()
    harness.load_predictor(copy)


def test_a_record_cannot_read_the_environment(
    copy: Path, change: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    change(config__embedding__path="/tmp/${oc.env:SECRET}.txt")
    message = refusal(copy)
    assert "${oc.env:SECRET}" in message
    assert "hunter2" not in message


def test_a_task_that_says_nothing_about_new_text_is_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(NamedEntityRecognition, "learned")
    assert "the task ner cannot label new text: it lacks members of Restorable" in refusal(copy)


def test_labels_are_not_read_from_the_data(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def examples(self: object, split: str) -> None:
        raise AssertionError("the data are read")

    monkeypatch.setattr(NamedEntityRecognition, "examples", examples)
    assert len(harness.load_predictor(copy)([SENTENCE])[0]) == 5


@pytest.mark.parametrize("name", [path.stem for path in (CONF / "task").glob("*.yaml")])
def test_every_task_can_be_restored(name: str, tmp_path: Path) -> None:
    task = build(config_of(tmp_path, f"task={name}").task, kind=Task, where="task")
    assert isinstance(task, Restorable)


def test_a_run_without_contextual_vectors_is_loaded(tmp_path: Path) -> None:
    folder = trained_run(tmp_path, "task=pos", "vectors=static")
    assert harness.load_predictor(folder)._model.features.source is None

"""Files in a task's own format without the gold labels: a trained head can label them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.commands.predict import main
from harness.config.instantiate import build
from harness.errors import DataFormatError
from harness.runs.model_file import Restorable
from tests.support.runs import config_of
from tests.support.trained import sample_files, trained_run


def tokens_only(text: str) -> str:
    return "".join(f"{line.split()[0] if line.strip() else ''}\n" for line in text.splitlines())


def tokens_in_json(text: str) -> str:
    sentences = [part.split() for part in tokens_only(text).split("\n\n")]
    return "".join(json.dumps({"tokens": tokens}) + "\n" for tokens in sentences if tokens)


def without_tags(text: str) -> str:
    """Return CoNLL-U with ``_`` in place of both tags."""
    rows = [line.split("\t") for line in text.splitlines()]
    return "".join("\t".join([*row[:3], "_", "_", *row[5:]] if len(row) == 10 else row) + "\n" for row in rows)


def without_label(text: str) -> str:
    rows = [json.loads(line) for line in text.splitlines()]
    return "".join(json.dumps({k: v for k, v in row.items() if k != "gold_label"}) + "\n" for row in rows)


def in_a_table(text: str) -> str:
    rows = [json.loads(line) for line in text.splitlines()]
    lines = [f"{row['pairID']}\t{row['sentence1']}\t{row['sentence2']}\n" for row in rows]
    return "".join(["pairID\tsentence1\tsentence2\n", *lines])


def without_answers(text: str) -> str:
    return json.dumps(json.loads(text, object_hook=lambda one: {k: v for k, v in one.items() if k != "answers"}))


CASES: list[tuple[str, str, Callable[[str], str]]] = [
    ("ner", "dev.conll", tokens_only),
    ("ner", "dev.jsonl", tokens_in_json),
    ("pos", "dev.conllu", without_tags),
    ("snli", "dev.jsonl", without_label),
    ("snli", "dev.txt", in_a_table),
    ("squad", "dev.json", without_answers),
    ("tagging", "dev.jsonl", tokens_in_json),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_run(tmp_path_factory.mktemp("run"), "task=pos", "embedding=none")


@pytest.mark.parametrize(("name", "file", "stripped"), CASES)
def test_the_texts_are_the_same_and_there_is_no_gold(
    name: str, file: str, stripped: Callable[[str], str], tmp_path: Path
) -> None:
    task: Restorable = build(config_of(tmp_path, f"task={name}").task, kind=Restorable, where="task")
    labelled_file = sample_files(tmp_path, f"task={name}")["dev"]
    labelled = task.read(labelled_file, prefix="dev")
    path = tmp_path / file
    path.write_text(stripped(labelled_file.read_text(encoding="utf-8")), encoding="utf-8")
    found = task.read(path, prefix="dev", labelled=False)
    assert [(one.id, one.texts, one.target) for one in found] == [(one.id, one.texts, None) for one in labelled]
    assert task.collate(found[:4]).gold == {}
    with pytest.raises(DataFormatError, match=str(path)):
        task.read(path, prefix="dev")


def test_pairs_that_the_annotators_do_not_agree_on_are_labelled_too(tmp_path: Path) -> None:
    task: Restorable = build(config_of(tmp_path, "task=snli").task, kind=Restorable, where="task")
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"gold_label": "-", "sentence1": "A man.", "sentence2": "A person."}))
    (pair,) = task.read(path, prefix="a", labelled=False)
    assert (pair.texts["hypothesis"], pair.target) == (("A", "person", "."), None)
    assert pair.origin["hypothesis"].text == "A person."


def test_a_file_of_the_user_is_labelled_in_its_own_format_and_keeps_its_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"review": f"{'好看' if i % 2 else '难看'} 的电影{i}", "label": i % 2} for i in range(20)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    files = ["data=files", f"data.train={tmp_path}/mine.jsonl", "data.dev_fraction=0.2", "data.test_fraction=0.2"]
    options = ["embedding=none", "task.text=review", "task.head=linear", "data.tokenize=characters", "data.fraction=1"]
    mine = trained_run(tmp_path, "task=classification", *files, *options)
    (tmp_path / "new.jsonl").write_text(json.dumps(rows[1] | {"label": None}, ensure_ascii=False))
    (tmp_path / "texts.jsonl").write_text(json.dumps({"text": rows[1]["review"]}, ensure_ascii=False))
    found = []
    for name in ("new.jsonl", "texts.jsonl"):
        assert main([str(mine), str(tmp_path / name)]) == 0, capsys.readouterr().err
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["text"] == "好看 的电影1"
    assert found[0]["tokens"] == list("好看的电影1")
    assert {**found[0], "id": ""} == {**found[1], "id": ""}


def test_a_treebank_without_tags_is_labelled_as_one_with_tags(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled = sample_files(tmp_path, "task=pos")["dev"]
    path = tmp_path / "dev.conllu"
    path.write_text(without_tags(labelled.read_text()))
    answers = []
    for one in (labelled, path):
        assert main([str(run), str(one)]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]
    assert '"labels": ["' in answers[0]


def test_the_error_says_how_the_file_was_read(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, form in (("a", "in the task's own format"), ("a.jsonl", "as jsonl")):
        (tmp_path / name).write_text("A plain sentence\n")
        assert main([str(run), str(tmp_path / name)]) == 2
        message = capsys.readouterr().err.strip().splitlines()[-1]
        assert message.endswith(f"; the file was read {form}, and --input can say otherwise")
        assert f"{name}:1: " in message
    assert main([str(run), str(tmp_path / "missing.conllu")]) == 2
    assert capsys.readouterr().err.strip().endswith("check the path")

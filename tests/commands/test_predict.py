"""The command ``predict``: formats of its input and output, scores, and wrong requests."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.commands.predict import main
from harness.runs.record import read_record
from harness.utils.text_files import numbered_lines
from tests.support.trained import predicted, recorded, sample_files, trained_run

TEXT = "Jordan lives in Paris .\n\nLincoln saw Mary Jordan .\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def ner(folder: Path) -> Path:
    return trained_run(folder, "task=ner", "task.bilstm_crf.hidden_dim=8", "trainer.max_epochs=2")


@pytest.fixture(scope="module")
def snli(folder: Path) -> Path:
    return trained_run(folder, "task=snli", "task.esim.hidden_dim=8")


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets what standard input holds."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def rows(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


def test_each_line_of_standard_input_has_a_row(ner: Path, command: Callable, type_in: Callable) -> None:
    type_in(TEXT)
    status, out, err = command(ner)
    assert status == 0, err
    first, empty, third = rows(out)
    assert (first["id"], first["text"]) == ("1", "Jordan lives in Paris .")
    assert first["tokens"] == ["Jordan", "lives", "in", "Paris", "."]
    assert len(first["labels"]) == 5
    assert 0 < first["probability"] <= 1
    assert empty == {"id": "2", "text": "", "tokens": [], "labels": [], "entities": []}
    assert third["id"] == "3"
    type_in(TEXT)
    assert command(ner, "-")[1] == out


def test_text_json_lines_and_columns_have_the_same_labels(
    ner: Path, command: Callable, tmp_path: Path, type_in: Callable
) -> None:
    raw, tokens = "Mary isn't in Paris.", ["Mary", "is", "n't", "in", "Paris", "."]
    (tmp_path / "a.txt").write_text(f"\ufeff{raw}\r\n")
    both = [{"text": raw, "id": 7}, {"tokens": tokens}, {"text": raw, "tokens": tokens, "id": "x"}]
    (tmp_path / "a.jsonl").write_text("\n\n".join(map(json.dumps, both)))
    (tmp_path / "a.conll").write_text("".join(f"{token} O\n" for token in tokens))
    found = []
    for name in ("a.txt", "a.jsonl", "a.conll"):
        status, out, err = command(ner, tmp_path / name, "--tokenize", "english")
        assert status == 0, err
        found += rows(out)
    type_in(f"\ufeff{raw}\n")
    found += rows(command(ner, "--tokenize")[1])
    assert [row["id"] for row in found] == ["1", "7", "3", "x", "1", "1"]
    assert [row["text"] for row in found] == [raw, raw, " ".join(tokens), raw, " ".join(tokens), raw]
    assert all(row["tokens"] == tokens and row["labels"] == found[0]["labels"] for row in found)


def test_rows_can_be_labelled_again(ner: Path, snli: Path, command: Callable, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    pair = {"premise": "A man sleeps.", "hypothesis": "Nobody sleeps.", "id": "p"}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(pair))
    for run, name in ((ner, "a.txt"), (snli, "pairs.jsonl")):
        once, twice = tmp_path / f"{name}-1.jsonl", tmp_path / f"{name}-2.jsonl"
        assert command(run, tmp_path / name, "--out", once)[0] == 0
        assert command(run, once, "--out", twice)[0] == 0
        assert once.read_text() == twice.read_text()
    (row,) = rows(once.read_text())
    assert {key: row[key] for key in pair} == pair
    assert row["label"] == max(row["probabilities"], key=row["probabilities"].get)  # type: ignore[attr-defined]
    assert sum(row["probabilities"].values()) == pytest.approx(1)  # type: ignore[attr-defined]


def test_columns_can_be_written(ner: Path, command: Callable, tmp_path: Path, type_in: Callable) -> None:
    type_in(TEXT)
    status, out, _ = command(ner, "--format", "conll")
    assert status == 0
    (tmp_path / "out.conll").write_text(out)
    type_in(TEXT)
    expected = [pair for row in rows(command(ner)[1]) for pair in zip(row["tokens"], row["labels"], strict=True)]
    assert [tuple(line.split("\t")) for _, line in numbered_lines(tmp_path / "out.conll") if line] == expected


def test_a_task_reads_the_words_from_its_own_columns(folder: Path, command: Callable, tmp_path: Path) -> None:
    """The first column of a document is its name, and an option may name the column of the words."""
    documents = sample_files(tmp_path, "task=coref")["test"]
    coref = trained_run(folder, "task=coref", "task.span_ranker.hidden_dim=4", "task.span_ranker.ffnn_dim=4")
    status, out, err = command(coref, documents)
    assert status == 0, err
    found = {row["id"]: entities(row) for row in rows(out)}
    assert any(found.values()), "an answer without entities shows nothing"
    assert found == recorded(coref, "test")

    # Text is split into the same sentences, each of which is encoded by itself.
    (tmp_path / "stories.txt").write_text("".join(f"{row['text']}\n" for row in rows(out)))
    status, out, err = command(coref, tmp_path / "stories.txt")
    assert status == 0, err
    assert list(map(entities, rows(out))) == list(found.values())
    assert command(coref, documents, "--input", "columns")[2].startswith(
        f"error: {documents}:1: a document of CoNLL-2012"
    )

    (tmp_path / "train.conll").write_text("".join(f"{i} {word} {word}\n\n" for i, word in enumerate("abcdefgh")))
    files = ("data=files", *(f"data.{split}={tmp_path}/train.conll" for split in ("train", "dev", "test")))
    tagging = trained_run(folder, "task=tagging", "task.bilstm.hidden_dim=4", "data.columns=[2,3]", *files)
    status, out, err = command(tagging, tmp_path / "train.conll")
    assert status == 0, err
    assert [row["tokens"] for row in rows(out)] == [[word] for word in "abcdefgh"]


def test_new_files_are_read_with_the_columns_of_the_run(folder: Path, command: Callable, tmp_path: Path) -> None:
    """Even if they have the columns that texts of any run may have, or a name that texts may have."""

    def trained(task: str, suffix: str, lines: list[str], *options: str) -> tuple[Path, Path]:
        file = tmp_path / f"{task}{suffix}"
        file.write_text("\n".join(lines) + "\n")
        files = [f"data.{split}={file}" for split in ("train", "dev", "test")]
        return trained_run(folder, f"task={task}", "task.head=linear", "data=files", *files, *options), file

    titles = [{"text": "not read", "title": f"a {word} title", "label": word} for word in ("good", "bad")]
    words = [{"text": "not read", "words": ["a", word], "tags": ["X", "Y"]} for word in ("b", "c")]
    for task, objects, option, tokens in (
        ("classification", titles, "task.text=title", [["a", "good", "title"], ["a", "bad", "title"]]),
        ("tagging", words, "task.tokens=words", [["a", "b"], ["a", "c"]]),
    ):
        run, file = trained(task, ".jsonl", list(map(json.dumps, objects)), option)
        status, out, err = command(run, file)
        assert status == 0, err
        assert [row["tokens"] for row in rows(out)] == tokens
    file.write_text('{"text": "a new text", "source": "web"}\n')  # without the columns of the run
    assert rows(command(run, file)[1])[0]["tokens"] == ["a", "new", "text"]

    run, file = trained(
        "tagging", ".txt", [f"{i}\t{word}\t{word}\n" for i, word in enumerate("ab")], "data.columns=[2,3]"
    )
    assert (
        "tagging.txt: text, or data like those of the run? add --input text, or --input task" in command(run, file)[2]
    )
    assert [row["tokens"] for row in rows(command(run, file, "--input", "task")[1])] == [["a"], ["b"]]
    assert rows(command(run, file, "--input", "text")[1])[0]["tokens"] == ["0", "a", "a"]


def test_the_usual_names_of_texts_leave_a_row_its_own_id(folder: Path, command: Callable, tmp_path: Path) -> None:
    file = tmp_path / "usual.jsonl"
    rows_of = [{"id": f"u{i}", "text": f"a {word}", "label": word} for i, word in enumerate(("good", "bad"))]
    file.write_text("\n".join(map(json.dumps, rows_of)))
    files = [f"data.{split}={file}" for split in ("train", "dev", "test")]
    run = trained_run(folder, "task=classification", "task.head=linear", "task.text=text", "data=files", *files)
    assert [row["id"] for row in rows(command(run, file)[1])] == ["u0", "u1"]
    assert (
        "--tokenize: this file is read and split as the data of the run"
        in command(run, file, "--input", "task", "--tokenize")[2]
    )


@pytest.mark.parametrize("separator", ["\t", " "])
def test_comments_of_column_files_are_no_tokens(ner: Path, separator: str, command: Callable, tmp_path: Path) -> None:
    sentence = [f"{word}{separator}O" for word in ("#", "Paris", "#", "1")]
    (tmp_path / "a.conll").write_text(
        "\n".join(["# id = 1", *sentence, "", "# text", "", *sentence, "# 2", "", "# id = 3"])
    )
    status, out, err = command(ner, tmp_path / "a.conll")
    assert status == 0, err
    assert [row["tokens"] for row in rows(out)] == [["#", "Paris", "#", "1"], ["#", "Paris", "#", "1", "#"]]


def test_json_that_would_be_read_as_text_is_refused(ner: Path, command: Callable, type_in: Callable) -> None:
    type_in('{"text": "Jordan lives"}\n')
    assert "standard input:1: a JSON object, but this is read as text; add --input jsonl, or text" in command(ner)[2]
    for form, tokens in (("jsonl", ["Jordan", "lives"]), ("text", ['{"text":', '"Jordan', 'lives"}'])):
        type_in('{"text": "Jordan lives"}\n')
        assert rows(command(ner, "--input", form)[1])[0]["tokens"] == tokens


def entities(row: dict[str, Any]) -> list[list[list[int]]]:
    """Return the entities in a row, as a run records them."""
    return [[[mention["start"], mention["end"] - 1] for mention in entity] for entity in row["clusters"]]


@pytest.mark.parametrize(("task", "split"), [("ner", "dev"), ("snli", "test")])
def test_scores_are_those_of_the_run(
    task: str, split: str, folder: Path, command: Callable, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run, out = request.getfixturevalue(task), tmp_path / "rows.jsonl"
    status, printed, err = command(run, sample_files(tmp_path, f"task={task}")[split], "--score", "--out", out)
    assert status == 0, err
    scores = {name: float(value) for name, value in (line.split() for line in printed.splitlines())}
    assert scores == {
        name: pytest.approx(100 * value, abs=0.006)
        for name, value in read_record(run / "record.json").metrics[split].items()
    }
    assert {row["id"]: predicted(row) for row in rows(out.read_text())} == recorded(run, split)


def test_options_of_this_machine_can_be_set(ner: Path, command: Callable, type_in: Callable) -> None:
    threads = torch.get_num_threads()
    type_in(TEXT)
    try:
        assert command(ner, "device=cpu", "threads=1", "encoder.max_tokens=100")[0] == 0
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["{ner}", "{text}", "seed=2"],
            "seed=2: this command takes device, threads, encoder.KEY, embedding.KEY and --",
        ),
        (["{ner}", "{text}", "encoder=elmo_mini"], "encoder=elmo_mini: this command takes"),
        (["{ner}", "{text}", "threads=many"], "threads=many: expected a whole number"),
        (["{ner}", "{text}", "device=tpu"], "device=tpu: no such device"),
        (["{ner}", "{text}", "encoder.wieghts=x"], "has no such option"),
        (["{ner}", "{text}", "--tokenize=englisch"], "did you mean 'english'"),
        (["{ner}", "missing.txt"], "missing.txt: no such file"),
        (["nowhere", "{text}"], "nowhere: not the folder of a run"),
        (["{ner}", "{text}", "--out", "{text}"], "exists already; choose another name for --out"),
        (["{ner}", "{text}", "--out", "rows.jsonl.gz"], "rows.jsonl.gz: the rows are written as plain text"),
        (["{ner}", "{text}", "--input=jsonl"], ":1: not JSON"),
        (["{ner}", "{bad}"], 'bad.jsonl:2: a token is not a string; write {"tokens"'),
        (["{ner}", "{apart}"], "apart.jsonl:1: the token 'b' is not in the text"),
        (["{snli}", "{text}"], "this run reads several texts (premise, hypothesis); give JSON lines"),
        (
            ["{snli}", "{bad}"],
            "bad.jsonl:1: sentence1 is missing; choose one of: tokens; expected text; the file was read in the",
        ),
        (
            ["{snli}", "{bad}", "--input=jsonl"],
            'bad.jsonl:1: no tokens and no text; write {"premise": "A text.", "hypothesis": "A te',
        ),
        (["{snli}", "{pairs}", "--format=conll"], "--format conll is for tasks with one label per token"),
        (["{ner}", "--score"], "give a file in the task's format as FILE"),
        (["{ner}", "{text}", "--score", "--input=text"], "--score needs labels, and --input=text has none"),
        (["{ner}", "{text}", "--plugins=no_module"], "plugins: there is no module 'no_module'"),
    ],
)
def test_a_wrong_request_is_one_line(
    arguments: list[str], message: str, ner: Path, snli: Path, command: Callable, tmp_path: Path
) -> None:
    contents = {
        "text": TEXT,
        "bad": '{"tokens": ["a"]}\n{"tokens": [1]}\n',
        "apart": '{"tokens": ["a", "b"], "text": "b a"}\n',
        "pairs": '{"premise": "a", "hypothesis": "b"}',
    }
    names: dict[str, object] = {"ner": ner, "snli": snli}
    for name, content in contents.items():
        names[name] = tmp_path / (f"{name}.txt" if name == "text" else f"{name}.jsonl")
        (tmp_path / Path(str(names[name])).name).write_text(content)
    status, _, err = command(*(argument.format(**names) for argument in arguments))
    assert status == 2
    assert err.count("error: ") == 1
    assert message in err.strip().splitlines()[-1]


def test_a_failed_command_leaves_no_file(ner: Path, command: Callable, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a b"}\nnot JSON\n')
    assert command(ner, tmp_path / "a.jsonl", "--out", tmp_path / "out.jsonl")[0] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_the_help_says_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert "python -m harness predict RUN_DIR [FILE|-]" in out
    assert max(map(len, out.splitlines())) <= 100

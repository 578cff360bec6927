"""``python -m harness geometry``: what it prints and writes, and which requests it refuses."""

import csv
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.commands.geometry import main
from harness.runs.record import RUN_FILES
from tests.support.encoders import TINY

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("COLUMNS", "100")
    options = tmp_path / "options.json"
    options.write_text(json.dumps(TINY))
    (tmp_path / "text.txt").write_text("".join(f"the cat{i % 5} sat on mat{i}\n" for i in range(60)))

    def run(*arguments: str) -> tuple[int, str, str]:
        small = [f"encoder.options={options}", "device=cpu", "threads=1", f"cache_dir={tmp_path}/cache"]
        status = main(["encoder=random", *arguments, *small])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_raw_text_is_split_into_english_tokens_if_no_name_follows(command: Command, tmp_path: Path) -> None:
    (tmp_path / "raw.txt").write_text("".join(f"The cat{i % 5} isn't on mat{i}.\n" for i in range(60)))
    status, printed, _ = command(str(tmp_path / "raw.txt"), "--tokenize")
    assert status == 0
    assert "60 sentences, 420 tokens" in printed  # The cat is n't on mat .


def test_it_prints_tables_and_writes_files(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    also = f"encoder=random encoder.name=other encoder.weights_seed=5 encoder.options={tmp_path}/options.json"
    status, printed, _ = command("--also", also, str(tmp_path / "text.txt"), "--out", str(out), "--seed", "3")
    assert status == 0
    assert "drawn with seed 3: 60 sentences, 300 tokens, 8 words, 60 whole sentences" in printed
    assert "random 0" in printed
    assert "6 other 2" in printed
    names = "geometry.json layers.csv cka.csv anisotropy.svg self_similarity.svg self_similarity_adjusted.svg "
    names += "intra_sentence.svg intra_sentence_adjusted.svg first_component.svg first_component_adjusted.svg cka.svg"
    assert {path.name for path in out.iterdir()} == set(names.split())
    written = json.loads((out / "geometry.json").read_text())
    rows = list(csv.DictReader((out / "layers.csv").open()))
    assert [(row["encoder"], row["layer"]) for row in rows] == [
        (n, f"{k}") for n in ("random", "other") for k in range(3)
    ]
    for row, layer in zip(rows, written["layers"], strict=True):
        assert {key: str(value) if value is not None else "" for key, value in layer.items()} == row
        assert f"{layer['anisotropy']:.3f}" in printed
    assert rows[0]["first_component"] == ""
    assert written["layers"][0]["first_component"] is None
    pairs = list(csv.DictReader((out / "cka.csv").open()))
    assert len(pairs) == 21
    assert float(pairs[3]["cka"]) == written["cka"][0][3]
    assert set(written["encoders"]) == {"random", "other"}
    assert (written["drawn"]["seed"], written["environment"]["device"]) == (3, "cpu")
    for name in names.split()[3:]:
        drawing = (out / name).read_text()
        assert "nan" not in drawing
        assert "other" in drawing


def test_a_second_call_reads_the_store_and_gives_the_same(command: Command, tmp_path: Path) -> None:
    few = [str(tmp_path / "text.txt"), "--tokens", "60"]
    _, first, _ = command(*few)
    again = command(*few)
    assert again[1] == first
    assert "all 60 sentences are in" in again[2]
    assert command(*few, "--seed", "1")[1] != first
    assert not [path for name in RUN_FILES for path in tmp_path.rglob(name)]  # nothing is trained


def test_a_split_of_a_task(command: Command) -> None:
    status, printed, _ = command("--split", "dev", "task=pos", "--sentences", "50")
    assert status == 0
    assert "50 sentences" in printed


def test_few_tokens_are_warned_about(command: Command, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        command(str(tmp_path / "text.txt"), "--tokens", "160")
    assert "fewer than 10" not in caplog.text  # sixteen dimensions
    _, _, errors = command(str(tmp_path / "text.txt"), "--tokens", "159")
    assert "159 tokens are fewer than 10 for each of 16 dimensions" in errors
    assert "--tokens 160" in errors


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "expected one TEXT, or --split, but got 0 path(s)"),
        (["TEXT", "TEXT2"], "but got 2 path(s)"),
        (["TEXT", "--split", "dev"], "expected no TEXT with --split"),
        (["TEXT", "--also", "encoder=none"], "encoder is none"),
        (["TEXT", "--also", "encoder=random"], "two encoders are called 'random'"),
        (["TEXT", "--also", "encoder=nothing"], "nothing"),
        (["TEXT", "--tokens", "3"], "--tokens is 3; expected 4 or more"),
        (["TEXT", "--types", "0"], "--types is 0"),
        (["TEXT", "--seed=-1"], "--seed is -1"),
        (["TEXT", "--also", "encoder=random encoder.name='x"], "close each quotation mark"),
        (["TEXT.missing"], "no such file"),
        (["TEXT", "trainr.lr=1"], "trainr"),
    ],
)
def test_wrong_requests_are_one_line(arguments: list[str], expected: str, command: Command, tmp_path: Path) -> None:
    status, _, err = command(*(word.replace("TEXT", str(tmp_path / "text.txt")) for word in arguments))
    assert status != 0
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert expected in line


def test_without_arguments_it_says_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "expected one TEXT, or --split, but got 0 path(s)" in capsys.readouterr().err

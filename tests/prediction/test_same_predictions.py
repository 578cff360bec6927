"""A run is loaded in a new process, and repeats its own predictions for dev and test exactly."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.trained import predicted, recorded, sample_files, trained_run

STATIC = "embedding=static_mini"
LONGER = ("data.fraction=0.3", "trainer.max_epochs=4", "trainer.lr=0.01", "trainer.batch_size=16")
CASES = {
    "ner": ("task=ner", "task.bilstm_crf.hidden_dim=16", STATIC, "mixing.placement=both"),
    "ner-chars": ("task=ner", "task.bilstm_crf.hidden_dim=16", "task.bilstm_crf.char_filters=0", "embedding=none"),
    "pos-linear": ("task=pos", "mixing=top", "embedding.trainable=true", "trainer.weight_decay=0.01"),
    "pos-bilstm": (
        "task=pos",
        "task.head=bilstm",
        "task.bilstm.hidden_dim=16",
        "mixing.placement=output",
        "embedding.oov=mean",
    ),
    "pos-static": ("task=pos", "vectors=static", "embedding.case=lower", "embedding.oov=normal"),
    "sst5-bcn": (
        "task=sst5",
        "task.bcn.hidden_dim=16",
        "trainer.average=0.5",
        "mixing=concat",
        "data.fraction=0.5",
        "trainer.max_epochs=4",
        "trainer.lr=0.003",
        "trainer.batch_size=16",
    ),
    "sst5-bilstm": (
        "task=sst5",
        "task.head=bilstm",
        "cache_dtype=float32",
        "mixing.layer_norm=token",
        "mixing.dropout=0.2",
        *LONGER,
    ),
    "snli-esim": (
        "task=snli",
        "task.esim.hidden_dim=16",
        "cache=none",
        "data.fraction=1",
        "trainer.lr=0.003",
        "trainer.max_epochs=2",
    ),
    "srl-deep": ("task=srl", "task.deep_bilstm.hidden_dim=16", STATIC, "mixing.placement=both", *LONGER),
    "srl-bilstm": ("task=srl", "task.head=bilstm", "task.bilstm.hidden_dim=16", "task.predicateless=drop", *LONGER),
    "squad-bidaf": (
        "task=squad",
        "task.bidaf.hidden_dim=8",
        "task.max_passage_tokens=40",
        "task.bidaf.chars.filters=4",
    ),
    "squad-self-attention": (
        "task=squad",
        "task.head=bidaf_self_attention",
        "task.bidaf_self_attention.hidden_dim=8",
        "trainer.average=0.9",
        "mixing.placement=both",
    ),
}


@pytest.mark.slow
def test_a_new_process_repeats_the_predictions_of_a_run(tmp_path: Path) -> None:
    """Train every case, and label the files of dev and test of all in one new process."""
    folder = tmp_path / "runs"
    folder.mkdir()
    runs = {name: trained_run(folder, *overrides) for name, overrides in CASES.items()}
    files = {name: sample_files(folder / name, *overrides) for name, overrides in CASES.items()}
    jobs = [
        [str(run), str(files[name][split]), "--input=task", f"--out={folder / name}-{split}"]
        for name, run in runs.items()
        for split in ("dev", "test")
    ]
    program = (
        "import json, sys; from harness.commands.predict import main; sys.exit(max(map(main, json.load(sys.stdin))))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(jobs), capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    assert "error:" not in ended.stderr
    for name, run in runs.items():
        for split in ("dev", "test"):
            rows = [json.loads(line) for line in (folder / f"{name}-{split}").read_text().splitlines()]
            assert {row["id"]: predicted(row) for row in rows} == recorded(run, split), (name, split)
            assert len({json.dumps(predicted(row)) for row in rows}) > 1, (name, split)  # not one answer for all

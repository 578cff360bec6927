"""The memory of a run depends on its batches, not on the size of its features on disk."""

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.ner.sample import sentences
from tests.support.processes import usage_of

FAST = (
    "tracking=none",
    "threads=1",
    "data=files",
    "encoder=random",
    "embedding=none",
    "trainer.max_epochs=1",
    "task.bilstm_crf.hidden_dim=8",
    "task.bilstm_crf.num_layers=1",
    "encoder.options.lstm.dim=32",
    "encoder.options.lstm.projection_dim=2048",
    "cache_dtype=float32",  # larger features in the same time
)


def write_column_file(path: Path, copies: int) -> None:
    """Write some of the sample's training sentences, each ``copies`` times with another first word."""
    with path.open("w", encoding="utf-8") as file:
        for copy in range(copies):
            for tokens, tags in sentences("train")[:400]:
                rows = [(f"copy{copy}", "O"), *zip(tokens, tags, strict=True)]
                file.write("".join(f"{token} {tag}\n" for token, tag in rows) + "\n")


def peak_and_stored(folder: Path, copies: int) -> tuple[int, int]:
    """Run on ``copies`` times some training data; return the peak resident and the stored size in bytes."""
    folder.mkdir()
    write_column_file(folder / "train.conll", copies)
    write_column_file(folder / "dev.conll", 1)
    files = [f"data.train={folder}/train.conll", f"data.dev={folder}/dev.conll", f"data.test={folder}/dev.conll"]
    command = [sys.executable, "-m", "harness", *FAST, *files, f"cache_dir={folder}/cache", f"results_dir={folder}/r"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    usage = usage_of(process)
    stored = sum(path.stat().st_size for path in (folder / "cache").glob("features/*/*.bin"))
    return usage.ru_maxrss * 1024, stored


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory has other units on other systems")
def test_peak_memory_does_not_grow_with_the_features(tmp_path: Path) -> None:
    (peak_1, stored_1), (peak_10, stored_10) = (peak_and_stored(tmp_path / str(n), n) for n in (1, 10))
    for size, peak, stored in ((1, peak_1, stored_1), (10, peak_10, stored_10)):
        print(f"{size}x: peak {peak / 1e6:.0f} MB, {stored / 1e6:.0f} MB stored")
    assert stored_10 - stored_1 > 1.6e9  # holding the features would show beside the noise of 0.2 GB
    assert peak_10 - peak_1 < 0.25 * (stored_10 - stored_1)

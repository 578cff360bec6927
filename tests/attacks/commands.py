"""Small commands to attack, the files that they start from, and what must be equal in the end."""

import json
import os
import random
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

from harness.features.blob_file import BlobFile
from tests.support.forked_commands import Command, Ended, ForkedCommands

_RUN = (
    "tracking=none",
    "threads=1",
    "results_dir=results",
    "cache_dir=cache",
    "cache_dtype=float32",  # so that the last bit counts
    "data=files",
    *(f"data.{split}={split}.conll" for split in ("train", "dev", "test")),
    "encoder=random",
    "encoder.options.char_cnn.filters=[[1,8],[2,8]]",
    "encoder.options.lstm.dim=16",
    "encoder.options.lstm.projection_dim=8",
    "embedding=file",
    "embedding.path=vectors.txt",
    "task.bilstm_crf.hidden_dim=8",
    "task.bilstm_crf.num_layers=1",
    "task.bilstm_crf.char_filters=4",
    "trainer.max_epochs=2",
    "trainer.batch_size=8",
)
_PRETRAINING = (
    "tracking=none",
    "threads=1",
    "cache_dir=cache",
    "out=out",
    "data.train=[text.txt]",
    "data.dev=[text.txt]",
    "model.vocabulary=20",
    "model.options.char_cnn.filters=[[1,8],[2,8]]",
    "model.options.lstm.dim=16",
    "model.options.lstm.projection_dim=8",
    "trainer.streams=4",
    "trainer.window=5",
    "trainer.negatives=8",
    "trainer.max_steps=6",
    "log_every=2",
    "dev_every=3",
    "checkpoint_every=2",
)
COMMANDS = {
    "encode": ("encode", *_RUN),
    "train": _RUN,
    "sweep": ("-m", *_RUN, "seed=1,2", "hydra/launcher=basic"),
    "pretrain": ("pretrain", *_PRETRAINING),
}

# Steps on disk of a command for each that is attacked; nearly all steps of a sweep are steps of its runs.
_ONE_IN = {"encode": 3, "train": 3, "sweep": 9, "pretrain": 3}


def attacked_steps(name: str, steps: int) -> list[int]:
    """Return the first, the last and some other steps of one of ``COMMANDS``, always the same; EVERY_STEP=1 for all."""
    every = range(1, steps + 1)
    if os.environ.get("EVERY_STEP"):
        return list(every)
    return sorted({1, steps, *random.Random(name).sample(every, steps // _ONE_IN[name])})


def write_inputs(folder: Path) -> None:
    """Write the data, vectors and text that all commands read."""
    draw = random.Random(0)
    tags = {"Ann": "B-PER", "Bob": "B-PER", "Rome": "B-LOC", "Paris": "B-LOC"}
    words = [*tags, *(f"w{number}" for number in range(20))]
    for split, count in (("train", 24), ("dev", 8), ("test", 8)):
        sentences = [[draw.choice(words) for _ in range(draw.randint(1, 9))] for _ in range(count)]
        lines = ("".join(f"{word} {tags.get(word, 'O')}\n" for word in sentence) for sentence in sentences)
        (folder / f"{split}.conll").write_text("\n".join(lines))
    (folder / "vectors.txt").write_text("".join(f"{word} {draw.random():.4f} {draw.random():.4f}\n" for word in words))
    (folder / "text.txt").write_text("".join(" ".join(draw.choices(words, k=8)) + "\n" for _ in range(40)))


class Workplace:
    """A folder in which commands are attacked. Its path never changes, because records and digests contain paths.

    All tests of a process share it, so that each command runs unbroken only once.

    Args:
        folder: The folder; it is emptied and filled with the inputs.
        inputs: The folder of the files that all commands read.
        forked: Runs the commands.
    """

    def __init__(self, *, folder: Path, inputs: Path, forked: ForkedCommands) -> None:
        self.folder, self._inputs, self._forked = folder, inputs, forked
        self._unbroken: dict[str, tuple[dict[str, Any], int]] = {}

    def start_again(self) -> None:
        """Delete everything except the inputs."""
        for path in (self.folder, *self.folder.rglob("*")):
            if path.is_dir():
                path.chmod(0o700)  # a test may have made it read only
        rmtree(self.folder, ignore_errors=True)
        copytree(self._inputs, self.folder)

    def encode(self) -> None:
        """Fill the cache as the command ``encode`` does, which runs once for all tests."""
        kept = self.folder.with_name("encoded")
        if not kept.exists():
            assert self.run("encode").status == 0
            copytree(self.folder / "cache", kept)
        copytree(kept, self.folder / "cache", dirs_exist_ok=True)

    def run(self, name: str, **options: Any) -> Ended:
        """Run one of ``COMMANDS``; the options are those of ``Command``."""
        return self.run_together([COMMANDS[name]], **options)[0]

    def run_together(self, commands: Sequence[Sequence[str]], **options: Any) -> list[Ended]:
        """Run commands, given as their arguments, at the same time."""
        return self._forked.run(
            *(Command(arguments=arguments, folder=str(self.folder), **options) for arguments in commands)
        )

    def unbroken(self, name: str) -> tuple[dict[str, Any], int]:
        """Return the results of one of ``COMMANDS`` without an attack, and the number of its steps on disk."""
        if name not in self._unbroken:
            self.start_again()
            ended = self.run(name)
            assert ended.status == 0, ended.text
            self._unbroken[name] = self.results(), ended.steps
        return self._unbroken[name]

    def differences(self, expected: dict[str, Any]) -> list[str]:
        """Return the names of files that are not as expected, missing or new."""
        found = self.results()
        return sorted(name for name in found | expected if found.get(name) != expected.get(name))

    def results(self) -> dict[str, Any]:
        """Return the contents of all files, without times, processes, locks and what is only temporary."""
        found: dict[str, Any] = {}
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            name = path.relative_to(self.folder).as_posix()
            if path.name == "tokens_per_s.json":  # of an encoder: a measured time
                continue
            if path.suffix == ".idx":
                found[name] = _features(path)
            elif path.suffix == ".json":
                found[name] = _lasting(json.loads(path.read_text()))
            elif path.suffix not in (".bin", ".tmp") and not path.name.endswith("lock"):
                found[name] = path.read_bytes()
        return found


def _features(path: Path) -> dict[bytes, bytes]:
    """Return the bytes of each sentence or word of a feature store."""
    kept = BlobFile(path.with_suffix(""))
    return {key: bytes(kept.read(key)) for key in kept._rows}


def _lasting(values: dict[str, Any]) -> dict[str, Any]:
    """Return what another run of the same command writes too."""
    return {name: value for name, value in values.items() if name not in ("timing", "cost", "pid")}

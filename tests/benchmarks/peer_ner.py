"""Compare named-entity recognition with AllenNLP: an epoch with static vectors, and a sweep with the bundled encoder.

    python -m tests.benchmarks.peer_ner --peer PYTHON                        # one epoch, 14,041 sentences
    python -m tests.benchmarks.peer_ner --peer PYTHON --sweep --part 0.02    # 6 mixes x 3 seeds

PYTHON must have ``allennlp==2.10.1`` and ``allennlp-models==2.10.1`` (Python 3.9). The data are synthetic and have the
size of CoNLL-2003. Sizes, batches and optimiser are the same, with one thread. The seconds are those of the processor,
because other programs may use the same cores. An epoch is the training and scoring alone; a sweep is everything, from
start to exit: AllenNLP starts once per run and encodes the text in each of them, we encode once.

What differs: AllenNLP decodes and scores each training batch too; its version of torch is 1.12; our sweep also scores
the test data and writes files.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from harness.config.compose import ASSETS
from harness.utils.files import write_json
from tests.benchmarks.epoch import trained, write_data

_ROOT = Path(__file__).resolve().parents[2]
_MIXES = {"layer_0": (0, -99, -99), "layer_1": (-99, 0, -99), "top": (-99, -99, 0), "mean": (0, 0, 0)}
_LEARNED = ("scalar_mix", "lambda_0.1")  # AllenNLP gets the mean instead: the mix makes no difference to its time
_SEEDS = (1, 2, 3)


def peer(python: str, folder: Path, epochs: int, **settings: Any) -> tuple[float, float]:
    """Train AllenNLP's tagger; return the seconds of its training and of its whole process.

    Args:
        python: A Python that has AllenNLP installed.
        folder: The folder of the data.
        epochs: The number of epochs.
        settings: More settings of ``allennlp_ner.py``.
    """
    files = {split: str(folder / f"{split}.conll") for split in ("train", "dev")}
    write_json(folder / "settings.json", {"seed": 1, "epochs": epochs, **files, **settings})
    command = [python, "-W", "ignore", str(Path(__file__).with_name("allennlp_ner.py")), str(folder / "settings.json")]
    before = _children()
    done = subprocess.run(command, capture_output=True, text=True, env=_environment())
    if done.returncode:
        sys.exit(f"AllenNLP failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])["train_s"], _children() - before


def peer_sweep(python: str, folder: Path, epochs: int) -> float:
    """Return the seconds of 18 runs of AllenNLP.

    Args:
        python: A Python that has AllenNLP installed.
        folder: The folder of the data.
        epochs: The number of epochs of each run.
    """
    elmo = [str(ASSETS / "elmo_mini" / name) for name in ("options.json", "weights.hdf5")]
    mixes = [*_MIXES.values(), *[_MIXES["mean"]] * len(_LEARNED)]
    return sum(peer(python, folder, epochs, elmo=elmo, mix=mix, seed=seed)[1] for mix in mixes for seed in _SEEDS)


def our_sweep(folder: Path, epochs: int) -> float:
    """Return the seconds of our sweep of the same runs.

    Args:
        folder: The folder of the data.
        epochs: The number of epochs of each run.
    """
    files = [f"data.{split}={folder}/{split}.conll" for split in ("train", "dev", "test")]
    settings = ["-m", "task=ner", "data=files", "tracking=none", "threads=1", f"trainer.max_epochs={epochs}"]
    settings += ["trainer.patience=99", f"results_dir={folder}/sweep", f"cache_dir={folder}/cache"]
    sweep = [f"mixing={','.join([*_MIXES, *_LEARNED])}", f"seed={','.join(map(str, _SEEDS))}"]
    before = _children()
    command = [sys.executable, "-m", "harness", *settings, *files, *sweep]
    subprocess.run(command, check=True, cwd=_ROOT, stdout=subprocess.DEVNULL, env=_environment())
    return _children() - before


def _children() -> float:
    """Return the processor seconds of all processes that were started here and have ended."""
    times = os.times()
    return times.children_user + times.children_system


def _environment() -> dict[str, str]:
    """Return the environment of both: one thread, no GPU, and none of this process's paths."""
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return inherited | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def main() -> None:
    """Measure what the command line asks for, and print the seconds and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, metavar="PYTHON", help="a Python that has AllenNLP installed")
    parser.add_argument("--part", type=float, default=1.0, metavar="P", help="the part of the sentences, 1 for all")
    parser.add_argument("--epochs", type=int, default=1, metavar="N", help="the epochs of each run")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="how often both are measured, in turn")
    parser.add_argument("--sweep", action="store_true", help="measure 18 runs instead of one epoch")
    given = parser.parse_args()
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder, given.part)
        for number in range(given.rounds):
            if given.sweep:
                ours.append(our_sweep(folder, given.epochs))
                theirs.append(peer_sweep(given.peer, folder, given.epochs))
            else:
                ours.append(trained(_ROOT, folder, folder / f"run-{number}", given.epochs, [])[0])
                theirs.append(peer(given.peer, folder, given.epochs)[0] / given.epochs)
    what = "18 runs" if given.sweep else "one epoch"
    print(f"{what}, processor seconds: ours {median(ours):.1f}, AllenNLP {median(theirs):.1f}")
    ratios = sorted(their / our for our, their in zip(ours, theirs, strict=True))
    print(f"ours is {median(ratios):.2f} times as fast (rounds: {', '.join(f'{ratio:.2f}' for ratio in ratios)})")


if __name__ == "__main__":
    main()

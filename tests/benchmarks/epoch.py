"""Compare an epoch of named-entity recognition with that of another revision, on synthetic data of CoNLL-2003's size.

    git worktree add ../base 8e35b11
    python -m tests.benchmarks.epoch --base ../base                 # 14,041 sentences, three rounds
    python -m tests.benchmarks.epoch --base ../base --part 0.2      # a fifth of them
    python -m tests.benchmarks.epoch --base ../base vectors=both    # more overrides, which both revisions must know

Static vectors alone, the sizes of the reference, one thread. Each round trains with either revision in a process of its
own, in turn. The seconds are those of the processor, because other programs may use the same cores.
"""

import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.benchmarks.texts import drawn

_SENTENCES = {"train": 14_041, "dev": 3_250, "test": 3_453}
_TYPES = ("PER", "LOC", "ORG", "MISC")
# The trainer takes its seconds from ``perf_counter``, which here counts the seconds of the processor.
_RUN = "import runpy, time; time.perf_counter = time.process_time; runpy.run_module('harness', run_name='__main__')"


def write_data(folder: Path, part: float) -> None:
    """Write random sentences in CoNLL-2003's columns. Every eighth word type is a name, always of the same entity type.

    Args:
        folder: The folder of the files.
        part: The part of the sentences.
    """
    counts = {split: max(1, round(count * part)) for split, count in _SENTENCES.items()}
    sentences = iter(drawn(sum(counts.values())))
    draw = random.Random(0)
    names: dict[str, str] = {}
    for split, count in counts.items():
        lines = []
        for sentence in itertools.islice(sentences, count):
            for word in sentence:
                if word not in names:
                    names[word] = f"I-{draw.choice(_TYPES)}" if draw.random() < 1 / 8 else "O"
                lines.append(f"{word} - O {names[word]}")
            lines.append("")
        (folder / f"{split}.conll").write_text("\n".join(lines), encoding="utf-8")


def trained(tree: Path, data: Path, out: Path, epochs: int, overrides: list[str]) -> tuple[float, float, float]:
    """Train with the revision in ``tree``; return seconds per epoch, the peak memory in GiB and the last dev F1.

    Args:
        tree: The root of a checkout.
        data: The folder of the data.
        out: The folder of the run and its caches.
        epochs: The number of epochs.
        overrides: More overrides.
    """
    files = [f"data.{split}={data}/{split}.conll" for split in _SENTENCES]
    settings = ["task=ner", "data=files", "vectors=static", "tracking=none", "threads=1", "overwrite=true"]
    settings += [f"trainer.max_epochs={epochs}", "trainer.patience=99", f"results_dir={out}", f"cache_dir={out}/cache"]
    command = [sys.executable, "-c", _RUN, *settings, *files, *overrides]
    # This process has imported ``harness``, which has set variables that the other revision may not set.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "ONEDNN_"))}
    environment = inherited | {"PYTHONPATH": str(tree.resolve()), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=tree, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"a run with {tree} failed; run it by hand: {' '.join(settings + files)}")
    (record,) = (json.loads(path.read_text()) for path in out.glob("*/*/record.json"))
    return record["timing"]["train_s"] / epochs, usage.ru_maxrss / 2**20, record["metrics"]["dev"]["f1"]


def main() -> None:
    """Measure both revisions in turn, and print the medians and the ratio of each round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, metavar="FOLDER", help="a checkout of the other revision")
    parser.add_argument("--part", type=float, default=1.0, metavar="P", help="the part of the sentences, 1 for all")
    parser.add_argument("--epochs", type=int, default=1, metavar="N", help="the epochs of each run")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="the runs of each revision")
    given, overrides = parser.parse_known_args()
    trees = {"base": given.base, "ours": Path(__file__).resolve().parents[2]}
    runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in trees}
    with tempfile.TemporaryDirectory() as folder:
        write_data(Path(folder), given.part)
        for _ in range(given.rounds):
            for name, tree in trees.items():
                runs[name].append(trained(tree, Path(folder), Path(folder) / name, given.epochs, overrides))
    print("| revision | processor seconds per epoch | peak memory, GiB | dev F1 |\n| --- | --- | --- | --- |")
    for name, found in runs.items():
        seconds, memory, f1 = (median(column) for column in zip(*found, strict=True))
        print(f"| {name} | {seconds:.1f} | {memory:.2f} | {f1:.4f} |")
    ratios = sorted(base[0] / ours[0] for base, ours in zip(runs["base"], runs["ours"], strict=True))
    print(f"ours is {median(ratios):.2f} times as fast (rounds: {', '.join(f'{ratio:.2f}' for ratio in ratios)})")


if __name__ == "__main__":
    main()

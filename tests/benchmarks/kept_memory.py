"""Compare training steps with and without the memory that the C library keeps (``harness.utils.memory``).

    python -m tests.benchmarks.kept_memory

Each process makes the same steps of BiDAF at the sizes of ``experiment=squad``, on one thread, with synthetic passages
of 60 to 400 tokens. The processes alternate. Times are those of the processor, so that other programs disturb less.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import torch

from harness.nn.masking import mask_of_lengths
from harness.types import Batch, TokenVectors
from harness.utils.memory import keep_freed_memory
from tasks.squad.bidaf import Bidaf
from tasks.squad.span_head import SpanHead
from tasks.squad.token_embedding import TokenEmbedding

BATCH, INPUT, HIDDEN, STEPS = 40, 306, 50, 30


def measure(*, keep: bool) -> dict[str, float]:
    """Train for some steps; return their seconds, the pages that were faulted in, and the peak memory in MiB."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if keep:
        keep_freed_memory()
    words = TokenEmbedding(input_dim=INPUT)
    sizes = {"hidden_dim": HIDDEN, "modelling_layers": 1, "highway_layers": 0}
    head = SpanHead(network=Bidaf(words=words, output_dim=0, dropout=0.2, **sizes), max_answer_tokens=None)
    optimizer = torch.optim.Adam(head.parameters())
    lengths = torch.randint(60, 401, (STEPS, BATCH), generator=torch.Generator().manual_seed(0))
    began, faults = 0.0, 0
    for step, passages in enumerate([lengths[0], *lengths]):
        if step == 1:  # the first one is not timed
            began, faults = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        masks = {"passage": mask_of_lengths(passages), "question": mask_of_lengths(torch.full((BATCH,), 12))}
        vectors = {text: TokenVectors(input=torch.randn(*mask.shape, INPUT)) for text, mask in masks.items()}
        optimizer.zero_grad()
        head.loss(
            vectors, Batch(examples=(), masks=masks, gold={"span": torch.ones(BATCH, 2, dtype=torch.int64)})
        ).backward()
        optimizer.step()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": time.process_time() - began,
        "faults": used.ru_minflt - faults,
        "peak": used.ru_maxrss / 1024,
        "sum": sum(float(one.detach().double().sum()) for one in head.parameters()),
    }


def main() -> None:
    """Print the medians of the rounds, and their ratio."""
    parser = argparse.ArgumentParser(description="Training steps with and without kept memory.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", choices=("kept", "given back"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(measure(keep=chosen.child == "kept")))
        return
    found: dict[str, list[dict[str, float]]] = {"given back": [], "kept": []}
    for _ in range(chosen.rounds):
        for name, rows in found.items():
            command = [sys.executable, "-m", "tests.benchmarks.kept_memory", "--child", name]
            rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    for name, rows in found.items():
        medians = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        print(
            f"freed memory is {name}: {medians['seconds'] / STEPS:.3f} s per step, "
            f"{medians['faults'] / STEPS:,.0f} page faults, at most {medians['peak']:,.0f} MiB"
        )
    ratio = [before["seconds"] / after["seconds"] for before, after in zip(*found.values(), strict=True)]
    print(f"ratio of the times: {statistics.median(ratio):.2f} ({min(ratio):.2f} to {max(ratio):.2f})")
    print(f"the weights are equal: {len({row['sum'] for rows in found.values() for row in rows}) == 1}")


if __name__ == "__main__":
    main()

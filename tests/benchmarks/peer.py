"""Time AllenNLP itself in a separate Python: python3.10 -m venv peer && peer/bin/pip install allennlp==2.10.1."""

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from harness.encoders.options import BiLmOptions
from harness.encoders.weights import write_weights
from harness.types import Sentence
from harness.utils.files import write_json

_SCRIPT = """
import json, sys, time
import torch
from allennlp.modules.elmo import _ElmoBiLm, batch_to_ids
options, weights, text, threads, batch, rounds, clock = sys.argv[1:]
clock = getattr(time, clock)
torch.set_num_threads(int(threads))
bilm = _ElmoBiLm(options, weights).eval()
bilm._elmo_lstm.stateful = False
sentences = sorted(json.load(open(text)), key=len, reverse=True)
size = int(batch)
def encode(sentences):
    with torch.no_grad():
        for start in range(0, len(sentences), size):
            bilm(batch_to_ids(sentences[start : start + size]))
encode(sentences[len(sentences) // 2 :][:size])
seconds = []
for _ in range(int(rounds)):
    began = clock()
    encode(sentences)
    seconds.append(clock() - began)
print(json.dumps(seconds))
"""


def seconds(
    python: str,
    options: BiLmOptions,
    weights: Mapping[str, Tensor],
    sentences: Sequence[Sentence],
    *,
    threads: int,
    batch: int,
    rounds: int,
    clock: str,
) -> list[float]:
    """Return the seconds that AllenNLP's biLM needs for the sentences in each round, after one batch that is not timed.

    Args:
        python: The path of a Python that has AllenNLP installed.
        options: The architecture.
        weights: The weights, keyed by their official dataset names.
        sentences: The sentences to encode; they are sorted, the longest first.
        threads: The number of threads of torch.
        batch: The number of sentences in a batch.
        rounds: The number of rounds.
        clock: The function of the module ``time`` that measures them.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_json(folder / "options.json", _official(options))
        write_weights(folder / "weights.hdf5", weights)
        write_json(folder / "text.json", [list(sentence) for sentence in sentences])
        files = [str(folder / "options.json"), str(folder / "weights.hdf5"), str(folder / "text.json")]
        command = [python, "-c", _SCRIPT, *files, str(threads), str(batch), str(rounds), clock]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        measured: list[float] = json.loads(done.stdout.splitlines()[-1])
        return measured


def _official(options: BiLmOptions) -> dict[str, Any]:
    values = asdict(options)
    lstm = {
        "dim": options.lstm_dim,
        "projection_dim": options.projection_dim,
        "n_layers": options.n_layers,
        "cell_clip": options.cell_clip,
        "proj_clip": options.proj_clip,
        "use_skip_connections": options.use_skip_connections,
    }
    char_cnn = {
        "activation": options.activation,
        "embedding": {"dim": options.char_dim},
        "filters": [list(pair) for pair in values["filters"]],
        "n_highway": options.n_highway,
        "n_characters": 262,
        "max_characters_per_token": options.max_chars,
    }
    return {"lstm": lstm, "char_cnn": char_cnn}

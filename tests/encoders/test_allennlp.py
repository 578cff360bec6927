"""Exported weights, read by AllenNLP itself, which needs its own Python.

python3.10 -m venv peer && peer/bin/pip install allennlp==2.10.1
ALLENNLP_PYTHON=peer/bin/python pytest tests/encoders/test_allennlp.py -m slow
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness.config.compose import ASSETS
from harness.encoders.elmo import load_elmo
from harness.encoders.options import parse_options
from harness.encoders.random_elmo import random_weights
from harness.encoders.weights import write_weights
from harness.pretrain.exported_model import as_official
from harness.utils.files import write_json
from tests.support.encoders import changed

CALLS = [  # two batches: the second one starts from the state of the first
    [tuple("The bank by the river was closed because it had no money left .".split()), ("Zoë", "said", "🙂", "x" * 60)],
    [tuple("They went to see a play .".split()), tuple("In the second half he made a fine play .".split())],
]
SCRIPT = """
import json, sys
import numpy as np
from allennlp.modules.elmo import _ElmoBiLm, batch_to_ids
options, weights, calls, out = sys.argv[1:]
bilm = _ElmoBiLm(options, weights).eval()
arrays = {}
for c, batch in enumerate(json.load(open(calls))):
    layers = bilm(batch_to_ids(batch))["activations"]
    for r, sentence in enumerate(batch):
        arrays[f"{c}.{r}"] = np.stack([layer[r, 1 : len(sentence) + 1].detach().numpy() for layer in layers])
np.savez(out, **arrays)
"""
FORMS = {
    "clipped": {},
    "not clipped": {"lstm": {"cell_clip": None, "proj_clip": None}},
    "two highways": {"char_cnn": {"n_highway": 2}},
}


@pytest.fixture(scope="module")
def peer() -> str:
    """Return the path of a Python that has AllenNLP."""
    python = os.environ.get("ALLENNLP_PYTHON")
    if not python:
        pytest.skip("ALLENNLP_PYTHON does not name a Python with allennlp==2.10.1")
    return python


def check(peer: str, options: Path, weights: Path, folder: Path) -> None:
    (folder / "calls.json").write_text(json.dumps(CALLS))
    command = [peer, "-c", SCRIPT, str(options), str(weights), str(folder / "calls.json"), str(folder / "theirs.npz")]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    theirs = np.load(folder / "theirs.npz")
    ours = load_elmo(
        name="x",
        options=str(options),
        weights=str(weights),
        state="carry",
        carry_rows=2,
        cache_dir=str(folder),
    )
    encoded = dict(ours.encode([sentence for batch in CALLS for sentence in batch]))
    worst = 0.0
    for index, layers in encoded.items():
        expected = theirs[f"{index // 2}.{index % 2}"]
        assert layers.shape == expected.shape
        worst = max(worst, float(np.abs(layers.numpy() - expected).max()))
    print(f"largest difference: {worst:.1e}")
    assert worst < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_an_export_gives_the_same_vectors_in_allennlp(form: str, peer: str, tmp_path: Path) -> None:
    raw = changed(FORMS[form])
    options, weights = tmp_path / "options.json", tmp_path / "weights.hdf5"
    write_json(options, as_official(raw))
    write_weights(weights, random_weights(parse_options(raw, source="test"), seed=0))
    check(peer, options, weights, tmp_path)


@pytest.mark.slow
def test_the_bundled_encoder_gives_the_same_vectors_in_allennlp(peer: str, tmp_path: Path) -> None:
    check(peer, ASSETS / "elmo_mini" / "options.json", ASSETS / "elmo_mini" / "weights.hdf5", tmp_path)

"""Small encoders for tests."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray

from harness.encoders.elmo import ElmoEncoder, StatePolicy
from harness.encoders.random_elmo import random_elmo

Array = NDArray[Any]
Raw = dict[str, dict[str, Any]]  # the contents of an options.json

TINY: Raw = {
    "char_cnn": {
        "embedding": {"dim": 4},
        "filters": [[1, 4], [2, 8], [3, 12]],
        "n_highway": 1,
        "n_characters": 262,
        "max_characters_per_token": 50,
        "activation": "relu",
    },
    "lstm": {
        "use_skip_connections": True,
        "projection_dim": 8,
        "cell_clip": 3,
        "proj_clip": 3,
        "dim": 16,
        "n_layers": 2,
    },
}


def tiny_elmo(cache_dir: Path, *, state: StatePolicy = "zeros", seed: int = 0, **changes: Any) -> ElmoEncoder:
    """Return a random biLM with 3 layers of width 16."""
    return random_elmo(options=TINY, weights_seed=seed, state=state, cache_dir=str(cache_dir), **changes)


def changed(changes: Mapping[str, Mapping[str, Any]], base: Raw = TINY) -> Raw:
    """Return a copy of options with some values replaced."""
    raw = copy.deepcopy(base)
    for section, values in changes.items():
        raw[section] |= values
    return raw


def write_official(folder: Path, raw: Raw, weights: Mapping[str, Array]) -> tuple[Path, Path]:
    """Write options and weights in the official layout; return their paths."""
    options_path, weights_path = folder / "options.json", folder / "weights.hdf5"
    options_path.write_text(json.dumps(raw))
    with h5py.File(weights_path, "w") as file:
        for name, value in weights.items():
            file[name] = value
    return options_path, weights_path

"""Small encoders for tests, made on the spot."""

from pathlib import Path

from harness.encoders.elmo import ElmoEncoder, StatePolicy
from harness.encoders.random import random_elmo

TINY = {
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


def tiny_elmo(cache_dir: Path, *, state: StatePolicy = "zeros", seed: int = 0, **changes: int) -> ElmoEncoder:
    """A random biLM of 3 layers, 16 wide."""
    return random_elmo(options=TINY, weights_seed=seed, state=state, cache_dir=str(cache_dir), **changes)

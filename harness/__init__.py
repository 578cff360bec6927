"""A benchmark of frozen word representations: encoders, layer mixes, the feature store, task heads and reports.

For Python programs::

    import harness

    encoder = harness.load_encoder("elmo_mini")
    layers = encoder(["The cat sat .".split()])  # a list of float32 tensors (layers, tokens, dim)
    tag = harness.load_predictor("results/ner/NAME")  # the folder of a finished run
    tags = tag(["Jordan lives in Paris."])  # a list of answers

The engine knows no task by name. A task is the class that ``_target_`` names in its YAML file under ``conf/task``.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.prediction.predictor import Predictor
    from harness.prediction.text_encoder import TextEncoder, load_encoder
    from harness.prediction.trained_run import load_predictor

# OpenMP reads this once, when torch is imported, which every module of this package does after this line. Its threads
# otherwise spin while they wait for each other; if another process uses one of the cores, two threads then need more
# than twice as long. No result changes.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# oneDNN keeps the code that it generates for the shapes of products, half a megabyte each or more. The batches of a
# training have hundreds of shapes, so its default of 1,024 would hold a gigabyte; it would save 5 % of the time.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")

__version__ = "0.1.0"
__all__ = ["Predictor", "TextEncoder", "__version__", "load_encoder", "load_predictor"]

_LAZY = {
    "load_encoder": "harness.prediction.text_encoder",
    "TextEncoder": "harness.prediction.text_encoder",
    "load_predictor": "harness.prediction.trained_run",
    "Predictor": "harness.prediction.predictor",
}


def __getattr__(name: str) -> Any:
    """Import a public function when it is used first, because torch takes seconds to import."""
    if name not in _LAZY:
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
    return getattr(import_module(_LAZY[name]), name)

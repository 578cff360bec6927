"""ELMo's architecture with random weights: what the architecture gives without any training.

Every matrix is normal with variance 1 / fan-in (LeCun et al. 1998), so the scale of the layers is near that of a
trained biLM. With the initial values of the official training code (bilm-tf), the upper layers would vary by about 0.01
from token to token, next to static vectors of about 0.5, and a head could hardly use them.

Source: The baseline of, e.g., Wieting & Kiela 2019 (arXiv 1901.10444).
"""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.config.bounds import Count, Positive
from harness.encoders.bfloat16 import Dtype
from harness.encoders.bilm import dataset_shapes
from harness.encoders.elmo import ElmoEncoder, StatePolicy
from harness.encoders.options import BiLmOptions, parse_options, read_options
from harness.utils.download import local_file

_VERSION = 1  # increased whenever the same seed would draw other weights


def random_elmo(
    *,
    name: str = "random",
    options: Mapping[str, Any] | str,
    weights_seed: Count = 0,
    state: StatePolicy = "zeros",
    cache_dir: str,
    dtype: Dtype = "float32",
    max_tokens: Positive | None = None,
    carry_rows: Positive = 32,
    device: str = "cpu",
) -> ElmoEncoder:
    """Return an ELMo encoder with random weights.

    Args:
        name: A short name for tables.
        options: The architecture: an official ``options.json`` (path or URL), or its contents.
        weights_seed: The seed of the weights. It is not the seed of the run, because runs then share one encoder.
        state: The LSTM state from which sentences start: ``zeros``, ``warm`` or ``carry``; see ``ElmoEncoder``.
        cache_dir: The folder in which downloads are kept.
        dtype: Type of the matrix products, ``float32`` or ``bfloat16``.
        max_tokens: See ``ElmoEncoder``.
        carry_rows: Number of rows of a batch under ``carry``.
        device: Torch device on which to compute.

    Raises:
        WeightsError: The options are not those of a character biLM.
    """
    if isinstance(options, str):
        architecture = read_options(local_file(options, folder=Path(cache_dir) / "encoders" / name))
    else:
        architecture = parse_options(options, source="encoder.options")
    identity = json.dumps(["random", _VERSION, weights_seed])
    return ElmoEncoder(
        name=name,
        options=architecture,
        weights=random_weights(architecture, seed=weights_seed),
        weights_digest=hashlib.sha256(identity.encode()).hexdigest(),
        state=state,
        dtype=dtype,
        max_tokens=max_tokens,
        carry_rows=carry_rows,
        device=device,
    )


def random_weights(options: BiLmOptions, *, seed: int) -> dict[str, Tensor]:
    """Draw initial weights; each dataset has its own random stream, so it does not depend on the other ones.

    Args:
        options: The architecture.
        seed: Seed of the weights, 0 or more.

    Returns:
        A float32 tensor for each name in the official file.
    """
    return {name: _draw(name, shape, seed) for name, shape in dataset_shapes(options).items()}


def _draw(name: str, shape: tuple[int, ...], seed: int) -> Tensor:
    """Draw one dataset."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    if len(shape) == 1:
        return torch.full(shape, -2.0 if name.endswith("b_carry") else 0.0)  # -2: highways start by carrying
    fan_in = 1 if name == "char_embed" else math.prod(shape[:-1])
    return torch.randn(shape, generator=generator) / math.sqrt(fan_in)

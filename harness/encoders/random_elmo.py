"""ELMo's architecture with random weights: what the architecture gives before it has learnt anything.

Source: the baseline of, e.g., Wieting & Kiela 2019 (arXiv 1901.10444). Every matrix is normal with variance
1 / fan-in (LeCun et al. 1998), so that the layers' scale is near that of a trained biLM: with the initial
values of the official training code (bilm-tf) the upper layers would vary by about 0.01 from token to token,
next to static vectors of about 0.5, and a head could hardly see them.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.encoders.elmo import ElmoEncoder, StatePolicy
from harness.encoders.options import BiLmOptions, parse_options, read_options
from harness.encoders.rounding_error import Dtype
from harness.errors import ConfigError
from harness.utils.download import local_file

_VERSION = 1  # raised whenever the same seed would draw other weights


def random_elmo(
    *,
    name: str = "random",
    options: Mapping[str, Any] | str,
    weights_seed: int = 0,
    state: StatePolicy = "zeros",
    cache_dir: str,
    dtype: Dtype = "float32",
    max_tokens: int | None = None,
    carry_rows: int = 32,
    device: str = "cpu",
) -> ElmoEncoder:
    """Return an ELMo encoder with random weights.

    Args:
        name: a short name for tables.
        options: the architecture: an official ``options.json`` (path or URL), or its contents.
        weights_seed: seeds the weights; apart from the run's seed, so that runs share one encoder.
        state, cache_dir, dtype, max_tokens, carry_rows, device: see ``load_elmo``.

    Raises:
        WeightsError: the options are not those of a character biLM.
    """
    if isinstance(options, str):
        architecture = read_options(local_file(options, folder=Path(cache_dir) / "encoders" / name))
    else:
        architecture = parse_options(options, source="encoder.options")
    if weights_seed < 0:
        raise ConfigError(f"encoder.weights_seed is {weights_seed}; expected 0 or more")
    identity = json.dumps(["random", _VERSION, weights_seed])
    return ElmoEncoder(
        name=name,
        options=architecture,
        weights=random_weights(architecture, seed=weights_seed),
        weights_digest=hashlib.sha256(identity.encode()).hexdigest(),
        state=state,
        cache_dir=Path(cache_dir),
        dtype=dtype,
        max_tokens=max_tokens,
        carry_rows=carry_rows,
        device=device,
    )


def random_weights(options: BiLmOptions, *, seed: int) -> dict[str, Tensor]:
    """Draw initial weights by their official names, each dataset from its own stream of the seed."""
    return {name: _draw(name, shape, seed) for name, shape in options.dataset_shapes().items()}


def _draw(name: str, shape: tuple[int, ...], seed: int) -> Tensor:
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    if len(shape) == 1:
        return torch.full(shape, -2.0 if name.endswith("b_carry") else 0.0)  # -2: highways start by carrying
    fan_in = 1 if name == "char_embed" else math.prod(shape[:-1])
    return torch.randn(shape, generator=generator) / math.sqrt(fan_in)

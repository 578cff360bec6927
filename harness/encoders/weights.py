"""The official HDF5 file of a biLM, as bilm-tf and AllenNLP read it: weights by their official names."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import torch
from torch import Tensor

from harness.encoders.bilm import dataset_shapes
from harness.encoders.options import BiLmOptions
from harness.errors import WeightsError
from harness.utils.files import replacing

_MOST_COMPRESSION = 1032  # the largest ratio of gzip
_SMALLEST = 512  # bytes; HDF5 would read the header of a shorter file beyond its end
_INSIDE = "give a file that holds all weights itself"

Precision = Literal["float16", "float32"]


def read_weights(path: Path, options: BiLmOptions) -> dict[str, Tensor]:
    """Read an official HDF5 file and check it against its options.

    Args:
        path: The ``weights.hdf5``.
        options: The architecture that the file must fit.

    Returns:
        A float32 tensor for each dataset name, in the layout of the file.

    Raises:
        WeightsError: The file is not HDF5 or truncated, or a dataset is missing, is kept in another file, has another
            shape or fewer numbers than it declares, or is not finite.
    """
    if not path.is_file():
        what = "not a regular file" if path.exists() else "no such weights file"
        raise WeightsError(f"{path}: {what}; set encoder.weights to the biLM's .hdf5")
    try:
        if path.stat().st_size < _SMALLEST:
            raise OSError("truncated file")
        # HDF5 does not lock a file that Python opened. It may be open elsewhere, and network disks may have no locks.
        with path.open("rb") as opened, h5py.File(opened, "r") as file:
            return {name: _read(file, name, shape, path) for name, shape in dataset_shapes(options).items()}
    except PermissionError:
        raise WeightsError(f"{path}: not readable by you; change its permissions or copy it") from None
    except (OSError, ValueError, RuntimeError) as error:  # how h5py reports "not HDF5", "truncated" and "damaged"
        with path.open("rb") as raw:
            start = raw.read(8)
        raise WeightsError(
            f"{path}: not a readable HDF5 file ({' '.join(str(error).split())}; it starts with {start!r}); "
            "download it again"
        ) from None


def write_weights(path: Path, weights: Mapping[str, Tensor], *, precision: Precision = "float32") -> None:
    """Write weights by their official names; an error leaves no partial file.

    Args:
        path: The ``weights.hdf5``.
        weights: A tensor for each dataset name, in the layout of the file.
        precision: ``float16`` rounds the values and compresses the file to about half its size. The datasets stay
            float32, because other readers compute in the type that they find: AllenNLP adds the forget bias in it.

    Raises:
        WeightsError: A weight is not finite in this precision.
    """
    with replacing(path) as temporary, h5py.File(temporary, "w", libver="earliest") as file:
        for name, tensor in weights.items():
            values = tensor.detach().cpu().float()
            if precision == "float16":
                values = values.half().float()
            if not bool(torch.isfinite(values).all()):
                raise WeightsError(
                    f"{path}: dataset '{name}' is not finite as {precision}; write float32, or train again"
                )
            packed = {"compression": "gzip", "compression_opts": 9, "shuffle": True} if precision == "float16" else {}
            dataset = file.create_dataset(name, data=values.numpy(), track_times=False, **packed)
            dataset.flush()  # closing it would ignore that the disk is full
        file.flush()


def _read(file: h5py.File, name: str, shape: tuple[int, ...], path: Path) -> Tensor:
    """Return one dataset as float32, checked before its numbers are read."""
    node: Any = file
    for part in name.split("/"):
        if isinstance(node, h5py.Group):
            link = node.get(part, getlink=True)
            if isinstance(link, h5py.SoftLink | h5py.ExternalLink):
                raise WeightsError(f"{path}: dataset '{name}' is a link; {_INSIDE}")
            node = node.get(part)
    if not isinstance(node, h5py.Dataset):
        raise WeightsError(f"{path}: dataset '{name}' is missing; expected one of shape {shape}")
    if node.shape != shape:
        raise WeightsError(
            f"{path}: dataset '{name}' has shape {node.shape}, the options say {shape}; "
            "use the options and weights of one model"
        )
    if not np.issubdtype(node.dtype, np.floating):
        raise WeightsError(f"{path}: dataset '{name}' holds {node.dtype}; expected floating point")
    if node.external or node.is_virtual:
        raise WeightsError(f"{path}: dataset '{name}' is kept in another file; {_INSIDE}")
    declared = max(math.prod(shape), math.prod(node.chunks or ())) * node.dtype.itemsize
    if declared > _MOST_COMPRESSION * node.id.get_storage_size():
        raise WeightsError(f"{path}: dataset '{name}' declares more numbers than it has; download the file again")
    tensor = torch.from_numpy(node[()].astype(np.float32))
    if not bool(torch.isfinite(tensor).all()):
        raise WeightsError(f"{path}: dataset '{name}' holds NaN or infinity; the file is damaged, download it again")
    return tensor

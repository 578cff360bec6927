"""Tiny models in the format of ELMoForManyLangs, and what that project's own code computes from them.

``tests/fixtures/elmo_many_langs.json`` was made by this file, with the package's code as published (nothing in it was
changed) on torch 2.13. ``overrides`` must be older than version 4, because newer ones reject an annotation in it.

pip install --no-deps --target peer elmoformanylangs==0.0.4.post2 "overrides<4"
PYTHONPATH=.:peer python -m tests.support.many_langs
"""

import json
from collections import OrderedDict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "elmo_many_langs.json"
WORDS = ["<oov>", "<bos>", "<eos>", "<pad>", "the", "cat", "sat", "internatio", "<S", "\u3000", "猫", "."]
CHARS = [
    "t",
    "h",
    "e",
    "c",
    "a",
    "s",
    "Ж",
    "猫",
    "\u0301",
    "<bos>",
    "<eos>",
    "<oov>",
    "<pad>",
    "<bow>",
    "<eow>",
    "i",
    "n",
]
CHARS += ["r", "o", "\u3000"]
# An Embedder of the package reads each of these lists as one batch, in this order because the longest come first. The
# first starts from zeros, and row i of the second one from the state after row i of the first.
BATCHES = [
    [
        ("the", "cat", "sat", "on", "the", "猫", "🙂", "."),
        ("international", "internatio", "internatio!", "t" * 40, ""),
        ("<bos>", "cat", "e\u0301", "\u3000"),
        ("<eos>", "The", "<oov>"),
        ("cat",),
        ("Ωμέγα",),
    ],
    [("sat", "the", "cat"), ("the", "cat"), ("cat",)],
]
FORMS: dict[str, dict[str, dict[str, Any]]] = {  # changes of the configuration
    "clipped": {},
    "not clipped": {
        "encoder": {"cell_clip": None, "proj_clip": None, "n_layers": 3},
        "token_embedder": {"activation": "tanh", "n_highway": 1},
    },
}


def configuration(changes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the contents of the file with the sizes of a model."""
    token = {"name": "cnn", "activation": "relu", "filters": [[1, 4], [2, 6], [3, 8]], "n_highway": 2}
    token |= {"word_dim": 5, "char_dim": 4, "max_characters_per_token": 12}
    encoder = {"name": "elmo", "projection_dim": 8, "cell_clip": 0.8, "proj_clip": 0.6, "dim": 12, "n_layers": 2}
    sizes = {"token_embedder": token, "encoder": encoder}
    return {key: {**section, **changes.get(key, {})} for key, section in sizes.items()} | {"dropout": 0.1}


def random_tensors(sizes: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the contents of token_embedder.pkl and encoder.pkl. The weights are large enough to reach the clips."""
    token, encoder = sizes["token_embedder"], sizes["encoder"]
    filters, width, dim = sum(count for _, count in token["filters"]), encoder["projection_dim"], encoder["dim"]
    shapes: dict[str, tuple[int, ...]] = {
        "word_emb_layer.embedding.weight": (len(WORDS), token["word_dim"]),
        "char_emb_layer.embedding.weight": (len(CHARS), token["char_dim"]),
    }
    for i, (size, count) in enumerate(token["filters"]):
        shapes |= {f"convolutions.{i}.weight": (count, token["char_dim"], size), f"convolutions.{i}.bias": (count,)}
    for k in range(token["n_highway"]):
        highway = f"highways._layers.{k}"
        shapes |= {f"{highway}.weight": (2 * filters, filters), f"{highway}.bias": (2 * filters,)}
    shapes |= {"projection.weight": (width, token["word_dim"] + filters), "projection.bias": (width,)}
    lstms: dict[str, tuple[int, ...]] = {}
    for lstm in (f"{side}_layer_{k}" for k in range(encoder["n_layers"]) for side in ("forward", "backward")):
        lstms |= {f"{lstm}.{part}_linearity.weight": (4 * dim, width) for part in ("input", "state")}
        lstms |= {f"{lstm}.state_linearity.bias": (4 * dim,), f"{lstm}.state_projection.weight": (width, dim)}
    draw = np.random.RandomState(0)  # its numbers are the same in every version of numpy
    first, second = (
        OrderedDict(
            (name, torch.tensor(draw.uniform(-0.7, 0.7, shape), dtype=torch.float32)) for name, shape in named.items()
        )
        for named in (shapes, lstms)
    )
    return first, second


def write_model(folder: Path, form: str = "clipped") -> Path:
    """Write a model into a folder; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = configuration(FORMS[form])
    for name, entries in (("word.dic", WORDS), ("char.dic", CHARS)):
        (folder / name).write_text("".join(f"{entry}\t{i}\n" for i, entry in enumerate(entries)), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps({"config_path": "/home/somebody/sizes.json", "seed": 1}))
    (folder / "sizes.json").write_text(json.dumps(sizes))
    token, encoder = random_tensors(sizes)
    torch.save(token, folder / "token_embedder.pkl")
    torch.save(encoder, folder / "encoder.pkl")
    return folder


def reference_layers(folder: Path) -> list[list[list[Any]]]:
    """Return the layers of every sentence of ``BATCHES`` as the package computes them."""
    from elmoformanylangs import Embedder

    embedder = Embedder(str(folder), batch_size=64)
    return [
        [layers.astype(float).round(8).tolist() for layers in embedder.sents2elmo([list(s) for s in batch], -2)]
        for batch in BATCHES
    ]


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        layers = {form: reference_layers(write_model(Path(temporary) / form, form)) for form in FORMS}
    FIXTURE.write_text(json.dumps({"made by": "tests/support/many_langs.py", **layers}) + "\n")

"""Any model of the library ``transformers`` as a frozen encoder: words in, the hidden states of every layer out.

The library is the extra ``transformers`` of this project.
"""

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from harness.config.bounds import Count, Positive
from harness.encoders.model_folder import ModelFolder, load_model, model_folder
from harness.encoders.subwords import Pieces, Pooling, SubwordTokenizer, Window, pooled, windows_of
from harness.errors import ConfigError, nearest
from harness.types import Sentence

Dtype = Literal["float32", "bfloat16", "float16"]

_VERSION = 1  # increased whenever the same model would give other vectors
_BUCKET = 8  # windows are padded to a multiple of this length
_BATCH_TOKENS = {"cpu": 512, "cuda": 16384}  # on a CPU, larger batches are not faster
_PORTION = 1000  # sentences that are split into pieces at once

log = logging.getLogger(__name__)


def load_transformer(
    *,
    model: str,
    name: str | None = None,
    revision: str | None = None,
    pooling: Pooling | None = None,
    layers: Literal["all"] | list[int] = "all",
    window: Positive | None = None,
    dtype: Dtype = "float32",
    batch_tokens: Positive | None = None,
    init: Literal["trained", "random"] = "trained",
    init_seed: Count = 0,
    device: str = "cpu",
) -> "TransformerEncoder":
    """Load a pretrained transformer.

    Args:
        model: A folder with ``config.json``, the tokenizer's files and the weights as safetensors; or the identifier
            of a model on the Hugging Face hub, which is downloaded at the first use.
        name: A short name for tables; None: the last part of ``model``.
        revision: The commit of a downloaded model; None: the newest, whose commit is logged.
        pooling: How the pieces of a word become one vector: ``first``, ``last``, ``mean`` or ``first_last``, the mean
            of these two; None: ``last`` for a model that only reads to the left, otherwise ``mean``.
        layers: The numbers of the hidden states to return, in increasing order; 0 is the sum of the embeddings.
        window: Greatest number of pieces, special tokens included, that are read at once; None: as many as the
            model can read.
        dtype: The type in which the model computes.
        batch_tokens: Number of positions in each batch; None: 512, on a GPU 16,384.
        init: ``random`` draws the weights instead of loading them: a control for the architecture.
        init_seed: The seed of these weights.
        device: Torch device on which to compute.

    Raises:
        ConfigError: The library is missing, or an option does not fit the model.
        WeightsError: The folder does not exist, or has no usable configuration, tokenizer or safetensors weights.
        DownloadError: The model cannot be downloaded.
    """
    folder = model_folder(model, revision=revision)
    network = load_model(folder, dtype=dtype, seed=init_seed if init == "random" else None)
    return TransformerEncoder(
        name=name or model.rstrip("/").rpartition("/")[2],
        folder=folder,
        model=network,
        pooling=pooling,
        layers=layers,
        window=window,
        dtype=dtype,
        batch_tokens=batch_tokens,
        random_seed=init_seed if init == "random" else None,
        model_card=folder.card(),
        device=device,
    )


class TransformerEncoder:
    """A frozen transformer behind the ``Encoder`` protocol.

    Words are given to the tokenizer one by one, the vectors of a word's pieces are pooled, and special tokens are left
    out. A sentence that is longer than the model's window is read in windows that overlap by half.

    Windows of about the same length form a batch. The shape of the batch depends only on that length, and missing
    rows are filled up, because the last bits of a matrix product depend on its shape: the vectors of a
    sentence then do not depend on the other sentences.

    Args:
        name: A short name for tables.
        folder: The folder of the model.
        model: The network.
        pooling: How the pieces of a word become one vector; see ``load_transformer``.
        layers: The hidden states to return; see ``load_transformer``.
        window: Greatest number of pieces that are read at once; None: as many as the model can read.
        dtype: The type in which the model computes.
        batch_tokens: Number of positions in each batch; None: 512, on a GPU 16,384.
        random_seed: The seed of random weights; None if the weights were loaded.
        model_card: What the model card is called; see ``ModelFolder.card``.
        device: Torch device on which to compute.

    Raises:
        ConfigError: An option does not fit the model.
    """

    word_layer = False  # even layer 0 depends on the position
    cacheable = True
    state = "none"

    def __init__(
        self,
        *,
        name: str,
        folder: ModelFolder,
        model: Any,
        pooling: Pooling | None = None,
        layers: Literal["all"] | Sequence[int] = "all",
        window: int | None = None,
        dtype: Dtype = "float32",
        batch_tokens: int | None = None,
        random_seed: int | None = None,
        model_card: str = "",
        device: str = "cpu",
    ) -> None:
        self.name, self.model_card = name, model_card
        self._device = torch.device(device)
        self._model = model.to(self._device).eval()
        self.num_parameters = sum(parameter.numel() for parameter in model.parameters())
        self._tokenizer = SubwordTokenizer(folder.tokenizer(), source=str(folder.path))
        self._batch_tokens = batch_tokens or _BATCH_TOKENS[self._device.type]
        specials = self._tokenizer.specials
        self._size = _window(window, folder.max_length(model), where=str(folder.path)) - len(
            specials.before + specials.after
        )
        if self._size < 2:
            raise ConfigError(f"encoder.window={window} leaves no room for two pieces next to the special tokens")
        one, other = (self._hidden_states([pieces], width=2) for pieces in ([0, 0], [0, 1]))  # (layers, 1, 2, dim)
        self._layers = _chosen(layers, len(one))
        self.dim = one.shape[3]
        self._causal = torch.equal(one[:, :, 0], other[:, :, 0])  # the first piece does not see the second
        self._pooling: Pooling = pooling or ("last" if self._causal else "mean")
        identity: dict[str, Any] = {"version": _VERSION, "files": folder.digests(weights=random_seed is None)}
        identity |= {"pooling": self._pooling, "layers": self._layers, "window": self._size, "dtype": dtype}
        identity |= {"random_seed": random_seed, "batch_tokens": batch_tokens}
        self.fingerprint = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    @property
    def num_layers(self) -> int:
        """Number of layers of each token."""
        return len(self._layers)

    def encode(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
        """Yield ``(index, float32 (layers, tokens, dim))`` for every sentence."""
        for start in range(0, len(sentences), _PORTION):
            yield from self._encode_portion(list(enumerate(sentences))[start : start + _PORTION])

    def _encode_portion(self, portion: Sequence[tuple[int, Sentence]]) -> Iterator[tuple[int, Tensor]]:
        """Encode some sentences, and yield each of them with its index."""
        rows = [(index, sentence) for index, sentence in portion if sentence]
        yield from ((i, torch.empty(self.num_layers, 0, self.dim)) for i, sentence in portion if not sentence)
        pieces = self._tokenizer.pieces_of([sentence for _, sentence in rows], most=self._size // 2)
        vectors = [torch.empty(self.num_layers, len(sentence), self.dim) for _, sentence in rows]
        waiting = [0] * len(rows)  # windows of each sentence that are not yet encoded
        by_width: dict[int, list[tuple[int, Window]]] = defaultdict(list)
        for row, own in enumerate(pieces):
            windows = windows_of(own, size=self._size, causal=self._causal)
            waiting[row] = len(windows)
            for window in windows:
                width = -(-len(window.ids) // _BUCKET) * _BUCKET
                by_width[min(width, self._size)].append((row, window))
        for width in sorted(by_width, reverse=True):
            group, height = by_width[width], max(1, self._batch_tokens // width)
            for start in range(0, len(group), height):
                batch = group[start : start + height]
                for (row, window), words in zip(batch, self._word_vectors(batch, pieces, width, height), strict=True):
                    vectors[row][:, window.words] = words
                    waiting[row] -= 1
                    if not waiting[row]:
                        yield rows[row][0], vectors[row]

    def _word_vectors(
        self, batch: Sequence[tuple[int, Window]], pieces: Sequence[Pieces], width: int, height: int
    ) -> Iterator[Tensor]:
        """Yield the vectors of the words that are taken from each window, (layers, words, dim)."""
        filling = [batch[0][1].ids] * (height - len(batch))
        hidden = self._hidden_states([*(window.ids for _, window in batch), *filling], width=width)
        for states, (row, window) in zip(hidden.unbind(1), batch, strict=False):  # (layers, positions, dim)
            starts = torch.tensor([pieces[row].starts[word] for word in window.words], dtype=torch.int64)
            ends = torch.tensor([pieces[row].starts[word + 1] for word in window.words], dtype=torch.int64)
            yield pooled(states[self._layers], starts - window.start, ends - window.start, self._pooling).cpu()

    @torch.inference_mode()
    def _hidden_states(self, rows: Sequence[Sequence[int]], *, width: int) -> Tensor:
        """Return all hidden states of the pieces of each row, float32 (layers, rows, width, dim)."""
        before, after = self._tokenizer.specials.before, self._tokenizer.specials.after
        total = len(before) + width + len(after)
        ids = torch.zeros(len(rows), total, dtype=torch.int64)  # (rows, positions)
        mask = torch.zeros_like(ids)  # (rows, positions), 1 where there is a piece or a special token
        for i, row in enumerate(rows):
            used = (*before, *row, *after)
            ids[i, : len(used)] = torch.tensor(used)
            mask[i, : len(used)] = 1
        output = self._model(
            input_ids=ids.to(self._device), attention_mask=mask.to(self._device), output_hidden_states=True
        )
        states = torch.stack(output.hidden_states).float()  # (layers, rows, positions, dim)
        return states[:, :, len(before) : len(before) + width]


def _window(wanted: int | None, most: int | None, *, where: str) -> int:
    """Return the greatest number of positions that the model reads at once."""
    if wanted is None:
        return most or 512
    if most is not None and wanted > most:
        raise ConfigError(f"encoder.window={wanted}, but {where} reads at most {most} pieces at once")
    return wanted


def _chosen(layers: Literal["all"] | Sequence[int], count: int) -> list[int]:
    """Return the numbers of the hidden states to return."""
    if layers == "all":
        return list(range(count))
    wrong = [layer for layer in layers if not 0 <= layer < count]
    if wrong:
        raise ConfigError(
            f"encoder.layers: there is no layer {wrong[0]}{nearest(str(wrong[0]), map(str, range(count)))}"
        )
    if not layers or sorted(set(layers)) != list(layers):
        raise ConfigError(f"encoder.layers={list(layers)}: give at least one number, in increasing order")
    return list(layers)

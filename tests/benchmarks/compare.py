"""The encoder beside AllenNLP's way to encode: tokens a second, the ratio, and the share of what products allow.

    python -m tests.benchmarks.compare --size original --threads 2
    python -m tests.benchmarks.compare --size elmo_mini --threads 1 --sentences 2000

Every round times each way once, in turning order, and the products; the table has medians over rounds. Weights are
random but for elmo_mini, and sentences are drawn (``--text FILE``: one a line, tokens parted by blanks). The reference
(tests/benchmarks/reference.py) is our own writing of AllenNLP 2.10's algorithm; ``--peer PYTHON`` times AllenNLP
itself too, by a Python that has ``allennlp==2.10.1``.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import Tensor

from harness.config.compose import ASSETS, compose_values
from harness.config.schema import typed
from harness.encoders.bfloat16 import Dtype
from harness.encoders.bilm import build_bilm
from harness.encoders.elmo import ElmoEncoder
from harness.encoders.options import BiLmOptions, parse_options, read_options
from harness.encoders.random_elmo import random_weights
from harness.encoders.weights import read_weights
from harness.encoders.word_vector_cache import WordVectorCache
from harness.runs.environment import environment
from harness.training.determinism import set_up_torch
from harness.types import Sentence
from harness.utils.files import write_json
from tests.benchmarks import peer, texts
from tests.benchmarks.reference import ReferenceElmo

_BLOCKS = {"cpu": 1024, "cuda": 8192}  # rows of the products that are the limit


@dataclass(frozen=True)
class Row:
    """One way to encode, as measured.

    Attributes:
        name: of the way.
        seconds: of each round.
        tokens_per_second: at the median round.
        ratio: reference time by this time, the median over rounds.
        ratio_spread: its smallest and largest.
        share_of_limit: the products' time by this time, the median over rounds.
        difference: the largest absolute difference from the reference's vectors, None where they were not compared.
    """

    name: str
    seconds: list[float]
    tokens_per_second: float
    ratio: float
    ratio_spread: tuple[float, float]
    share_of_limit: float
    difference: float | None


def compare(
    options: BiLmOptions,
    weights: dict[str, Tensor],
    sentences: Sequence[Sentence],
    *,
    dtypes: Sequence[Dtype],
    rounds: int,
    batch: int,
    device: str = "cpu",
    max_tokens: int | None = None,
) -> list[Row]:
    """Time each way ``rounds`` times, after one that is not timed.

    Args:
        options: the architecture.
        weights: official dataset name -> tensor.
        sentences: to encode.
        dtypes: of our products, each a way.
        rounds: how many are timed.
        batch: rows of a batch of the reference.
        device: where all of it is computed.
        max_tokens: as of ``ElmoEncoder``.
    """
    reference = ReferenceElmo(options, weights, build_bilm(options, weights).char_cnn).to(device)
    encoders = {dtype: timed_encoder(options, weights, dtype, device=device, max_tokens=max_tokens) for dtype in dtypes}
    ways: dict[str, Callable[[], Iterable[tuple[int, Tensor]]]] = {
        "reference": lambda: reference.encode(sentences, batch_size=batch),
        **{dtype: partial(_encode_anew, encoder, sentences) for dtype, encoder in encoders.items()},
    }
    vectors = {name: {i: layers.cpu() for i, layers in way()} for name, way in ways.items()}
    differences = {
        name: max(float((found[i] - expected).abs().max()) for i, expected in vectors["reference"].items())
        for name, found in vectors.items()
    }
    del vectors
    limits = {f"{dtype} products": Products(options, sentences, dtype=dtype, device=device) for dtype in dtypes}
    for limit in limits.values():
        limit()
    seconds: dict[str, list[float]] = {name: [] for name in (*ways, *limits)}
    names = list(seconds)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            began = time.perf_counter()
            if name in limits:
                limits[name]()
            else:
                for _ in ways[name]():
                    pass
            if device != "cpu":
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - began)
            print(f"round {number + 1}: {name} {seconds[name][-1]:.3f} s", flush=True)
    tokens = sum(map(len, sentences))
    rows = []
    for name in names:
        limit = name if name in limits else f"{name if name in dtypes else 'float32'} products"
        rows.append(_row(name, seconds[name], seconds["reference"], seconds[limit], tokens, differences.get(name)))
        if name in limits:
            rate = limits[name].operations / statistics.median(seconds[name])
            print(f"{name}: {rate / 1e9:,.0f} GFLOP/s")
    return rows


def timed_encoder(
    options: BiLmOptions,
    weights: dict[str, Tensor],
    dtype: Dtype = "float32",
    *,
    device: str = "cpu",
    max_tokens: int | None = None,
) -> ElmoEncoder:
    """Return an encoder whose sentences begin from the zero state, as the reference's do."""
    return ElmoEncoder(
        name="timed",
        options=options,
        weights=weights,
        weights_digest="timed",
        state="zeros",
        dtype=dtype,
        device=device,
        max_tokens=max_tokens,
    )


def _encode_anew(encoder: ElmoEncoder, sentences: Sequence[Sentence]) -> Iterable[tuple[int, Tensor]]:
    """Encode as if no word were known from the round before."""
    encoder._words = WordVectorCache(encoder.bilm.char_cnn)
    return encoder.encode(sentences)


class Products:
    """The matrix products that encoding cannot do without, on rows enough that they run as fast as they can.

    Per word type: highways, projection, and the input products of the first layer. Per token: all others. The
    convolutions, which are no products of matrices, are left out.

    Args:
        options: the architecture.
        sentences: to encode.
        dtype: of the numbers.
        device: where they are multiplied.

    Attributes:
        operations: multiplications and additions.
    """

    def __init__(
        self, options: BiLmOptions, sentences: Sequence[Sentence], *, dtype: Dtype = "float32", device: str = "cpu"
    ) -> None:
        types = len({word for sentence in sentences for word in sentence})
        tokens = sum(map(len, sentences))
        width, dim, filters = options.projection_dim, options.lstm_dim, options.n_filters
        wanted: list[tuple[int, int, int]] = [(types, filters, filters)] * (2 * options.n_highway)  # rows, from, to
        wanted += [(types, filters, width)] * options.projects_words
        wanted += [(types, width, 4 * dim)] * 2
        wanted += [(tokens, width, 4 * dim)] * (2 * (2 * options.n_layers - 1))
        wanted += [(tokens, dim, width)] * (2 * options.n_layers)
        self.operations = sum(2 * rows * before * after for rows, before, after in wanted)
        self._block = _BLOCKS[torch.device(device).type]
        like = torch.empty(0, dtype=getattr(torch, dtype), device=device)
        self._products = [
            (
                rows,
                like.new_empty(self._block, before).normal_(),
                like.new_empty(before, after).normal_(),
                like.new_empty(self._block, after),
            )
            for rows, before, after in wanted
        ]

    @torch.inference_mode()
    def __call__(self) -> None:
        """Multiply."""
        for rows, inputs, weight, out in self._products:
            for start in range(0, rows, self._block):
                n = min(self._block, rows - start)
                torch.mm(inputs[:n], weight, out=out[:n])


def _row(
    name: str, own: list[float], base: list[float], limit: list[float], tokens: int, difference: float | None
) -> Row:
    ratios = [theirs / ours for theirs, ours in zip(base, own, strict=True)]
    shares = [least / ours for least, ours in zip(limit, own, strict=True)]
    return Row(
        name=name,
        seconds=own,
        tokens_per_second=tokens / statistics.median(own),
        ratio=statistics.median(ratios),
        ratio_spread=(min(ratios), max(ratios)),
        share_of_limit=statistics.median(shares),
        difference=difference,
    )


def model(size: str) -> tuple[BiLmOptions, dict[str, Tensor]]:
    """Return the architecture of a size, and weights: the bundled ones of elmo_mini, random ones otherwise."""
    if size == "elmo_mini":
        options = read_options(ASSETS / size / "options.json")
        return options, read_weights(ASSETS / size / "weights.hdf5", options)
    values = OmegaConf.to_container(compose_values("pretrain", [f"model={size}"]).model.options)
    options = parse_options(values, source=f"model={size}")
    return options, random_weights(options, seed=0)


def table(rows: Sequence[Row]) -> str:
    """Return a Markdown table."""
    lines = ["| way | tokens/s | times the reference | share of the products | difference |", "| --- " * 5 + "|"]
    for row in rows:
        low, high = row.ratio_spread
        lines.append(
            f"| {row.name} | {row.tokens_per_second:,.0f} | {row.ratio:.2f} ({low:.2f} to {high:.2f}) "
            f"| {row.share_of_limit:.2f} | {'-' if row.difference is None else f'{row.difference:.0e}'} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure as the command line says, print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="original", choices=("original", "medium", "small", "mini", "elmo_mini"))
    parser.add_argument("--sentences", type=int, default=600, metavar="N")
    parser.add_argument("--text", type=Path, metavar="FILE", help="sentences to read instead of drawing them")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), metavar="N")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--batch", type=int, default=32, metavar="N", help="rows of a batch of the reference")
    parser.add_argument("--bfloat16", action="store_true", help="time encoder.dtype=bfloat16 too")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="tokens that ours encodes at once")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu, or cuda")
    parser.add_argument("--peer", metavar="PYTHON", help="a Python that has AllenNLP")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the measurement")
    given = parser.parse_args(arguments)
    set_up_torch(typed(compose_values("config", [f"device={given.device}", f"threads={given.threads}"])))  # as in a run
    sentences = texts.read(given.text, given.sentences) if given.text else texts.drawn(given.sentences)
    tokens = sum(map(len, sentences))
    options, weights = model(given.size)
    dtypes: list[Dtype] = ["float32", "bfloat16"] if given.bfloat16 else ["float32"]
    rows = compare(
        options,
        weights,
        sentences,
        dtypes=dtypes,
        rounds=given.rounds,
        batch=given.batch,
        device=given.device,
        max_tokens=given.max_tokens,
    )
    if given.peer:
        seconds = peer.seconds(given.peer, options, weights, sentences, threads=given.threads, batch=given.batch)
        median = statistics.median
        base, limit = ([median(row.seconds)] for row in rows if row.name in ("reference", "float32 products"))
        rows.append(_row("AllenNLP", [seconds], base, limit, tokens, None))
    print(f"{given.size}: {len(sentences):,} sentences, {tokens:,} tokens, {given.threads} threads, medians of rounds")
    print(table(rows))
    if given.json:
        measured = {"size": given.size, "sentences": len(sentences), "tokens": tokens, "threads": given.threads}
        write_json(
            given.json, measured | {"rows": [asdict(row) for row in rows], "environment": environment(given.device)}
        )


if __name__ == "__main__":
    main()

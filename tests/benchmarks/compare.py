"""Compare the speed of the encoder with AllenNLP's algorithm, and with the matrix products alone.

    python -m tests.benchmarks.compare --size original --threads 2
    python -m tests.benchmarks.compare --size elmo_mini --threads 1 --sentences 2000

Each round times every implementation and the products once, in a rotating order. The table shows medians over the
rounds. Only elmo_mini has trained weights; those of other sizes are random. Sentences are synthetic, or read from
``--text FILE`` (one sentence per line, tokens separated by spaces). ``--clock processor`` counts the seconds of the
processor, of all threads together, for a machine whose cores other programs use. The reference
(tests/benchmarks/reference.py) is our own implementation of the algorithm of AllenNLP 2.10. ``--peer PYTHON`` also
times AllenNLP itself; PYTHON must have ``allennlp==2.10.1`` installed.
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

_CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
_BLOCKS = {"cpu": 1024, "cuda": 8192}  # rows of each matrix product


@dataclass(frozen=True)
class Row:
    """The measurements of one implementation.

    Attributes:
        name: The name of the implementation.
        seconds: The time of each round.
        tokens_per_second: The speed in the median round.
        ratio: The time of the reference divided by this time; the median over rounds.
        ratio_spread: The smallest and the largest ratio.
        share_of_limit: The time of the matrix products divided by this time; the median over rounds.
        difference: The largest absolute difference from the vectors of the reference; None if not compared.
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
    clock: Callable[[], float] = time.perf_counter,
) -> list[Row]:
    """Time each implementation ``rounds`` times, after one round that is not timed.

    Args:
        options: The architecture.
        weights: The weights, keyed by their official dataset names.
        sentences: The sentences to encode.
        dtypes: The types of the encoder's matrix products; the encoder is timed with each of them.
        rounds: The number of timed rounds.
        batch: The number of rows in a batch of the reference.
        device: The device of all computations.
        max_tokens: The number of tokens that ``ElmoEncoder`` encodes at once; None leaves it to the encoder.
        clock: Returns the time in seconds.
    """
    reference = ReferenceElmo(options, weights, build_bilm(options, weights).char_cnn).to(device)
    encoders = {dtype: timed_encoder(options, weights, dtype, device=device, max_tokens=max_tokens) for dtype in dtypes}
    ways: dict[str, Callable[[], Iterable[tuple[int, Tensor]]]] = {
        "reference": lambda: reference.encode(sentences, batch_size=batch),
        **{dtype: partial(_encode_uncached, encoder, sentences) for dtype, encoder in encoders.items()},
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
            began = clock()
            if name in limits:
                limits[name]()
            else:
                for _ in ways[name]():
                    pass
            if device != "cpu":
                torch.cuda.synchronize()
            seconds[name].append(clock() - began)
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
    """Return an encoder that starts each sentence from the zero state, as the reference does."""
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


def _encode_uncached(encoder: ElmoEncoder, sentences: Sequence[Sentence]) -> Iterable[tuple[int, Tensor]]:
    """Encode with an empty cache of word vectors, because the round before has filled it."""
    encoder._words = WordVectorCache(encoder._words.char_cnn)
    return encoder.encode(sentences)


class Products:
    """The matrix products that encoding needs, in blocks that are large enough to run at full speed.

    The highway layers, the projection and the input products of the first layer are counted once per word type, and all
    others once per token. Convolutions are left out, because they are not matrix products.

    Args:
        options: The architecture.
        sentences: The sentences to encode.
        dtype: The type of the numbers.
        device: The device that multiplies them.

    Attributes:
        operations: The number of multiplications and additions.
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
        """Compute all products once."""
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
    """Return the architecture and the weights of a size: the bundled weights for elmo_mini, otherwise random ones."""
    if size == "elmo_mini":
        options = read_options(ASSETS / size / "options.json")
        return options, read_weights(ASSETS / size / "weights.hdf5", options)
    values = OmegaConf.to_container(compose_values("pretrain", [f"model={size}"]).model.options)
    options = parse_options(values, source=f"model={size}")
    return options, random_weights(options, seed=0)


def table(rows: Sequence[Row]) -> str:
    """Return a Markdown table."""
    lines = ["| encoder | tokens/s | times the reference | share of the products | difference |", "| --- " * 5 + "|"]
    for row in rows:
        low, high = row.ratio_spread
        lines.append(
            f"| {row.name} | {row.tokens_per_second:,.0f} | {row.ratio:.2f} ({low:.2f} to {high:.2f}) "
            f"| {row.share_of_limit:.2f} | {'-' if row.difference is None else f'{row.difference:.0e}'} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line asks for, print the table, and write it as JSON if a file is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--size",
        default="original",
        choices=("original", "medium", "small", "mini", "elmo_mini"),
        help="the size of the biLM",
    )
    parser.add_argument("--sentences", type=int, default=600, metavar="N", help="number of sentences")
    parser.add_argument("--text", type=Path, metavar="FILE", help="read the sentences from this file")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), metavar="N", help="threads of torch")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="number of timed rounds")
    parser.add_argument("--clock", choices=_CLOCKS, default="wall", help="what the seconds are those of")
    parser.add_argument("--batch", type=int, default=32, metavar="N", help="batch size of the reference")
    parser.add_argument("--bfloat16", action="store_true", help="also time encoder.dtype=bfloat16")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="number of tokens that our encoder encodes at once")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu or cuda")
    parser.add_argument("--peer", metavar="PYTHON", help="the path of a Python that has AllenNLP installed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to this file")
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
        clock=_CLOCKS[given.clock],
    )
    if given.peer:
        seconds = peer.seconds(
            given.peer,
            options,
            weights,
            sentences,
            threads=given.threads,
            batch=given.batch,
            rounds=given.rounds,
            clock=_CLOCKS[given.clock].__name__,
        )
        base, limit = (row.seconds for row in rows if row.name in ("reference", "float32 products"))
        rows.append(_row("AllenNLP", seconds, base, limit, tokens, None))
    print(
        f"{given.size}: {len(sentences):,} sentences, {tokens:,} tokens, {given.threads} threads, "
        f"medians of {given.rounds} rounds, seconds by the {given.clock} clock"
    )
    print(table(rows))
    if given.json:
        measured = {
            "size": given.size,
            "clock": given.clock,
            "sentences": len(sentences),
            "tokens": tokens,
            "threads": given.threads,
        }
        write_json(
            given.json, measured | {"rows": [asdict(row) for row in rows], "environment": environment(given.device)}
        )


if __name__ == "__main__":
    main()

"""Steps of an LSTM on a GPU: a step is captured once as a CUDA graph and replayed.

If a step has few rows, Python launches its kernels more slowly than a GPU computes them. A graph launches all of them
together: such steps become up to 2.3 times as fast (``results/published/speed.md``). A graph always uses the same
memory, so gates, hidden and cell have fixed places, wide enough for the widest batch. There is one graph for each of a
few numbers of rows; if a batch has fewer rows, the results of the other rows are not used.
"""

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from harness.encoders.kernels.lstm_steps import LstmState, Step

Replay = Callable[[], Any]
Capture = Callable[[Callable[[], None]], Replay]
_DEVICE_TYPE = "cuda"  # tests replace it by "cpu"
_LEAST = 32  # rows of the smallest graph
_MOST = 2**22  # gates of a captured step; a longer step takes more time than its launches, and copying costs more


class CapturedSteps:
    """The state of the rows of one LSTM, from step to step, in fixed memory; the interface is that of ``Steps``.

    Args:
        lstm: The LSTM whose steps are captured. It is not stored, because it could then never be freed.
        rows: Greatest number of rows.
        like: Any state of the LSTM, for widths, device and type.
        capture: Runs a function once, and returns a function that repeats it on the same memory.
    """

    def __init__(self, lstm: nn.Module, rows: int, like: LstmState, capture: Capture) -> None:
        self.rows, self.capacity = 0, rows
        self._capture = capture
        self._replays: dict[int, Replay] = {}
        with torch.inference_mode(False), torch.no_grad():  # inference tensors could not be written outside of it
            self._gates = like.cell.new_zeros(rows, 4 * like.cell.shape[1])  # (capacity, 4 * dim)
            self._hidden = like.hidden.new_zeros(rows, like.hidden.shape[1])  # (capacity, projection_dim)
            self._cell = like.cell.new_zeros(rows, like.cell.shape[1])  # (capacity, dim)
        self.weights = _addresses(lstm)

    def begin(self, step: Step, state: LstmState, batch_sizes: Sequence[int]) -> None:
        """Prepare a batch: capture the graphs that it needs, and copy the state of its rows.

        Args:
            step: Takes one step of the LSTM.
            state: The state of the rows before the first step.
            batch_sizes: Number of rows at each step, not increasing.
        """
        for width in sorted({self._width(rows) for rows in batch_sizes}, reverse=True):
            if width not in self._replays:
                self._replays[width] = self._capture(self._in_place(step, width))
        self.rows = len(state.hidden)
        self._hidden[: self.rows] = state.hidden
        self._cell[: self.rows] = state.cell

    def take(self, gates: Tensor) -> Tensor:
        """Take a step with gates (rows, 4 * dim); return the new hidden, (rows, projection_dim)."""
        self._gates[: self.rows] = gates
        self._replays[self._width(self.rows)]()
        return self._hidden[: self.rows].clone()

    def finish(self, rows: int) -> tuple[Tensor, Tensor]:
        """Continue with the first ``rows`` rows only; return hidden and cell of the other rows."""
        ended = self._hidden[rows : self.rows].clone(), self._cell[rows : self.rows].clone()
        self.rows = rows
        return ended

    def _width(self, rows: int) -> int:
        """Return the number of rows of the graph for ``rows`` rows: less than an eighth or ``_LEAST`` more."""
        unit = max(_LEAST, 1 << max(0, rows.bit_length() - 4))
        return min(-(-rows // unit) * unit, self.capacity)

    def _in_place(self, step: Step, width: int) -> Callable[[], None]:
        """Return a function that takes a step of ``width`` rows in the fixed memory."""
        gates, hidden, cell = self._gates[:width], self._hidden[:width], self._cell[:width]

        def work() -> None:
            new_hidden, new_cell = step(gates, hidden, cell)
            hidden.copy_(new_hidden)
            cell.copy_(new_cell)

        return work


def _addresses(lstm: nn.Module) -> tuple[Any, ...]:
    """Return the addresses and types of the weights; a graph is wrong once they change."""
    return tuple((parameter.data_ptr(), parameter.dtype) for parameter in lstm.parameters())


_STEPS: WeakKeyDictionary[Any, CapturedSteps] = WeakKeyDictionary()  # the key is the LSTM


def captured_steps(lstm: nn.Module, step: Step, state: LstmState, batch_sizes: Sequence[int]) -> CapturedSteps | None:
    """Return captured steps, ready for a batch, or None if plain steps are better: on a CPU, or for long steps.

    Args:
        lstm: The LSTM.
        step: Takes one step of it.
        state: The state of the rows before the first step.
        batch_sizes: Number of rows at each step, not increasing.
    """
    most = _MOST // (4 * state.cell.shape[1])  # rows
    if state.cell.device.type != _DEVICE_TYPE or torch.is_grad_enabled() or len(state.hidden) > most:
        return None
    steps = _STEPS.get(lstm)
    if steps is None or steps.weights != _addresses(lstm):
        # There is room for any later batch, because batches of short sentences, which have more rows, come last.
        steps = _STEPS[lstm] = CapturedSteps(lstm, most, state, _cuda_graphs(state.cell.device))
    steps.begin(step, state, batch_sizes)
    return steps


def _cuda_graphs(device: torch.device) -> Capture:
    """Return a function that captures work as a CUDA graph. The graphs run in turn, so they share memory."""
    pool = torch.cuda.graph_pool_handle()  # exists as long as the graphs that use it
    stream = torch.cuda.Stream(device)  # by default torch captures on a stream of the first device that was used

    def capture(work: Callable[[], None]) -> Replay:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(device), torch.inference_mode(False), torch.no_grad():
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                work()  # the first call sets up things that cannot be captured
            torch.cuda.current_stream().wait_stream(stream)
            with torch.cuda.graph(graph, pool=pool, stream=stream):
                work()
        return graph.replay

    return capture

"""Steps of an LSTM on a GPU: the kernels of a step are captured once, and launched together ever after.

A step of few rows is over sooner than Python can launch its kernels one by one. A CUDA graph launches them all, and
reads and writes the same memory every time; so gates, hidden and cell have a place of their own here, wide enough for
the widest batch, and a graph for each of a few numbers of rows: those above the batch's are computed for nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from harness.encoders.kernels.lstm_steps import LstmState, SteppingLstm

Replay = Callable[[], Any]
Capture = Callable[[Callable[[], None]], Replay]
_LEAST = 32  # rows
_MOST = 2**22  # gates of a step: of more, the step outlasts its launches, and copies to a fixed place cost more


class CapturedSteps:
    """The state of the rows of one LSTM, step after step, at a fixed place.

    Args:
        lstm: whose steps are captured. It is not kept: it would never be let go.
        rows: room for so many.
        like: a state, for widths, device and type.
        capture: runs work once, in whatever way, and returns what repeats it on the same memory.
    """

    def __init__(self, lstm: SteppingLstm, rows: int, like: LstmState, capture: Capture) -> None:
        self.rows, self.capacity = 0, rows
        self._capture = capture
        self._replays: dict[int, Replay] = {}
        with torch.inference_mode(False), torch.no_grad():  # inference tensors could not be written outside of it
            self._gates = like.cell.new_zeros(rows, lstm.weight.shape[1])  # (capacity, 4 * dim)
            self._hidden = like.hidden.new_zeros(rows, like.hidden.shape[1])  # (capacity, projection_dim)
            self._cell = like.cell.new_zeros(rows, like.cell.shape[1])  # (capacity, dim)
        self.weights = addresses(lstm)

    def begin(self, lstm: SteppingLstm, state: LstmState, batch_sizes: Sequence[int]) -> None:
        """Capture what the batch will need, and take the rows' state."""
        for width in sorted({self._width(rows) for rows in batch_sizes}, reverse=True):
            if width not in self._replays:
                self._replays[width] = self._capture(self._step(lstm, width))
        self.rows = len(state.hidden)
        self._hidden[: self.rows] = state.hidden
        self._cell[: self.rows] = state.cell

    def take(self, gates: Tensor) -> Tensor:
        """Take a step; return the new hidden, (rows, projection_dim)."""
        self._gates[: self.rows] = gates
        self._replays[self._width(self.rows)]()
        return self._hidden[: self.rows].clone()

    def finish(self, rows: int) -> tuple[Tensor, Tensor]:
        """Go on with the first ``rows`` only; return hidden and cell of the others."""
        ended = self._hidden[rows : self.rows].clone(), self._cell[rows : self.rows].clone()
        self.rows = rows
        return ended

    def _width(self, rows: int) -> int:
        """Return how many rows are computed for so many: less than an eighth more, or than ``_LEAST`` more."""
        unit = max(_LEAST, 1 << max(0, rows.bit_length() - 4))
        return min(-(-rows // unit) * unit, self.capacity)

    def _step(self, lstm: SteppingLstm, width: int) -> Callable[[], None]:
        gates, hidden, cell = self._gates[:width], self._hidden[:width], self._cell[:width]

        def step() -> None:
            new_hidden, new_cell = lstm.step(gates, hidden, cell)
            hidden.copy_(new_hidden)
            cell.copy_(new_cell)

        return step


def addresses(lstm: SteppingLstm) -> tuple[Any, ...]:
    """Return where the weights lie, and their types: a graph reads them there."""
    assert isinstance(lstm, nn.Module)
    return tuple((parameter.data_ptr(), parameter.dtype) for parameter in lstm.parameters())


_STEPS: WeakKeyDictionary[Any, CapturedSteps] = WeakKeyDictionary()  # of each LSTM


def captured_steps(lstm: SteppingLstm, state: LstmState, batch_sizes: Sequence[int]) -> CapturedSteps | None:
    """Return captured steps that have taken the state; None where they are of no use.

    That is on a CPU, with a gradient, and where a step is long: see ``results/published/speed.md``.
    """
    most = _MOST // lstm.weight.shape[1]  # rows
    if not _on_gpu(lstm.weight) or torch.is_grad_enabled() or len(state.hidden) > most:
        return None
    steps = _STEPS.get(lstm)
    if steps is None or steps.weights != addresses(lstm):
        # Room for all that will ever come: batches of short sentences, which have more rows, come last.
        steps = _STEPS[lstm] = CapturedSteps(lstm, most, state, cuda_graphs(lstm.weight.device))
    steps.begin(lstm, state, batch_sizes)
    return steps


def _on_gpu(weight: Tensor) -> bool:
    return weight.is_cuda


def cuda_graphs(device: torch.device) -> Capture:
    """Return what captures work as CUDA graphs, which run one after the other and so compute in the same memory."""
    pool = torch.cuda.graph_pool_handle()  # lives as long as the graphs that were made with it
    stream = torch.cuda.Stream(device)  # by default torch captures on a stream of the first device that ever did

    def capture(work: Callable[[], None]) -> Replay:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(device), torch.inference_mode(False), torch.no_grad():
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                work()  # what a first call sets up cannot be captured
            torch.cuda.current_stream().wait_stream(stream)
            with torch.cuda.graph(graph, pool=pool, stream=stream):
                work()
        return graph.replay

    return capture

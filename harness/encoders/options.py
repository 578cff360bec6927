"""The official ``options.json`` of a biLM: read, checked, and turned into the shapes that weights must have."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import WeightsError

NUM_CHARACTERS = 261  # ids of char_ids.py; the file holds no row for the mask id 0


@dataclass(frozen=True, kw_only=True)
class BiLmOptions:
    """Architecture of a biLM, as far as it changes what the biLM computes.

    Attributes:
        char_dim: width of a character embedding.
        filters: (width, count) of each convolution.
        activation: after the max over positions: ``relu`` or ``tanh``.
        n_highway: highway layers after the convolutions.
        max_chars: character slots a word.
        lstm_dim: cells of each LSTM.
        projection_dim: width of a word vector and of each LSTM's output.
        n_layers: LSTM layers of each direction.
        cell_clip, proj_clip: bounds on cell and projected output, None for no clipping.
        use_skip_connections: whether layers above the first add their input to their output.
    """

    char_dim: int
    filters: tuple[tuple[int, int], ...]
    activation: str
    n_highway: int
    max_chars: int
    lstm_dim: int
    projection_dim: int
    n_layers: int
    cell_clip: float | None
    proj_clip: float | None
    use_skip_connections: bool

    @property
    def n_filters(self) -> int:
        """Width of a word after the convolutions."""
        return sum(count for _, count in self.filters)

    @property
    def projects_words(self) -> bool:
        """Whether a projection stands between the convolutions and the LSTMs."""
        return self.n_filters != self.projection_dim

    @property
    def projects_states(self) -> bool:
        """Whether an LSTM's output is projected: the format leaves it out where the widths are equal."""
        return self.lstm_dim != self.projection_dim

    def dataset_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of every dataset that the official HDF5 file must hold."""
        n_filters, width = self.n_filters, self.projection_dim
        shapes: dict[str, tuple[int, ...]] = {"char_embed": (NUM_CHARACTERS, self.char_dim)}
        for i, (filter_width, count) in enumerate(self.filters):
            shapes[f"CNN/W_cnn_{i}"] = (1, filter_width, self.char_dim, count)
            shapes[f"CNN/b_cnn_{i}"] = (count,)
        for k in range(self.n_highway):
            for gate in ("carry", "transform"):
                shapes[f"CNN_high_{k}/W_{gate}"] = (n_filters, n_filters)
                shapes[f"CNN_high_{k}/b_{gate}"] = (n_filters,)
        if self.projects_words:
            shapes["CNN_proj/W_proj"] = (n_filters, width)
            shapes["CNN_proj/b_proj"] = (width,)
        for direction in range(2):
            for layer in range(self.n_layers):
                cell = lstm_cell_name(direction, layer)
                shapes[f"{cell}/W_0"] = (2 * width, 4 * self.lstm_dim)
                shapes[f"{cell}/B"] = (4 * self.lstm_dim,)
                if self.projects_states:
                    shapes[f"{cell}/W_P_0"] = (self.lstm_dim, width)
        return shapes


def lstm_cell_name(direction: int, layer: int) -> str:
    """Return the HDF5 group of one LSTM cell (direction 0 forward, 1 backward)."""
    return f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"


def read_options(path: Path) -> BiLmOptions:
    """Read an official ``options.json``.

    Raises:
        WeightsError: if the file is missing, is not JSON, or is not the options of a character biLM.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such options file; set encoder.options to an options.json") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise WeightsError(f"{path}: not a JSON options file ({error})") from None
    return parse_options(raw, source=str(path))


def parse_options(raw: Any, *, source: str) -> BiLmOptions:
    """Check a decoded ``options.json``.

    Args:
        raw: the decoded JSON.
        source: named in errors.

    Raises:
        WeightsError: naming the key and what was expected.
    """
    cnn = _section(raw, "char_cnn", source)
    lstm = _section(raw, "lstm", source)
    activation = cnn.get("activation", "relu")
    if activation not in ("relu", "tanh"):
        raise WeightsError(f"{source}: char_cnn.activation is {activation!r}; expected 'relu' or 'tanh'")
    skip = lstm.get("use_skip_connections", False)
    if not isinstance(skip, bool):
        raise WeightsError(f"{source}: lstm.use_skip_connections is {skip!r}; expected true or false")
    max_chars = _count(cnn, "max_characters_per_token", source, "char_cnn.", least=3)
    return BiLmOptions(
        char_dim=_count(_section(cnn, "embedding", source, "char_cnn."), "dim", source, "char_cnn.embedding."),
        filters=_filters(cnn.get("filters"), source, max_chars),
        activation=activation,
        n_highway=_count(cnn, "n_highway", source, "char_cnn.", default=0),
        max_chars=max_chars,
        lstm_dim=_count(lstm, "dim", source, "lstm."),
        projection_dim=_count(lstm, "projection_dim", source, "lstm."),
        n_layers=_count(lstm, "n_layers", source, "lstm.", default=1, least=1),
        cell_clip=_clip(lstm, "cell_clip", source),
        proj_clip=_clip(lstm, "proj_clip", source),
        use_skip_connections=skip,
    )


def _section(raw: Any, key: str, source: str, prefix: str = "") -> Mapping[str, Any]:
    value = raw.get(key) if isinstance(raw, Mapping) else None
    if not isinstance(value, Mapping):
        raise WeightsError(f"{source}: '{prefix}{key}' is missing; expected the options.json of a character biLM")
    return value


def _count(
    raw: Mapping[str, Any],
    key: str,
    source: str,
    prefix: str,
    *,
    default: int | None = None,
    least: int | None = None,
) -> int:
    value = raw.get(key, default)
    least = least if least is not None else (1 if default is None else default)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise WeightsError(f"{source}: {prefix}{key} is {value!r}; expected a whole number of at least {least}")
    return value


def _clip(lstm: Mapping[str, Any], key: str, source: str) -> float | None:
    value = lstm.get(key)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
        raise WeightsError(f"{source}: lstm.{key} is {value!r}; expected a positive number or null")
    return float(value)


def _filters(raw: Any, source: str, max_chars: int) -> tuple[tuple[int, int], ...]:
    pairs = raw if isinstance(raw, list | tuple) else []
    filters = [tuple(pair) if isinstance(pair, list | tuple) else () for pair in pairs]
    if not filters or not all(len(f) == 2 and all(type(n) is int and n > 0 for n in f) for f in filters):
        raise WeightsError(f"{source}: char_cnn.filters is {raw!r}; expected pairs like [[1, 32], [2, 32]]")
    if any(width > max_chars for width, _ in filters):
        raise WeightsError(
            f"{source}: char_cnn.filters is {raw!r}; expected widths of at most "
            f"char_cnn.max_characters_per_token, {max_chars}"
        )
    return tuple((int(width), int(count)) for width, count in filters)

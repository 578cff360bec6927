"""The official ``options.json`` of a biLM, read and checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import WeightsError
from harness.utils.text_files import read_json

NUM_CHARACTERS = 261  # number of ids in char_ids.py; the official file has no row for the mask id 0


# Far above every published model (2 layers, 2 highway layers, 7 filters, 50 characters, 94 million weights), so that a
# small file cannot ask for more memory or time than a machine has.
_MOST_LAYERS, _MOST_FILTERS, _MOST_CHARS, _MOST_WEIGHTS = 64, 256, 1000, 2**30


@dataclass(frozen=True, kw_only=True)
class BiLmOptions:
    """The architecture of a biLM: all options that change what it computes.

    Attributes:
        char_dim: Width of a character embedding.
        filters: The width and the number of the filters of each convolution.
        activation: The function applied after the maximum over positions, ``relu`` or ``tanh``.
        n_highway: Number of highway layers after the convolutions.
        max_chars: Number of character slots of a word.
        lstm_dim: Number of cells of each LSTM.
        projection_dim: Width of a word vector and of the output of each LSTM.
        n_layers: Number of LSTM layers in each direction.
        cell_clip: Bound on the absolute value of a cell; None for no clipping.
        proj_clip: Bound on the absolute value of a projected output; None for no clipping.
        use_skip_connections: Whether each layer after the first adds its input to its output.
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
        """Whether there is a projection between the convolutions and the LSTMs."""
        return self.n_filters != self.projection_dim

    @property
    def projects_states(self) -> bool:
        """Whether the output of an LSTM is projected; the format has no projection if the widths are equal."""
        return self.lstm_dim != self.projection_dim

    @property
    def n_weights(self) -> int:
        """Number of weights in the official file."""
        filters = sum((width * self.char_dim + 1) * count for width, count in self.filters)
        words = NUM_CHARACTERS * self.char_dim + filters + 2 * self.n_highway * (self.n_filters + 1) * self.n_filters
        words += (self.n_filters + 1) * self.projection_dim if self.projects_words else 0
        lstm = (2 * self.projection_dim + 1) * 4 * self.lstm_dim
        lstm += self.lstm_dim * self.projection_dim if self.projects_states else 0
        return words + 2 * self.n_layers * lstm


def read_options(path: Path) -> BiLmOptions:
    """Read an official ``options.json``.

    Raises:
        WeightsError: The file is missing, is not JSON, or does not hold the options of a character biLM.
    """
    raw = read_json(path, fix="set encoder.options to the options.json of a biLM", error=WeightsError)
    return parse_options(raw, source=str(path))


def parse_options(raw: Any, *, source: str) -> BiLmOptions:
    """Check the decoded contents of an ``options.json``.

    Args:
        raw: The decoded JSON.
        source: Where it comes from, for error messages.

    Raises:
        WeightsError: A key is missing or has a wrong value; the message names the key and what was expected.
    """
    root = _Section(raw, source)
    cnn, lstm = root.section("char_cnn"), root.section("lstm")
    max_chars = cnn.count("max_characters_per_token", least=3, most=_MOST_CHARS)
    cnn.value("filters", _are_pairs, "pairs like [[1, 32], [2, 32]]")
    widest = f"widths of at most char_cnn.max_characters_per_token, {max_chars}"
    filters = cnn.value("filters", lambda pairs: all(width <= max_chars for width, _ in pairs), widest)
    options = BiLmOptions(
        char_dim=cnn.section("embedding").count("dim"),
        filters=tuple((width, count) for width, count in filters),
        activation=cnn.value("activation", lambda name: name in ("relu", "tanh"), "'relu' or 'tanh'", "relu"),
        n_highway=cnn.count("n_highway", default=0, least=0, most=_MOST_LAYERS),
        max_chars=max_chars,
        lstm_dim=lstm.count("dim"),
        projection_dim=lstm.count("projection_dim"),
        n_layers=lstm.count("n_layers", default=1, most=_MOST_LAYERS),
        cell_clip=lstm.clip("cell_clip"),
        proj_clip=lstm.clip("proj_clip"),
        use_skip_connections=lstm.value("use_skip_connections", lambda v: isinstance(v, bool), "true or false", False),
    )
    if options.n_weights > _MOST_WEIGHTS:
        raise WeightsError(f"{source}: {options.n_weights:,} weights; expected sizes with at most {_MOST_WEIGHTS:,}")
    return options


@dataclass(frozen=True)
class _Section:
    """A section of the decoded options, with its source and key (``lstm.``) for error messages."""

    values: Any
    source: str
    prefix: str = ""

    def section(self, key: str) -> "_Section":
        """Return a section of this section."""
        value = self.values.get(key) if isinstance(self.values, Mapping) else None
        if not isinstance(value, Mapping):
            place = f"{self.source}: '{self.prefix}{key}'"
            raise WeightsError(f"{place} is missing; expected the options.json of a character biLM")
        return _Section(value, self.source, f"{self.prefix}{key}.")

    def value(self, key: str, valid: Callable[[Any], bool], expected: str, default: Any = None) -> Any:
        """Return a value if ``valid`` accepts it; the error says what was expected."""
        value = self.values.get(key, default)
        if not valid(value):
            raise WeightsError(f"{self.source}: {self.prefix}{key} is {value!r}; expected {expected}")
        return value

    def count(self, key: str, *, least: int = 1, most: int = 2**30, default: int | None = None) -> int:
        """Return a whole number from ``least`` to ``most``."""
        expected = f"a whole number of at least {least} and at most {most:,}"
        number: int = self.value(key, lambda value: type(value) is int and least <= value <= most, expected, default)
        return number

    def clip(self, key: str) -> float | None:
        """Return a positive number, or None for no clipping."""
        expected = "a positive number or null"
        value = self.value(key, lambda v: v is None or (type(v) in (int, float) and v > 0), expected)
        return None if value is None else float(value)


def _are_pairs(filters: Any) -> bool:
    """Return whether filters are a list of pairs of positive whole numbers, with 1 to ``_MOST_FILTERS`` pairs."""
    pairs = filters if isinstance(filters, list | tuple) else []
    return 1 <= len(pairs) <= _MOST_FILTERS and all(
        isinstance(pair, list | tuple) and len(pair) == 2 and all(type(n) is int and n > 0 for n in pair)
        for pair in pairs
    )

"""Tables: CSV, TSV and JSON lines, of which the columns that a task asks for are read."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, DataFormatError, nearest
from harness.utils.text_files import is_json, json_value, numbered_lines, suffix_of, tab_columns

Column = str | int  # its name in the header or in a JSON object; or its number: 1 is the first, -1 the last


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A column that a task asks for.

    Args:
        option: The option that names it, such as ``task.label``.
        names: The column; if there are several, the first that exists is read.
        optional: Whether a table may lack it. Its value is then None in every row.
    """

    option: str
    names: Sequence[Column]
    optional: bool = False


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is read of one row.

    Args:
        where: The file and the 1-based line where it starts.
        values: The value of each wanted column, by the name of its option: text, or any value of JSON lines.
        names: The name of the column that each value is from.
    """

    where: str
    values: Mapping[str, Any]
    names: Mapping[str, Column]


def read_table(path: Path, wanted: Sequence[Wanted]) -> Iterator[Row]:
    """Yield the rows of a table in file order; at least one.

    The name of the file tells the format: ``.jsonl`` (one JSON object on each line), ``.tsv`` or ``.csv``, also with
    ``.gz``. The first line tells it for other names. Semicolons separate the columns of a CSV file whose first line has
    no comma. In a CSV file, quoted values may hold separators, line ends and doubled quotes. In a TSV file, a quote is
    a character like any other.

    Args:
        path: A UTF-8 file, plain or ``.gz``.
        wanted: The columns to read. If they are numbers, the file has no header.

    Raises:
        ConfigError: Some columns are names and others are numbers, or JSON lines are asked for numbers.
        DataFormatError: The file cannot be read, has no rows or lacks a column, or a row is not in the format. The
            message names the file, the line and the column.
    """
    numbers = {isinstance(name, int) for column in wanted for name in column.names}
    if len(numbers) == 2:
        options = ", ".join(f"{column.option}={column.names[0]}" for column in wanted)
        raise ConfigError(f"{options}: give names for a file with a header, or numbers for a file without one")
    separator = _separator(path)
    if separator is not None:
        rows = _separated(path, separator, wanted, header=numbers == {False})
    elif numbers == {True}:
        raise ConfigError(f"{path}: JSON lines have names, not numbers; set {wanted[0].option}=NAME")
    else:
        rows = (_of_object(where, values, wanted) for where, values in json_objects(path))
    empty = True
    for row in rows:
        empty = False
        yield row
    if empty:
        raise DataFormatError(f"{path}: no rows in it; give a file with one example in each row")


def json_objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the place of each line of a file of JSON lines, and the object on it. Blank lines are skipped.

    Raises:
        DataFormatError: A line is not a JSON object.
    """
    fix = "write one JSON object on each line"
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        try:
            value = json_value(line)
        except json.JSONDecodeError as error:
            raise DataFormatError(
                f"{path}:{number}: not JSON ({error.msg} at character {error.pos + 1}); {fix}"
            ) from None
        if not isinstance(value, dict):
            raise DataFormatError(f"{path}:{number}: not a JSON object; {fix}")
        yield f"{path}:{number}", value


def _separator(path: Path) -> str | None:
    """Return what separates the columns of a file; None for JSON lines."""
    first = next((line for _, line in numbered_lines(path) if line.strip()), "")
    suffix = suffix_of(path)
    if is_json(path) or (suffix not in (".csv", ".tsv") and first.lstrip().startswith("{")):
        return None
    if suffix == ".tsv" or (suffix != ".csv" and "\t" in first):
        return "\t"
    return ";" if ";" in first and "," not in first else ","


def _separated(path: Path, separator: str, wanted: Sequence[Wanted], *, header: bool) -> Iterator[Row]:
    """Yield the rows of a CSV or TSV file."""
    indices: dict[str, int] = {}
    first: list[str] = []
    for number, cells in _cells(path, separator):
        where = f"{path}:{number}"
        if not first:
            first = [cell.strip() for cell in cells]
            indices = _indices(first, separator, wanted, where=where, header=header)
            if header:
                continue
        if len(cells) != len(first):
            raise DataFormatError(
                f"{where}: {len(cells)} column(s), but the first row has {len(first)}{_hint_of_width(separator)}"
            )
        values = {one.option: cells[indices[one.option]] if one.option in indices else None for one in wanted}
        names = {option: first[index] if header else index + 1 for option, index in indices.items()}
        yield Row(where=where, values=values, names=names)


def _cells(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line where each row starts, and its cells. Blank lines are skipped."""
    if separator == "\t":
        width = 0
        for number, line in numbered_lines(path):
            if line.strip():
                cells = tab_columns(line, width)
                width = width or len(cells)
                yield number, cells
        return
    reader = csv.reader((f"{line}\n" for _, line in numbered_lines(path)), delimiter=separator, strict=True)
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        if "new-line" in str(error):  # a carriage return without a line feed
            raise DataFormatError(f"{path}:{start}: a carriage return in a row; end each row by a line feed") from None
        raise DataFormatError(
            f"{path}:{start}: the row that starts here is not CSV ({error}); close every quote, write a quote inside a "
            "quoted value twice, or give JSON lines"
        ) from None


def _indices(
    first: Sequence[str], separator: str, wanted: Sequence[Wanted], *, where: str, header: bool
) -> dict[str, int]:
    """Return the index of each wanted column that the first row has."""
    found: dict[str, int] = {}
    for column in wanted:
        for name in column.names:
            if isinstance(name, int) and 1 <= abs(name) <= len(first):
                found.setdefault(column.option, name - 1 if name > 0 else len(first) + name)
            elif isinstance(name, str) and column.option not in found and first.count(name) > 1:
                raise DataFormatError(f"{where}: two columns have the name '{name}'; rename one of them")
            elif name in first:
                found.setdefault(column.option, first.index(str(name)))
        if column.option not in found and not column.optional:
            raise DataFormatError(f"{where}: {_missing(column, first)}{_hint(first, separator) if header else ''}")
    return found


def _of_object(where: str, values: Mapping[str, Any], wanted: Sequence[Wanted]) -> Row:
    """Return the wanted values of a JSON object."""
    names: dict[str, Column] = {}
    for column in wanted:
        for name in column.names:
            if name in values:
                names.setdefault(column.option, name)
        if column.option not in names and not column.optional:
            raise DataFormatError(f"{where}: {_missing(column, list(values))}")
    found = {one.option: values[str(names[one.option])] if one.option in names else None for one in wanted}
    return Row(where=where, values=found, names=names)


def _missing(column: Wanted, existing: Sequence[str]) -> str:
    """Return that a column is missing, and which ones exist."""
    names = " or ".join(f"'{name}'" if isinstance(name, str) else str(name) for name in column.names)
    shown = ", ".join(f"'{name}'" for name in existing)
    similar = nearest(str(column.names[0]), existing) if isinstance(column.names[0], str) else ""
    hint = similar if similar.startswith("; did") else ""
    return f"no column {names} among {shown or 'none'}{hint}; set {column.option}=COLUMN"


def _hint(first: Sequence[str], separator: str) -> str:
    """Return what else may be wrong if a header lacks a column."""
    text = separator.join(first)
    other = next((name for mark, name in ((";", "semicolons"), ("\t", "tabs"), (",", "commas")) if mark in text), "")
    if len(first) == 1 and other:
        return f", or, if {other} separate the columns, name the file .{'tsv' if other == 'tabs' else 'csv'}"
    return " (its number if the file has no header)"


def _hint_of_width(separator: str) -> str:
    """Return the end of the message that a row has another number of columns."""
    if separator == "\t":
        return "; separate the columns by one tab (quotes do not join lines in a TSV file, but they do in a CSV file)"
    return f"; put a value with '{separator}' in it between double quotes"

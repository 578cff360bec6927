"""Damage to the bytes of a file: what disks, editors, spreadsheets, downloads and strangers do to it.

A damage is a list of changes with seeds, which ``hypothesis`` draws and makes shorter when a reader fails.
"""

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any

from hypothesis import strategies as st

Change = Callable[[bytes, Random], bytes]
Damage = Sequence[tuple[str, int]]  # names of changes, and the seed of each

ODD_TEXT = (
    *("", " ", "\t", "\r", "\0", "\ufeff", "\u2028", "\xa0", "\x1b[2J", "é", "😀", "\x85", '"', "\\", "#", "# ", "-"),
    *("_", "(", ")", "[" * 3000, "{" * 300, "(3 " * 3000, "nan", "NaN", "-Infinity", "null", "true", "1e999", "-1"),
    *("0", "1.5", "9" * 5000, str(2**63), str(10**12), r"\ud83d", r"\u0000", "-DOCSTART- O", "../../x", "a" * 200_000),
    "${oc.env:HOME}",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 10**18, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf")),
    *("", " ", "x", "\0", "\ud83d", "é" * 300, "a\nb", "os.system", "-1", [], {}, [[]], [None], {"": None}, {"a": {}}),
)


def _nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def flip_bits(data: bytes, random: Random) -> bytes:
    """Flip a few bits."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8)) if data else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def cut(data: bytes, random: Random) -> bytes:
    """Keep the start, or remove a part."""
    start = random.randint(0, len(data))
    return data[:start] if random.random() < 0.5 else data[:start] + data[random.randint(start, len(data)) :]


def insert(data: bytes, random: Random) -> bytes:
    """Insert an odd text, or bytes that are no text."""
    place = random.randint(0, len(data))
    odd = random.choice(ODD_TEXT).encode() if random.random() < 0.8 else random.randbytes(random.choice((1, 4, 64)))
    return data[:place] + odd + data[place:]


def overwrite(data: bytes, random: Random) -> bytes:
    """Overwrite a few bytes by extreme ones, as they are in numbers of a binary file."""
    size, place = random.choice((1, 2, 4, 8, 16)), random.randint(0, len(data))
    return data[:place] + random.choice((b"\xff", b"\0", b"\x7f", b"\x80")) * size + data[place + size :]


def lines(data: bytes, random: Random) -> bytes:
    """Remove, repeat, exchange, join or empty lines."""
    rows = data.split(b"\n")
    one, other = random.randrange(len(rows)), random.randrange(len(rows))
    kind = random.randrange(5)
    if kind == 0:
        del rows[one]
    elif kind == 1:
        rows.insert(other, rows[one])
    elif kind == 2:
        rows[one], rows[other] = rows[other], rows[one]
    elif kind == 3:
        rows[one : one + 2] = [b"".join(rows[one : one + 2])]
    else:
        rows[one] = random.choice((b"", b" ", b"\t", b"\r"))
    return b"\n".join(rows)


def field(data: bytes, random: Random) -> bytes:
    """Replace a word or a column by an odd text."""
    rows = data.split(b"\n")
    one, by = random.randrange(len(rows)), random.choice((b"\t", b" ", b","))
    columns = rows[one].split(by)
    columns[random.randrange(len(columns))] = random.choice(ODD_TEXT).encode()
    rows[one] = by.join(columns)
    return b"\n".join(rows)


def json_node(data: bytes, random: Random) -> bytes:
    """Replace, remove or repeat a value of a JSON file, or of one line of JSON."""
    rows = [data, *data.split(b"\n")]
    number = random.choice((0, random.randrange(len(rows))))
    try:
        value = json.loads(rows[number])
    except (ValueError, RecursionError):
        return field(data, random)
    parents: list[Any] = [[value]]
    for node in parents:  # grows while it is read
        parents += [n for n in (node.values() if isinstance(node, dict) else node) if isinstance(n, dict | list) and n]
    parent = random.choice(parents)
    key = random.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
    if random.random() < 0.2 and parent is not parents[0]:
        del parent[key]
    elif isinstance(parent, list) and random.random() < 0.2:
        parent.append(parent[key])
    else:
        parent[key] = random.choice((*ODD_VALUES, _nested(random.choice((2, 500)))))
    changed = json.dumps(parents[0][0], ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    return changed if number == 0 else b"\n".join([*rows[1:number], changed, *rows[number + 1 :]])


def deep(data: bytes, random: Random) -> bytes:
    """Nest a file in brackets, more deeply than any program reads."""
    left, right = random.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"(3 ", b")")))
    depth = random.choice((100, 20_000))
    return left * depth + data + right * depth


def written_otherwise(data: bytes, random: Random) -> bytes:
    """Save a text as another program would: other line ends, a byte order mark, another encoding."""
    text = data.decode("utf-8", "replace")
    kind = random.randrange(5)
    if kind == 0:
        return data.replace(b"\n", b"\r\n")
    if kind == 1:
        return b"\xef\xbb\xbf" + data
    if kind == 2:
        return data.replace(b"\n", b"\r")
    encoding = "latin-1" if kind == 3 else random.choice(("utf-16", "utf-16-le", "utf-32", "utf-7"))
    return text.encode(encoding, "replace")


def packed(data: bytes, random: Random) -> bytes:
    """Compress a file, or put it into an archive; sometimes the end is cut off."""
    if random.random() < 0.5:
        whole = gzip.compress(data, mtime=0)
    else:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("inner.txt", data)
        whole = file.getvalue()
    return whole if random.random() < 0.7 else whole[: random.randint(0, len(whole))]


def grow(data: bytes, random: Random) -> bytes:
    """Repeat a part of the file many times."""
    start = random.randint(0, len(data))
    part = data[start : start + random.choice((1, 20, 200))]
    return data[:start] + part * (50_000 // max(1, len(part))) + data[start:]


CHANGES: dict[str, Change] = {
    change.__name__: change
    for change in (
        *(flip_bits, cut, insert, overwrite, lines, field, json_node, deep, written_otherwise, packed, grow),
    )
}
IN_A_LINE = ("flip_bits", "cut", "insert", "field", "json_node")


def damages(names: Sequence[str] = tuple(CHANGES)) -> st.SearchStrategy[Damage]:
    """Return a strategy for damages: one or two changes, one after another."""
    return st.lists(st.tuples(st.sampled_from(names), st.integers(0, 2**32 - 1)), min_size=1, max_size=2)


def damaged(data: bytes, damage: Damage) -> bytes:
    """Return the content of a file after some damage."""
    for name, seed in damage:
        data = CHANGES[name](data, Random(seed))
    return data


def changed_value(value: Any, random: Random) -> Any:
    """Replace or remove one value within nested dictionaries and lists; return the changed whole."""
    parents: list[Any] = [[value]]
    for node in parents:  # grows while it is read
        parents += [n for n in (node.values() if isinstance(node, dict) else node) if isinstance(n, dict | list) and n]
    parent = random.choice(parents[1:] or [{"value": value}])
    key = random.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
    if random.random() < 0.2:
        del parent[key]
    else:
        parent[key] = deepcopy(random.choice(ODD_VALUES))
    return value

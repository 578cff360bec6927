"""Make texts of records safe to show: a record may come from somebody else, and every name in it can be any text."""

from collections.abc import Iterable


def printable(text: str) -> str:
    """Return a text as one line, without characters that a terminal or a text editor obeys or hides."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def print_lines(texts: Iterable[str]) -> None:
    """Print each text as one line on stdout."""
    for text in texts:
        print(printable(text))  # noqa: T201

"""``python -m harness plain-text``: write the text of a published data set, to pre-train on."""

from collections.abc import Sequence
from pathlib import Path

from harness.pretrain.plain_text import FORMATS, write_plain_text
from harness.utils.console import CommandParser, exit_status_of


def main(arguments: Sequence[str]) -> int:
    """Run the command with the words after its name; return its exit status."""
    parser = CommandParser(
        prog="python -m harness plain-text",
        description="Write the text of a published data set without its labels. Each line of the result is a paragraph "
        "of raw text, for python -m harness pretrain text.tokenize=true. With the forms columns, semcor and trees, it "
        "is a tokenised sentence.",
    )
    add = parser.add_argument
    add("form", choices=sorted(FORMATS), metavar="FORM", help=f"The format of SOURCE: {', '.join(sorted(FORMATS))}.")
    add("source", type=Path, help="The published file, plain or .gz.")
    add("target", type=Path, help="The file to write, plain or .gz.")
    add("--only", metavar="ID", default="", help="For books: write only the book with this id.")
    add("--without", metavar="ID", default="", help="For books: leave out the book with this id, for evaluation.")
    add("--held-out", type=Path, metavar="FILE", help="Write the last hundredth of the text to this file instead.")
    add("--max-words", type=int, metavar="N", help="End the text after the paragraph that reaches N words.")
    chosen = parser.parse_args(arguments)
    return exit_status_of(
        lambda: print(f"{chosen.target}: {write_plain_text(**vars(chosen)):,} paragraphs")  # noqa: T201
    )

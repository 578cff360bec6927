"""Column files of named entities: the tokens of each sentence, and its tags converted to BIO."""

from pathlib import Path
from typing import Literal

from harness.types import Sentence
from tasks.common.column_files import Columns, read_columns
from tasks.common.tag_schemes import TagScheme
from tasks.common.tagged_sentences import in_bio


def read_tagged(
    path: Path, scheme: TagScheme | Literal["auto"] = "auto", columns: Columns | None = None
) -> list[tuple[Sentence, tuple[str, ...]]]:
    """Read a column file.

    Args:
        path: The file.
        scheme: The scheme of the tags, or ``auto`` to detect it.
        columns: The numbers of the columns of the token and of its tag; None for the first and the last.

    Returns:
        The tokens and the BIO tags of each sentence.

    Raises:
        ConfigError: The file has no such column.
        DataFormatError: The file is not in this format, a tag is ill-formed, or there is no entity. The message names
            the file and, if possible, the line.
    """
    return in_bio(read_columns(path, columns), path=path, scheme=scheme)

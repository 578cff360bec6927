"""Column files of named entities: the tokens of each sentence, and its tags converted to BIO."""

import logging
from pathlib import Path
from typing import Literal

from harness.errors import DataFormatError
from harness.types import Sentence
from tasks.common.column_files import Columns, read_columns
from tasks.common.tag_schemes import TagError, TagScheme, convert, detect

log = logging.getLogger(__name__)


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
    sentences = read_columns(path, columns)
    found = detect(s.tags for s in sentences) if scheme == "auto" else scheme
    log.info("%s: %s sentences, tags in %s", path.name, f"{len(sentences):,}", found)
    tagged = []
    for sentence in sentences:
        try:
            tagged.append((sentence.tokens, convert(sentence.tags, found, "bio")))
        except TagError as error:
            raise DataFormatError(
                f"{path}:{sentence.line + error.position}: {error}; correct the tag (the file was read as {found})"
            ) from None
    if all(tag == "O" for _, tags in tagged for tag in tags):
        raise DataFormatError(
            f"{path}: no entity in {len(tagged)} sentences, so F1 is undefined; "
            "put the tag in the last column, or set data.columns"
        )
    return tagged

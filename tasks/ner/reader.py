"""Files of named entities: the tokens of each sentence, and its tags converted to BIO."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from harness.types import Sentence
from harness.utils.text_files import is_json
from tasks.common.column_files import Columns, read_columns
from tasks.common.tag_schemes import TagScheme
from tasks.common.tagged_sentences import in_bio, read_json_sentences


def read_tagged(
    path: Path,
    scheme: TagScheme | Literal["auto"] = "auto",
    columns: Columns | None = None,
    *,
    labelled: bool = True,
) -> Sequence[tuple[Sentence, tuple[str, ...] | None]]:
    """Read a column file, or JSON lines such as ``{"tokens": ["Ann"], "tags": ["B-PER"]}``.

    Args:
        path: The file; it holds JSON lines if its name ends in ``.jsonl``.
        scheme: The scheme of the tags, or ``auto`` to detect it.
        columns: The numbers of the columns of the token and of its tag; None for the first and the last.
        labelled: Whether to read the tags.

    Returns:
        The tokens and the BIO tags of each sentence; None in place of tags that are not read.

    Raises:
        ConfigError: The file has no such column.
        DataFormatError: The file is not in this format, a tag is ill-formed, or there is no entity. The message names
            the file and, if possible, the line.
    """
    if is_json(path):
        sentences = read_json_sentences(path, tokens="tokens", tags="tags", labelled=labelled)
    else:
        sentences = read_columns(path, columns, labelled=labelled)
    if not labelled:
        return [(sentence.tokens, None) for sentence in sentences]
    return in_bio(sentences, path=path, scheme=scheme)

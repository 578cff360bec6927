"""Published data sets, downloaded once in a fixed revision (``data=official``).

None of them is part of the project. Each file is downloaded from its owners or from a public mirror, after its licence
has been logged; ``tasks/common/official_data_sets.py`` lists the addresses. A file with another digest is refused.
"""

import logging
import zipfile
from pathlib import Path

from harness.config.schema import LOCAL_FILES, DataConfig
from harness.errors import ConfigError, DataFormatError, DownloadError
from harness.types import Split
from harness.utils.download import fetch
from harness.utils.files import replacing
from tasks.common.official_data_sets import PUBLISHED, Row

log = logging.getLogger(__name__)


def official_rows(name: str, split: Split, *, cache_dir: str) -> list[Row]:
    """Return a split of a data set that is published as a table.

    Args:
        name: The name of the data set, with these keys in each row: ``conll2003`` (``tokens``, ``tags`` in BIO),
            ``snli`` (``premise``, ``hypothesis``, ``label``, which is ``-`` without a gold label), ``squad`` (``id``,
            ``title``, ``context``, ``question``, ``answers`` with ``text`` and ``answer_start``).
        split: The name of the split; ``squad`` has no public test set.
        cache_dir: The folder for downloads.

    Raises:
        ConfigError: There is no such split, or ``cache_dir`` is empty.
        DownloadError: The file cannot be downloaded, or it is not the published file.
        DataFormatError: The file has other columns or another number of rows than the published file.
    """
    published = PUBLISHED[name]
    path = official_file(name, split, cache_dir=cache_dir)
    rows = _read_table(path, published.columns)
    expected = published.files[split].rows
    if len(rows) != expected:
        raise DataFormatError(f"{path}: {len(rows):,} rows, expected {expected:,}; delete it to download it again")
    assert published.adapt is not None
    try:
        return [published.adapt(row) for row in rows]
    except (IndexError, TypeError, KeyError, ValueError) as error:
        raise DataFormatError(
            f"{path}: a row differs from the published format ({type(error).__name__}: {error}); "
            "delete the file to download it again"
        ) from None


def official_file(name: str, split: Split, *, cache_dir: str) -> Path:
    """Return the local copy of a published file; download it the first time.

    Args:
        name: ``ewt`` (CoNLL-U), ``sst5_trees`` (trees in brackets), or a data set that ``official_rows`` reads.
        split: The name of the split.
        cache_dir: The folder for downloads.

    Raises:
        ConfigError: There is no such split, or ``cache_dir`` is empty.
        DownloadError: The file cannot be downloaded, or it is not the published file.
        DataFormatError: The file is a damaged archive.
    """
    published = PUBLISHED[name]
    if not cache_dir:
        raise ConfigError("data.cache_dir is not given; choose data=official, which sets it")
    if split not in published.files:
        raise ConfigError(f"data=official: the {split} set of {published.title} is not public; add {LOCAL_FILES}")
    file = published.files[split]
    folder = Path(cache_dir).expanduser() / "official" / official_name(name)
    url = published.url(file)
    if not (folder / Path(file.path).name).exists():
        log.info("%s, %s: from %s; licence: %s", published.title, split, published.repository, published.licence)
    try:
        path = fetch(url, folder=folder, sha256=file.sha256)
    except DownloadError as error:
        raise DownloadError(f"data=official: {error}; or add {LOCAL_FILES}") from error
    return _member(path, file.member) if file.member else path


def official_name(name: str) -> str:
    """Return the name of a data set in tables and folders: its key in ``PUBLISHED`` and the start of its revision."""
    revision = PUBLISHED[name].revision
    return f"{name}@{revision[:7]}" if revision else name


def data_name(data: DataConfig, official: str) -> str:
    """Return the name of a task's data in tables; serves as ``Task.data_name``.

    Args:
        data: The data that the task reads.
        official: The name of the task's published data set.

    Returns:
        ``sample``, the name of the published data set with its revision, or the name of the folder of the local
        training data.
    """
    if data.source == "sample":
        return "sample"
    if data.source == "official":
        return official_name(official)
    train = data.path("train").resolve()
    return train.name if train.is_dir() else train.parent.name


def _read_table(path: Path, columns: tuple[str, ...]) -> list[Row]:
    """Return the rows of a Parquet file as dictionaries with these columns."""
    import pyarrow
    from pyarrow import parquet

    try:
        names = parquet.read_schema(path).names
        if missing := [column for column in columns if column not in names]:
            raise DataFormatError(
                f"{path}: no column '{missing[0]}' among {', '.join(names)}; delete it to download it again"
            )
        rows: list[Row] = parquet.read_table(path, columns=list(columns)).to_pylist()
    except PermissionError:
        raise DataFormatError(f"{path}: not readable by you; set cache_dir=DIR") from None
    except (pyarrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise DataFormatError(f"{path}: not a table ({reason}); delete it to download it again") from None
    return rows


def _member(archive: Path, name: str) -> Path:
    """Return a file of an archive, unpacked into the same folder."""
    target = archive.parent / Path(name).name
    if not target.exists():
        try:
            content = zipfile.ZipFile(archive).read(name)
        except (zipfile.BadZipFile, KeyError, OSError) as error:
            raise DataFormatError(
                f"{archive}: cannot unpack {name} ({error}); delete it to download it again"
            ) from None
        with replacing(target) as temporary:
            temporary.write_bytes(content)
    return target

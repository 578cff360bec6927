"""The files of a biLM in one folder or one zip, as the NLPL repository distributes them."""

import shutil
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import WeightsError
from harness.utils.download import local_file
from harness.utils.files import file_digest, replacing

_OPTIONS = "options.json"
_MOST_BYTES = 2**33  # far above every published model
_EXPECTED = f"expected {_OPTIONS} and one .hdf5 file, as in the models of the NLPL repository"


def files_of_model(path: str, *, folder: Path) -> tuple[Path, Path]:
    """Return the paths of the options and the weights of a model.

    Args:
        path: A folder, or the path or URL of a zip. Other files in it, such as ``vocab.txt``, are ignored.
        folder: Where downloads and the files of a zip are kept.

    Raises:
        WeightsError: There is no such file, or it holds no model.
        DownloadError: A URL cannot be downloaded.
    """
    options, weights = unpacked(path, folder=folder, choose=_options_and_weights).values()
    return options, weights


def unpacked(path: str, *, folder: Path, choose: Callable[[Sequence[str], Path], Sequence[str]]) -> dict[str, Path]:
    """Return the paths of some files of a folder or zip, by name.

    Args:
        path: A folder, or the path or URL of a zip.
        folder: Where downloads and the files of a zip are kept.
        choose: Given all names and the path, for error messages, it returns the names of the files.

    Raises:
        WeightsError: There is no such folder or zip, or it is damaged.
        DownloadError: A URL cannot be downloaded.
    """
    source = local_file(path, folder=folder)
    if source.is_dir():
        return {name: source / name for name in choose([found.name for found in source.iterdir()], source)}
    if not source.is_file():
        raise WeightsError(f"{source}: no such folder or zip; set encoder.path to one of a biLM")
    target = folder / f"{source.stem}-{file_digest(source)[:16]}"
    try:
        with zipfile.ZipFile(source) as archive:
            members = {Path(name).name: archive.getinfo(name) for name in archive.namelist() if not name.endswith("/")}
            names = choose(list(members), source)
            for name in names:
                if members[name].file_size > _MOST_BYTES:
                    raise WeightsError(f"{source}: {name} has {members[name].file_size:,} bytes; this is no biLM")
                if not (target / name).exists():
                    _extract(archive, members[name], target / name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise WeightsError(f"{source}: not a readable zip ({error}); download it again") from None
    return {name: target / name for name in names}


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    """Write one file of a zip to a path; reading it to its end also checks its CRC."""
    with archive.open(member) as packed, replacing(path) as temporary, temporary.open("wb") as file:
        shutil.copyfileobj(packed, file)


def _options_and_weights(names: Sequence[str], source: Path) -> list[str]:
    """Return the names of the files with the options and the weights."""
    weights = [name for name in names if name.endswith(".hdf5")]
    if _OPTIONS not in names or len(weights) != 1:
        raise WeightsError(f"{source}: it holds {', '.join(sorted(names)[:5]) or 'nothing'}; {_EXPECTED}")
    return [_OPTIONS, weights[0]]

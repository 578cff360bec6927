"""Download a public file once: resume an interrupted download, and check every later use against the first digest."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import requests

from harness.errors import ConfigError, DownloadError, HarnessError
from harness.utils.console import progress_of_bytes
from harness.utils.files import file_digest, write_json
from harness.utils.locks import ProcessLock
from harness.utils.text_files import read_json

log = logging.getLogger(__name__)

TIMEOUT = (10, 60)  # seconds: for the connection, and for each piece of the body
CHUNK = 1 << 16  # bytes per write; a broken connection loses less than this

_forbidden = False  # inside of ``no_downloads``


class NotDownloaded(HarnessError):
    """A file that would have to be downloaded is wanted inside of ``no_downloads``."""


@contextmanager
def no_downloads() -> Iterator[None]:
    """Let ``fetch`` raise ``NotDownloaded`` for a file that is not here yet."""
    global _forbidden
    before, _forbidden = _forbidden, True
    try:
        yield
    finally:
        _forbidden = before


def local_file(source: str, *, folder: Path) -> Path:
    """Return the path of a local file, or download a URL and return the path of the copy.

    Args:
        source: A path or a URL.
        folder: The folder that keeps downloaded files.

    Raises:
        ConfigError, DownloadError: As for ``fetch``.
    """
    return fetch(source, folder=folder) if "://" in source else Path(source).expanduser()


def fetch(url: str, *, folder: Path, sha256: str | None = None) -> Path:
    """Return the local copy of a public file; download it the first time.

    ``<file>.sha256`` next to the file records the digest of the first use, and every later use is checked against it.
    An interrupted download leaves ``<file>.part``, and the next call resumes it.

    Args:
        url: An http or https address whose last part is the name of the file.
        folder: The folder that keeps the file; it is created if it does not exist.
        sha256: The published digest of the file in hex, if known.

    Returns:
        The path of the complete file in ``folder``.

    Raises:
        ConfigError: The URL names no file.
        DownloadError: The file cannot be downloaded or written, or its digest is not the published or recorded one.
    """
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    if name in ("", "..") or not name.isprintable():
        raise ConfigError(f"the URL '{url}' names no file; give the address of a file")
    target = folder / name
    record = folder / f"{name}.sha256"
    if _forbidden and not target.exists():
        raise NotDownloaded(f"would first download {url}; until then, the cost is unknown")
    try:
        if not target.exists():  # no lock for what is finished, so that the folder may be read only
            folder.mkdir(parents=True, exist_ok=True)
            with ProcessLock(folder / f"{name}.lock").held():
                if not target.exists():
                    log.info("downloading %s to %s", url, target)
                    record.unlink(missing_ok=True)  # it describes a deleted file, perhaps deleted because it was wrong
                    _download(url, target)
        _verify(target, url=url, record=record, published=sha256)
    except requests.RequestException as error:
        raise DownloadError(
            f"cannot download {url}: {_reason(error)}; check the address and the connection and run again "
            f"(the download resumes), or download it by hand and give its local path (or save it as {target})"
        ) from error
    except PermissionError as error:
        raise DownloadError(f"{error.filename}: you may not read or write it; set cache_dir=DIR") from error
    except OSError as error:
        raise DownloadError(
            f"cannot store {url} in {folder}: {error.strerror or error}; free some space or choose another cache_dir"
        ) from error
    return target


def sha256_of(path: Path, *, record: Path) -> str:
    """Return the SHA-256 of a file; compute it only if its size or time differs from the recorded one.

    Args:
        path: The file.
        record: A small JSON file that stores size, time and digest; it is created or updated, if that is possible.

    Raises:
        DownloadError: The record exists, but was not written by this program.
        OSError: The file cannot be read.
    """
    known = _read_record(record)
    entry = _entry(path, known)
    _remember(record, entry, known)
    return str(entry["sha256"])


def _download(url: str, target: Path) -> None:
    """Download ``url`` to ``target``; resume ``<target>.part`` if the server still has the same version of the file.

    The server's mark of the version (ETag or date) is stored next to the part and sent as If-Range, so that two
    versions are never joined: a server whose file has changed, or that does not support ranges, sends the whole file.
    Without such a mark, the download starts again.
    This is our own code because requests cannot resume a download.

    Source: RFC 9110, sections 13.1.5 (If-Range) and 14 (Range Requests).
    """
    part = target.with_name(f"{target.name}.part")
    version = part.with_name(f"{part.name}.version")
    headers = {"Accept-Encoding": "identity"}  # no compression, so that lengths count the bytes of the file
    done = part.stat().st_size if part.exists() else 0
    if done and (mark := _version_of(version)):
        headers |= {"Range": f"bytes={done}-", "If-Range": mark}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        partial_content = response.status_code == requests.codes.partial_content
        fits = response.headers.get("Content-Range", "").startswith(f"bytes {done}-")
        refused = response.status_code == requests.codes.requested_range_not_satisfiable
        if done and (refused or (partial_content and not fits)):
            part.unlink()  # the server cannot continue this part: start again
            return _download(url, target)
        response.raise_for_status()
        if not partial_content:
            done = 0
            part.unlink(missing_ok=True)
            etag = response.headers.get("ETag", "W/")  # If-Range does not accept a weak ETag, which starts with W/
            version.write_text(response.headers.get("Last-Modified", "") if etag.startswith("W/") else etag)
        length = response.headers.get("Content-Length")
        total = done + int(length) if length and length.isdecimal() else None
        with part.open("ab") as file, progress_of_bytes(target.name, total) as show:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                show(file.tell())
    size = part.stat().st_size
    if total is not None and size != total:
        raise requests.ConnectionError(f"the connection was lost after {size} of {total} bytes")
    part.replace(target)
    version.unlink(missing_ok=True)


def _version_of(path: Path) -> str:
    """Return the version that a part belongs to, as it is sent in a header; empty if it is not known."""
    mark = path.read_bytes().decode("latin-1") if path.exists() else ""
    return mark if mark.isascii() and mark.isprintable() else ""


def _verify(path: Path, *, url: str, record: Path, published: str | None) -> None:
    """Compare the digest of a file with the published one and with the one recorded at its first use."""
    known = _read_record(record)
    if published is None and known.get("url", url) != url:
        raise DownloadError(f"{path} was downloaded from {known['url']}, not {url}; delete it to download it again")
    entry = {"url": url} | _entry(path, known)
    for expected, origin in ((published, f"the file published at {url}"), (known.get("sha256"), "the file first used")):
        if expected not in (None, entry["sha256"]):
            raise DownloadError(
                f"{path} is not {origin}: its sha256 is {entry['sha256'][:12]}..., "
                f"expected {expected[:12]}...; delete it to download it again"
            )
    _remember(record, entry, known)


def _remember(record: Path, entry: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Write a record if it has changed. Without it, only the digest is computed again at the next use."""
    if entry != known:
        try:
            write_json(record, entry)
        except OSError as error:
            log.info("%s cannot be written (%s); the digest is computed again at each use", record, error.strerror)


def _entry(path: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the size, time and digest of a file; compute the digest only if size or time has changed."""
    status = path.stat()
    stamp = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    if stamp.items() <= known.items():
        return dict(known)
    return stamp | {"sha256": file_digest(path)}


def _read_record(record: Path) -> dict[str, Any]:
    """Return the content of a record; an empty dictionary if there is none that this user can read."""
    if not os.access(record, os.R_OK):
        return {}
    known: Any = read_json(record, fix="delete it", error=DownloadError)
    if not (isinstance(known, dict) and isinstance(known.get("sha256"), str) and isinstance(known.get("url", ""), str)):
        raise DownloadError(f"{record} was not written by this program; delete it")
    return known


def _reason(error: requests.RequestException) -> str:
    """Return in a few words why a download failed; the innermost cause is the most specific."""
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    cause: BaseException = error
    while cause.__context__ is not None:
        cause = cause.__context__
    return " ".join(str(cause).split()) or type(cause).__name__

"""Fetch a public file once: resumed when it broke off, checked against its first digest ever after."""

import json
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import pooch
import requests
from filelock import FileLock

from harness.errors import ConfigError, DownloadError
from harness.utils.console import progress_of_bytes
from harness.utils.files import file_digest, write_json

log = logging.getLogger(__name__)

TIMEOUT = (10, 60)  # seconds: to connect, between two pieces of the body
CHUNK = 1 << 16  # bytes; what a broken connection can lose


def local_file(source: str, *, folder: Path) -> Path:
    """Return the path of ``source``, a path itself or a URL whose file is fetched into ``folder`` first."""
    return fetch(source, folder=folder) if "://" in source else Path(source).expanduser()


def fetch(url: str, *, folder: Path, sha256: str | None = None) -> Path:
    """Return the local copy of a public file, downloading it the first time.

    ``<file>.sha256`` beside the file holds the digest of its first use; every later use is checked
    against it. A download that breaks off leaves ``<file>.part``, which the next call continues.

    Args:
        url: http or https address; its last part names the file.
        folder: where the file is kept.
        sha256: the digest that the published file is known to have.

    Returns:
        The path of the complete file in ``folder``.

    Raises:
        ConfigError: the URL names no file.
        DownloadError: the file cannot be fetched or written, or is not the published one or the one first fetched.
    """
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    if not name:
        raise ConfigError(f"the URL '{url}' names no file; give the address of a file")
    target = folder / name
    record = folder / f"{name}.sha256"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{name}.lock"):
            if not target.exists():
                log.info("downloading %s to %s", url, target)
                record.unlink(missing_ok=True)  # of a file that was deleted, perhaps because it was wrong
                _download(url, target)
            _verify(target, url=url, record=record, published=sha256)
    except requests.RequestException as error:
        raise DownloadError(
            f"cannot download {url}: {_reason(error)}; check address and connection and run again "
            f"(it resumes), or download it by hand and give its local path (or save it as {target})"
        ) from error
    except OSError as error:
        raise DownloadError(
            f"cannot keep {url} in {folder}: {error.strerror or error}; make room there or choose another cache_dir"
        ) from error
    return target


def sha256_of(path: Path, *, record: Path) -> str:
    """Return a file's sha256, hashing it only where its size or time differ from those recorded.

    Args:
        path: the file.
        record: the small JSON file that remembers the digest.

    Raises:
        DownloadError: the record is not one of ours.
        OSError: the file cannot be read or the record cannot be written.
    """
    known = _read_record(record)
    entry = _entry(path, known)
    if entry != known:
        write_json(record, entry)
    return str(entry["sha256"])


def _download(url: str, target: Path) -> None:
    """Let pooch fetch one file through `_resume`; it moves the file into place when it is complete."""
    pooch.get_logger().setLevel(logging.WARNING)  # it would repeat our own line
    fetcher = pooch.create(path=target.parent, base_url="", registry={target.name: None}, urls={target.name: url})
    fetcher.fetch(target.name, downloader=partial(_resume, part=target.with_name(f"{target.name}.part")))


def _resume(url: str, output: str, _pooch: object, *, part: Path) -> None:
    """Download ``url`` to ``output``, continuing ``part`` where the server still has the same file.

    The server's mark of the version (ETag or date) is kept beside the part and sent as If-Range, so
    that two versions are never joined: a server whose file has changed answers with the whole of it,
    as does one that knows no ranges.

    Source: RFC 9110, sections 13.1.5 (If-Range) and 14 (Range Requests).
    """
    version = part.with_name(f"{part.name}.version")
    headers = {"Accept-Encoding": "identity"}  # so that lengths count the bytes of the file
    done = part.stat().st_size if part.exists() else 0
    if done:
        headers["Range"] = f"bytes={done}-"
        if version.exists():
            headers["If-Range"] = version.read_text()
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        partial_content = response.status_code == requests.codes.partial_content
        fits = response.headers.get("Content-Range", "").startswith(f"bytes {done}-")
        refused = response.status_code == requests.codes.requested_range_not_satisfiable
        if done and (refused or (partial_content and not fits)):
            part.unlink()  # it is of no use: start again
            return _resume(url, output, _pooch, part=part)
        response.raise_for_status()
        if not partial_content:
            done = 0
            part.unlink(missing_ok=True)
            _keep_version(response, version)
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        with part.open("ab") as file, progress_of_bytes(part.stem, total) as show:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                show(file.tell())
    size = part.stat().st_size
    if total is not None and size != total:
        raise requests.ConnectionError(f"the connection broke off at {size} of {total} bytes")
    part.replace(output)
    version.unlink(missing_ok=True)


def _keep_version(response: requests.Response, path: Path) -> None:
    """Write the mark by which the server will know this version again, if it gives one fit for If-Range."""
    mark = response.headers.get("ETag", "W/")
    mark = response.headers.get("Last-Modified", "") if mark.startswith("W/") else mark  # W/: a weak ETag
    if mark:
        path.write_text(mark)
    else:
        path.unlink(missing_ok=True)


def _verify(path: Path, *, url: str, record: Path, published: str | None) -> None:
    """Compare a file's digest with the published one and with that of its first use, which is recorded."""
    known = _read_record(record)
    if published is None and known.get("url", url) != url:
        raise DownloadError(f"{path} was downloaded from {known['url']}, not from {url}; delete it to download it anew")
    entry = {"url": url} | _entry(path, known)
    if published not in (None, entry["sha256"]):
        raise DownloadError(
            f"{path} is not the file published at {url}: its sha256 is {entry['sha256'][:12]}..., "
            f"published was {published[:12]}...; delete it to download it anew"
        )
    if known and entry["sha256"] != known["sha256"]:
        raise DownloadError(
            f"{path} has changed since its first use: its sha256 is {entry['sha256'][:12]}..., "
            f"recorded was {known['sha256'][:12]}...; delete it to download it anew"
        )
    if entry != known:
        write_json(record, entry)


def _entry(path: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file's size, time and digest; the known ones where size and time have not changed."""
    status = path.stat()
    stamp = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    if stamp.items() <= known.items():
        return dict(known)
    return stamp | {"sha256": file_digest(path)}


def _read_record(record: Path) -> dict[str, Any]:
    """Return what a record holds; empty where there is none."""
    if not record.exists():
        return {}
    try:
        known = json.loads(record.read_text())
        return {"sha256": known["sha256"]} | known
    except (ValueError, TypeError, KeyError) as error:
        raise DownloadError(f"{record} is not a record of this program; delete it") from error


def _reason(error: requests.RequestException) -> str:
    """Return in a few words why a download failed: the innermost cause says it best."""
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    cause: BaseException = error
    while cause.__context__ is not None:
        cause = cause.__context__
    return " ".join(str(cause).split()) or type(cause).__name__

"""Downloads, against a small HTTP server in a thread."""

import hashlib
import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.errors import ConfigError, DownloadError
from harness.utils import download
from harness.utils.download import fetch, sha256_of
from tests.support.privileges import modes_hold

BODY = b"".join(number.to_bytes(4) for number in range(80_000))  # five chunks


class Server(ThreadingHTTPServer):
    """Serves ``body`` at every address except /missing; its attributes make it fail in different ways."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = BODY
        self.knows_ranges = True
        self.names_version = True
        self.cut = 0  # bytes that are announced but not sent
        self.wrong_range = False
        self.requests: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/some/vectors.txt"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        site = self.server
        site.requests.append(dict(self.headers))
        if self.path == "/missing":
            self.send_error(404)
            return
        etag = f'"{hashlib.md5(site.body).hexdigest()}"'
        start = self.wanted_start(etag)
        if start >= len(site.body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            shown = start + 1 if site.wrong_range else start
            self.send_header("Content-Range", f"bytes {shown}-{len(site.body) - 1}/{len(site.body)}")
        if site.names_version:
            self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(site.body) - start))
        self.end_headers()
        self.wfile.write(site.body[start : len(site.body) - site.cut])

    def wanted_start(self, etag: str) -> int:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        fresh = self.headers.get("If-Range", etag) == etag
        return int(asked.group(1)) if asked and fresh and self.server.knows_ranges else 0

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as site:
        thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield site
        site.shutdown()
        thread.join()


def failure(url: str, folder: Path) -> str:
    """Return the one-line message with which ``fetch`` fails."""
    with pytest.raises(DownloadError) as caught:
        fetch(url, folder=folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_is_fetched_once_and_its_digest_is_recorded(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = fetch(server.url, folder=tmp_path / "new")
    assert path == tmp_path / "new" / "vectors.txt"
    assert path.read_bytes() == BODY
    record = json.loads(path.with_name("vectors.txt.sha256").read_text())
    assert record["sha256"] == hashlib.sha256(BODY).hexdigest()
    assert fetch(server.url, folder=tmp_path / "new") == path
    assert len(server.requests) == 1
    assert {file.suffix for file in path.parent.iterdir()} <= {".txt", ".sha256", ".lock"}
    assert capfd.readouterr() == ("", "")  # no bar, as this is not a terminal


def test_an_interrupted_download_is_resumed(server: Server, tmp_path: Path) -> None:
    server.cut = 1000
    message = failure(server.url, tmp_path)
    assert server.url in message
    assert "resume" in message
    assert not (tmp_path / "vectors.txt").exists()
    received = (tmp_path / "vectors.txt.part").stat().st_size
    assert len(BODY) - 1000 - download.CHUNK < received <= len(BODY) - 1000
    server.cut = 0
    assert fetch(server.url, folder=tmp_path).read_bytes() == BODY
    assert server.requests[1]["Range"] == f"bytes={received}-"
    assert list(tmp_path.glob("*.part*")) == []


def test_a_part_of_an_older_version_is_not_joined_to_a_newer_one(server: Server, tmp_path: Path) -> None:
    server.cut = 1000
    failure(server.url, tmp_path)
    server.cut, server.body = 0, BODY[::-1]
    assert fetch(server.url, folder=tmp_path).read_bytes() == BODY[::-1]


@pytest.mark.parametrize("version", [None, b"", b'"a"\r\nX: y', b"\xff\xfe"])
def test_a_part_without_a_known_version_starts_again(server: Server, tmp_path: Path, version: bytes | None) -> None:
    (tmp_path / "vectors.txt.part").write_bytes(b"an older version")
    if version is not None:
        (tmp_path / "vectors.txt.part.version").write_bytes(version)
    assert fetch(server.url, folder=tmp_path).read_bytes() == BODY
    assert "Range" not in server.requests[0]
    assert list(tmp_path.glob("*.part*")) == []


def test_a_server_that_names_no_version_is_not_asked_to_resume(server: Server, tmp_path: Path) -> None:
    server.names_version, server.cut = False, 1000
    failure(server.url, tmp_path)
    server.cut, server.body = 0, BODY[::-1]
    assert fetch(server.url, folder=tmp_path).read_bytes() == BODY[::-1]
    assert "Range" not in server.requests[1]


def write_part(folder: Path, content: bytes) -> None:
    """Write what an interrupted download of ``BODY`` leaves."""
    (folder / "vectors.txt.part").write_bytes(content)
    (folder / "vectors.txt.part.version").write_text(f'"{hashlib.md5(BODY).hexdigest()}"')


def test_a_server_without_ranges_sends_the_whole_file(server: Server, tmp_path: Path) -> None:
    server.knows_ranges = False
    write_part(tmp_path, BODY[:300])
    assert fetch(server.url, folder=tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("size", [len(BODY), len(BODY) + 5])
def test_a_part_that_cannot_be_resumed_is_deleted(server: Server, tmp_path: Path, size: int) -> None:
    write_part(tmp_path, b"x" * size)
    assert fetch(server.url, folder=tmp_path).read_bytes() == BODY


def test_an_answer_with_another_range_is_not_used(server: Server, tmp_path: Path) -> None:
    server.wrong_range = True
    write_part(tmp_path, b"x" * 300)
    assert fetch(server.url, folder=tmp_path).read_bytes() == BODY


def test_a_file_that_changed_after_its_first_use_is_refused(server: Server, tmp_path: Path) -> None:
    path = fetch(server.url, folder=tmp_path)
    path.write_bytes(b"other content")
    message = failure(server.url, tmp_path)
    assert str(path) in message
    assert hashlib.sha256(BODY).hexdigest()[:12] in message
    assert hashlib.sha256(b"other content").hexdigest()[:12] in message
    assert "delete it" in message
    failure(server.url, tmp_path)  # the refusal is not itself a first use
    path.unlink()
    server.body = b"published again"
    assert fetch(server.url, folder=tmp_path).read_bytes() == b"published again"


def test_a_file_that_is_not_the_published_one_is_refused(server: Server, tmp_path: Path) -> None:
    published = hashlib.sha256(BODY).hexdigest()
    server.body = b"a page that asks for a password"
    for _ in range(2):  # the refusal is not itself a first use
        with pytest.raises(DownloadError, match=r"not the file published at .*delete it to download it again") as error:
            fetch(server.url, folder=tmp_path, sha256=published)
    assert published[:12] in str(error.value)
    (tmp_path / "vectors.txt").unlink()
    server.body = BODY
    assert fetch(server.url, folder=tmp_path, sha256=published).read_bytes() == BODY


def test_a_file_is_hashed_again_only_if_size_or_time_differs(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fetch(server.url, folder=tmp_path)
    hashed = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *args: hashed.append(1) or digest(*args))
    fetch(server.url, folder=tmp_path)
    assert not hashed
    os.utime(path, ns=(1, 1))
    fetch(server.url, folder=tmp_path)
    fetch(server.url, folder=tmp_path)
    assert len(hashed) == 1


def test_a_file_that_was_copied_by_hand_is_used(server: Server, tmp_path: Path) -> None:
    (tmp_path / "vectors.txt").write_bytes(b"by hand")
    assert fetch(server.url, folder=tmp_path).read_bytes() == b"by hand"
    assert not server.requests


def test_a_second_address_with_the_same_file_name_is_refused(server: Server, tmp_path: Path) -> None:
    fetch(server.url, folder=tmp_path)
    other = server.url.replace("/some/", "/other/")
    message = failure(other, tmp_path)
    assert server.url in message
    assert other in message
    assert fetch(other, folder=tmp_path, sha256=hashlib.sha256(BODY).hexdigest()).read_bytes() == BODY  # a mirror


def test_a_record_of_another_program_is_refused(server: Server, tmp_path: Path) -> None:
    fetch(server.url, folder=tmp_path)
    for content in (b"0123abcd  vectors.txt\n", b"", b"[]", b"{}", b'{"sha256": 1}', b"\xff\xfe", b"\0", b"[" * 99_999):
        (tmp_path / "vectors.txt.sha256").write_bytes(content)
        message = failure(server.url, tmp_path)
        assert "vectors.txt.sha256" in message
        assert "delete it" in message


def test_a_finished_download_is_used_where_nothing_can_be_written(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "downloads"
    path = fetch(server.url, folder=folder)
    for lock in folder.glob("*.lock"):
        lock.chmod(0o000)
    folder.chmod(0o555)
    try:
        with modes_hold():
            assert fetch(server.url, folder=folder) == path
            os.utime(path, ns=(1, 1))  # the digest is computed again and cannot be remembered
            assert fetch(server.url, folder=folder) == path
            assert "set cache_dir=DIR" in failure(server.url.replace("vectors", "others"), folder)
        path.chmod(0o000)
        with modes_hold():
            assert f"{path}: you may not read or write it; set cache_dir=DIR" in failure(server.url, folder)
    finally:
        folder.chmod(0o755)


def test_missing_and_unreachable_addresses_are_named(server: Server, tmp_path: Path) -> None:
    missing = server.url.replace("/some/vectors.txt", "/missing")
    assert "404" in (message := failure(missing, tmp_path))
    assert missing in message
    assert "by hand" in message
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}/file.txt"
        assert "refused" in (message := failure(closed, tmp_path))
    assert closed in message
    assert "by hand" in message
    assert "connection adapters" in failure("gopher://127.0.0.1/file.txt", tmp_path)


def test_a_silent_server_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert download.TIMEOUT[0] <= 10
    monkeypatch.setattr(download, "TIMEOUT", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        message = failure(f"http://127.0.0.1:{silent.getsockname()[1]}/file.txt", tmp_path)
    assert "timed out" in message


def test_an_address_without_a_file_name_and_a_folder_that_is_a_file_are_refused(server: Server, tmp_path: Path) -> None:
    for url in ("http://127.0.0.1/", "http://127.0.0.1/a/..", "http://127.0.0.1/a%00b"):
        with pytest.raises(ConfigError, match="names no file"):
            fetch(url, folder=tmp_path)
    (tmp_path / "file").touch()
    assert "cache_dir" in failure(server.url, tmp_path / "file")


def test_two_threads_download_a_file_once(server: Server, tmp_path: Path) -> None:
    threads = [threading.Thread(target=fetch, args=(server.url,), kwargs={"folder": tmp_path}) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "vectors.txt").read_bytes() == BODY
    assert len(server.requests) == 1


def test_a_recorded_digest_is_used_while_size_and_time_are_the_same(tmp_path: Path) -> None:
    file, record = tmp_path / "file", tmp_path / "records" / "file.json"
    file.write_bytes(b"one")
    assert sha256_of(file, record=record) == hashlib.sha256(b"one").hexdigest()
    written = file.stat().st_mtime_ns
    file.write_bytes(b"two")
    os.utime(file, ns=(written, written))
    assert sha256_of(file, record=record) == hashlib.sha256(b"one").hexdigest()
    os.utime(file, ns=(written, written + 1))
    assert sha256_of(file, record=record) == hashlib.sha256(b"two").hexdigest()

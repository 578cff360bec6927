"""data=official, against a small hub on this machine whose tables have the published columns."""

import hashlib
import io
import json
import logging
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import datasets
import pytest

from harness.config.schema import DataConfig
from harness.errors import ConfigError, DataFormatError, DownloadError, HarnessError
from tasks.common import official_data_sets as published
from tasks.common.official import data_name, official_file, official_name, official_rows
from tasks.common.official_data_sets import CONLL_TAGS, PUBLISHED
from tasks.ner.task import NamedEntityRecognition
from tests.support.privileges import modes_hold
from tests.support.runs import SMALL, config_of, small_run

ANSWERS = {"text": datasets.Value("string"), "answer_start": datasets.Value("int32")}
TABLES: dict[str, tuple[dict[str, list[Any]], datasets.Features]] = {
    "conll2003": (
        {
            "id": ["0", "1"],
            "tokens": [["EU", "rejects", "German", "call"], ["Peter", "Blackburn"]],
            "pos_tags": [[1, 2, 3, 1], [1, 1]],
            "ner_tags": [[3, 0, 7, 0], [1, 2]],
        },
        datasets.Features(
            {
                "id": datasets.Value("string"),
                "tokens": datasets.Sequence(datasets.Value("string")),
                "pos_tags": datasets.Sequence(datasets.Value("int64")),
                "ner_tags": datasets.Sequence(datasets.ClassLabel(names=list(CONLL_TAGS))),
            }
        ),
    ),
    "snli": (
        {"premise": ["A .", "B ."], "hypothesis": ["C .", "D ."], "label": [2, -1]},
        datasets.Features(
            {
                "premise": datasets.Value("string"),
                "hypothesis": datasets.Value("string"),
                "label": datasets.ClassLabel(names=["entailment", "neutral", "contradiction"]),
            }
        ),
    ),
    "squad": (
        {
            "id": ["q1", "q2"],
            "title": ["T", "T"],
            "context": ["Ann ran .", "Ann ran ."],
            "question": ["Who ?", "What ?"],
            "answers": [
                {"text": ["Ann"], "answer_start": [0]},
                {"text": ["ran", "ran ."], "answer_start": [4, 4]},
            ],
        },
        datasets.Features(
            {
                **dict.fromkeys(("id", "title", "context", "question"), datasets.Value("string")),
                "answers": datasets.Sequence(ANSWERS),
            }
        ),
    ),
}
EWT = "# sent_id = 1\n1\tAnn\tAnn\tPROPN\tNNP\t_\t2\tnsubj\t_\t_\n2\truns\trun\tVERB\tVBZ\t_\t0\troot\t_\t_\n\n"


def write(path: Path, content: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def content_of(name: str) -> bytes:
    if name == "ewt":
        return EWT.encode()
    buffer = io.BytesIO()
    if name == "sst5_trees":
        with zipfile.ZipFile(buffer, "w") as archive:
            for split in ("train", "dev", "test"):
                archive.writestr(f"trees/{split}.txt", f"(2 (2 {split}) (2 .))\n")
        return buffer.getvalue()
    values, features = TABLES[name]
    datasets.Dataset.from_dict(values, features=features).to_parquet(buffer)
    return buffer.getvalue()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve every published file from this machine, small; yield the folder that is served."""
    root = tmp_path / "hub"
    handler = partial(SimpleHTTPRequestHandler, directory=str(root))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        address = f"http://127.0.0.1:{site.server_port}"
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setattr(published, "GITHUB", address)
        for name, one in PUBLISHED.items():
            small = replace(one, repository=f"{address}/web") if one.host == "web" else one
            content, files = content_of(name), {}
            for split, file in one.files.items():
                digest = write(root / small.url(file).removeprefix(f"{address}/"), content)
                files[split] = replace(file, sha256=digest, rows=2 if file.rows else None)
            monkeypatch.setitem(PUBLISHED, name, replace(small, files=files))
        thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield root
        site.shutdown()
        thread.join()


ROWS = {
    "conll2003": {"tokens": ["EU", "rejects", "German", "call"], "tags": ["B-ORG", "O", "B-MISC", "O"]},
    "snli": {"premise": "A .", "hypothesis": "C .", "label": "contradiction"},
    "squad": {
        "id": "q1",
        "title": "T",
        "context": "Ann ran .",
        "question": "Who ?",
        "answers": [{"text": "Ann", "answer_start": 0}],
    },
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_are_plain_values_with_fixed_keys(name: str, hub: Path, tmp_path: Path) -> None:
    for split in PUBLISHED[name].files:
        rows = official_rows(name, split, cache_dir=str(tmp_path / "cache"))
        assert len(rows) == 2
        assert rows[0] == ROWS[name]
        assert json.loads(json.dumps(rows)) == rows
    if name == "snli":
        assert rows[1]["label"] == "-"
    if name == "squad":
        assert rows[1]["answers"] == [{"text": "ran", "answer_start": 4}, {"text": "ran .", "answer_start": 4}]


def test_files_are_in_the_published_format(hub: Path, tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        assert official_file("ewt", split, cache_dir=str(tmp_path / "cache")).read_text() == EWT
        trees = official_file("sst5_trees", split, cache_dir=str(tmp_path / "cache"))
        assert trees.read_text() == f"(2 (2 {split}) (2 .))\n"


def test_a_download_happens_once_after_its_source_and_licence_are_logged(
    hub: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first = official_rows("snli", "dev", cache_dir=str(tmp_path / "cache"))
    said = [record.getMessage() for record in caplog.records]
    assert "Stanford Natural Language Inference" in said[0]
    assert "stanfordnlp/snli" in said[0]
    assert "licence: CC BY-SA 4.0" in said[0]
    assert "downloading http://127.0.0.1:" in said[1]
    assert "stanfordnlp/snli/resolve/cdb5c3d5eed6ead6e5a341c8e56e669bb666725b/" in said[1]
    caplog.clear()
    for path in hub.rglob("*.parquet"):
        path.unlink()
    assert official_rows("snli", "dev", cache_dir=str(tmp_path / "cache")) == first
    assert caplog.records == []


def test_downloads_are_used_where_nothing_can_be_written(hub: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"

    def everything() -> list[Any]:
        tables = [official_rows(name, "dev", cache_dir=str(cache)) for name in ROWS]
        return [*tables, *(official_file(name, "dev", cache_dir=str(cache)) for name in ("ewt", "sst5_trees"))]

    expected = everything()
    folders = [path for path in cache.rglob("*") if path.is_dir()]
    for lock in cache.rglob("*.lock"):
        lock.chmod(0o000)
    for folder in folders:
        folder.chmod(0o555)
    try:
        with modes_hold():
            assert everything() == expected
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_a_file_with_another_digest_is_refused(hub: Path, tmp_path: Path) -> None:
    for path in (hub / "datasets" / "stanfordnlp").rglob("*.parquet"):
        path.write_bytes(b"<html>please log in</html>")
    with pytest.raises(DownloadError, match=r"not the file published at .*data=files data\.train=") as caught:
        official_rows("snli", "dev", cache_dir=str(tmp_path / "cache"))
    assert "\n" not in str(caught.value)


def publish(hub: Path, name: str, content: bytes) -> None:
    """Serve another training file of a data set, as if it were the published one."""
    files = dict(PUBLISHED[name].files)
    path = Path(PUBLISHED[name].url(files["train"]).partition("//")[2].partition("/")[2])
    files["train"] = replace(files["train"], sha256=write(hub / path, content))
    PUBLISHED[name] = replace(PUBLISHED[name], files=files)


def parquet(table: dict[str, list[Any]]) -> bytes:
    buffer = io.BytesIO()
    datasets.Dataset.from_dict(table).to_parquet(buffer)
    return buffer.getvalue()


NOT_AS_PUBLISHED = [
    ("snli", parquet({"premise": ["A ."], "hypothesis": ["B ."], "label": [0]}), "1 rows, expected 2; delete it"),
    ("snli", parquet({"premise": ["A ."], "mark": [0]}), "no column 'hypothesis' among premise, mark; delete it"),
    ("squad", b"<html></html>", "not a table"),
    ("conll2003", parquet({"tokens": [["a"], ["b"]], "ner_tags": [[0], [9]]}), "a row differs from the published"),
]


@pytest.mark.parametrize(("name", "content", "message"), NOT_AS_PUBLISHED)
def test_other_rows_or_columns_than_the_published_are_refused(
    name: str, content: bytes, message: str, hub: Path, tmp_path: Path
) -> None:
    publish(hub, name, content)
    with pytest.raises(DataFormatError) as caught:
        official_rows(name, "train", cache_dir=str(tmp_path / "cache"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_split_that_is_not_public_and_a_missing_folder_are_errors(hub: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the test set of SQuAD 1.1 is not public; add data=files"):
        official_rows("squad", "test", cache_dir=str(tmp_path))
    with pytest.raises(ConfigError, match=r"data.cache_dir is not given; choose data=official"):
        official_rows("squad", "dev", cache_dir="")
    with pytest.raises(ConfigError, match=r"data=official: there is nothing to download; add data=files"):
        DataConfig(source="official").path("train")


def test_a_damaged_archive_is_an_error_of_one_line(hub: Path, tmp_path: Path) -> None:
    publish(hub, "sst5_trees", b"PK not an archive")
    with pytest.raises(DataFormatError, match=r"cannot unpack trees/train.txt .*delete it") as caught:
        official_file("sst5_trees", "train", cache_dir=str(tmp_path / "cache"))
    assert "\n" not in str(caught.value)


def test_every_revision_and_every_digest_is_complete() -> None:
    for name, one in PUBLISHED.items():
        assert one.host == "web" or len(bytes.fromhex(one.revision)) == 20, name
        assert one.licence
        assert set(one.files) >= {"train", "dev"}
        for file in one.files.values():
            assert len(bytes.fromhex(file.sha256)) == 32
            assert (file.rows is not None) == (one.adapt is not None)
    pinned = PUBLISHED["snli"]
    assert pinned.url(pinned.files["dev"]) == (
        "https://huggingface.co/datasets/stanfordnlp/snli/resolve/cdb5c3d5eed6ead6e5a341c8e56e669bb666725b/"
        "plain_text/validation-00000-of-00001.parquet"
    )


@pytest.mark.realdata
@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_the_digests_of_ewt_are_those_of_the_shared_files(split: str, shared: Path) -> None:
    import gzip

    content = gzip.decompress((shared / "data" / "pos" / f"en_ewt-ud-{split}.conllu.gz").read_bytes())
    assert hashlib.sha256(content).hexdigest() == PUBLISHED["ewt"].files[split].sha256  # type: ignore[index]


def test_names_in_tables() -> None:
    assert official_name("conll2003") == "conll2003@19edcb4"
    assert official_name("sst5_trees") == "sst5_trees"
    assert data_name(DataConfig(), "snli") == "sample"
    assert data_name(DataConfig(source="official"), "snli") == "snli@cdb5c3d"
    assert data_name(DataConfig(source="files", train="/data/mine/a.txt"), "snli") == "mine"


def test_a_run_on_official_data_names_it_in_its_record(hub: Path, tmp_path: Path) -> None:
    record = small_run(tmp_path, "data=official", "data.fraction=1", "trainer.max_epochs=1")
    assert record.status == "ok"
    assert record.data["name"] == "conll2003@19edcb4"
    assert record.data["sizes"] == {"train": 2, "dev": 2, "test": 2}
    lines = "EU B-ORG\nrejects O\nGerman B-MISC\ncall O\n\nPeter B-PER\nBlackburn I-PER\n"
    paths = {split: tmp_path / f"{split}.conll" for split in ("train", "dev", "test")}
    for path in paths.values():
        path.write_text(lines)
    files = [f"data.{split}={path}" for split, path in paths.items()]
    same = small_run(tmp_path, "data=files", *files, "data.fraction=1", "trainer.max_epochs=1")
    assert same == record  # the same examples give the same record


def test_ner_reads_the_official_tags(hub: Path, tmp_path: Path) -> None:
    task = NamedEntityRecognition(data=DataConfig(source="official", cache_dir=str(tmp_path / "cache")))
    assert task.examples("dev")[1].target == ("B-PER", "I-PER")
    assert task.examples("dev")[0].texts["tokens"] == ("EU", "rejects", "German", "call")


@pytest.mark.parametrize("arguments", [("setup=paper",), ("experiment=paper/ner",)])
def test_the_settings_of_the_paper_ask_for_official_data(arguments: tuple[str, ...], tmp_path: Path) -> None:
    data = config_of(tmp_path, *arguments).data
    assert data.source == "official"
    assert data.cache_dir == str(tmp_path / "cache")
    files = ("data=files", "data.train=a", "data.dev=b", "data.test=c")
    assert config_of(tmp_path, *arguments, *files).data.path("train") == Path("a")


@pytest.mark.slow
def test_an_unreachable_hub_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(HarnessError, match=r"refused.*add data=files data\.train=\.\.\.") as caught:
            official_rows("conll2003", "train", cache_dir=str(tmp_path))
        assert "\n" not in str(caught.value)
        command = [sys.executable, "-m", "harness", *SMALL, "data=official", f"cache_dir={tmp_path}/cache"]
        ended = subprocess.run([*command, f"results_dir={tmp_path}/r"], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "licence: the text is the Reuters Corpus" in ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert "add data=files data.train=... data.dev=... data.test=..." in line

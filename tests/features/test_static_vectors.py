"""Static vectors: the official format and its special cases, the conversion, and the lookup."""

import gzip
import inspect
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from harness.config.compose import compose_values
from harness.config.instantiate import build
from harness.errors import CacheError, ConfigError, DataFormatError, DownloadError
from harness.features import glove_text, static_vectors
from harness.features.static_vectors import Coverage, StaticVectors

REPOSITORY = Path(__file__).resolve().parents[2]

TEXT = """\
the 1 2 -0.5
The 3 4 1e-3
. . . 5 6 7
at name@domain.com 8 9 10
caf\u00e9 0.1 0.2 0.3
\u2028 11 12 13
\x85 14 15 16
a\rb 17 18 19
0.5 20 21 22
the 99 99 99
"""
WORDS = ["the", "The", ". . .", "at name@domain.com", "café", "\u2028", "\x85", "a\rb", "0.5"]
ROWS = [[1, 2, -0.5], [3, 4, 1e-3], [5, 6, 7], [8, 9, 10], [0.1, 0.2, 0.3]]
ROWS += [[11, 12, 13], [14, 15, 16], [17, 18, 19], [20, 21, 22]]

Make = Callable[..., StaticVectors]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function that makes vectors from a text, or from the file that ``path`` names."""

    def vectors(text: str | bytes = TEXT, **options: Any) -> StaticVectors:
        if "path" not in options:
            options["path"] = tmp_path / "vectors.txt"
            options["path"].write_bytes(text if isinstance(text, bytes) else text.encode())
        return StaticVectors(**{"name": "test", "cache_dir": tmp_path / "cache"} | options)

    return vectors


def failure(error: type[Exception], make: Make, *args: Any, **options: Any) -> str:
    """Return the error message, one line, of vectors that cannot be made."""
    with pytest.raises(error) as caught:
        make(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("block", [1, 2, 4, 10, 4096])
def test_every_word_has_its_own_vector(make: Make, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(glove_text, "_BLOCK", block)
    static = make()
    vectors, found = static.lookup(WORDS)
    assert static.dim == 3
    assert vectors.dtype == torch.float32
    assert found.dtype == torch.bool
    assert found.all()
    assert torch.equal(vectors, torch.tensor(ROWS))


def test_the_converted_file_is_plain_numpy(make: Make, tmp_path: Path) -> None:
    make()
    (folder,) = (path for path in (tmp_path / "cache" / "vectors").iterdir() if path.is_dir())
    assert re.fullmatch(r"vectors-[0-9a-f]{16}", folder.name)
    assert torch.equal(torch.from_numpy(np.load(folder / "vectors.npy")), torch.tensor(ROWS))
    assert (folder / "words.txt").read_bytes().decode() == "".join(f"{word}\n" for word in WORDS)
    meta = json.loads((folder / "meta.json").read_text())
    assert (meta["words"], meta["dim"]) == (9, 3)


@pytest.mark.parametrize("ending", [" \n", "\r\n"])
@pytest.mark.parametrize("header", ["", "10 3\n"])
def test_a_count_header_and_line_endings_change_nothing(make: Make, header: str, ending: str) -> None:
    plain = make().fingerprint
    assert make((header + TEXT).replace("\n", ending)).fingerprint == plain
    assert make((header + TEXT).rstrip("\n")).fingerprint == plain


def test_gz_and_zip_hold_the_same_vectors(make: Make, tmp_path: Path) -> None:
    plain = make().fingerprint
    (tmp_path / "v.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    assert make(path=tmp_path / "v.txt.gz", member="not.asked").fingerprint == plain
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.mkdir("folder")
        archive.writestr("folder/a.txt", TEXT)
    assert make(path=str(tmp_path / "one.zip")).fingerprint == plain
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.50d.txt", TEXT)
        archive.writestr("a.100d.txt", "x 1 2\n")
    assert make(path=tmp_path / "two.zip", member="a.50d.txt").fingerprint == plain
    assert make(path=tmp_path / "two.zip", member="a.100d.txt").dim == 2
    message = failure(ConfigError, make, path=tmp_path / "two.zip")
    assert "a.50d.txt, a.100d.txt" in message
    message = failure(ConfigError, make, path=tmp_path / "two.zip", member="a.10d.txt")
    assert "did you mean 'a.100d.txt'" in message


def test_a_url_is_downloaded_into_the_cache(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fetched(url: str, *, folder: Path) -> Path:
        asked.append((url, folder))
        folder.mkdir(parents=True)
        (folder / "g.txt").write_text(TEXT)
        return folder / "g.txt"

    monkeypatch.setattr(static_vectors, "fetch", fetched)
    assert make(path=None, url="https://x/g.txt").lookup(["The"])[0].tolist() == [pytest.approx([3, 4, 1e-3])]
    assert asked == [("https://x/g.txt", tmp_path / "cache" / "downloads")]


def test_it_is_converted_once_and_again_when_the_file_changes(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted = []
    convert = glove_text._convert
    monkeypatch.setattr(glove_text, "_convert", lambda *a, **k: converted.append(1) or convert(*a, **k))
    first = make()
    path = tmp_path / "vectors.txt"
    assert make(path=path).fingerprint == first.fingerprint
    os.utime(path, ns=(1, 1))  # touched, not changed
    assert make(path=path).fingerprint == first.fingerprint
    assert len(converted) == 1
    assert make(TEXT.replace("8 9 10", "8 9 11")).fingerprint != first.fingerprint
    assert len(converted) == 2


def test_the_fingerprint_is_over_content_and_policies(make: Make, tmp_path: Path) -> None:
    options: list[dict[str, Any]] = [{}, {"case": "lower"}, {"oov": "mean"}, {"trainable": True}]
    prints = [make(**option).fingerprint for option in options] + [make(TEXT.replace("caf", "kaf")).fingerprint]
    assert len(set(prints)) == 5
    assert make(name="other", cache_dir=tmp_path / "elsewhere").fingerprint == prints[0]
    assert make(trainable=True).trainable


def test_case(make: Make) -> None:
    def first(word: str, case: str) -> float | None:
        vectors, found = make("the 1 0\nThe 2 0\nking 3 0\nUSA 4 0\n", case=case).lookup([word])
        return vectors[0, 0].item() if found else None

    words = ("the", "The", "THE", "King", "USA")
    assert [first(word, "exact") for word in words] == [1, 2, None, None, 4]
    assert [first(word, "lower") for word in words] == [1, 1, 1, 3, None]
    assert [first(word, "exact_then_lower") for word in words] == [1, 2, 1, 3, 4]


def test_words_without_a_vector(make: Make) -> None:
    words = ["absent", "The", "other"]
    zeros, found = make(oov="zeros").lookup(words)
    assert found.tolist() == [False, True, False]
    assert not zeros[[0, 2]].any()
    mean, _ = make(oov="mean").lookup(words)
    assert torch.allclose(mean[[0, 2]], torch.tensor(ROWS).mean(dim=0), rtol=1e-6)
    static = make(oov="normal")
    normal, _ = static.lookup(words)
    assert not torch.equal(normal[0], normal[2])
    assert torch.equal(static.lookup(words[::-1])[0].flip(0), normal)
    assert torch.equal(zeros[1], normal[1])


def test_the_normal_draw_has_the_moments_of_all_entries(make: Make) -> None:
    rows = np.random.default_rng(0).normal(3.0, 0.5, (20, 100)).astype(np.float32)
    text = "".join(f"w{i} {' '.join(map(repr, row.tolist()))}\n" for i, row in enumerate(rows))
    draws, found = make(text, oov="normal").lookup([f"absent{i}" for i in range(200)])
    assert not found.any()
    assert draws.mean().item() == pytest.approx(rows.mean(), abs=0.02)  # 20,000 draws: sd of the mean 0.004
    assert draws.std().item() == pytest.approx(rows.std(), abs=0.02)


def test_no_words(make: Make) -> None:
    vectors, found = make().lookup([])
    assert vectors.shape == (0, 3)
    assert found.shape == (0,)
    assert make().coverage({}) == Coverage(types=0.0, tokens=0.0)


def test_coverage(make: Make) -> None:
    counts = {"the": 5, "THE": 2, "absent": 3}
    assert make().coverage(counts) == Coverage(types=2 / 3, tokens=0.7)
    assert make(case="exact").coverage(counts) == Coverage(types=1 / 3, tokens=0.5)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"few 1 2", "expected a word and 3 numbers, as on the first line, found 2"),
        (b"", "is blank, but lines follow; delete it"),
        (b"x" * 2**20, "the line has over 1,048,576 bytes"),
        (b"1 2 3", "found 2"),
        (b"many 1 2 3 4", "found more"),
        (b"a b 0.1 1 2 3", "found more"),
        (b"word 1 x 3", "found something else"),
        (b"word 1  3", "found something else"),
        (b"word 1\t2 3 4", "found something else"),
        (b"word 1 nan 3", "not finite"),
        (b"word 1 1e99 3", "not finite"),
        (b"caf\xe9 1 2 3", "UTF-8"),
        (b"word 1 \xe9 3", "found something else"),
        (b"7 3", "found 1"),
    ],
)
def test_a_malformed_line_is_named(make: Make, tmp_path: Path, line: bytes, says: str) -> None:
    message = failure(DataFormatError, make, b"a 1 2 3\nb c 1 2 3\n" + line + b"\nd 1 2 3\n")
    assert re.search(r"vectors\.txt(, line |:)3: ", message)
    assert says in message
    assert not list((tmp_path / "cache" / "vectors").glob("*.partial"))


def test_line_numbers_continue_across_blocks_and_count_the_header(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glove_text, "_BLOCK", 2)
    assert "line 7: " in failure(DataFormatError, make, "5 1\na 1\nb 1\na 1\nc 1\nd 1\nwrong\n")


@pytest.mark.parametrize("text", ["", "3 50\n"])
def test_an_empty_file_is_refused(make: Make, text: str) -> None:
    assert "vectors.txt holds no vectors" in failure(DataFormatError, make, text)


def test_a_missing_or_damaged_source_is_named(make: Make, tmp_path: Path) -> None:
    message = failure(DataFormatError, make, path=tmp_path / "absent.txt")
    assert str(tmp_path / "absent.txt") in message
    assert "embedding.path" in message
    failure(DataFormatError, make, path=tmp_path)
    whole = gzip.compress(TEXT.encode())
    for name, content in (
        ("cut.gz", whole[:-20]),
        ("bits.gz", whole[:20] + b"\xff" * 20 + whole[40:]),
    ):
        (tmp_path / name).write_bytes(content)
        message = failure(DataFormatError, make, path=tmp_path / name)
        assert name in message
        assert f"{name} is damaged" in message


def test_a_local_path_has_priority_over_the_url(make: Make) -> None:
    assert make(url="https://nowhere.invalid/vectors.txt").fingerprint == make().fingerprint


def test_missing_vectors_and_unknown_choices_are_refused(make: Make, tmp_path: Path) -> None:
    assert "add embedding.path=FILE" in failure(ConfigError, make, path=None)
    node = {"_target_": "harness.features.static_vectors.StaticVectors", "name": "test", "cache_dir": str(tmp_path)}
    for option, value, choices in (
        ("case", "lowr", "'exact', 'lower' or 'exact_then_lower'"),
        ("oov", "norm", "'zeros', 'mean' or 'normal'"),
    ):
        with pytest.raises(ConfigError, match=f"embedding.{option} is '{value}'; expected {choices}"):
            build(node | {option: value}, kind=StaticVectors, where="embedding")


def test_a_cache_that_is_damaged_or_cannot_be_written(make: Make, tmp_path: Path) -> None:
    make()
    (folder,) = (path for path in (tmp_path / "cache" / "vectors").iterdir() if path.is_dir())
    whole = (folder / "vectors.npy").read_bytes()
    for content in (whole[:-4], b""):
        (folder / "vectors.npy").write_bytes(content)
        message = failure(CacheError, make)
        assert str(folder) in message
        assert "delete it" in message
    np.save(folder / "vectors.npy", np.zeros((8, 3), dtype=np.float32))
    assert "is damaged (vectors.npy)" in failure(CacheError, make)
    (tmp_path / "file").touch()
    assert "cache_dir" in failure(CacheError, make, cache_dir=tmp_path / "file")


def test_the_files_of_a_killed_conversion_are_overwritten(make: Make, tmp_path: Path) -> None:
    make()
    (folder,) = (path for path in (tmp_path / "cache" / "vectors").iterdir() if path.is_dir())
    folder.rename(folder.with_name(f"{folder.name}.partial"))
    (folder.with_name(f"{folder.name}.partial") / "words.txt").write_text("half")
    assert make().lookup(WORDS)[1].all()


def test_a_failed_download_is_not_hidden(make: Make) -> None:
    assert "names no file" in failure(ConfigError, make, path=None, url="https://x/")
    assert "cannot download" in failure(DownloadError, make, path=None, url="gopher://127.0.0.1/file.txt")


@pytest.mark.parametrize("path", sorted((REPOSITORY / "conf" / "embedding").glob("*.yaml")), ids=lambda p: p.stem)
def test_configs_fit_the_constructor(path: Path) -> None:
    assert re.match(r"# \S", path.read_text())
    config = compose_values("config", [f"embedding={path.stem}"]).embedding
    assert config.name == path.stem
    if path.stem == "none":
        return
    parameters = inspect.signature(StaticVectors).parameters
    assert set(config) - {"_target_"} == set(parameters)
    assert config._target_ == "harness.features.static_vectors.StaticVectors"
    assert OmegaConf.is_missing(config, "path") or (config.path is None) != (config.url is None)


@pytest.mark.realdata
def test_official_glove(make: Make, shared: Path) -> None:
    path = shared / "data" / "glove" / "glove.6B.50d.16k.txt"
    static = make(path=path, case="lower", oov="mean")
    text = [line.split(" ") for line in path.read_text(encoding="utf-8").removesuffix("\n").split("\n")]
    expected = torch.tensor([[float(number) for number in numbers] for _, *numbers in text])
    vectors, found = static.lookup([word for word, *_ in text])
    assert static.dim == 50
    assert len(text) == 16_103
    assert found.all()
    assert torch.equal(vectors, expected)
    assert torch.allclose(static.lookup(["no such word"])[0][0], expected.double().mean(dim=0).float())
    words = torch.nn.functional.normalize(static.lookup(["King", "queen", "cabbage"])[0])
    assert words[0] @ words[1] > words[0] @ words[2] + 0.3

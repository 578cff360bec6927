"""Plain text: which files are read, which sentences they have, and what is refused."""

import gzip
from pathlib import Path

import pytest

from harness.errors import ConfigError, DataFormatError
from harness.pretrain import tokenized_text
from harness.pretrain.tokenized_text import files_of, sentences


def test_globs_and_repetitions(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "c.gz"):
        (tmp_path / name).touch()
    names = [path.name for path in files_of([f"{tmp_path}/*.txt", f"{tmp_path}/c.gz", f"{tmp_path}/c.gz"], option="x")]
    assert names == ["a.txt", "b.txt", "c.gz", "c.gz"]


def test_a_pattern_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.train is not given"):
        files_of([], option="data.train")
    with pytest.raises(DataFormatError, match=r"no file matches '.*none\*'"):
        files_of([f"{tmp_path}/none*"], option="data.train")


@pytest.mark.parametrize("suffix", [".txt", ".txt.gz"])
def test_a_line_is_a_sentence(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"text{suffix}"
    content = "The  bank was\tclosed .\r\n\n  \nIt 's\u2028 late .".encode()
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    expected = [["The", "bank", "was", "closed", "."], ["It", "'s", "late", "."]]
    assert list(sentences(path, tokenize=False)) == expected


def test_bytes_that_are_not_utf8_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("first\ncaf\u00e9\n".encode("latin-1"))
    with pytest.raises(DataFormatError, match=r"latin.txt:2: not UTF-8"):
        list(sentences(path, tokenize=False))


def test_a_damaged_archive_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(b"one two\n" * 1000)[:-20])
    with pytest.raises(DataFormatError, match=r"text.gz: cannot be read"):
        list(sentences(path, tokenize=False))


def test_raw_text_is_split_into_sentences_and_tokens(tmp_path: Path) -> None:
    pytest.importorskip("spacy")
    path = tmp_path / "raw.txt"
    path.write_text('Mr. Smith didn\'t go. "Why not?" she asked; a <unk> word.\nNo end here\n')
    assert list(sentences(path, tokenize=True)) == [
        ["Mr.", "Smith", "did", "n't", "go", ".", '"'],  # a straight quote may open or close
        ["Why", "not", "?", '"'],
        ["she", "asked", ";", "a", "<unk>", "word", "."],
        ["No", "end", "here"],
    ]


def test_a_very_long_paragraph_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("spacy")
    monkeypatch.setattr(tokenized_text, "_PARAGRAPH_CHARS", 20)
    path = tmp_path / "raw.txt"
    path.write_text("word " * 50 + "x" * 45)
    found = list(sentences(path, tokenize=True))
    assert sum(words.count("word") for words in found) == 50
    assert "".join("".join(words) for words in found).count("x") == 45


def test_tokenising_without_spacy_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "spacy", None)
    (tmp_path / "raw.txt").write_text("One.\n")
    with pytest.raises(ConfigError, match=r"pip install 'elmo-harness\[pretrain\]'"):
        list(sentences(tmp_path / "raw.txt", tokenize=True))

"""The reader of every format under the same damage: it reads what was meant, or refuses the file in one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataFormatError
from harness.features.static_vectors import StaticVectors
from harness.pretrain.tokenized_text import sentences
from harness.utils.text_files import read_json
from harness.utils.tokenizers import tokenizer_named
from tasks.classification.reader import TextColumns, read_examples
from tasks.common.tagged_sentences import read_json_sentences
from tasks.coref.documents import read_documents
from tasks.ner.reader import read_tagged
from tasks.pos.reader import read_conllu
from tasks.snli.reader import read_pairs
from tasks.squad.reader import read_squad
from tasks.srl.reader import read_frames
from tasks.sst5.reader import read_trees
from tasks.wsd.reader import read_senses
from tasks.wsd.senses import read_sense_index

PAIR = {"gold_label": "neutral", "sentence1": "Zoë eats.", "sentence2": "She is tall."}
QUESTION = {"id": "q", "question": "Who?", "answers": [{"text": "Zoë", "answer_start": 0}]}
SQUAD = {"data": [{"title": "T", "paragraphs": [{"context": "Zoë eats.", "qas": [QUESTION]}]}]}


def vectors(path: Path) -> Any:
    static = StaticVectors(name="test", path=path, cache_dir=path.parent / "cache")
    return static.fingerprint, static.lookup(["Zoë", "eats"])[0].tolist()


def questions(path: Path) -> Any:
    return [(example.texts, example.target) for example in read_squad(path)]


def texts(path: Path) -> Any:
    return read_examples(path, TextColumns(), tokenize=tokenizer_named("english"), prefix="x")


READERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "columns": (read_tagged, "Zoë\tB-PER\neats\tO\n\nShe\tO\n"),
    "conllu": (read_conllu, "# text = Zoë\n1\tZoë\tZoë\tPROPN\tNNP\t_\t0\troot\t_\t_\n"),
    "jsonl": (read_pairs, json.dumps(PAIR, ensure_ascii=False) + "\n"),
    "table": (read_pairs, "\t".join(PAIR) + "\n" + "\t".join(PAIR.values()) + "\n"),
    "squad": (
        questions,
        json.dumps(SQUAD, ensure_ascii=False, indent=1) + "\n",
    ),
    "documents": (
        read_documents,
        "#begin document (Zoë); part 0\nZoë\t0\t0\tZoë\t(1)\nZoë\t0\t1\teats\t-\n\n#end document\n",
    ),
    "csv": (texts, 'text,label\n"Zoë eats, and\nsleeps.",yes\nShe is tall.,no\n'),
    "json lines": (
        lambda path: read_json_sentences(path, tokens="tokens", tags="tags"),
        '{"tokens": ["Zoë"], "tags": ["B-PER"]}\n',
    ),
    "sense index": (lambda path: read_sense_index(path).senses, "zoë%1:00:00:: 0 1 0\neat%2:00:00:: 0 1 0\n"),
    "senses": (
        lambda path: read_senses(path, None, prefix="x"),
        '<text><sentence id="s">\n<instance id="t" lemma="zoë" pos="NOUN">Zoë</instance>\n</sentence></text>\n',
    ),
    "propositions": (read_frames, "Zoë\t-\t(A0*)\neats\teat\t(V*)\n\nShe\t-\n"),
    "frames": (
        lambda path: read_frames(path.rename(path.with_name("file.jsonl"))),
        '{"words": ["Zoë", "eats"], "frames": [{"pred": 1, "tags": ["B-A0", "B-V"]}]}\n',
    ),
    "trees": (read_trees, "(3 (2 Zoë) (4 eats))\n"),
    "vectors": (vectors, "Zoë 1 2\neats 3 4\n"),
    "text": (lambda path: list(sentences(path, tokenize=False)) or refuse(path), "Zoë eats .\nShe is tall .\n"),
    "json": (lambda path: read_json(path, fix="delete it"), '{"Zoë":\n1}\n'),
}


def refuse(path: Path) -> None:
    """Refuse an empty text, as ``open_corpus`` does."""
    raise DataFormatError(f"{path}: no sentence; expected plain text")


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Callable[[bytes], Any], str]:
    """Return a function that reads the given bytes as a file, and correct content."""
    read, content = READERS[request.param]

    def read_bytes(data: bytes) -> Any:
        (tmp_path / "file").write_bytes(data)
        return read(tmp_path / "file")

    return read_bytes, content


@pytest.mark.parametrize(
    "variant",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
        lambda text: text.rstrip("\n").encode(),
        lambda text: (text + "\n").encode(),
        lambda text: (text + "\n\n \n").encode(),
    ],
    ids=["mark", "crlf", "mark and crlf", "no last line feed", "blank line", "blank lines"],
)
def test_what_is_meant_is_read(reader: tuple[Callable[[bytes], Any], str], variant: Callable[[str], bytes]) -> None:
    read, content = reader
    expected = read(content.encode())
    assert read(variant(content)) == expected


@pytest.mark.parametrize("name", ["columns", "conllu", "table"])
def test_white_space_after_the_last_column_is_not_another_column(name: str, tmp_path: Path) -> None:
    read, content = READERS[name]
    (tmp_path / "plain").write_text(content, encoding="utf-8")
    lines = (line + "\t" * (i % 2 + 1) + " " if "\t" in line else line for i, line in enumerate(content.split("\n")))
    (tmp_path / "tabs").write_text("\n".join(lines), encoding="utf-8")
    assert read(tmp_path / "tabs") == read(tmp_path / "plain")


@pytest.mark.parametrize(
    "variant",
    [
        lambda _: b"",
        lambda _: b"\n\n  \n\r\n",
        lambda text: text.replace("\n", "\0\n").encode(),
        lambda text: text.encode("latin-1"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-16-be"),
        lambda _: b"PK\x03\x04",
        lambda _: b"\x1f\x8b\x08\x00",
    ],
    ids=["empty", "blank", "zero bytes", "latin-1", "utf-16", "utf-16-le", "utf-16-be", "cut zip", "cut gzip"],
)
def test_what_is_not_meant_is_one_line(
    reader: tuple[Callable[[bytes], Any], str], variant: Callable[[str], bytes], tmp_path: Path
) -> None:
    read, content = reader
    with pytest.raises(DataFormatError) as caught:
        read(variant(content))
    assert str(caught.value).startswith(f"{tmp_path}/file")
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value)

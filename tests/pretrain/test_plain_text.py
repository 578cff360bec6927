"""The text of published data sets, from small files of the same form."""

import gzip
import json
from pathlib import Path

import pytest

from harness.commands.plain_text import main
from harness.errors import DataFormatError
from harness.pretrain.plain_text import write_plain_text

SQUAD = {"data": [{"paragraphs": [{"context": "One  two.\nThree."}, {"context": "Four."}]}, {"paragraphs": []}]}
SNLI = [("A man .", "He sleeps ."), ("A man .", "A dog ."), ("He sleeps .", "A man .")]
CONLLU = "# sent_id = 1\n# text = It's late.\n1-2\tIt's\n1\tIt\n\n# sent_id = 2\n# text = Yes.\n1\tYes\n"
BOOKS = [("a", "Hard\nwrapped line.\n\nNext\nparagraph."), ("b", "One line.\nAnother line.")]
WIKITEXT = " \n = Heading = \n \n He didn 't pay 1 @,@ 000 well @-@ known dollars 's . \n = = Sub = = \n"
SEMCOR = {"tokens": [["The", "the", "DT"], ["Grand_Jury", "group", "NNP"], ["``", None, ""], ["play", "play", "NN"]]}

CASES = {
    "plain": ("One  line.\n\nAnother.\n", ["One line.", "Another."]),
    "squad": (json.dumps(SQUAD), ["One two. Three.", "Four."]),
    "snli": (
        "".join(json.dumps({"sentence1": a, "sentence2": b}) + "\n" for a, b in SNLI),
        ["A man .", "He sleeps .", "A dog ."],
    ),
    "conllu": (CONLLU, ["It's late.", "Yes."]),
    "books": (
        "".join(json.dumps({"id": i, "text": text}) + "\n" for i, text in BOOKS),
        ["Hard wrapped line.", "Next paragraph.", "One line.", "Another line."],
    ),
    "wikitext": (WIKITEXT, ["He didn't pay 1,000 well-known dollars's ."]),
    "columns": ("-DOCSTART-\tO\n\nThe\tO\nbank\tB-ORG\n\n\nIt\tO\n", ["The bank", "It"]),
    "semcor": (json.dumps(SEMCOR), ['The Grand Jury " play']),
    "trees": ("(3 (2 It) (4 (2 -LRB-) (4 shines)))\n\n(2 (2 w\\/o) (2 it))\n", ["It ( shines", "w/o it"]),
}


@pytest.mark.parametrize("form", CASES)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_each_form_gives_its_text(form: str, suffix: str, tmp_path: Path) -> None:
    content, expected = CASES[form]
    source, target = tmp_path / f"source{suffix}", tmp_path / f"target{suffix}"
    source.write_bytes(gzip.compress(content.encode()) if suffix else content.encode())
    assert write_plain_text(source, target, form=form) == len(expected)
    written = gzip.decompress(target.read_bytes()) if suffix else target.read_bytes()
    assert written.decode().splitlines() == expected
    again = tmp_path / f"again{suffix}"
    write_plain_text(source, again, form=form)
    assert again.read_bytes() == target.read_bytes()


def test_a_book_can_be_held_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "books").write_text(CASES["books"][0])
    for option, expected in (
        ("--without", ["One line.", "Another line."]),
        ("--only", ["Hard wrapped line.", "Next paragraph."]),
    ):
        assert main(["books", str(tmp_path / "books"), str(tmp_path / "out"), option, "a"]) == 0
        assert (tmp_path / "out").read_text().splitlines() == expected
    assert "2 paragraphs" in capsys.readouterr().out


def test_an_unknown_book_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Otherwise a misspelt id would leave the held-out book in the training text."""
    (tmp_path / "books").write_text(CASES["books"][0])
    for option in ("--without", "--only"):
        assert main(["books", str(tmp_path / "books"), str(tmp_path / "out"), option, "aa"]) == 2
        assert "no book 'aa'; did you mean 'a'?" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
    assert main(["squad", str(tmp_path / "books"), str(tmp_path / "out"), "--only", "a"]) == 2


@pytest.mark.parametrize(
    ("form", "content"), [("squad", "{}"), ("snli", '{"sentence1": "cut'), ("books", "[1]\n"), ("conllu", "a b\n")]
)
def test_a_file_of_another_form_is_refused(form: str, content: str, tmp_path: Path) -> None:
    (tmp_path / "source").write_text(content)
    with pytest.raises(DataFormatError, match=f"source(:1)?: (not readable as|no text in it as) '{form}'"):
        write_plain_text(tmp_path / "source", tmp_path / "target", form=form)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("squad", '{"data": [{"paragraphs": [{"context": "half \\ud83d"}]}]}'),
        ("snli", '{"sentence1": "A man .", "sentence2": "half \\ud83d"}'),
        ("books", '{"id": "a", "text": "half \\ud83d"}'),
        ("semcor", '{"tokens": [["half"], ["\\ud83d"]]}'),
        ("books", "[" * 100_000),
        ("snli", '{"sentence1": ' + "1" * 5000 + "}"),
    ],
)
def test_text_that_cannot_be_written_is_refused_with_its_line(form: str, content: str, tmp_path: Path) -> None:
    (tmp_path / "source").write_text("\n" + content)
    reason = f"source:2: not readable as '{form}' .JSONDecodeError: (half|nested|a number)"
    with pytest.raises(DataFormatError, match=reason):
        write_plain_text(tmp_path / "source", tmp_path / "target", form=form)
    assert not (tmp_path / "target").exists()


def test_a_byte_order_mark_costs_no_sentence(tmp_path: Path) -> None:
    for form, (content, expected) in CASES.items():
        (tmp_path / "source").write_text("\ufeff" + content, encoding="utf-8")
        assert write_plain_text(tmp_path / "source", tmp_path / "target", form=form) == len(expected)
        assert (tmp_path / "target").read_text(encoding="utf-8").splitlines() == expected
    (tmp_path / "source").write_text("\ufeff# text = First.\n1\tFirst\n", encoding="utf-8")
    write_plain_text(tmp_path / "source", tmp_path / "target", form="conllu")
    assert (tmp_path / "target").read_text() == "First.\n"


def test_a_column_of_numbers_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("1\tHamburg\tB-LOC\n2\tliegt\tO\n")
    with pytest.raises(DataFormatError, match="no text in it as 'columns'"):
        write_plain_text(tmp_path / "source", tmp_path / "target", form="columns")


def test_a_missing_file_is_reported_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["squad", str(tmp_path / "none.json"), str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}/none.json: no such file\n"


def test_the_last_hundredth_can_be_held_out(tmp_path: Path) -> None:
    lines = [f"Line {number} ." for number in range(1000)]
    (tmp_path / "text").write_text("\n".join(lines))
    arguments = ["plain", str(tmp_path / "text"), str(tmp_path / "train"), "--held-out", str(tmp_path / "dev")]
    assert main(arguments) == 0
    assert (tmp_path / "train").read_text().splitlines() == lines[:940]  # 50 paragraphs are in neither file
    assert (tmp_path / "dev").read_text().splitlines() == lines[990:]


def test_a_text_can_be_cut_after_a_number_of_words(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("One two .\n" * 5)
    assert write_plain_text(tmp_path / "text", tmp_path / "out", form="plain", max_words=7) == 3


def test_a_sentence_without_its_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("# newdoc\n\n# text = One.\n1\tOne\n\n# texx = Two.\n1\tTwo\n")
    with pytest.raises(DataFormatError, match=r"text:7: not readable as 'conllu' .*a sentence has no line '# text = '"):
        write_plain_text(tmp_path / "text", tmp_path / "out", form="conllu")


@pytest.mark.parametrize("line", ["no tree", "(2 )", "()"])
def test_a_line_without_a_tree_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text(f"(2 (2 It) (2 shines))\n{line}\n")
    with pytest.raises(DataFormatError, match=r"text:2: not readable as 'trees' .*there is no tree"):
        write_plain_text(tmp_path / "text", tmp_path / "out", form="trees")


def test_a_sentence_may_follow_the_start_of_a_document(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("It\tO\n-DOCSTART-\tO\nThe\tO\nbank\tO\n")
    assert write_plain_text(tmp_path / "text", tmp_path / "out", form="columns") == 2
    assert (tmp_path / "out").read_text() == "It\nThe bank\n"

"""The reader of CoNLL-U: special cases of the format, the published counts, and one line for every error."""

import gzip
import logging
from pathlib import Path

import pytest

from harness.errors import DataFormatError
from tasks.pos.reader import read_conllu

FEW = """\
# sent_id = 1
# text = Don't go to New York , he said he did
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\tVB\t_\t3\taux\t_\t_
2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_
4\tNew York\tNew York\tPROPN\tNNP\t_\t3\tobl\t_\t_
4.1\tgone\tgo\tVERB\tVBN\t_\t_\t_\t3:conj\tCopyOf=3

# sent_id = 2
0.1\tit\tit\tPRON\tPRP\t_\t_\t_\t1:nsubj\t_
1\t#\t#\tSYM\tNN\t_\t0\troot\t_\t_
2\t_\t_\tPUNCT\t.\t_\t1\tpunct\t_\t_
"""
SENTENCES = [
    (("Do", "n't", "go", "New York"), ("AUX", "PART", "VERB", "PROPN")),
    (("#", "_"), ("SYM", "PUNCT")),
]


def written(folder: Path, content: bytes, name: str = "data.conllu") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [FEW, FEW + "\n", FEW + "\n\n# nothing follows\n", FEW.replace("\n", "\r\n"), "\n\n" + FEW, "\ufeff" + FEW],
)
def test_words_and_tags_in_every_form_of_the_format(content: str, tmp_path: Path) -> None:
    assert read_conllu(written(tmp_path, content.encode())) == SENTENCES


def test_the_other_tags_and_gzip(tmp_path: Path) -> None:
    path = written(tmp_path, gzip.compress(FEW.encode()), "data.conllu.gz")
    assert [tags for _, tags in read_conllu(path, "xpos")] == [("VB", "RB", "VB", "NNP"), ("NN", ".")]


def test_the_number_of_tokens_that_are_left_out_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    read_conllu(written(tmp_path, FEW.encode()))
    (record,) = caplog.records
    expected = "data.conllu: 2 sentences, 6 words; left out 1 multiword tokens, 2 empty nodes and 3 comments"
    assert record.getMessage() == expected


LINE = "1\tAnn\tAnn\tPROPN\tNNP\t_\t0\troot\t_\t_\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LINE + "2\truns\tVERB\n", r"bad\.conllu:2: 3 column\(s\); a line of CoNLL-U has 10, separated by tabs"),
        (LINE.replace("\t", " "), r"bad\.conllu:1: 1 column\(s\)"),
        (LINE + LINE, r"bad\.conllu:2: the id is '1', expected 2.*put a blank line between sentences"),
        (LINE.replace("1", "2", 1), r"bad\.conllu:1: the id is '2', expected 1"),
        (LINE.replace("1", "x", 1), r"bad\.conllu:1: the id is 'x', expected 1"),
        (LINE.replace("1", "01", 1), r"bad\.conllu:1: the id is '01'"),
        (LINE.replace("1", "", 1), r"bad\.conllu:1: the id is ''"),
        (LINE.replace("1", "2-3", 1), r"bad\.conllu:1: the id is '2-3'"),
        (LINE.replace("1", "1-1", 1), r"bad\.conllu:1: the id is '1-1'"),
        (LINE.replace("1", "1.1", 1), r"bad\.conllu:1: the id is '1\.1'"),
        ("# c\n\n" + LINE.replace("PROPN", "_"), r"bad\.conllu:3: the upos tag is missing.*task\.tagset=xpos"),
        (LINE.replace("PROPN", ""), r"bad\.conllu:1: the upos tag \(column 4\) is empty"),
        (LINE.replace("Ann", "", 1), r"bad\.conllu:1: the word \(column 2\) is empty"),
        ("1\t_\t_\tX\tX\t_\t0\troot\t_\t_\n", r"bad\.conllu: none of its words has a letter .*its text$"),
        ("", r"bad\.conllu: no sentences"),
        (LINE + "# c\n", r"bad\.conllu:2: a comment inside of a sentence"),
        ("# only a comment\n\n", r"bad\.conllu: no sentences"),
        ("1\tZo\xeb\t", r"bad\.conllu:1: not UTF-8"),
    ],
)
def test_bad_files_are_errors_with_file_and_line(content: str, message: str, tmp_path: Path) -> None:
    encoding = "latin-1" if "\xeb" in content else "utf-8"
    with pytest.raises(DataFormatError, match=message) as caught:
        read_conllu(written(tmp_path, content.encode(encoding), "bad.conllu"))
    assert "\n" not in str(caught.value)


def test_spaces_around_a_value_are_not_part_of_it(tmp_path: Path) -> None:
    content = LINE.replace("PROPN", "PROPN ").replace("Ann\t", " Ann\t", 1)
    assert read_conllu(written(tmp_path, content.encode())) == [(("Ann",), ("PROPN",))]


def test_a_missing_tag_of_the_language_names_the_other(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"the xpos tag is missing.*task\.tagset=upos"):
        read_conllu(written(tmp_path, LINE.replace("NNP", "_").encode()), "xpos")


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="no such file"):
        read_conllu(tmp_path / "nothing.conllu")


COUNTS = {  # sentences, words, universal tags, English tags, multiword tokens, empty nodes
    "train": (12_544, 204_577, 17, 49, 2_614, 37),
    "dev": (2_001, 25_147, 17, 49, 359, 4),
    "test": (2_077, 25_094, 17, 48, 354, 2),
}


@pytest.mark.realdata
@pytest.mark.parametrize("split", COUNTS)
def test_ewt_has_its_published_counts(split: str, shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    path = shared / "data" / "pos" / f"en_ewt-ud-{split}.conllu.gz"
    upos, xpos = read_conllu(path), read_conllu(path, "xpos")
    sentences, words, universal, english, ranges, empty = COUNTS[split]
    assert len(upos) == sentences
    assert sum(len(tokens) for tokens, _ in upos) == sum(len(tags) for _, tags in upos) == words
    assert [tokens for tokens, _ in upos] == [tokens for tokens, _ in xpos]
    assert len({tag for _, tags in upos for tag in tags}) == universal
    assert len({tag for _, tags in xpos for tag in tags}) == english
    assert f"left out {ranges:,} multiword tokens, {empty} empty nodes" in caplog.text

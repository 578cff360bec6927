"""The reader of labelled trees: what it returns, against counts by hand and published counts, and what it refuses."""

import gzip
from collections import Counter
from pathlib import Path

import pytest

from harness.errors import DataFormatError
from harness.utils.treebank import unescaped
from tasks.sst5.reader import Phrase, parse_tree, read_trees

GOOD = "(3 (2 It) (4 (3 (2 is) (4 good)) (2 .)))\n"


def test_a_tree_is_its_words_and_the_span_and_label_of_every_node() -> None:
    tree = parse_tree("(3 (2 It) (4 (3 (2 is) (4 good)) (2 .)))", where="x")
    assert tree.tokens == ("It", "is", "good", ".")
    assert [" ".join([str(p.label), *tree.tokens[p.start : p.end]]) for p in tree.phrases] == [
        "3 It is good .",
        "2 It",
        "4 is good .",
        "3 is good",
        "2 is",
        "4 good",
        "2 .",
    ]


def test_one_word_one_child_and_three_children_are_trees() -> None:
    assert parse_tree("(0 Bad)", where="x").phrases == (Phrase(0, 1, 0),)
    assert parse_tree("(1 (0 Bad))", where="x").phrases == (Phrase(0, 1, 1), Phrase(0, 1, 0))
    assert parse_tree("( 1(0 a)(2 b)\t(3 c) )", where="x").tokens == ("a", "b", "c")


def test_a_deep_tree_is_read() -> None:
    tree = parse_tree("(2 (2 x) " * 20_000 + "(2 y)" + ")" * 20_000, where="x")
    assert len(tree.tokens) == 20_001
    assert len(tree.phrases) == 40_001


@pytest.mark.parametrize(
    ("escaped", "word"),
    [
        ("-LRB-", "("),
        ("-RRB-", ")"),
        ("-LSB-", "["),
        ("-RCB-", "}"),
        ("and\\/or", "and/or"),
        ("2\xa01\\/2", "2\xa01/2"),
        ("\\*\\*\\*", "***"),
        ("``", "``"),
        ("-LRB", "-LRB"),
        ("\\", "\\"),
        ("--", "--"),
    ],
)
def test_escapes(escaped: str, word: str) -> None:
    assert unescaped(escaped) == word
    assert parse_tree(f"(2 {escaped})", where="x").tokens == (word,)
    assert parse_tree(f"(2 {escaped})", where="x", unescape=False).tokens == (escaped,)


def test_files_plain_zipped_and_with_blank_lines(tmp_path: Path) -> None:
    text = "\ufeff" + GOOD + "\r\n" + GOOD.replace("\n", "\r\n") + "  \n"
    (tmp_path / "a.txt").write_bytes(text.encode())
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text.encode()))
    assert read_trees(tmp_path / "a.txt") == read_trees(tmp_path / "a.txt.gz") == [parse_tree(GOOD, where="x")] * 2


def test_equal_words_are_one_object(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(GOOD * 2)
    first, second = read_trees(tmp_path / "a.txt")
    assert all(a is b for a, b in zip(first.tokens, second.tokens, strict=True))


BAD = [
    ("(3 (2 It) (4 works)", "1 bracket(s) are not closed"),
    ("(3 (2 It) (4 works)))", "there is a closing bracket without an opening one"),
    ("(3 (2 It) (4 works)) (2 .)", "a second tree begins"),
    ("(3 (2 It) (5 works))", "a label is '5'; expected a whole number from 0 to 4"),
    ("(3 (-1 It) (4 works))", "a label is '-1'"),
    ("(3 (² It) (4 works))", "a label is '²'"),
    ("(3 (2 It) (positive works))", "a label is 'positive'"),
    ("((2 It) (4 works))", "a bracket has no label"),
    ("(3 (2 It) works)", "the word 'works' is not in a node for it alone"),
    ("(3 It works)", "the word 'works' is not in a node for it alone"),
    ("(3 It (4 works))", "a bracket opens after a word in the same node"),
    ("(3 (2 It) (4))", "a node has a label but no word"),
    ("(3 (2 It) (4 works)) .", "the word '.' is not in a node for it alone"),
    ("It works", "the word 'It' is not in a node"),
]


@pytest.mark.parametrize(("line", "message"), BAD, ids=[line for line, _ in BAD])
def test_a_bad_line_is_an_error_of_one_line_with_file_and_line(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(f"{GOOD}\n{line}\n{GOOD}")
    with pytest.raises(DataFormatError) as error:
        read_trees(path)
    assert str(error.value).startswith(f"{path}:3: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_without_trees_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text(content)
    with pytest.raises(DataFormatError, match=r"empty\.txt: no trees in it"):
        read_trees(tmp_path / "empty.txt")


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("split", "roots", "nodes", "long", "tokens", "longest"),
    [
        ("train", [1092, 2218, 1624, 2322, 1288], 318_582, 93_567, 163_563, 52),
        ("dev", [139, 289, 229, 279, 165], 41_447, 12_203, 21_274, 49),
        ("test", [279, 633, 389, 510, 399], 82_600, 24_334, 42_405, 56),
    ],
)
def test_the_published_files_have_their_published_counts(
    split: str, roots: list[int], nodes: int, long: int, tokens: int, longest: int, shared: Path
) -> None:
    trees = read_trees(shared / "data" / "sst" / f"{split}.txt")
    counts = Counter(tree.phrases[0].label for tree in trees)
    assert [counts[label] for label in range(5)] == roots
    assert sum(len(tree.phrases) for tree in trees) == nodes
    assert sum(p.end - p.start >= 4 for tree in trees for p in tree.phrases) == long
    assert sum(len(tree.tokens) for tree in trees) == tokens
    assert max(len(tree.tokens) for tree in trees) == longest
    assert all(len(tree.phrases) == 2 * len(tree.tokens) - 1 for tree in trees)  # they are binary


@pytest.mark.realdata
def test_the_published_files_have_as_many_labelled_phrases_as_published(shared: Path) -> None:
    labelled = {
        (tree.tokens[p.start : p.end], p.label)
        for split in ("train", "dev", "test")
        for tree in read_trees(shared / "data" / "sst" / f"{split}.txt", unescape=False)
        for p in tree.phrases
    }
    assert len(labelled) == 215_154

"""The readers of predicates and arguments: two kinds of columns, JSON lines, and errors with a place."""

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, DataFormatError
from tasks.srl.reader import Frame, read_frames

CONLL_2005 = """\
The     DT  (S(NP*  -       (A1*   (A1*
bird    NN  *)      -       *)     *)
who     WP  (SBAR*  -       (R-A1*) *
was     VBD *       -       *      *
seen    VBN *)      see     (V*)   *
sang    VBD (VP*)   sing    *      (V*)
.       .   *)      -       *      *

It      PRP (S*     -
"""
CONLL_2012 = """\
#begin document (bc/cctv/00/cctv_0000); part 000
bc/cctv/00/cctv_0000 0 0 Summer NN (TOP(S(NP*) summer - 1 Speaker#1 * (ARG1*) * (12)
bc/cctv/00/cctv_0000 0 1 has VBZ (VP* have 03 - Speaker#1 * * * -
bc/cctv/00/cctv_0000 0 2 gone VBN *) go 01 - Speaker#1 * (V*) * -
bc/cctv/00/cctv_0000 0 3 * . *)) - - - Speaker#1 * * (ARG2*) -

bc/cctv/00/cctv_0000 0 0 Yes UH (TOP*) - - - Speaker#1 * -
#end document
"""
ROW = {"words": ["It", "rained", "."], "frames": [{"pred": 1, "tags": ["B-ARG0", "B-V", "O"]}]}


def written(folder: Path, content: str, name: str = "file.conll") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def json_file(folder: Path, **changes: Any) -> Path:
    return written(folder, json.dumps(ROW) + "\n" + json.dumps(ROW | changes) + "\n", "file.jsonl")


def test_columns_of_2005(tmp_path: Path) -> None:
    first, second = read_frames(written(tmp_path, CONLL_2005))
    assert first.words == ("The", "bird", "who", "was", "seen", "sang", ".")
    assert first.frames == (
        Frame(4, tuple("B-A1 I-A1 B-R-A1 O B-V O O".split())),
        Frame(5, tuple("B-A1 I-A1 O O O B-V O".split())),
    )
    assert second == (("It",), ())


def test_only_the_word_and_the_predicate_are_needed(tmp_path: Path) -> None:
    text = "It\t-\t(A0*)\nrains\train\t(V*V)\n"
    expected = (("It", "rains"), (Frame(1, ("B-A0", "B-V")),))
    assert read_frames(written(tmp_path, text)) == [expected]
    unlabelled = read_frames(written(tmp_path, "It -\nrains rain\n"), labelled=False)
    assert unlabelled == [(("It", "rains"), (Frame(1, None),))]


def test_the_columns_of_word_and_predicate_can_be_given(tmp_path: Path) -> None:
    path = written(tmp_path, "1 It - (A0*)\n2 rains rain (V*)\n")
    assert read_frames(path, (2, 3)) == [(("It", "rains"), (Frame(1, ("B-A0", "B-V")),))]


def test_columns_of_2012(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A noun has a lemma too, and a column of arguments without a V is left out."""
    caplog.set_level(logging.INFO)
    path = tmp_path / "dev.gz"
    path.write_bytes(gzip.compress(CONLL_2012.encode()))
    first, second = read_frames(path)
    assert first == (("Summer", "has", "gone", "*"), (Frame(2, ("B-ARG1", "O", "B-V", "O")),))
    assert second == (("Yes",), ())
    assert "left out 1 columns of arguments without a V" in caplog.text


def test_json_lines(tmp_path: Path) -> None:
    sentences = read_frames(json_file(tmp_path, frames=[]))
    assert sentences == [(("It", "rained", "."), (Frame(1, ("B-ARG0", "B-V", "O")),)), (("It", "rained", "."), ())]
    unlabelled = read_frames(json_file(tmp_path, frames=[{"pred": 0}, {"pred": 2}]), labelled=False)
    assert unlabelled[1].frames == (Frame(0, None), Frame(2, None))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("(A1*   (A1*", "(A1*   *", ":2: column 6 closes an argument, but none is open"),
        ("*)     *)", "*      *)", ":3: column 5 opens R-A1 in A1 of line 1; close that one first"),
        ("(V*)   *", "(V*A1) *", ":5: column 5 closes A1, but V is open"),
        ("*      (V*)", "*      (V*", ":6: column 6 opens V, which its sentence never closes"),
        ("(R-A1*)", "(R-A1(A1*)", r":3: column 5 has '\(R-A1\(A1\*\)'; write .*cannot be nested"),
        ("(R-A1*)", "R-A1", ":3: column 5 has 'R-A1'; write"),
        ("see ", "-   ", r":1: 2 column\(s\) of arguments for 1 predicate\(s\) in column 4; give one column for each"),
        ("was     VBD *       -", "was     VBD *       be", r":1: 2 column\(s\) of arguments for 3 predicate\(s\)"),
        ("was     VBD", "was", r":4: 5 column\(s\) where line 1 of the same sentence has 6"),
        ("It      PRP (S*     -", "It      PRP (S*", r":9: 3 column\(s\), where 4 are the fewest"),
        ("It      PRP (S*     -", "It      PRP (S*     - *", r":9: 1 column\(s\) of arguments for 0 predicate\(s\)"),
    ],
)
def test_an_error_in_columns_names_the_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert CONLL_2005.count(old) == 1
    with pytest.raises(DataFormatError, match=message) as caught:
        read_frames(written(tmp_path, CONLL_2005.replace(old, new)))
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_errors_in_columns_of_2012(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r":2: 2 column\(s\) of arguments for 1 predicate\(s\) in column 7"):
        read_frames(written(tmp_path, CONLL_2012.replace(" summer ", " - ").replace(" have ", " - ")))
    with pytest.raises(DataFormatError, match=r":7: 11 column\(s\), where 12 are the fewest"):
        read_frames(written(tmp_path, CONLL_2012.replace(" Speaker#1 * -\n#end", " Speaker#1 -\n#end")))


def test_columns_of_2012_cannot_be_chosen(tmp_path: Path) -> None:
    """Else ``data.columns`` would have no effect."""
    with pytest.raises(ConfigError, match=r"data\.columns=\[4, 7\]: .*file\.conll is a CoNLL-2012 file"):
        read_frames(written(tmp_path, CONLL_2012), (4, 7))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"words": "It rained ."}, "'words' is not a list of words; write"),
        ({"words": ["It", "", "."]}, "'words' is not a list of words"),
        ({"words": []}, "'words' is not a list of words"),
        ({"frames": None}, "'frames' is not a list of objects"),
        ({"frames": [3]}, "'frames' is not a list of objects"),
        ({"frames": [{"pred": 3}]}, "frame 1: 'pred' is 3; give the index of a word, from 0 to 2"),
        ({"frames": [{"pred": True}]}, "frame 1: 'pred' is True"),
        ({"frames": [{"pred": 1}]}, "frame 1: 'tags' is not a list of strings"),
        ({"frames": [{"pred": 1, "tags": ["O"]}]}, "frame 1: 1 tags for 3 words; give one for each word"),
        ({"frames": [{"pred": 1, "tags": ["O", "B-V", "I-A1"]}]}, "frame 1: tag 3: 'I-A1' cannot follow 'B-V' in bio"),
    ],
)
def test_an_error_in_json_names_the_line(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=message) as caught:
        read_frames(json_file(tmp_path, **changes))
    assert str(caught.value).startswith(f"{tmp_path}/file.jsonl:2: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no predicate in 0 sentences"),
        ("It -\nrained -\n", "no predicate in 1 sentences"),
        ("It\nrained\n", r":1: no column of predicates beside that of words among 1 column\(s\)"),
        ("1 - (A0*)\n2 rain (V*)\n", "none of its words has a letter"),
    ],
)
def test_a_file_of_another_kind_is_an_error(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=message):
        read_frames(written(tmp_path, content))


@pytest.mark.realdata
def test_propbank_on_ewt(shared: Path) -> None:
    counts = {"train": (12_526, 40_429), "dev": (1_966, 4_952), "test": (2_058, 4_795)}
    for split, expected in counts.items():
        sentences = read_frames(shared / "data" / "srl" / f"propbank-ewt.{split}.jsonl.gz")
        assert (len(sentences), sum(len(sentence.frames) for sentence in sentences)) == expected

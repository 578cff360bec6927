"""Reading SemCor and the files of the evaluation framework: what is read, and what is refused in one line."""

import gzip
import json
from pathlib import Path

import pytest

from harness.errors import DataFormatError
from tasks.wsd.reader import Instance, read_senses
from tasks.wsd.senses import SenseIndex, read_sense_index

INDEX = SenseIndex(
    {
        ("say", "VERB"): ["say%2:32:00::", "say%2:32:01::"],
        ("take_place", "VERB"): ["take_place%2:30:00::"],
        ("year", "NOUN"): ["year%1:28:01::", "year%1:28:02::"],
    }
)
XML = """\
<?xml version="1.0" encoding="UTF-8" ?>
<corpus lang="en" source="x">
<text id="d0">
<sentence id="d0.s0">
<wf lemma="they" pos="PRON">They</wf>
<instance id="d0.s0.t0" lemma="say" pos="VERB">&apos;said&apos;</instance>
<wf>New York</wf>
<instance id="d0.s0.t1" lemma="take_place" pos="VERB">takes place</instance>
</sentence>
<sentence id="d0.s1"><wf>No</wf></sentence>
</text>
</corpus>
"""
KEYS = "d0.s0.t0 say%2:32:01:: say%2:32:00::\nd0.s0.t1 take_place%2:30:00::\n"


def written(folder: Path, xml: str = XML, keys: str | None = KEYS) -> Path:
    """Write a text and its keys; return the path of the text."""
    (folder / "x.data.xml").write_text(xml)
    if keys is not None:
        (folder / "x.gold.key.txt").write_text(keys)
    return folder / "x.data.xml"


def jsonl(folder: Path, *tokens: object, name: str = "x.jsonl") -> Path:
    """Write a sentence as JSON lines."""
    path = folder / name
    path.write_text(json.dumps({"doc": "d", "sent": "7", "tokens": tokens}) + "\n")
    return path


def test_xml_and_its_keys(tmp_path: Path) -> None:
    (example,) = read_senses(written(tmp_path), INDEX, prefix="test")
    assert example.id == "d0.s0"
    assert example.texts["tokens"] == ("They", "'said'", "New", "York", "takes", "place")
    assert example.target == [
        Instance("d0.s0.t0", "say", "VERB", 1, 2, ("say%2:32:01::", "say%2:32:00::")),
        Instance("d0.s0.t1", "take_place", "VERB", 4, 6, ("take_place%2:30:00::",)),
    ]


def test_xml_without_senses_needs_no_keys(tmp_path: Path) -> None:
    (example,) = read_senses(written(tmp_path, keys=None), None, prefix="test")
    assert [word.senses for word in example.target] == [(), ()]


@pytest.mark.parametrize("name", ["x.jsonl.gz", "x.ndjson", "x.json"])
def test_other_names_of_json_lines(tmp_path: Path, name: str) -> None:
    path = jsonl(tmp_path, ["year", "year", "NN", ["year%1:28:02::"]], name=name)
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    (example,) = read_senses(path, INDEX, prefix="train")
    assert example.texts["tokens"] == ("year",)


def test_json_lines_of_semcor(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = jsonl(
        tmp_path,
        ["It", "it", "PRP"],
        ["took_place", "take_place", "VB", ["take_place%2:30:00::"]],
        ["_to", "to", "TO"],
        ["_", None, ""],
        ["year", "year", "NN", ["year%1:28:02::;1:28:01::"]],
        ["such", "such", "JJ", ["such%5:00:01:specified:00"]],
    )
    (example,) = read_senses(path, INDEX, prefix="train")
    assert example.texts["tokens"] == ("It", "took", "place", "to", "_", "year", "such")
    assert example.target == [
        Instance("d.s7.t1", "take_place", "VERB", 1, 3, ("take_place%2:30:00::",)),
        Instance("d.s7.t4", "year", "NOUN", 5, 6, ("year%1:28:02::", "year%1:28:01::")),  # two senses in one tag
    ]
    assert "left out 1 tags with 1 senses that are not in task.sense_index" in caplog.text
    assert f"the first is at {path}:1: token 6" in caplog.text


@pytest.mark.parametrize(
    ("xml", "keys", "problem"),
    [
        (XML, None, r"x\.gold\.key\.txt: no such file; put the gold keys of x\.data\.xml next to it"),
        (XML, KEYS.splitlines()[0], r"x\.data\.xml:8: the instance d0\.s0\.t1 has no line in"),
        (XML, KEYS + "d0.s9.t0 say%2:32:00::\n", r"key\.txt:3: no instance d0\.s9\.t0 in"),
        (XML, KEYS + KEYS, r"key\.txt:3: d0\.s0\.t0 is there twice"),
        (XML, KEYS + "d0.s0.t2\n", r"key\.txt:3: d0\.s0\.t2 has no sense key"),
        (XML, KEYS.replace("2:30:00", "2:30:09"), r"key\.txt:2: the sense key 'take_place%2:30:09::' is not in"),
        (XML.replace('"say"', '"tell"'), KEYS, r"xml:6: no sense of 'tell' as VERB is in task\.sense_index"),
        (XML.replace("s0.t1", "s0.t0"), KEYS, r"xml:8: the id d0\.s0\.t0 is there twice"),
        (XML.replace('id="d0.s0.t0" ', ""), KEYS, "xml:6: an instance without an id"),
        (XML.replace('pos="VERB"', 'pos="VB"', 1), KEYS, r"xml:6: lemma='say' pos='VB'; give a lemma, and NOUN"),
        (XML.replace("</corpus>", ""), KEYS, r"xml:13: not XML \(no element found\)"),
        (XML.replace("</wf>", "", 1), KEYS, r"xml:6: <instance> cannot be here"),
        (XML.replace("They", ""), KEYS, "xml:5: <wf> has no text"),
        (XML.replace("<text id", "Hi <text id"), KEYS, "xml:3: the text 'Hi' is in no <wf>"),
        (XML.replace("They", "&x;"), KEYS, r"xml:5: not XML \(undefined entity\)"),
        (XML.replace("<corpus", '<!DOCTYPE c [<!ENTITY x "y">]>\n<corpus'), KEYS, "xml:2: defines an entity"),
        ("<corpus></corpus>", "", "no word in it has a sense"),
        ("They said", "", "xml:1: not XML"),
    ],
)
def test_what_is_wrong_is_one_line(xml: str, keys: str | None, problem: str, tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=problem) as caught:
        read_senses(written(tmp_path, xml, keys), INDEX, prefix="test")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        (["said", "say"], r"x\.jsonl:1: token 1 is \['said', 'say'\]; give"),
        ("said", "token 1 is said; give"),
        (["", "say", "VB"], r"token 1 is \['', 'say', 'VB'\]"),
        (["said", "say", "VB", "say%2:32:00::"], "token 1: say%2:32:00:: is no list of sense keys"),
        (["said", "say", "VB", ["say"]], r"token 1: \['say'\] is no list of sense keys of one lemma"),
        (["said", "say", "VB", [7]], r"token 1: \[7\] is no list"),
        (["said", "say", "VB", ["say%2:32:00::", "year%1:28:02::"]], "of one lemma"),
        (["said", "say", "VB", ["such%5:00:01:specified:00"]], "no word in it has a sense"),
    ],
)
def test_what_is_wrong_in_json_lines_is_one_line(token: object, problem: str, tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=problem):
        read_senses(jsonl(tmp_path, token), INDEX, prefix="train")


def test_the_place_of_an_adjective_is_no_part_of_its_key(tmp_path: Path) -> None:
    index = SenseIndex({("several", "ADJ"): ["several%5:00:00:some:00"], ("asleep", "ADJ"): ["asleep%3:00:00::"]})
    marked = ["several", "several", "JJ", ["several%5:00:00:some(a):00"]]  # SemCor; the framework has it without "(a)"
    (example,) = read_senses(jsonl(tmp_path, marked), index, prefix="train")
    (instance,) = example.target
    assert instance.senses == ("several%5:00:00:some:00",)


def test_a_sentence_of_json_lines_that_is_there_twice(tmp_path: Path) -> None:
    """Its words would have the same ids, and the score has only one word for each id."""
    path = jsonl(tmp_path, ["said", "say", "VB", ["say%2:32:00::"]])
    path.write_text(path.read_text() * 2)
    with pytest.raises(DataFormatError, match=r"x\.jsonl:2: the sentence d\.s7 is there twice; give each"):
        read_senses(path, INDEX, prefix="train")


def test_json_lines_without_tokens(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"text": "Hi"}\n')
    with pytest.raises(DataFormatError, match=r"x\.jsonl:1: no list 'tokens'"):
        read_senses(tmp_path / "x.jsonl", INDEX, prefix="train")


@pytest.mark.realdata
def test_real_files(shared: Path) -> None:
    folder = shared / "data" / "wsd"
    index = read_sense_index(folder / "wordnet-3.0-index.sense.gz")
    examples = read_senses(folder / "ALL" / "ALL.data.xml.gz", index, prefix="test")
    words = [word for example in examples for word in example.target]
    assert (len(examples), len(words)) == (1093, 7253)
    several = [word for word in words if word.end - word.start > 1]
    assert len(several) > 200
    assert all(word.end <= len(example.texts["tokens"]) for example in examples for word in example.target)
    train = read_senses(folder / "semcor3.0.jsonl.gz", index, prefix="train")
    assert (len(train), sum(len(example.target) for example in train)) == (36298, 226036)  # counted without the reader

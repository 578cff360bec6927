"""The readers of labelled spans: each format by hand, and its errors."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataFormatError
from harness.types import SPLITS
from tasks.edges import sample
from tasks.edges.reader import labels_of, read_edges

ROLES: dict[str, Any] = {
    "text": "Ian ate strawberry ice cream",
    "targets": [
        {"span1": [1, 2], "span2": [0, 1], "label": "A0"},
        {"span1": [1, 2], "span2": [2, 5], "label": ["A1", "A2"]},
    ],
    "info": {"source": "made up"},
}


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_json_lines(tmp_path: Path) -> None:
    lines = [ROLES, {"text": ["No", "target"], "targets": []}, {"text": ["a b", "c"], "targets": ROLES["targets"][:1]}]
    path = written(tmp_path, "roles.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    first, second = read_edges(path)
    assert first == (("Ian", "ate", "strawberry", "ice", "cream"), ROLES["targets"])
    assert [labels_of(target) for target in first[1]] == [["A0"], ["A1", "A2"]]
    assert second[0] == ("a b", "c")


def test_the_arcs_of_a_dependency_tree(tmp_path: Path) -> None:
    rows = ["1-2 Don't _ _", "1 Do 3 aux", "2 n't 3 advmod", "3 go 0 root", "3.1 go _ _"]
    columns = [(i, word, "_", "_", "_", "_", head, label, "_", "_") for i, word, head, label in map(str.split, rows)]
    path = written(tmp_path, "tree.conllu", "# a comment\n" + "".join("\t".join(row) + "\n" for row in columns))
    ((words, targets),) = read_edges(path)
    assert words == ("Do", "n't", "go")
    assert [(t["span1"], t["span2"], t["label"]) for t in targets] == [
        ([0, 1], [2, 3], "aux"),
        ([1, 2], [2, 3], "advmod"),
        ([2, 3], [2, 3], "root"),
    ]


def test_semantic_roles(tmp_path: Path) -> None:
    """The verb has two words; the second frame has no V, so its predicate is the verb."""
    words = ["Ann", "gave", "up", "and", "slept"]
    frames = [
        {"pred": 1, "tags": ["B-ARG0", "B-V", "I-V", "O", "O"]},
        {"pred": 4, "tags": ["B-ARG0", "O", "O", "B-ARGM-DIS", "O"]},
    ]
    lines = [{"words": words, "frames": frames}, {"words": ["No"], "frames": []}]
    path = written(tmp_path, "roles.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    ((found, targets),) = read_edges(path)
    assert found == tuple(words)
    assert targets == [
        {"span1": [1, 3], "span2": [0, 1], "label": "ARG0"},
        {"span1": [4, 5], "span2": [0, 1], "label": "ARG0"},
        {"span1": [4, 5], "span2": [3, 4], "label": "ARGM-DIS"},
    ]


def test_pairs_of_mentions_of_a_sentence(tmp_path: Path) -> None:
    """The second sentence has one mention, and so no pair; no pair crosses the end of a sentence."""
    rows = ["Ann (0)", "met -", "her (1|(0)", "sister 1)", "", "She (0)", "left -", "", "Bo (2)", "saw -", "it (3)"]
    lines = [f"d 0 {i} {row.split()[0]} {row.split()[1]}" if row else "" for i, row in enumerate(rows)]
    text = "#begin document (d); part 000\n" + "\n".join(lines) + "\n\n#end document\n"
    found = read_edges(written(tmp_path, "story.conll", text))
    assert [words for words, _ in found] == [("Ann", "met", "her", "sister"), ("Bo", "saw", "it")]
    assert [(t["span1"], t["span2"], t["label"]) for t in found[0][1]] == [
        ([0, 1], [2, 3], "1"),
        ([0, 1], [2, 4], "0"),
        ([2, 3], [2, 4], "0"),
    ]
    assert [t["label"] for t in found[1][1]] == ["0"]


def test_named_entities(tmp_path: Path) -> None:
    path = written(tmp_path, "names.conll", "Ann B-PER\nLee I-PER\nsaw O\nRome B-LOC\n\nNo O\n\n")
    assert read_edges(path) == [
        (("Ann", "Lee", "saw", "Rome"), [{"span1": [0, 2], "label": "PER"}, {"span1": [3, 4], "label": "LOC"}])
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a b"}', "'targets' is null; expected"),
        ('{"text": "", "targets": []}', "'text' is \"\"; expected"),
        ('{"text": "a b", "targets": [3]}', "a target is 3; expected"),
        ('{"text": "a b", "targets": [{"span1": [0, 1]}]}', "'label' is null; give text, or a list of texts"),
        ('{"text": "a b", "targets": [{"span1": [0, 3], "label": "x"}]}', r"'span1' is \[0, 3\]; give .* at most 2"),
        ('{"text": "a b", "targets": [{"span1": [1, 1], "label": "x"}]}', r"'span1' is \[1, 1\]; give the first token"),
        ('{"text": "a b", "targets": [{"span1": [0, true], "label": "x"}]}', r"'span1' is \[0, true\]"),
        ('{"text": "a b", "targets": [{"span1": [0, 1], "span2": "1", "label": "x"}]}', "'span2' is \"1\""),
    ],
)
def test_a_bad_line_is_named(line: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, "bad.jsonl", f"{json.dumps(ROLES)}\n{line}\n")
    with pytest.raises(DataFormatError, match=rf"bad.jsonl:2: {message}"):
        read_edges(path)


@pytest.mark.parametrize(
    ("head", "relation", "message"),
    [
        ("2", "nsubj", r"the head \(column 7\) is '2'"),
        ("_", "nsubj", r"the head \(column 7\) is '_'"),
        ("0", "_", r"the relation \(column 8\) is '_'; fill it in"),
    ],
)
def test_a_bad_arc_is_named(head: str, relation: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, "bad.conllu", f"1\tGo\t_\t_\t_\t_\t{head}\t{relation}\t_\t_\n")
    with pytest.raises(DataFormatError, match=rf"bad.conllu:1: {message}"):
        read_edges(path)


def test_targets_of_two_kinds_and_files_without_targets_are_refused(tmp_path: Path) -> None:
    single = {"text": "a b", "targets": [{"span1": [0, 1], "label": "x"}]}
    both = written(tmp_path, "both.jsonl", json.dumps(ROLES) + "\n" + json.dumps(single) + "\n")
    with pytest.raises(DataFormatError, match="some targets have a span2 and others have none"):
        read_edges(both)
    with pytest.raises(DataFormatError, match="no sentence with a target"):
        read_edges(written(tmp_path, "none.jsonl", '{"text": "a b", "targets": []}\n'))


def test_the_sample_is_what_its_files_hold_and_words_do_not_tell_the_label(tmp_path: Path) -> None:
    for split in SPLITS:
        path = written(tmp_path, f"{split}.jsonl", sample.jsonl(split))
        assert read_edges(path) == sample.labelled(split)
    seen: dict[str, Counter[str]] = {}
    right = total = 0
    for split in ("train", "dev"):
        for words, targets in sample.labelled(split):
            for target in targets:
                known = seen.setdefault(words[target["span1"][0]].lower(), Counter())
                if split == "train":
                    known[str(target["label"])] += 1
                else:
                    right += bool(known) and known.most_common(1)[0][0] == target["label"]
                    total += 1
    assert right / total < 0.75


def test_the_sample_is_the_same_everywhere() -> None:
    """If it changes, raise ``EdgeProbing.version``."""
    text = "".join(map(sample.jsonl, SPLITS))
    assert hashlib.sha256(text.encode()).hexdigest().startswith("4078ab7e68c8")


@pytest.mark.realdata
def test_every_word_of_ewt_has_an_arc(shared: Path) -> None:
    found = read_edges(shared / "data" / "pos" / "en_ewt-ud-dev.conllu.gz")
    labels = Counter(str(target["label"]) for _, targets in found for target in targets)
    assert (len(found), labels.total(), labels["root"]) == (2001, 25147, 2001)

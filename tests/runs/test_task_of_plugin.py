"""A task whose members are not those of a task is one line, before anything is encoded."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from harness.errors import HarnessError
from harness.runs.plan import prepare
from harness.types import Split
from tasks.ner.task import NamedEntityRecognition
from tests.support.runs import SMALL, config_of


def refusal(folder: Path, monkeypatch: pytest.MonkeyPatch, member: str, value: Any) -> str:
    monkeypatch.setattr(NamedEntityRecognition, member, value)
    with pytest.raises(HarnessError) as caught:
        prepare(config_of(folder, *SMALL))
    return str(caught.value)


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("data_name", 3, "NamedEntityRecognition.data_name is 3; expected a str"),
        ("name", "..", "NamedEntityRecognition.name is '..'; expected letters"),
        ("name", "", "NamedEntityRecognition.name is ''; expected letters"),
        ("primary_metric", 1, "NamedEntityRecognition.primary_metric is 1; expected a str"),
        (
            "name",
            "a/../../b",
            "NamedEntityRecognition.name is 'a/../../b'; expected letters, digits and _ + - . for a folder's",
        ),
    ],
)
def test_a_wrong_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: str, value: Any, message: str) -> None:
    assert refusal(tmp_path, monkeypatch, member, value).startswith(message)


_WHOLE = NamedEntityRecognition.examples


def test_a_wrong_name_is_refused_before_the_data_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def examples(self: NamedEntityRecognition, split: Split) -> Any:
        raise AssertionError("the data were read")

    monkeypatch.setattr(NamedEntityRecognition, "examples", examples)
    assert "expected a str" in refusal(tmp_path, monkeypatch, "data_name", 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: None, ".examples('train') is no list of harness.types.Example, each with its texts"),
        (iter, ".examples('train') is no list of harness.types.Example"),
        (lambda found: [vars(one) for one in found], ".examples('train') is no list of"),
        (lambda found: [replace(one, texts={}) for one in found], ".examples('train') is no list of"),
        (lambda _: np.array([]), ".examples('train') is empty; give data"),
        (lambda _: [], ".examples('train') is empty; give data with an example in each split"),
    ],
)
def test_wrong_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], Any], message: str
) -> None:
    def examples(self: NamedEntityRecognition, split: Split) -> Any:
        return change(_WHOLE(self, split))

    assert message in refusal(tmp_path, monkeypatch, "examples", examples)


class Lazy:
    """Examples that are made when they are asked for."""

    def __init__(self, found: Any) -> None:
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, index: Any) -> Any:
        return self._found[index]


@pytest.mark.parametrize(
    "kind",
    [
        Lazy,
        lambda found: np.array(list(found), dtype=object),
        lambda found: pandas.Series(list(found), index=range(len(found))[::-1]),  # series[0] is the last example
    ],
)
def test_examples_may_be_another_sequence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[[Any], Any]
) -> None:
    expected = prepare(config_of(tmp_path, *SMALL)).digests
    monkeypatch.setattr(NamedEntityRecognition, "examples", lambda self, split: kind(_WHOLE(self, split)))
    prepared = prepare(config_of(tmp_path, *SMALL))
    assert prepared.digests == expected
    assert prepared.examples["test"][0] == _WHOLE(prepared.task, "test")[0]  # type: ignore[arg-type]

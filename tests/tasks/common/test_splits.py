"""Reading splits: each once for every task object."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.runs.run import run
from harness.types import Example, Split
from harness.utils.signals import Stop
from tasks.classification.task import TextClassification
from tasks.common.splits import read_once, split_file
from tasks.ner.task import NamedEntityRecognition
from tasks.pos.task import PosTagging
from tasks.snli.task import NaturalLanguageInference
from tasks.squad.task import ReadingComprehension
from tasks.sst5.task import SentimentTreebank
from tests.support.runs import SMALL, config_of


class Counting:
    """A task that counts how often it reads each split."""

    def __init__(self) -> None:
        self.reads: list[Split] = []

    @read_once
    def examples(self, split: Split) -> Sequence[Example]:
        """Return one example."""
        self.reads.append(split)
        return [Example(id=split, texts={})]


def test_every_task_object_reads_a_split_once() -> None:
    first, second = Counting(), Counting()
    assert first.examples("dev") is first.examples("dev")
    assert first.examples("train")[0].id == "train"
    assert second.examples("dev")[0].id == "dev"
    assert (first.reads, second.reads) == (["dev", "train"], ["dev"])


def test_an_error_is_not_kept() -> None:
    class Failing(Counting):
        @read_once
        def examples(self, split: Split) -> Sequence[Example]:
            self.reads.append(split)
            if len(self.reads) == 1:
                raise ConfigError("not yet")
            return []

    task = Failing()
    with pytest.raises(ConfigError):
        task.examples("dev")
    assert task.examples("dev") == []


def test_the_file_of_a_split() -> None:
    files = DataConfig(source="files", train="a", dev="b")
    assert split_file(files, "dev", official="ewt") == Path("b")
    with pytest.raises(ConfigError, match=r"data\.test is not given"):
        split_file(files, "test", official="ewt")
    with pytest.raises(ConfigError, match=r"data\.cache_dir is not given"):
        split_file(DataConfig(source="official"), "dev", official="ewt")


@pytest.mark.parametrize(
    ("given", "name"), [(None, "whitespace"), (False, "whitespace"), (True, "english"), ("spacy:de", "spacy:de")]
)
def test_raw_text_is_split_on_request(given: bool | str | None, name: str) -> None:
    assert DataConfig(tokenize=given).tokenizer == name


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_a_missing_file_says_what_to_add(split: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DataConfig(source="files").path(split)
    assert f"data.{split} is not given; add data=files data.{split}=FILE" in str(caught.value)
    assert (f"data.{split}_fraction=0.1" in str(caught.value)) is (split != "train")


def cut_task(folder: Path, rows: str, **options: Any) -> TextClassification:
    (folder / "train.csv").write_text(f"text,label\n{rows}")
    return TextClassification(data=DataConfig(source="files", train=str(folder / "train.csv"), **options))


ROWS = "".join(f"text {i},{i % 3}\n" for i in range(100))


def test_dev_and_test_are_cut_from_train(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = cut_task(tmp_path, ROWS).examples("train")
    with caplog.at_level("INFO"):
        task = cut_task(tmp_path, ROWS, dev_fraction=0.1, test_fraction=0.25)
        parts = {split: task.examples(split) for split in ("dev", "train", "test")}
    assert {split: len(part) for split, part in parts.items()} == {"train": 65, "dev": 10, "test": 25}
    assert "100 examples of the training file are divided: 65 train, 10 dev, 25 test" in caplog.text
    assert sorted(int(e.id.removeprefix("train-")) for part in parts.values() for e in part) == list(range(100))
    for part in parts.values():
        assert list(part) == [e for e in whole if e in part]  # in file order, with the ids of the file
        assert len({e.target for e in part}) == 3


def test_the_cut_is_the_same_every_time(tmp_path: Path) -> None:
    dev = cut_task(tmp_path, ROWS, dev_fraction=0.1).examples("dev")
    assert [e.id for e in dev] == [f"train-{i}" for i in (9, 13, 19, 20, 26, 35, 56, 71, 72, 91)]
    assert cut_task(tmp_path, ROWS, dev_fraction=0.1, test_fraction=0.5).examples("dev") == dev


def test_equal_texts_stay_together(tmp_path: Path) -> None:
    task = cut_task(tmp_path, "a,1\nb,2\na,1\nc,1\na,2\nd,1\n", dev_fraction=0.5)
    train, dev = ({e.texts["tokens"] for e in task.examples(split)} for split in ("train", "dev"))
    assert (len(train), len(dev)) == (2, 2)
    assert not train & dev


def test_every_run_reads_the_same_cut_and_its_record_says_so(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(f"text,label\n{ROWS}")
    files = ["data=files", f"data.train={tmp_path}/train.csv", "data.dev_fraction=0.1", "data.test_fraction=0.2"]
    small = [option for option in SMALL if not option.startswith("task.")]
    first, second = (
        run(config_of(tmp_path, "task=classification", *small, *files, "data.fraction=1", *options), stop=Stop())
        for options in (["seed=1"], ["seed=2"])
    )
    assert first.setting == second.setting
    assert first.data["sha256"] == second.data["sha256"]
    assert first.data["sizes"] == {"train": 70, "dev": 10, "test": 20}
    assert (first.config["data"]["dev_fraction"], first.config["data"]["test_fraction"]) == (0.1, 0.2)
    other = run(config_of(tmp_path, "task=classification", *small, *files, "data.dev_fraction=0.2"), stop=Stop())
    assert other.identity != first.identity


def test_something_must_remain_for_training(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.dev_fraction=0\.9: nothing remains of 2 different training texts"):
        cut_task(tmp_path, "a,1\nb,2\nb,2\n", dev_fraction=0.9).examples("train")


@pytest.mark.parametrize("option", ["dev_fraction", "test_fraction", "tokenize"])
def test_options_without_an_effect_are_refused(option: str, tmp_path: Path) -> None:
    value: Any = "english" if option == "tokenize" else 0.1
    data = DataConfig(source="files", train="a", **{option: value})
    for task in (SentimentTreebank, NaturalLanguageInference, ReadingComprehension):
        with pytest.raises(ConfigError, match=rf"data\.{option}={value}: this task .*; leave it out"):
            task(data=data).examples("train")  # type: ignore[abstract]
    (tmp_path / "x.conll").write_text("Ann B-PER\n\nBob B-PER\n")
    if option != "tokenize":
        ner = NamedEntityRecognition(data=replace(data, train=str(tmp_path / "x.conll")))
        assert len(ner.examples("train")) == 1


@pytest.mark.parametrize("task", [SentimentTreebank, PosTagging, NaturalLanguageInference, ReadingComprehension])
def test_columns_are_refused_where_the_files_have_fixed_ones(task: Any) -> None:
    data = DataConfig(source="files", train="a", columns=(2, -1))
    with pytest.raises(ConfigError, match=r"data\.columns=\[2, -1\]: the files of this task have fixed columns"):
        task(data=data).examples("train")

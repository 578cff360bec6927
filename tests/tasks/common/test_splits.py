"""Reading splits: each once for every task object."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.types import Example, Split
from tasks.common.splits import read_once, split_file
from tasks.pos.task import PosTagging
from tasks.snli.task import NaturalLanguageInference
from tasks.squad.task import ReadingComprehension
from tasks.sst5.task import SentimentTreebank


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


@pytest.mark.parametrize("task", [SentimentTreebank, PosTagging, NaturalLanguageInference, ReadingComprehension])
def test_columns_are_refused_where_the_files_have_fixed_ones(task: Any) -> None:
    data = DataConfig(source="files", train="a", columns=(2, -1))
    with pytest.raises(ConfigError, match=r"data\.columns=\[2, -1\]: the files of this task have fixed columns"):
        task(data=data).examples("train")

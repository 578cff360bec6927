"""The published data sets that the project knows how to get: where each lies, its pin, its licence, its rows.

A revision is a commit: the same address always gives the same file. The digests are those that others have published
for these very addresses (of EWT, also those of the files that this project was built with).
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness.types import SPLITS, Split

Row = dict[str, Any]
HUB = "https://huggingface.co"  # or the environment's HF_ENDPOINT, a mirror
GITHUB = "https://raw.githubusercontent.com"
CONLL_TAGS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC")
SNLI_LABELS = ("entailment", "neutral", "contradiction", "-")  # the last, -1 on the hub, for pairs without a gold label


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """One file of a data set.

    Attributes:
        path: below the data set's address.
        sha256: of that file; None where it is not known to the project, and the first download's is kept.
        rows: how many rows it has, for a table.
        member: the file's name within an archive.
    """

    path: str
    sha256: str | None
    rows: int | None = None
    member: str | None = None


@dataclass(frozen=True, kw_only=True)
class PublishedDataSet:
    """One data set.

    Attributes:
        title: what it is called.
        host: where it lies.
        repository: its name there.
        revision: the commit that is pinned; empty where the address has no versions and the digest alone pins it.
        licence: under which it may be used, as far as its owners say.
        files: its splits.
        adapt: for a table, what makes a row of ours of a row of theirs; its columns are checked before.
        columns: for a table, those that ``adapt`` reads.
    """

    title: str
    host: Literal["hub", "github", "web"]
    repository: str
    revision: str
    licence: str
    files: Mapping[Split, PublishedFile]
    adapt: Callable[[Row], Row] | None = None
    columns: tuple[str, ...] = ()

    def url(self, file: PublishedFile) -> str:
        """Return the address of one of its files."""
        if self.host == "hub":
            hub = os.environ.get("HF_ENDPOINT") or HUB
            return f"{hub.rstrip('/')}/datasets/{self.repository}/resolve/{self.revision}/{file.path}"
        if self.host == "github":
            return f"{GITHUB}/{self.repository}/{self.revision}/{file.path}"
        return f"{self.repository}/{file.path}"


def _conll_row(row: Row) -> Row:
    return {"tokens": row["tokens"], "tags": [CONLL_TAGS[tag] for tag in row["ner_tags"]]}


def _sst5_row(row: Row) -> Row:
    return {"text": row["text"], "label": row["label"]}


def _snli_row(row: Row) -> Row:
    return {"premise": row["premise"], "hypothesis": row["hypothesis"], "label": SNLI_LABELS[row["label"]]}


def _squad_row(row: Row) -> Row:
    pairs = zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True)
    answers = [{"text": text, "answer_start": start} for text, start in pairs]
    return {**{key: row[key] for key in ("id", "title", "context", "question")}, "answers": answers}


_TREES = "5c613a4f673fc74097d523a2c83f38e0cc462984d847b82c7aaf36b01cbbbfcc"

PUBLISHED: dict[str, PublishedDataSet] = {
    "conll2003": PublishedDataSet(
        title="CoNLL-2003 named entities, English",
        host="hub",
        repository="lhoestq/conll2003",
        revision="19edcb426bfd625c275c17b9a99b2239243f4377",
        licence="the text is the Reuters Corpus: research use only, under the agreement of NIST, which this copy does "
        "not give you",
        files={
            "train": PublishedFile(
                path="data/train-00000-of-00001.parquet",
                sha256="1575a56575c18a59590ffc22d31bd43a3ee28fe989b5e0f160059970e87af9ec",
                rows=14_041,
            ),
            "dev": PublishedFile(
                path="data/validation-00000-of-00001.parquet",
                sha256="0a7d0169be91e69b3258026ceaeaccc87d672339d4acc76a85065ea8fd9eec47",
                rows=3_250,
            ),
            "test": PublishedFile(
                path="data/test-00000-of-00001.parquet",
                sha256="5a6901d09abe098a8924aaed56a89ebb7997be1e94dce488ad8c907d058b8131",
                rows=3_453,
            ),
        },
        adapt=_conll_row,
        columns=("tokens", "ner_tags"),
    ),
    "ewt": PublishedDataSet(
        title="Universal Dependencies English EWT, release 2.16",
        host="github",
        repository="UniversalDependencies/UD_English-EWT",
        revision="4c89b5833a70aa5ed3a00bad2f23f57992cc7df8",
        licence="CC BY-SA 4.0",
        files={
            "train": PublishedFile(
                path="en_ewt-ud-train.conllu",
                sha256="3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b",
            ),
            "dev": PublishedFile(
                path="en_ewt-ud-dev.conllu",
                sha256="531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6",
            ),
            "test": PublishedFile(
                path="en_ewt-ud-test.conllu",
                sha256="e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd",
            ),
        },
    ),
    "sst5": PublishedDataSet(
        title="Stanford Sentiment Treebank, five labels, whole sentences",
        host="hub",
        repository="SetFit/sst5",
        revision="e51bdcd8cd3a30da231967c1a249ba59361279a3",
        licence="none is stated; published for research",
        files={
            "train": PublishedFile(path="train.jsonl", sha256=None, rows=8_544),
            "dev": PublishedFile(path="dev.jsonl", sha256=None, rows=1_101),
            "test": PublishedFile(
                path="test.jsonl",
                sha256="1384216112a34f3d70b6fa210762f3399bb080410c0456ac6e54a5cb413f04b2",
                rows=2_210,
            ),
        },
        adapt=_sst5_row,
        columns=("text", "label"),
    ),
    "sst5_trees": PublishedDataSet(
        title="Stanford Sentiment Treebank, trees with a label at every phrase",
        host="web",
        repository="https://nlp.stanford.edu/sentiment",
        revision="",
        licence="none is stated; published for research",
        files={
            split: PublishedFile(path="trainDevTestTrees_PTB.zip", sha256=_TREES, member=f"trees/{split}.txt")
            for split in SPLITS
        },
    ),
    "snli": PublishedDataSet(
        title="Stanford Natural Language Inference 1.0",
        host="hub",
        repository="stanfordnlp/snli",
        revision="cdb5c3d5eed6ead6e5a341c8e56e669bb666725b",
        licence="CC BY-SA 4.0",
        files={
            "train": PublishedFile(
                path="plain_text/train-00000-of-00001.parquet",
                sha256="ef9a7b25d97390a62aeda7abe26aec8640600f50b818eaeb9107097d60ac6620",
                rows=550_152,
            ),
            "dev": PublishedFile(
                path="plain_text/validation-00000-of-00001.parquet",
                sha256="00f5ed8deaed007fef3022f0215b287efbab815b1bb31ac3f3ff4f4129d41ffe",
                rows=10_000,
            ),
            "test": PublishedFile(
                path="plain_text/test-00000-of-00001.parquet",
                sha256="4696deda851c4d2385f26b58f2e13f9ed9f08ea7b42a3f4c2b97a9d08448878c",
                rows=10_000,
            ),
        },
        adapt=_snli_row,
        columns=("premise", "hypothesis", "label"),
    ),
    "squad": PublishedDataSet(
        title="SQuAD 1.1",
        host="hub",
        repository="rajpurkar/squad",
        revision="7b6d24c440a36b6815f21b70d25016731768db1f",
        licence="CC BY-SA 4.0",
        files={  # the test set is not public
            "train": PublishedFile(
                path="plain_text/train-00000-of-00001.parquet",
                sha256="ea7f52bac024f6b1bdc7aaa2a4ee302cba8c2fdc8d4a235cf18a9a5196b6175b",
                rows=87_599,
            ),
            "dev": PublishedFile(
                path="plain_text/validation-00000-of-00001.parquet",
                sha256="8c6646d36bd5a95061e076788cf3161d11f6f3e7d625dac7a83bbed0a49f69f7",
                rows=10_570,
            ),
        },
        adapt=_squad_row,
        columns=("id", "title", "context", "question", "answers"),
    ),
}

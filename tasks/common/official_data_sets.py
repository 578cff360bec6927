"""The published data sets that the project can download: address, revision, licence and number of rows of each.

A revision is a commit, so the same address always gives the same file. The digests were published by others for these
addresses. Those of EWT are also the digests of the files with which this project was built.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness.types import SPLITS, Split

Row = dict[str, Any]
HUB = "https://huggingface.co"  # the environment variable HF_ENDPOINT names a mirror instead
GITHUB = "https://raw.githubusercontent.com"
CONLL_TAGS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC")
SNLI_LABELS = ("entailment", "neutral", "contradiction", "-")  # index -1, the last, means: no gold label


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """One file of a data set.

    Args:
        path: The path of the file, relative to the address of the data set.
        sha256: The digest of the file.
        rows: The number of rows, if the file is a table.
        member: The name of the wanted file in the archive, if the file is an archive.
    """

    path: str
    sha256: str
    rows: int | None = None
    member: str | None = None


@dataclass(frozen=True, kw_only=True)
class PublishedDataSet:
    """One data set.

    Args:
        title: The full name, for log lines.
        host: The kind of site that has the files: the Hugging Face hub, GitHub, or any other.
        repository: The name of the repository on that site, or the address on another site.
        revision: The commit. Empty if the site has no versions; then only the digest identifies the file.
        licence: The licence, if its owners state one.
        files: The file of each split.
        adapt: Return a row with our keys from a row of the table; None if the files are not tables.
        columns: The columns of the table that ``adapt`` reads; they are checked first.
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
        """Return the address of a file of the data set."""
        if self.host == "hub":
            hub = os.environ.get("HF_ENDPOINT") or HUB
            return f"{hub.rstrip('/')}/datasets/{self.repository}/resolve/{self.revision}/{file.path}"
        if self.host == "github":
            return f"{GITHUB}/{self.repository}/{self.revision}/{file.path}"
        return f"{self.repository}/{file.path}"


def _conll_row(row: Row) -> Row:
    """Return the tokens of a sentence and its tags by name, which the table has as numbers."""
    return {"tokens": row["tokens"], "tags": [CONLL_TAGS[tag] for tag in row["ner_tags"]]}


def _snli_row(row: Row) -> Row:
    """Return a pair of sentences and its label by name, which the table has as a number."""
    return {"premise": row["premise"], "hypothesis": row["hypothesis"], "label": SNLI_LABELS[row["label"]]}


def _squad_row(row: Row) -> Row:
    """Return a question with a list of answers, which the table has as two lists."""
    pairs = zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True)
    answers = [{"text": text, "answer_start": start} for text, start in pairs]
    return {**{key: row[key] for key in ("id", "title", "context", "question")}, "answers": answers}


def _files(path: str, **splits: tuple[str, int | None]) -> dict[Split, PublishedFile]:
    """Return the files of a data set, from the digest and the number of rows of each split.

    In ``path``, ``{split}`` stands for the name of the split, and ``{hub}`` for its name on the hub.
    """
    return {
        split: PublishedFile(
            path=path.format(split=split, hub="validation" if split == "dev" else split),
            sha256=splits[split][0],
            rows=splits[split][1],
        )
        for split in SPLITS
        if split in splits
    }


_TREES = "5c613a4f673fc74097d523a2c83f38e0cc462984d847b82c7aaf36b01cbbbfcc"

PUBLISHED: dict[str, PublishedDataSet] = {
    "conll2003": PublishedDataSet(
        title="CoNLL-2003 named entities, English",
        host="hub",
        repository="lhoestq/conll2003",
        revision="19edcb426bfd625c275c17b9a99b2239243f4377",
        licence="the text is the Reuters Corpus: research use only, under the agreement of NIST, which this copy does "
        "not give you",
        files=_files(
            "data/{hub}-00000-of-00001.parquet",
            train=("1575a56575c18a59590ffc22d31bd43a3ee28fe989b5e0f160059970e87af9ec", 14_041),
            dev=("0a7d0169be91e69b3258026ceaeaccc87d672339d4acc76a85065ea8fd9eec47", 3_250),
            test=("5a6901d09abe098a8924aaed56a89ebb7997be1e94dce488ad8c907d058b8131", 3_453),
        ),
        adapt=_conll_row,
        columns=("tokens", "ner_tags"),
    ),
    "ewt": PublishedDataSet(
        title="Universal Dependencies English EWT, release 2.16",
        host="github",
        repository="UniversalDependencies/UD_English-EWT",
        revision="4c89b5833a70aa5ed3a00bad2f23f57992cc7df8",
        licence="CC BY-SA 4.0",
        files=_files(
            "en_ewt-ud-{split}.conllu",
            train=("3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b", None),
            dev=("531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6", None),
            test=("e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd", None),
        ),
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
        files=_files(
            "plain_text/{hub}-00000-of-00001.parquet",
            train=("ef9a7b25d97390a62aeda7abe26aec8640600f50b818eaeb9107097d60ac6620", 550_152),
            dev=("00f5ed8deaed007fef3022f0215b287efbab815b1bb31ac3f3ff4f4129d41ffe", 10_000),
            test=("4696deda851c4d2385f26b58f2e13f9ed9f08ea7b42a3f4c2b97a9d08448878c", 10_000),
        ),
        adapt=_snli_row,
        columns=("premise", "hypothesis", "label"),
    ),
    "squad": PublishedDataSet(
        title="SQuAD 1.1",
        host="hub",
        repository="rajpurkar/squad",
        revision="7b6d24c440a36b6815f21b70d25016731768db1f",
        licence="CC BY-SA 4.0",
        files=_files(  # the test set is not public
            "plain_text/{hub}-00000-of-00001.parquet",
            train=("ea7f52bac024f6b1bdc7aaa2a4ee302cba8c2fdc8d4a235cf18a9a5196b6175b", 87_599),
            dev=("8c6646d36bd5a95061e076788cf3161d11f6f3e7d625dac7a83bbed0a49f69f7", 10_570),
        ),
        adapt=_squad_row,
        columns=("id", "title", "context", "question", "answers"),
    ),
}

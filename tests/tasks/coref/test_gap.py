"""GAP: reading, sentences, the score against counts by hand, and a trained head that is scored on it."""

from pathlib import Path

import pytest

from harness.commands.predict import main
from harness.config.schema import DataConfig
from harness.errors import DataFormatError
from harness.types import Document, Prediction
from harness.utils.tokenized_text import TokenizedText
from tasks.coref.documents import TEXT, sentences_in
from tasks.coref.gap import HEADER, read_gap
from tasks.coref.task import Coreference
from tests.support.trained import trained_run

TEXT_OF = 'Ann Hill met Eve. "She left!" he said (again). Her dog stayed.'


def row(pronoun: str, a_gold: str, b_gold: str, own_id: str = "test-1") -> str:
    place = TEXT_OF.index(pronoun)
    return "\t".join(
        [
            own_id,
            TEXT_OF,
            pronoun,
            str(place),
            "Ann Hill",
            "0",
            a_gold,
            "Eve",
            str(TEXT_OF.index("Eve")),
            b_gold,
            "http",
        ]
    )


def gap_file(folder: Path, *rows: str) -> Path:
    path = folder / "gap-test.tsv"
    path.write_text("\n".join(["\t".join(HEADER), *rows]) + "\n")
    return path


def test_pronouns_and_names_are_tokens_of_sentences(tmp_path: Path) -> None:
    (example,) = read_gap(gap_file(tmp_path, row("She", "TRUE", "FALSE")))
    document = example.texts[TEXT]
    assert isinstance(document, Document)
    gap = example.target["gap"]
    words = [document[start : end + 1] for start, end in (gap["pronoun"], *gap["names"])]
    assert words == [("She",), ("Ann", "Hill"), ("Eve",)]
    assert (gap["gold"], gap["feminine"], example.target["clusters"]) == ([True, False], True, None)
    assert [" ".join(sentence) for sentence in document.sentences] == [
        "Ann Hill met Eve .",
        '" She left ! "',
        "he said ( again ) .",
        "Her dog stayed .",
    ]


def test_sentences_keep_every_token() -> None:
    for text in ("a . b", ". . .", "a", "a . ) b ! ? c", ") ."):
        tokens = TokenizedText.of_tokens(text.split())
        assert tuple(token for sentence in sentences_in(tokens) for token in sentence) == tokens.tokens


@pytest.mark.parametrize(
    "line", ["a\tb", row("She", "true", "FALSE"), row("She", "TRUE", "FALSE").replace("\t0\t", "\t3\t")]
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataFormatError, match=r"gap-test\.tsv:3: not a line of GAP"):
        read_gap(gap_file(tmp_path, row("She", "TRUE", "FALSE"), line))


def test_the_score_counts_both_names(tmp_path: Path) -> None:
    """Found: of the feminine ones a right and a wrong name, of the masculine one neither; one right name is missed."""
    path = gap_file(
        tmp_path,
        row("She", "TRUE", "FALSE"),
        row("Her", "TRUE", "FALSE", "test-2"),
        row("he", "FALSE", "TRUE", "test-3"),
    )
    task = Coreference(data=DataConfig())
    examples = task.read(path, prefix="x")
    she, ann, eve = (examples[0].target["gap"][key] for key in ("pronoun", "names", "names"))
    her = examples[1].target["gap"]["pronoun"]
    values = [[[she, ann[0]]], [[her, eve[1]], [ann[0]]], []]
    predictions = [Prediction(id=e.id, value=value) for e, value in zip(examples, values, strict=True)]
    scores = task.score(examples, predictions).values
    assert (scores["recall"], scores["precision"], scores["feminine/f1"], scores["masculine/f1"]) == (
        1 / 3,
        1 / 2,
        0.5,
        0,
    )


@pytest.mark.slow
def test_a_trained_head_is_scored_and_labels_documents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same run labels a file of CoNLL columns with the result that it recorded, GAP, and raw text."""
    run = trained_run(tmp_path, "task=coref", "task.span_ranker.hidden_dim=8", "trainer.max_epochs=2")
    assert main([str(run), str(gap_file(tmp_path, row("She", "TRUE", "FALSE"))), "--score"]) == 0
    assert "feminine/f1" in capsys.readouterr().out
    (tmp_path / "text.txt").write_text("Ann met Eve .\n\nShe left .\n")
    assert main([str(run), str(tmp_path / "text.txt")]) == 0
    assert capsys.readouterr().out.count('"clusters"') == 3


@pytest.mark.realdata
def test_all_texts_of_gap_are_read(shared: Path) -> None:
    folder = shared / "data" / "coref" / "gap"
    sizes = {part: len(read_gap(folder / f"gap-{part}.tsv")) for part in ("development", "test", "validation")}
    assert sizes == {"development": 2000, "test": 2000, "validation": 454}

"""How much of a text has static vectors is logged, and nearly nothing is a warning."""

from pathlib import Path

import pytest

from tests.support.runs import small_run


@pytest.mark.parametrize(("word", "warned"), [("the", False), ("notaword", True)])
def test_vectors_that_cover_nothing_are_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, word: str, warned: bool
) -> None:
    (tmp_path / "vectors.txt").write_text(f"{word} 1 2 3\n")
    embedding = ["embedding=file", f"embedding.path={tmp_path}/vectors.txt"]
    with caplog.at_level("INFO"):
        record = small_run(tmp_path, "task=ner", "vectors=static", "trainer.max_epochs=1", *embedding)
    assert (record.embedding["coverage"] == 0) == warned
    warnings = [row.getMessage() for row in caplog.records if row.levelname == "WARNING"]
    assert any("almost no word has a static vector" in message for message in warnings) == warned

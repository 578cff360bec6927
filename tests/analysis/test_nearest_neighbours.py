"""What is near a word: by hand-made vectors, and by an encoder whose context must decide."""

from pathlib import Path

import pytest
import torch

from harness.analysis.nearest_neighbours import lines_of, main, nearest_sentences, read_occurrences, vectors_of
from harness.errors import ConfigError, DataFormatError
from harness.features.static_vectors import StaticVectors
from tests.support.encoders import tiny_elmo

TEXT = ["they went to the play", "a play of words", "no such word", "he made a play at first base"]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{line}\n" for line in [*TEXT, TEXT[0]]))
    return path


def statics(tmp_path: Path) -> StaticVectors:
    path = tmp_path / "vectors.txt"
    path.write_text("play 1 0\ngame 2 0.1\nbank -1 0\nriver 0 1\n")
    return StaticVectors(name="static", path=path, cache_dir=tmp_path / "cache")


def test_static_neighbours_are_by_cosine(tmp_path: Path) -> None:
    found = statics(tmp_path).neighbours("play", 2)
    assert [word for word, _ in found] == ["game", "river"]
    assert found[0][1] == pytest.approx(2 / (4.01**0.5))
    assert statics(tmp_path).neighbours("nowhere", 2) == []


def test_occurrences_are_the_different_sentences_with_the_word(text: Path) -> None:
    assert read_occurrences(text, "play") == [tuple(TEXT[i].split()) for i in (0, 1, 3)]
    with pytest.raises(DataFormatError, match="no sentence holds 'xyz'"):
        read_occurrences(text, "xyz")
    with pytest.raises(DataFormatError, match="no such file"):
        read_occurrences(text.with_name("none"), "play")


def test_vectors_are_of_the_word_in_its_place(text: Path, tmp_path: Path) -> None:
    encoder, sentences = tiny_elmo(tmp_path), read_occurrences(text, "play")
    vectors = vectors_of(encoder, sentences, "play", layer=2)
    for sentence, vector in zip(sentences, vectors, strict=True):
        ((_, layers),) = encoder.encode([sentence])
        torch.testing.assert_close(vector, layers[2, sentence.index("play")], atol=1e-6, rtol=0)
    context_free = vectors_of(encoder, sentences, "play", layer=0)
    assert torch.equal(context_free[0], context_free[1])


def test_the_nearest_come_first() -> None:
    vectors = torch.tensor([[0.0, 1.0], [1.0, 0.1], [2.0, 0.0]])
    assert [row for row, _ in nearest_sentences(torch.tensor([1.0, 0.0]), vectors, 9)] == [2, 1, 0]


def test_a_context_is_not_its_own_neighbour(text: Path, tmp_path: Path) -> None:
    lines = list(
        lines_of(
            "play",
            contexts=[tuple(TEXT[0].split())],
            sentences=read_occurrences(text, "play"),
            encoder=tiny_elmo(tmp_path),
            static=statics(tmp_path),
            layer=-1,
            count=5,
        )
    )
    assert lines[0] == "static: play\n  game, river, bank"
    assert "layer 2: they went to the [play]" in lines[1]
    assert len(lines) == 4
    assert not any("they went" in line for line in lines[2:])


def test_what_cannot_be_looked_up_is_refused(tmp_path: Path) -> None:
    options = {"sentences": [("play",)], "encoder": tiny_elmo(tmp_path), "static": None, "count": 1}
    with pytest.raises(ConfigError, match="does not hold 'play'"):
        list(lines_of("play", contexts=[("a", "game")], layer=0, **options))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="layers 0 to 2"):
        list(lines_of("play", contexts=[("play",)], layer=3, **options))  # type: ignore[arg-type]


def test_the_command(text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["play", "--text", str(text), "--context", "the play was long", "encoder=random", "embedding=none"]
    assert main([*command, f"cache_dir={tmp_path}"]) == 0
    out = capsys.readouterr().out
    assert "random, layer 2: the [play] was long" in out
    assert out.count("[play]") == 4
    assert main([*command, "encoder=none"]) == 2
    assert main([*command, "encodr=none"]) == 2
    assert "encodr: there is no such option; did you mean 'encoder" in capsys.readouterr().err

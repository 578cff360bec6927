"""The neighbours of a word, by small static vectors and by an encoder that reads the context."""

from pathlib import Path

import pytest
import torch

from harness.analysis.neighbours import nearest_sentences, read_occurrences, vectors_of
from harness.commands.neighbours import main
from harness.errors import DataFormatError
from harness.features.static_vectors import StaticVectors
from tests.support.encoders import tiny_elmo

TEXT = ["they went to the play", "a play of words", "no such word", "he made a play at first base"]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{line}\n" for line in [*TEXT, TEXT[0]]))
    return path


def static_file(folder: Path) -> Path:
    path = folder / "vectors.txt"
    path.write_text("play 1 0\ngame 2 0.1\nbank -1 0\nriver 0 1\n")
    return path


def statics(folder: Path) -> StaticVectors:
    return StaticVectors(name="static", path=static_file(folder), cache_dir=folder / "cache")


def test_static_neighbours_are_by_cosine(tmp_path: Path) -> None:
    found = statics(tmp_path).neighbours("play", 2)
    assert [word for word, _ in found] == ["game", "river"]
    assert found[0][1] == pytest.approx(2 / (4.01**0.5))
    assert statics(tmp_path).neighbours("nowhere", 2) == []


def test_occurrences_are_the_distinct_sentences_with_the_word(text: Path) -> None:
    assert read_occurrences(text, "play") == [tuple(TEXT[i].split()) for i in (0, 1, 3)]
    with pytest.raises(DataFormatError, match="no sentence contains 'xyz'"):
        read_occurrences(text, "xyz")
    with pytest.raises(DataFormatError, match="no such file"):
        read_occurrences(text.with_name("none"), "play")


def test_vectors_belong_to_the_word_at_its_place(text: Path, tmp_path: Path) -> None:
    encoder, sentences = tiny_elmo(tmp_path), read_occurrences(text, "play")
    vectors = vectors_of(encoder, sentences, "play", layer=2)
    for sentence, vector in zip(sentences, vectors, strict=True):
        ((_, layers),) = encoder.encode([sentence])
        torch.testing.assert_close(vector, layers[2, sentence.index("play")], atol=1e-6, rtol=0)
    context_free = vectors_of(encoder, sentences, "play", layer=0)
    torch.testing.assert_close(context_free[0], context_free[1])


def test_the_nearest_come_first() -> None:
    vectors = torch.tensor([[0.0, 1.0], [1.0, 0.1], [2.0, 0.0]])
    assert [row for row, _ in nearest_sentences(torch.tensor([1.0, 0.0]), vectors, 9)] == [2, 1, 0]


def command(text: Path, context: str, *overrides: str) -> list[str]:
    cache = text.parent / "cache"
    return ["play", "--text", str(text), "--context", context, "encoder=random", f"cache_dir={cache}", *overrides]


def test_a_context_is_not_its_own_neighbour(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = static_file(text.parent)
    overrides = ("embedding=file", "embedding.name=static", f"embedding.path={path}")
    assert main(command(text, TEXT[0], *overrides)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["static: play", "  game, river, bank", ""]
    assert lines[3] == "random, layer 2: they went to the [play]"
    assert len(lines) == 6
    assert not any("they went" in line for line in lines[4:])


def test_wrong_requests_are_refused(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(text, "a game", "embedding=none")) == 2
    assert "does not contain 'play'" in capsys.readouterr().err
    assert main(command(text, "play", "embedding=none", "--layer", "3")) == 2
    assert "layers 0 to 2" in capsys.readouterr().err
    assert main(command(text, "play", "embedding=none", "--count", "0")) == 2
    assert "--count is 0" in capsys.readouterr().err


def test_the_command(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = command(text, "the play was long", "embedding=none")
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "random, layer 2: the [play] was long" in out
    assert out.count("[play]") == 4
    assert main([*(word for word in arguments if not word.startswith("encoder")), "encoder=none"]) == 2
    assert "choose one with encoder=NAME" in capsys.readouterr().err
    assert main([*arguments, "encodr=none"]) == 2
    assert "encodr: there is no such option; did you mean 'encoder" in capsys.readouterr().err

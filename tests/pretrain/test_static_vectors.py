"""Static vectors from a corpus: trained by gensim, written in GloVe's format."""

from pathlib import Path

import numpy as np
import pytest

from harness.commands.static_vectors import main
from harness.features.static_vectors import StaticVectors
from harness.pretrain.static_vectors import write_vectors


def test_static_vectors_can_be_read_back(tmp_path: Path) -> None:
    vectors = np.array([[0.1234, -2.0], [1e-9, 3.5]], dtype=np.float32)
    for name in ("one.txt.gz", "two.txt.gz"):
        write_vectors(tmp_path / name, ["the", "é"], vectors)
    assert (tmp_path / "one.txt.gz").read_bytes() == (tmp_path / "two.txt.gz").read_bytes()
    read, found = StaticVectors(name="x", path=tmp_path / "one.txt.gz", cache_dir=tmp_path).lookup(["é", "the"])
    assert found.all()
    np.testing.assert_allclose(read.numpy(), vectors[::-1], atol=5e-4)
    write_vectors(tmp_path / "short.txt", ["the", "é"], vectors, decimals=2)
    assert (tmp_path / "short.txt").read_text(encoding="utf-8") == "the 0.12 -2.00\né 0.00 3.50\n"


def test_the_same_text_and_seed_give_the_same_vectors(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    (tmp_path / "text.txt").write_text("the bank was closed .\nthe river was near the bank .\n" * 40)
    for out, seed in (("a.gz", "1"), ("b.gz", "1"), ("c.gz", "2")):
        arguments = ["--dim", "4", "--seed", seed, "--cache-dir", str(tmp_path), "--out", str(tmp_path / out)]
        assert main([str(tmp_path / "text.txt"), *arguments]) == 0
    a, b, c = ((tmp_path / name).read_bytes() for name in ("a.gz", "b.gz", "c.gz"))
    assert a == b != c


def test_without_gensim_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gensim.models", None)
    (tmp_path / "text.txt").write_text("a b\n")
    assert main([str(tmp_path / "text.txt"), "--out", str(tmp_path / "v.gz"), "--cache-dir", str(tmp_path)]) == 2
    assert "pip install 'elmo-harness[pretrain]'" in capsys.readouterr().err

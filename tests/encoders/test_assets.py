"""The bundled files: they are small, complete and described, and the defaults use them."""

import json
from pathlib import Path

import pytest
import torch

from harness.config.compose import ASSETS
from harness.config.instantiate import build
from harness.encoders.elmo import ElmoEncoder
from harness.features.static_vectors import StaticVectors
from harness.utils.files import file_digest
from tests.support.runs import config_of


def test_all_assets_together_are_small() -> None:
    total = sum(path.stat().st_size for path in ASSETS.glob("**/*") if path.is_file())
    assert total < 12e6


def test_each_has_a_card() -> None:
    folders = [path for path in ASSETS.iterdir() if path.is_dir()]
    assert {folder.name for folder in folders} == {"elmo_mini", "static_mini"}
    for folder in folders:
        card = (folder / "README.md").read_text(encoding="utf-8")
        for word in ("licence", "**Limits.**" if folder.name == "static_mini" else "## Limits", "```bash"):
            assert word in card, (folder.name, word)


def test_the_weights_are_those_of_the_record() -> None:
    folder = ASSETS / "elmo_mini"
    record = json.loads((folder / "pretraining.json").read_text(encoding="utf-8"))
    for name in ("options.json", "weights.hdf5"):
        assert file_digest(folder / name) == record["sha256"][name]
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows[-1]["step"] == record["steps"]
    held_out = [row["dev/forward"] for row in rows if "dev/forward" in row]
    assert held_out == sorted(held_out, reverse=True)
    assert held_out[-1] == record["perplexity"]["after"]["forward"]


def test_the_defaults_are_the_bundled_ones(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    encoder: ElmoEncoder = build(config.encoder, kind=ElmoEncoder, where="encoder")
    static: StaticVectors = build(config.embedding, kind=StaticVectors, where="embedding")
    assert (encoder.name, encoder.num_layers, encoder.dim) == ("elmo_mini", 3, 256)
    assert (static.name, static.dim) == ("static_mini", 100)
    _, found = static.lookup(["the", "London", "xyzzyq"])
    assert found.tolist() == [True, True, False]


def test_the_encoder_distinguishes_the_uses_of_a_word(tmp_path: Path) -> None:
    """In the first LSTM layer, two uses as a noun or as a verb are more similar than a noun and a verb."""
    encoder: ElmoEncoder = build(config_of(tmp_path).encoder, kind=ElmoEncoder, where="encoder")
    noun_1, noun_2 = "They saw a play at the theatre .".split(), "He wrote a new play for the stage .".split()
    verb_1, verb_2 = "The children play in the garden .".split(), "We used to play with the other boys .".split()
    sentences = [tuple(words) for words in (noun_1, noun_2, verb_1, verb_2)]
    vectors = {i: layers[1, sentences[i].index("play")] for i, layers in encoder.encode(sentences)}

    def cosine(i: int, j: int) -> float:
        return float(torch.cosine_similarity(vectors[i], vectors[j], dim=0))

    like = min(cosine(0, 1), cosine(2, 3))
    unlike = max(cosine(i, j) for i in (0, 1) for j in (2, 3))
    assert like > unlike


def test_the_encoders_layers_are_neither_dead_nor_huge(tmp_path: Path) -> None:
    encoder: ElmoEncoder = build(config_of(tmp_path).encoder, kind=ElmoEncoder, where="encoder")
    ((_, layers),) = encoder.encode([tuple("The old man looked at the sea and said nothing .".split())])
    spread = layers.std(dim=1).mean(dim=1)  # (layers,): over tokens
    assert bool((spread > 0.05).all())
    assert float(layers.abs().max()) < 50


@pytest.mark.realdata
def test_static_vectors_cover_most_of_running_text(shared: Path, tmp_path: Path) -> None:
    static: StaticVectors = build(config_of(tmp_path).embedding, kind=StaticVectors, where="embedding")
    text = (shared / "data" / "lm" / "wikitext-2" / "valid.txt").read_text(encoding="utf-8").split()
    _, found = static.lookup(text[:20_000])
    assert found.float().mean() > 0.85

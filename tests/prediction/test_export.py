import json
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from harness.commands.export import main
from harness.errors import ConfigError
from harness.prediction import export
from harness.prediction.export import export_vectors
from harness.prediction.reductions import reduction_named
from harness.prediction.text_encoder import TextEncoder
from tests.benchmarks.export_memory import peak_and_size
from tests.support.encoders import TINY, changed, tiny_elmo
from tests.support.reports import write_run

LINES = ["The cat sat .", "", "Dogs bark", "The cat sat .", "\U0001f600 猫"]
SENTENCES = [tuple(line.split()) for line in LINES]


@pytest.fixture
def command(tmp_path, capsys) -> Callable[..., tuple[int, str, str]]:
    options = tmp_path / "options.json"
    options.write_text(json.dumps(TINY))

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main([*arguments, "encoder=random", f"encoder.options={options}", "device=cpu"])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def text(tmp_path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def expected(tmp_path) -> list[np.ndarray]:
    return [vectors.numpy() for vectors in TextEncoder(tiny_elmo(tmp_path))(SENTENCES)]


def test_hdf5_has_the_layout_of_allennlp(text, tmp_path, command, expected):
    status, out, _ = command(str(text), str(tmp_path / "v.hdf5"))
    assert status == 0
    assert "5 sentences, 12 tokens" in out
    assert "empty entries, because a line has no tokens: 1" in out
    with h5py.File(tmp_path / "v.hdf5") as file:
        index = json.loads(file["sentence_to_index"][0])
        assert sorted(file) == ["0", "1", "2", "3", "4", "sentence_to_index"]
        for i, vectors in enumerate(expected):
            assert file[str(i)].dtype == np.float32
            np.testing.assert_array_equal(file[str(i)], vectors)
    assert index == {"The cat sat .": "3", "": "1", "Dogs bark": "2", "\U0001f600 猫": "4"}
    assert not (tmp_path / "v.hdf5.parts").exists()


@pytest.mark.parametrize("layers", ["all", "top"])
def test_hdf5_is_what_allennlp_writes(text, tmp_path, command, expected, layers):
    """The reference is written by the last lines of ``ElmoEmbedder.embed_file`` of AllenNLP 0.9."""
    sentences = [" ".join(sentence) for sentence in SENTENCES]
    with h5py.File(tmp_path / "theirs.hdf5", "w") as fout:
        sentence_to_index = {}
        for number, embeddings in enumerate(expected):
            key = str(number)
            output = embeddings if layers == "all" else embeddings[-1]
            sentence_to_index[sentences[number]] = key
            fout.create_dataset(str(key), output.shape, dtype="float32", data=output)
        sentence_index_dataset = fout.create_dataset("sentence_to_index", (1,), dtype=h5py.special_dtype(vlen=str))
        sentence_index_dataset[0] = json.dumps(sentence_to_index)
    assert command(str(text), str(tmp_path / "ours.hdf5"), f"--layers={layers}")[0] == 0
    with h5py.File(tmp_path / "theirs.hdf5") as theirs, h5py.File(tmp_path / "ours.hdf5") as ours:
        assert list(ours) == list(theirs)
        for key, dataset in theirs.items():
            assert (ours[key].dtype, ours[key].shape) == (dataset.dtype, dataset.shape)
            assert h5py.check_string_dtype(ours[key].dtype) == h5py.check_string_dtype(dataset.dtype)
            np.testing.assert_array_equal(ours[key], dataset)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no os.wait4")
@pytest.mark.parametrize("form", ["hdf5", "npz", "parquet"])
def test_peak_memory_does_not_grow_with_the_text(tmp_path, form):
    options = tmp_path / "options.json"
    options.write_text(json.dumps(changed({"lstm": {"projection_dim": 512}})))
    encoder = ["encoder=random", f"encoder.options={options}"]
    (peak_1, size_1), (peak_6, size_6) = (
        peak_and_size(count, tmp_path, form=form, encoder=encoder) for count in (1_000, 6_000)
    )
    assert size_6 - size_1 > 3e8  # holding the vectors would show
    assert peak_6 - peak_1 < 0.15 * (size_6 - size_1)


def test_npz_and_parquet_hold_the_same_vectors(text, tmp_path, command, expected):
    from pyarrow import parquet

    assert command(str(text), str(tmp_path / "v.npz"))[0] == 0
    assert command(str(text), str(tmp_path / "v.parquet"))[0] == 0
    archive = np.load(tmp_path / "v.npz")
    table = parquet.read_table(tmp_path / "v.parquet").to_pylist()
    assert [tuple(row["tokens"]) for row in table] == SENTENCES
    for i, vectors in enumerate(expected):
        np.testing.assert_array_equal(archive[str(i)], vectors)
        np.testing.assert_array_equal(np.array(table[i]["vectors"], np.float32).reshape(table[i]["shape"]), vectors)


@pytest.mark.parametrize(
    ("layers", "reduce"),
    [("top", lambda v: v[-1]), ("1", lambda v: v[1]), ("-3", lambda v: v[0]), ("mean", lambda v: v.mean(0))],
)
def test_layers_are_reduced(text, tmp_path, command, expected, layers, reduce):
    assert command(str(text), str(tmp_path / "v.npz"), f"--layers={layers}")[0] == 0
    archive = np.load(tmp_path / "v.npz")
    for i, vectors in enumerate(expected):
        np.testing.assert_allclose(archive[str(i)], reduce(vectors), atol=1e-6)


def test_raw_text_json_lines_and_columns_give_the_same_sentences(tmp_path, command):
    words = ["The", "cat", "is", "n't", "here", "."]
    (tmp_path / "raw.txt").write_text("The cat isn't here.\n")
    (tmp_path / "a.jsonl").write_text(
        json.dumps({"tokens": words}) + "\n\n" + json.dumps({"text": "The cat isn't here."})
    )
    (tmp_path / "a.conll").write_text("-DOCSTART- O\n\n" + "\n".join(f"{word} O" for word in words) + "\n\n\n")
    outs = []
    for name in ("raw.txt", "a.jsonl", "a.conll"):
        out = tmp_path / f"{name}.npz"
        tokenize = "--tokenize" if name == "raw.txt" else "--tokenize=english"
        assert command(str(tmp_path / name), str(out), tokenize)[0] == 0
        archive = np.load(out)
        outs += [archive[key] for key in archive]
    assert len(outs) == 4
    assert all(np.array_equal(outs[0], other) for other in outs)


def test_the_texts_of_a_task_are_exported(tmp_path, command):
    status, out, _ = command("--split", "dev", str(tmp_path / "v.npz"), "task=sst5")
    assert status == 0
    assert len(np.load(tmp_path / "v.npz").files) == int(out.split(": ")[1].split()[0].replace(",", ""))


def test_a_stopped_export_continues(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_PART", 2)
    encoder = tiny_elmo(tmp_path)
    reduction = reduction_named("all", encoder)

    def export_to(out: Path, check: Callable[[], None] = lambda: None) -> export.Exported:
        options = {"encoder": encoder, "reduce": reduction.apply, "identity": reduction.identity}
        return export_vectors(SENTENCES, out, check=check, **options)  # type: ignore[arg-type]

    calls = []

    def stop_at_second() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_to(tmp_path / "stopped.npz", stop_at_second)
    assert not (tmp_path / "stopped.npz").exists()
    done = export_to(tmp_path / "stopped.npz")
    assert (done.sentences, done.resumed, done.empty) == (5, 4, 1)
    export_to(tmp_path / "whole.npz")
    stopped, whole = np.load(tmp_path / "stopped.npz"), np.load(tmp_path / "whole.npz")
    assert stopped.files == whole.files
    assert all(np.array_equal(stopped[name], whole[name]) for name in whole.files)


def test_parts_of_another_request_are_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_PART", 2)
    encoder = tiny_elmo(tmp_path)

    def export_to(sentences: object, layers: str, check: Callable[[], None] = lambda: None) -> export.Exported:
        reduction = reduction_named(layers, encoder)
        options = {"encoder": encoder, "reduce": reduction.apply, "identity": reduction.identity, "check": check}
        return export_vectors(sentences, tmp_path / "v.npz", **options)  # type: ignore[arg-type]

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_to(SENTENCES, "top", stop)
    assert export_to(SENTENCES, "mean").resumed == 0
    (tmp_path / "v.npz").unlink()
    with pytest.raises(KeyboardInterrupt):
        export_to(SENTENCES, "top", stop)
    assert export_to([("other",), *SENTENCES[1:]], "top").resumed == 0
    assert torch.equal(torch.from_numpy(np.load(tmp_path / "v.npz")["0"]), TextEncoder(encoder)([("other",)])[0][-1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{text}", "v.txt"], "unknown kind of file '.txt'"),
        (["{text}"], "expected IN and OUT"),
        (["{text}", "a", "b"], "expected IN and OUT"),
        (["{text}", "nowhere/v.npz"], "no such folder"),
        (["{text}", "there.npz"], "exists already"),
        (["{text}", "v.npz", "--layers=3"], "has layers 0 to 2"),
        (["{text}", "v.npz", "--layers=bottom"], "not the folder of a run"),
        (["{text}", "v.npz", "--tokenize=englisch"], "did you mean 'english'"),
        (["missing.txt", "v.npz"], "no such file"),
        (["table.csv", "v.npz"], "table.csv: the texts in it are not on lines of their own; read them as a task does"),
        (["x.conllu.gz", "v.npz"], "--split train task=NAME data=files data.train=x.conllu.gz"),
        (["x.ndjson", "v.npz"], "x.ndjson:1: not JSON"),
        (["{empty}", "v.npz"], "no sentences"),
        (["{binary}", "v.npz"], "not UTF-8"),
        (["{text}", "v.npz", "--format=jsonl"], "not JSON"),
    ],
)
def test_a_wrong_request_is_one_line(tmp_path, monkeypatch, text, command, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path("there.npz").write_text("")
    Path("empty.txt").write_text("")
    Path("x.ndjson").write_text("a b\n")
    Path("binary.txt").write_bytes(b"\x80\xff\n")
    names = {"text": str(text), "empty": "empty.txt", "binary": "binary.txt"}
    status, _, err = command(*(argument.format(**names) for argument in arguments))
    assert status == 2
    assert err.count("error: ") == 1
    assert message in err.strip().splitlines()[-1]


def test_the_mix_of_a_run_is_applied(tmp_path):
    encoder = tiny_elmo(tmp_path)
    mixing = {"name": "scalar_mix", "weights": {"input": [0.2, 0.3, 0.5]}, "gamma": {"input": 2.0}}
    run = write_run(tmp_path, encoder="random", seed=1, chance=0.5, mixing=mixing)
    path = run / "record.json"
    path.write_text(path.read_text().replace("f" * 64, encoder.fingerprint))
    (layers,) = TextEncoder(encoder)([("a", "b")])
    mixed = reduction_named(str(run), encoder).apply(layers)
    torch.testing.assert_close(mixed, 2 * (0.2 * layers[0] + 0.3 * layers[1] + 0.5 * layers[2]))
    with pytest.raises(ConfigError, match=encoder.fingerprint[:16]):
        reduction_named(str(run), tiny_elmo(tmp_path, seed=1))

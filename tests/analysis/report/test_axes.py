"""Settings as columns: which options are shown, how they are named, and how runs are chosen by them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.report.axes import chooser, label_of, options_of, sort_key
from harness.analysis.report.markdown import brief
from harness.analysis.report.settings import Block, Recorded, gathered
from harness.errors import ConfigError
from harness.runs.record import RunRecord


def record(seed: int, test: float = 0.5, *, lr: float = 0.1, status: str = "ok", name: str = "random") -> RunRecord:
    return RunRecord(
        status=status,  # type: ignore[arg-type]
        task="ner",
        name=f"{name}-s{seed}",
        identity=f"{seed}",
        setting=f"{name} {lr}",
        seed=seed,
        data={"name": "sample"},
        primary_metric="f1",
        metrics={"dev": {"f1": 0.5}, "test": {"f1": test}} if status == "ok" else {},
        epochs=3,
        parameters=1234,
        config={
            "seed": seed,
            "encoder": {"name": name},
            "trainer": {"lr": lr, "batch": 10 * lr},
            "results_dir": f"{seed}",
        },
    )


def made(setting: str, seed: int = 1, **options: Any) -> RunRecord:
    """Return a record whose mix, data and trainer have some options, by dotted keys with ``__`` for the dot."""
    given = {key.replace("__", "."): value for key, value in options.items()}
    config: dict[str, dict[str, Any]] = {"mixing": {}, "data": {"fraction": 1.0}, "trainer": {"lr": 0.1}}
    for key, value in given.items():
        config[key.partition(".")[0]][key.partition(".")[2]] = value
    mixing = {"name": config["mixing"].get("name", "scalar_mix"), "placement": config["mixing"].get("placement")}
    return replace(
        record(seed),
        setting=setting,
        config=config,
        determining={"task.name": "ner", **given},
        encoder={"name": "elmo"},
        mixing=mixing,
    )


def block_of(*records: RunRecord) -> Block:
    (block,) = gathered([Recorded(one, Path()) for one in records]).blocks
    return block


def labels(*records: RunRecord) -> list[str]:
    return [setting.label for setting in block_of(*records).settings]


def table(*records: RunRecord) -> str:
    return brief(gathered([Recorded(one, Path()) for one in records]))


def test_mean_and_sample_deviation_over_seeds() -> None:
    lines = table(record(1, 0.40), record(2, 0.50), record(3, 0.60)).splitlines()
    assert lines[0] == "ner, sample, f1; scores in percent"
    assert lines[-1] == "| 1 | random | 3 | 50.00 ± 0.00 | 50.00 ± 10.00 |"


def test_only_axes_that_separate_settings_are_shown() -> None:
    """The batch size always varies with the learning rate, so it is no column, but it is named."""
    block = block_of(record(1), record(1, lr=0.2), record(1, name="none"))
    assert block.axes == ("encoder", "trainer.lr")
    assert block.also == ("trainer.batch",)
    assert [setting.label for setting in block.settings] == ["static vectors", "random, lr 0.1", "random, lr 0.2"]


def test_single_layers_have_an_axis_of_their_own_and_are_sorted_by_it() -> None:
    layers = [made(f"{i}", mixing__name=f"layer{i}", mixing__index=i) for i in (10, 2, 0)]
    block = block_of(*layers, made("concat", mixing__name="concat"), made("top", mixing__name="top", mixing__index=-1))
    assert block.axes == ("mix", "layer")
    assert [dict(setting.values) for setting in block.settings] == [
        {"mix": "concat", "layer": None},
        {"mix": "layer", "layer": 0},
        {"mix": "layer", "layer": 2},
        {"mix": "layer", "layer": 10},
        {"mix": "top", "layer": None},
    ]
    assert [setting.number for setting in block.settings] == [1, 2, 3, 4, 5]
    assert labels(*layers) == ["layer 0", "layer 2", "layer 10"]


def test_equal_numbers_are_one_value() -> None:
    block = block_of(
        made("a", 1, mixing__lambda_=0.0), made("b", 1, mixing__lambda_=0.1), made("a", 2, mixing__lambda_=0)
    )
    assert [setting.label for setting in block.settings] == ["lambda 0", "lambda 0.1"]
    assert len(block.settings[0].runs) == 2


def test_axes_come_in_the_order_of_the_command() -> None:
    def run(setting: str, placement: str, fraction: float, words: list[str]) -> RunRecord:
        one = made(setting, mixing__placement=placement, data__fraction=fraction)
        return replace(one, environment={"overrides": words})

    words = ["data.fraction=0.1", "mixing.placement=input"]
    several = [run(f"{p}{f}", p, f, words) for p in ("input", "both") for f in (0.1, 1)]
    assert block_of(*several).axes == ("fraction", "placement")
    assert block_of(*(replace(one, environment={}) for one in several)).axes == ("placement", "fraction")
    assert labels(*several)[-1] == "fraction 1 at the input"


def test_options_that_change_no_result_are_no_axes() -> None:
    asked = [(0.1, "one"), (0.2, "one"), (0.3, "other")]
    runs = [record(1, 0.4, lr=lr) for lr, _ in asked]
    named = [replace(run, config={**run.config, "sweep": name}) for run, (_, name) in zip(runs, asked, strict=True)]
    assert block_of(*named).axes == ("trainer.lr",)


def determined(seed: int, test: float, name: str = "sample", **determining: Any) -> RunRecord:
    """Return a record that says what determines its result; its config has the defaults of the rest."""
    given = {"data.sha256.test": "e", "encoder.fingerprint": "f" * 20, **determining}
    config = {
        "trainer": {"lr": 0.1, "batch": 1},
        "threads": seed,
        "encoder": {"state": "zeros", "weights": f"/{seed}/w"},
    }
    setting = str(sorted(given.items()))
    data = {"name": name, "sha256": {"test": "e"}}
    return replace(record(seed, test), determining=given, setting=setting, config=config, data=data)


def test_columns_hold_what_determines_the_result_and_defaults_come_from_the_config() -> None:
    text = table(determined(1, 0.4), determined(2, 0.5, **{"trainer.lr": 0.2}), determined(3, 0.6))
    assert "| 1 | 0.1 | 2 |" in text
    assert "| 2 | 0.2 | 1 |" in text


def test_runs_that_differ_only_in_threads_and_paths_are_one_setting() -> None:
    assert "| 1 | random | 3 |" in table(*(determined(seed, 0.5) for seed in (1, 2, 3)))


def test_an_encoder_is_described_by_its_options_and_data_by_their_digest() -> None:
    warm = replace(determined(1, 0.4, **{"encoder.fingerprint": "a" * 20}), config={"encoder": {"state": "warm"}})
    assert labels(determined(1, 0.5), warm) == ["state warm", "state zeros"]
    several = [determined(1, 0.5, **{"data.sha256.train": f"{digit * 12}"}) for digit in "ab"]
    assert block_of(*several).axes == ("data.sha256.train",)
    assert labels(*several) == ["train aaaaaaaa", "train bbbbbbbb"]
    block = block_of(determined(1, 0.5), determined(1, 0.6, **{"task.version": 2}), determined(2, 0.5, device="cuda"))
    assert set(block.axes) == {"task.version", "device"}


def test_the_same_examples_under_two_names_are_one_block() -> None:
    """The data of a run are known by their content: files may be copies of the sample, or have moved."""
    text = table(determined(1, 0.5), determined(2, 0.6, name="my_files"))
    assert text.startswith("ner, my_files, sample, f1")
    assert "| 1 | random | 2 |" in text


def test_two_files_in_one_folder_are_told_apart() -> None:
    def on(file: str, digest: str) -> Recorded:
        one = replace(
            record(1),
            setting=file + digest,
            data={"name": "mine", "sha256": {"test": digest}},
            config={"data": {"test": file}},
        )
        return Recorded(one, Path())

    results = gathered([on("/x/mine/a.conll", "a" * 64), on("/x/mine/b.conll", "b" * 64)])
    assert [block.data for block in results.blocks] == ["mine a.conll", "mine b.conll"]
    results = gathered([on("/x/mine/a.conll", "a" * 64), on("/y/mine/a.conll", "b" * 64)])
    assert [block.data for block in results.blocks] == ["mine a.conll aaaaaaaa", "mine a.conll bbbbbbbb"]


def test_one_file_read_in_several_ways_is_told_apart() -> None:
    def reading(digest: str, seed: int = 1, tokenize: str | None = None, **of_task: str) -> Recorded:
        of_data = {"name": "mine", "sha256": {"test": digest * 64}}
        config = {"data": {"train": "/x/mine/a.csv", "tokenize": tokenize}, "task": {"head": "linear", **of_task}}
        return Recorded(replace(record(seed), setting=digest, data=of_data, config=config), Path())

    results = gathered([reading("a"), reading("a", seed=2, head="mlp"), reading("b", tokenize="english")])
    assert [block.data for block in results.blocks] == ["mine a.csv", "mine a.csv (data.tokenize english)"]
    results = gathered([reading("a", text="title"), reading("b", text="body")])
    assert [block.data for block in results.blocks] == ["mine a.csv (task.text body)", "mine a.csv (task.text title)"]


def test_a_record_of_version_1_is_a_setting_of_its_own() -> None:
    new = determined(1, 0.4, schema=2)
    old = replace(new, schema_version=1, determining={}, setting="of version 1")
    block = block_of(new, old, replace(old, setting="with other threads", config={**old.config, "threads": 4}))
    assert block.axes == ("schema", "threads")
    assert [tuple(setting.values.values()) for setting in block.settings] == [(1, 1), (1, 4), (2, None)]


def test_settings_with_equal_configs_are_named_by_their_digests() -> None:
    other = RunRecord(**(vars(record(1, 0.4)) | {"setting": "of another task version"}))
    assert labels(record(1, 0.5), other) == ["setting of another task version", "setting random 0.1"]


def test_failed_runs_are_counted_but_not_averaged() -> None:
    text = table(record(1, 0.4), record(2, 0.0, status="failed"))
    assert "| 1 | 50.00 | 40.00 |" in text
    assert "1 of 2 runs did not finish successfully" in text


def test_a_copy_of_a_run_is_not_a_second_seed() -> None:
    text = table(record(1, 0.4), record(1, 0.4), record(2, 0.5))
    assert "| 2 | 50.00 ± 0.00 | 45.00 ± 7.07 |" in text
    assert "1 of 3 runs are copies of others" in text


@pytest.mark.parametrize(
    ("word", "chosen"),
    [
        ("lambda=1", True),
        ("lambda=1.0", True),
        ("mixing.lambda_=1e0", True),
        ("lambda=0.1", False),
        ("lambda=one", False),
        ("encoder=elmo", True),
        ("encoder=elmo_mini", False),
        ("task=ner", True),
        ("seed=1", True),
        ("trainer.average=null", True),
        ("trainer.average=0", False),
        ("trainer.nesterov=true", True),
        ("trainer.nesterov=1", False),
    ],
)
def test_only_compares_values(word: str, chosen: bool) -> None:
    options = options_of(made("a", mixing__lambda_=1.0, trainer__average=None, trainer__nesterov=True))
    assert chooser([word], options)(options) is chosen


def test_only_refuses_what_no_run_has() -> None:
    with pytest.raises(ConfigError, match="no run has the option lamda; did you mean 'lambda'"):
        chooser(["lamda=1"], ["lambda"])
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        chooser(["lambda"], ["lambda"])


def test_labels_name_what_separates_a_setting() -> None:
    static, one, other = {"encoder": "none", "lr": 1}, {"encoder": "elmo", "lr": 1}, {"encoder": "elmo", "lr": 2}
    every = [static, one, other]
    assert [label_of(values, every) for values in every] == ["static vectors", "elmo, lr 1", "elmo, lr 2"]
    assert label_of({"embedding": "none", "encoder": "elmo", "layer": 1}) == "no static vectors, elmo, layer 1"


@pytest.mark.parametrize("first", ["encoder", "mix"])
def test_static_vectors_are_named_wherever_the_encoder_stands_among_the_axes(first: str) -> None:
    """Static vectors have no mix, which no word says: the encoder has to say it."""
    static: dict[str, Any] = {"encoder": "none", "mix": None, "layer": None, "lambda": None}
    mixes = [{"mix": "layer", "layer": 0}, {"mix": "layer", "layer": 1}, {"mix": "top"}]
    mixes += [{"mix": "scalar_mix", "lambda": 1}, {"mix": "scalar_mix", "lambda": 0.001}]
    every = [static, *(static | {"encoder": "elmo"} | mix for mix in mixes)]
    every = [{axis: values[axis] for axis in sorted(values, key=lambda axis: axis != first)} for values in every]
    names = [label_of(values, every) for values in every]
    elmo = "elmo, " if first == "encoder" else ""
    mixed = [elmo + name for name in ("layer 0", "layer 1", "top", "scalar_mix, lambda 1", "scalar_mix, lambda 0.001")]
    assert names == ["static vectors", *mixed]


def test_a_setting_without_a_label_has_its_own_name() -> None:
    """``none`` is not said in a label, so this option leaves the second setting without one."""
    some = made("a", trainer__clip=5.0)
    none = replace(made("b", trainer__clip=None), name="all-s1")
    assert sorted(labels(some, none)) == ["all", "clip 5"]


def test_values_are_sorted_as_people_count() -> None:
    values = ["b10", "b9", "random", "none", None, 3, 0.5]
    ordered = sorted(values, key=lambda value: sort_key({"axis": value}))
    assert ordered[:3] in ([None, "none", "random"], ["none", None, "random"])
    assert ordered[3:] == [0.5, 3, "b9", "b10"]

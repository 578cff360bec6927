"""Load a trained head from the folder of its run.

A record may come from somebody else: what it names is built only if it is the harness's own, or in a module of
``plugins``, which the record cannot choose; values from the environment are not filled in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from harness.config.compose import ASSETS, user_cache
from harness.config.instantiate import build, target_of, typed_as
from harness.config.schema import HarnessConfig, MixingConfig, mixing_of
from harness.encoders.plugin_encoder import build_encoder
from harness.errors import ConfigError
from harness.features.portion import PortionOfLayers
from harness.features.static_vectors import StaticVectors
from harness.prediction.predictor import Predictor
from harness.protocols import Encoder, Task
from harness.runs.identity import code
from harness.runs.model_file import MODEL, LearnedValues, Restorable, read_model
from harness.runs.record import RunRecord, read_record
from harness.training.determinism import make_repeatable
from harness.training.model import assembled
from harness.utils.devices import device_of
from harness.utils.text_files import suffix_of

_AGAIN = "repeat the run with overwrite=true"


def load_predictor(
    run: str | Path,
    *,
    tokenizer: str | None = None,
    device: str = "auto",
    plugins: Sequence[str] = (),
    encoder: Mapping[str, Any] | None = None,
    embedding: Mapping[str, Any] | None = None,
) -> Predictor:
    """Load the trained head of a finished run, with the encoder and the static vectors that it was trained on.

    Args:
        run: The folder of the run, ``results/TASK/NAME``.
        tokenizer: How raw text is split, as in ``load_encoder``. None: as the run's task splits raw text, or
            ``english`` if its data are tokens already.
        device: The torch device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        plugins: Your own modules that the run may use; see the option ``plugins``.
        encoder: Options of the encoder that differ here, such as ``{"weights": "FILE"}``.
        embedding: Options of the static vectors that differ here.

    Raises:
        HarnessError: The folder does not have a finished run with its model, or its encoder or vectors have changed.
    """
    folder = Path(run).expanduser()
    record = _finished(folder)
    weights, values = read_model(folder / MODEL, digest=record.weights_sha256)
    config = _config_of(record, plugins, folder)
    where = device_of(device)
    make_repeatable(where)
    task = _task(config, record, values, folder)
    source = _source({**config.encoder, **(encoder or {})}, config, record, where, folder)
    static = _static({**config.embedding, **(embedding or {})}, config, record, folder)
    model = assembled(
        task=task,
        source=source,
        static=static,
        mixing=mixing_of(config.mixing) if source is not None else MixingConfig(name="none"),
        vocabulary=values.vocabulary,
        plugins=plugins,
    ).to(where)
    try:
        model.load_trained({name: tensor.to(where) for name, tensor in weights.items()})
    except ValueError as error:
        raise ConfigError(
            f"{folder / MODEL}: not of the model that record.json describes ({error}); {_AGAIN}"
        ) from None
    own = task.tokenizer if task.tokenizer != "whitespace" else "english"
    return Predictor(
        task=task,
        model=model,
        texts=values.texts,
        options=config.trainer,
        tokenizer=tokenizer or own,
        own_suffix=suffix_of(Path(config.data.train or "")),
    )


def _finished(folder: Path) -> RunRecord:
    """Return the record of a finished run."""
    if not (folder / "record.json").exists():
        raise ConfigError(f"{folder}: not the folder of a run, because it has no record.json; give results/TASK/NAME")
    record = read_record(folder / "record.json")
    if record.status != "ok":
        why = f"{record.status} ({record.error})"
        raise ConfigError(f"{folder}: the status of this run is {why}; start it again with its command")
    return record


def _config_of(record: RunRecord, plugins: Sequence[str], folder: Path) -> HarnessConfig:
    """Return the configuration of a run, with the files of the harness where they are on this machine."""
    for group in ("task", "encoder", "embedding", "mixing"):
        if not isinstance(record.config.get(group), dict):
            raise ConfigError(f"{folder}: record.json does not have the options of the {group}; {_AGAIN}")
    known = {one.name for one in fields(HarnessConfig) if not one.name.startswith("_")}
    values = {key: _here(value) for key, value in record.config.items() if key in known}
    return typed_as(HarnessConfig, {**values, "plugins": list(plugins)})


def _here(value: Any) -> Any:
    """Return a value with the paths of bundled files, and of a cache that is not here, as they are on this machine."""
    if isinstance(value, dict):
        inner = {key: _here(one) for key, one in value.items()}
        cache = inner.get("cache_dir")
        return inner | ({"cache_dir": user_cache()} if cache and not Path(cache).is_dir() else {})
    if isinstance(value, str) and "/harness/assets/" in value and not Path(value).exists():
        return str(ASSETS / value.rpartition("/harness/assets/")[2])
    return value


def _task(config: HarnessConfig, record: RunRecord, values: LearnedValues, folder: Path) -> Restorable:
    """Return the task with what it had learned from the training data."""
    task: Task = build(config.task, kind=Task, where="task", plugins=config.plugins)
    _check_code("task", config, record, folder)
    if not isinstance(task, Restorable):
        where = "harness/runs/model_file.py"
        raise ConfigError(f"the task {task.name} cannot label new text: it lacks members of Restorable in {where}")
    if task.version != record.task_version:
        raise ConfigError(
            f"{folder}: trained with version {record.task_version} of the task, and this is {task.version}; {_AGAIN}"
        )
    if set(values.learned) != set(task.learned):
        raise ConfigError(f"{folder / MODEL}: it lacks what the task learned ({', '.join(task.learned)}); {_AGAIN}")
    vars(task).update({name: tuple(learned) for name, learned in values.learned.items()})
    return task


def _source(
    node: Mapping[str, Any], config: HarnessConfig, record: RunRecord, device: str, folder: Path
) -> PortionOfLayers | None:
    """Return where layers are read; they are rounded as in the run."""
    encoder = build_encoder(node, device=device, plugins=config.plugins)
    _check_same("encoder", encoder, record.encoder, folder)
    if encoder is None:
        return None
    _check_code("mixing", config, record, folder)
    why = None
    if not encoder.cacheable:
        why = f"encoder.state={encoder.state}, the vectors of a text depend on the texts before it"
    elif config.mixing.get("layer_norm") == "paper":
        why = "mixing.layer_norm=paper, the vectors of a text depend on the rest of its batch"
    if why is not None:
        raise ConfigError(f"{folder}: with {why}, so its label is not fixed; train with another value of this option")
    return PortionOfLayers(encoder, dtype=config.cache_dtype)


def _static(node: Mapping[str, Any], config: HarnessConfig, record: RunRecord, folder: Path) -> StaticVectors | None:
    """Return the static vectors."""
    static: StaticVectors | None = build(node, kind=StaticVectors, where="embedding", plugins=config.plugins)
    _check_same("embedding", static, record.embedding, folder)
    return static


def _check_code(group: str, config: HarnessConfig, record: RunRecord, folder: Path) -> None:
    """Raise an error unless the code of a plug-in is that of the run."""
    target = target_of(getattr(config, group), where=group, plugins=config.plugins)
    before = record.determining.get(f"{group}.code")
    if target is not None and before is not None and code(target) != before:
        raise ConfigError(f"{folder}: the code of its {group} was {before}, and now it is {code(target)}; {_AGAIN}")


def _check_same(group: str, found: Encoder | StaticVectors | None, recorded: Mapping[str, Any], folder: Path) -> None:
    """Raise an error unless the encoder or the vectors are those of the run."""
    before, now = str(recorded.get("fingerprint", "")), found.fingerprint if found is not None else ""
    if before != now:
        raise ConfigError(
            f"{folder}: its {group} {recorded.get('name')} had the fingerprint {before[:16] or 'none'}, and now it is "
            f"{now[:16] or 'none'}; give the same files with {group}.KEY=VALUE, or {_AGAIN}"
        )

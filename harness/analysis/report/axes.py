"""Axes: what differs between settings, as columns of typed values.

The best known axes have names of their own, such as ``encoder`` and ``layer``; any other option is an axis under its
dotted key. Only axes that separate settings are shown.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import yaml

from harness.errors import ConfigError, nearest
from harness.runs.identity import plain
from harness.runs.record import RunRecord, flattened
from harness.types import SPLITS

Values = Mapping[str, Any]

# The named axes in their usual order, with the words that a page uses, and the options that they stand for.
NAMED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "head": ("head", ("task.head",)),
    "encoder": ("encoder", ("encoder", "encoder.name", "vectors")),
    "embedding": ("static vectors", ("embedding", "embedding.name")),
    "mix": ("mix", ("mixing", "mixing.name", "mixing.code", "mixing._target_")),
    "layer": ("layer", ("mixing.index",)),
    "placement": ("placement", ("mixing.placement",)),
    "lambda": ("lambda", ("mixing.lambda_",)),
    "fraction": ("fraction of the training data", ("data.fraction", "task.data.fraction")),
}
_COVERED = {option: axis for axis, (_, options) in NAMED.items() for option in options}
# Options that determine nothing, in records of version 1, which do not say what determines the result.
_NOT_DETERMINING_IN_VERSION_1 = re.compile(
    r"(^|\.)(seed|results_dir|cache_dir|overwrite|dry_run|train|dev|test|path|dir|_target_)$|^(sweep|vectors)$"
    r"|^tracking\.|^plugins|^task\.data\."
)
# Where a fingerprint or a digest differs, the options that explain it; the digest itself if they do not.
_EXPLAINED_BY = {
    "encoder.fingerprint": r"encoder\.(?!_target_$|name$)",
    "embedding.fingerprint": r"embedding\.(?!_target_$|name$)",
    **{f"data.sha256.{split}": rf"data\.(source|{split})$" for split in SPLITS},
}
_DIGEST = 8  # hex digits of a digest that a column shows
_FIRST = ("none", "random")  # the baselines among encoders


def title_of(axis: str) -> str:
    """Return the name of an axis in words."""
    return NAMED[axis][0] if axis in NAMED else axis


def options_of(record: RunRecord) -> dict[str, Any]:
    """Return everything by which a run can be chosen: its task, data and seed, its named axes and its options."""
    options = flattened(record.config) | dict(record.determining)
    mix, index = record.mixing.get("name") or options.get("mixing.name"), plain(options.get("mixing.index"))
    layer = index if type(index) is int and index >= 0 else None
    encoder = record.encoder.get("name") or options.get("encoder.name")
    has_mix = encoder != "none"
    named = {
        "head": options.get("task.head"),
        "encoder": encoder,
        "embedding": record.embedding.get("name") or options.get("embedding.name"),
        "mix": str(mix).removesuffix(str(layer)) if has_mix and mix else None,
        "layer": layer if has_mix else None,
        "placement": record.mixing.get("placement") if has_mix else None,
        "lambda": options.get("mixing.lambda_") if has_mix else None,
        "fraction": options.get("data.fraction", options.get("task.data.fraction")),
    }
    about = {"task": record.task, "data": record.data.get("name"), "seed": record.seed}
    return {key: plain(value) for key, value in (options | about | named).items()}


def chooser(only: Sequence[str], known: Iterable[str]) -> Callable[[Values], bool]:
    """Return a function that says whether options have all the values of ``--only``: 1 is 1.0.

    Args:
        only: Words of the form KEY=VALUE.
        known: The keys that at least one run has.

    Raises:
        ConfigError: A word has another form, or no run has its key.
    """
    wanted = {}
    known = list(known)
    for word in only:
        key, has_value, text = word.partition("=")
        if not has_value:
            raise ConfigError(f"--only {word}: expected KEY=VALUE, such as data.fraction=0.1")
        if key not in known:
            raise ConfigError(f"--only {word}: no run has the option {key}{nearest(key, known)}")
        wanted[key] = text
    return lambda options: all(_means(text, options.get(key)) for key, text in wanted.items())


def _means(text: str, value: Any) -> bool:
    """Return whether a word of the command line is a value of a record."""
    try:
        typed = float(text)
    except ValueError:
        typed = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return typed == value
    try:
        meant = yaml.safe_load(text)
    except yaml.YAMLError:
        meant = text
    return text == str(value) or (type(meant) is type(value) and bool(meant == value))


def axes_of(settings: Mapping[str, RunRecord]) -> tuple[dict[str, Values], tuple[str, ...]]:
    """Find the axes of settings.

    A named axis is shown if its values differ. Another option is shown if it separates settings that are equal in the
    axes before it; the name of the runs and the digest of the setting are the last resort.

    Args:
        settings: The record of one run of each setting, by the setting's digest.

    Returns:
        The value on each shown axis, by setting, and the other options that differ. Settings that differ have different
        values.
    """
    others = _other_options(settings)
    every: dict[str, dict[str, Any]] = {}
    for key, record in settings.items():
        named = {axis: value for axis, value in options_of(record).items() if axis in NAMED}
        every[key] = others[key] | named | {"name": record.name_of_setting, "setting": key}
    shown: dict[tuple[int, ...], str] = {}  # by the pattern of variation
    for axis in NAMED:
        if len({repr(values[axis]) for values in every.values()} - {"None"}) > 1:
            shown.setdefault(_pattern(values[axis] for values in every.values()), axis)
    unnamed = dict.fromkeys(key for values in others.values() for key in values if key not in _COVERED)
    also = []
    for axis in (*unnamed, *NAMED, "name", "setting"):
        joint = [tuple(values.get(one) for one in shown.values()) for values in every.values()]
        values = [values.get(axis) for values in every.values()]
        if len(set(map(repr, zip(joint, values, strict=True)))) > len(set(map(repr, joint))):
            shown[_pattern(values)] = axis
        elif len(set(map(repr, values)) - {"None"}) > 1 and axis in unnamed and not _is_explanation(axis):
            also.append(axis)
    ordered = _in_the_order_of_the_command(list(shown.values()), settings.values())
    return {key: {axis: values.get(axis) for axis in ordered} for key, values in every.items()}, tuple(also)


def _pattern(values: Iterable[Any]) -> tuple[int, ...]:
    """Return which of the values are equal, as the position of the first equal one."""
    known = list(map(repr, values))
    return tuple(map(known.index, known))


def _is_explanation(option: str) -> bool:
    """Return whether an option matters only through a digest or a fingerprint, or is one."""
    return option in _EXPLAINED_BY or any(re.match(reason, option) for reason in _EXPLAINED_BY.values())


def _in_the_order_of_the_command(axes: Sequence[str], records: Iterable[RunRecord]) -> list[str]:
    words: dict[str, int] = {}
    for record in records:
        for override in record.environment.get("overrides") or ():
            key = override.lstrip("+").partition("=")[0]
            words.setdefault(_COVERED.get(key, key), len(words))
    return sorted(axes, key=lambda axis: words.get(axis, len(words)))


def _other_options(settings: Mapping[str, RunRecord]) -> dict[str, dict[str, Any]]:
    """Return, for each setting, what determines the result of any of them; the most telling first."""
    configs = {key: flattened(record.config) for key, record in settings.items()}
    known = {key: record.determining or _of_version_1(record) for key, record in settings.items()}
    items: dict[str, None] = {"schema": None}
    for item in dict.fromkeys(item for values in known.values() for item in values if item != "seed"):
        if item in _EXPLAINED_BY and len({values.get(item) for values in known.values()}) > 1:
            reason = re.compile(_EXPLAINED_BY[item])
            items |= dict.fromkeys(option for config in configs.values() for option in config if reason.match(option))
        items[item] = None
    options = {}
    for key, values in known.items():
        if settings[key].determining:
            configs[key].pop("threads", None)  # they determined the identity in version 1
        both = configs[key] | dict(values)  # an option that is not in ``determining`` has its default in the config
        if settings[key].encoder.get("name") == "none":
            both = {item: value for item, value in both.items() if not item.startswith("mixing.")}
        both |= {item: str(both[item])[:_DIGEST] for item in _EXPLAINED_BY if item in both}
        options[key] = {item: plain(both[item]) for item in items if item in both}
    return options


def _of_version_1(record: RunRecord) -> dict[str, Any]:
    """Return what can differ between records of version 1."""
    options = flattened(record.config)
    return {"schema": record.schema_version} | {
        item: value for item, value in options.items() if not _NOT_DETERMINING_IN_VERSION_1.search(item)
    }


def label_of(values: Values, others: Sequence[Values] = (), mix: Any = None) -> str:
    """Return a name of a setting: its value on each axis that separates it from others that are equal so far.

    Args:
        values: The values of the setting on the axes, for example ``elmo_mini``, 1 and 0.1.
        others: The values of the settings from which it must be separated; without any, all values are named.
        mix: The name of its mix, if all settings have the same one, so that it is no axis.
    """
    words, left = [], list(others)
    for axis, value in values.items():
        if value is None:  # no word says so, and a later axis still has to separate the setting from the others
            continue
        before, left = left, [other for other in left if other.get(axis) == value]
        if others and len(left) == len(before):
            continue
        if axis in ("encoder", "embedding") and value == "none":
            words.append("static vectors" if axis == "encoder" else "no static vectors")
        elif axis in ("head", "encoder", "embedding", "name") or (axis == "mix" and values.get("layer") is None):
            words.append(str(value))
        elif axis == "placement":
            place = "at both places" if value == "both" else f"at the {value}"
            words.append(f"{words.pop()} {place}" if words else place)
        elif axis == "layer" and values.get("mix", mix) == "cumulative":
            words.append(f"layers 0 to {value}")
        elif axis != "mix":
            words.append(f"{axis.rpartition('.')[2]} {value}")
    return ", ".join(words)


def sort_key(values: Values) -> list[tuple[Any, ...]]:
    """Return what settings are sorted by: numbers by their size, names as people count, a baseline first."""
    return [natural(value) for value in values.values()]


def natural(value: Any) -> tuple[Any, ...]:
    """Return what one value is sorted by; see ``sort_key``."""
    if value is None or value in _FIRST:
        return (0, "none" if value is None else str(value))
    if isinstance(value, int | float):
        return (1, value)
    return (2, [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", str(value))])

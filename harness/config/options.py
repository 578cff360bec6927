"""The groups and options that the config files define, to find the one that a person meant."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

CONF = Path(__file__).resolve().parents[2] / "conf"


def groups_of(root: str) -> dict[str, str]:
    """Return the default choice of each group that a root config uses; ``null`` if it has none.

    Args:
        root: The name of the root config in ``conf/``, without ``.yaml``.
    """
    from omegaconf import OmegaConf

    found = {}
    for item in OmegaConf.load(CONF / f"{root}.yaml").defaults:
        if item != "_self_":
            ((group, choice),) = item.items()
            found[str(group)] = str(choice)
    return {group: choice for group, choice in found.items() if not group.startswith("override ")}


def choices_of(group: str, folders: Sequence[Path]) -> dict[str, Path]:
    """Return the file of each choice of a group; a choice in a subfolder is named ``subfolder/choice``.

    Args:
        group: The name of the group.
        folders: The folders that contain the folder of the group; an earlier one comes before a later one.
    """
    found: dict[str, Path] = {}
    for folder in (folder / group for folder in folders):
        for path in sorted(folder.glob("**/*.yaml")):
            found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
    return dict(sorted(found.items()))


def known_keys(root: str, folders: Sequence[Path] = (CONF,)) -> set[str]:
    """Return every dotted key of a root config and of every choice of its groups.

    ``KEY.+`` stands for a key below which any name may be added.

    Args:
        root: The name of the root config in ``conf/``, without ``.yaml``.
        folders: The folders of the config groups.
    """
    from omegaconf import OmegaConf
    from yaml import YAMLError

    keys = keys_of(OmegaConf.load(CONF / f"{root}.yaml"))
    for group in groups_of(root):
        keys.add(group)
        for path in choices_of(group, folders).values():
            with suppress(YAMLError, OSError, UnicodeDecodeError):  # Hydra names a file that it cannot read
                whole = "@package _global_" in path.read_text(encoding="utf-8")
                keys |= keys_of(OmegaConf.load(path), "" if whole else f"{group}.")
    return {key for key in keys if not key.startswith(("defaults", "hydra"))}


def keys_of(node: Any, prefix: str = "") -> set[str]:
    """Return the dotted keys of a config, the inner ones included.

    Args:
        node: The config; anything that is not a mapping has no keys.
        prefix: The text before each key.
    """
    from omegaconf import DictConfig

    keys: set[str] = set()
    for key in node if isinstance(node, DictConfig) else ():
        name = f"{prefix}{key!s}"
        keys.add(name)
        child = node._get_node(key)
        if isinstance(child, DictConfig) and not child._is_none() and not child._is_interpolation():
            keys.update([] if child else [f"{name}.+"])
            keys |= keys_of(child, f"{name}.")
    return keys


def composed_keys(root: str, overrides: Sequence[str]) -> set[str]:
    """Return the dotted keys of a composed config; an empty set if it cannot be composed.

    Args:
        root: The name of the root config in ``conf/``, without ``.yaml``.
        overrides: Overrides that choose groups.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return keys_of(compose(root, overrides=list(overrides)))
    except (HydraException, OmegaConfBaseException):
        return set()


def option_meant(name: str, *sets: Collection[str]) -> str:
    """Return the key that a person most likely meant by a name; empty if none is similar.

    It is a key of the same section that ends in the same word (``task.bcn.hidden_dim`` for ``task.hidden_dim``, or
    ``trainer.lr`` for ``lr``), or else the most similar key.

    Args:
        name: What was written.
        *sets: The dotted keys that exist; a set comes before those after it.
    """
    section, _, last = name.rpartition(".")
    for keys in sets:
        ending = [key for key in sorted(keys) if key.rpartition(".")[2] == last]
        own = [key for key in ending if not section or key.startswith(f"{section.partition('.')[0]}.")]
        if name in keys or own:
            return name if name in keys else own[0]
    return next(iter(get_close_matches(name, sorted(set().union(*sets)), n=1)), "")

"""Report an error of Hydra or OmegaConf as one line: what is wrong, where, and the fix."""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from harness.config.options import choices_of, composed_keys, groups_of, known_keys, option_meant
from harness.config.request import PATHS, Request, quoted, readable
from harness.errors import ConfigError, nearest, one_line
from harness.utils.console import bad_request

_EXTRAS = ("joblib", "ray", "submitit")  # launchers of Hydra that are packages of their own


@contextmanager
def wrong_requests_explained(request: Request | None = None) -> Iterator[None]:
    """Report an error of Hydra or of reading a config in one line, and exit with status 2.

    Args:
        request: The words of the command line; None if they are not known.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        yield
    except (HydraException, OmegaConfBaseException, YAMLError, ValueError) as error:
        bad_request(explain(error, request or Request()))
    except ConfigError as error:
        bad_request(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        bad_request(one_line(error))


def explain(error: Exception, request: Request) -> str:
    """Return an error of Hydra or OmegaConf as one line.

    Args:
        error: The error that composing raised.
        request: The words of the command line.
    """
    from hydra.errors import OverrideParseException

    text = str(error)
    if isinstance(error, OverrideParseException):
        return _cannot_be_read(error.override)
    if match := re.search(r"Ambiguous value for argument '([^=]*)=(.*)'", text):
        return _several_values(*match.groups(), request=request)
    if match := re.search(r"Could not find '((?:hydra/)?\w+)/([^']*)'", text):
        return _no_such_choice(*match.groups(), request=request)
    if match := re.search(r"Key '([^']+)' is not in struct\s+full_key: (\S+)", text):
        return _no_such_option(match.group(2), request)
    if match := re.search(r"Could not override '([^']+)'. No match in the defaults list", text):
        return f"{match.group(1)}: there is no such group{nearest(match.group(1), groups_of(request.root))}"
    if match := re.search(r"Multiple values for (\S+)\.", text):
        return f"+{match.group(1)}: this option exists already; write {match.group(1)}=... without the plus"
    if match := re.search(r"Could not override '([^']+)'", text):
        return _no_such_option(match.group(1), request)
    return " ".join(text.split())


def _several_values(key: str, values: str, *, request: Request) -> str:
    """Return the message about values that are separated by commas in a request for one run."""
    name = key.lstrip("+")
    if name in PATHS:
        otherwise = f"; quote a path that has a comma: {_in_quotes(key, values)}"
    else:
        otherwise = "" if name in groups_of(request.root) else f", or write {key}=[{values}] for one list"
    return f"{key}={values}: add -m to run each value in turn{otherwise}"


def _cannot_be_read(override: str) -> str:
    """Return the message about an override that Hydra's grammar does not accept."""
    key, has_value, value = override.partition("=")
    if not has_value or not readable(f"{key}={quoted(value)}"):
        return f"{override}: this cannot be read; write KEY=VALUE"
    if value.endswith(",") and readable(override.rstrip(",")):
        return f"{override}: nothing follows the last comma; write {override.rstrip(',')}"
    return f"{override}: the value has special characters; write it in quotes: {_in_quotes(key, value)}"


def _in_quotes(key: str, value: str) -> str:
    """Return an override as it must be typed in a shell for Hydra to read the value as it stands."""
    return shlex.quote(f"{key}={quoted(value, double=True)}")


def _no_such_choice(group: str, choice: str, *, request: Request) -> str:
    if group.startswith("hydra/"):
        extra = choice.partition("_")[0]
        fix = f"pip install hydra-{extra}-launcher" if extra in _EXTRAS else "--info plugins lists what is installed"
        return f"{group}={choice}: it is not installed; {fix}"
    return f"{group}={choice}: there is no such choice{nearest(choice, choices_of(group, request.folders))}"


def _no_such_option(key: str, request: Request) -> str:
    """Return the message about an unknown key. The options of this request come before those of other choices."""
    known = known_keys(request.root, request.folders)
    for name in (key, key.rpartition(".")[0]):
        if f"{name}.+" in known:
            return f"{name} has no values yet; add each with a plus: +{name}.NAME=VALUE"
    known = {name for name in known if not name.endswith(".+")}
    if key in known:
        hint = f"; another choice of the group '{key.partition('.')[0]}' has it"
    else:
        groups = groups_of(request.root)
        choices = [word for word in request.overrides if word.partition("=")[0] in groups and "," not in word]
        meant = option_meant(key, composed_keys(request.root, [*choices, *request.searchpath]), known)
        hint = f"; did you mean '{meant}'?" if meant else ""
    return f"{key}: there is no such option{hint} (--cfg job shows all options)"

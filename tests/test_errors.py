"""Errors are one line that a terminal can show, whatever they quote."""

import copy
import json
import pickle
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness
from harness.errors import ConfigError, described


def test_what_a_terminal_cannot_show_is_escaped() -> None:
    assert str(ConfigError("a\nb\r\x1b[31m \u2028 \ud83d é 漢 😀")) == r"a\nb\r\x1b[31m \u2028 \ud83d é 漢 😀"


def test_a_very_long_message_keeps_its_start_and_its_end() -> None:
    message = str(ConfigError(f"data.conll:3: the tag is '{'x' * 5000}'; correct it"))
    assert message.startswith("data.conll:3: the tag is 'xxx")
    assert message.endswith("xxx'; correct it")
    assert " [...] " in message
    assert len(message) < 1000


def test_an_error_is_the_same_in_another_process() -> None:
    error = ConfigError("a\nb" + "c" * 2000)
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), ConfigError(str(error))):
        assert str(other) == str(error)


@pytest.mark.parametrize("folder", ["{tmp}", "{harness}_plugins", "{stdlib}_of_mine"])
def test_an_unexpected_error_of_a_plug_in_has_its_place(tmp_path: Path, folder: str) -> None:
    places = {"tmp": tmp_path, "harness": Path(harness.__file__).parent, "stdlib": sysconfig.get_path("stdlib")}
    file = Path(folder.format(**places)) / "mine.py"
    code = compile("def loss(batch):\n    return batch['gold']\n", str(file), "exec")
    scope: dict[str, Any] = {}
    exec(code, scope)
    with pytest.raises(KeyError) as caught:
        scope["loss"]({})
    assert described(caught.value) == f"KeyError: 'gold', at {file}:2, in loss"
    assert described(ValueError("a\nb")) == "ValueError: a b"


def test_the_place_in_a_library_is_left_out() -> None:
    with pytest.raises(ValueError, match="shape") as caught:
        np.zeros((2, 3)).reshape(5)
    assert f", at {__file__}:" in described(caught.value)
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads("{")
    assert f", at {__file__}:" in described(caught.value)

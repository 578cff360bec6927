"""Errors are one line that a terminal can show, whatever they quote."""

import copy
import pickle

from harness.errors import ConfigError


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

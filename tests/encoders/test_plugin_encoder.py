"""An encoder from outside the harness: an edit gives a new fingerprint, and a wrong result is one line."""

import importlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.encoders.plugin_encoder import PluginEncoder, checked_encoder
from harness.encoders.random_elmo import random_elmo
from harness.errors import ConfigError, HarnessError
from harness.optional_protocols import Rounding, Sized
from harness.runs.plan import prepare
from harness.types import Sentence
from tests.support.encoders import TINY
from tests.support.runs import config_of

SENTENCES = [("a", "b", "c"), (), ("d",)]


class Lengths:
    """Vectors of ones; a function changes what is yielded for each sentence."""

    name, fingerprint, state = "lengths", "00", "none"
    num_layers, dim, word_layer, cacheable = 2, 8, False, True

    def __init__(self, change: Any = lambda item: [item]) -> None:
        self._change = change

    def encode(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
        for index, sentence in enumerate(sentences):
            yield from self._change((index, torch.ones(2, len(sentence), 8)))


def test_right_vectors_are_passed_on() -> None:
    encoder = checked_encoder(Lengths())
    assert isinstance(encoder, PluginEncoder)
    assert (encoder.name, encoder.state, encoder.num_layers, encoder.dim) == ("lengths", "none", 2, 8)
    assert [(index, layers.shape) for index, layers in encoder.encode(SENTENCES)] == [
        (0, (2, 3, 8)),
        (1, (2, 0, 8)),
        (2, (2, 1, 8)),
    ]


WRONG = [
    (
        lambda item: [(item[0], torch.ones(2, 4, 8))],
        "yielded (2, 4, 8) for a sentence of 3 tokens; expected (layers, tokens, dim) = (2, 3, 8), without boundary",
    ),
    (lambda item: [(item[0], torch.ones(3, 8))], "yielded (3, 8) for a sentence of 3 tokens"),
    (lambda item: [(item[0], item[1].half())], "yielded torch.float16 on cpu; expected torch.float32 on the CPU"),
    (lambda item: [(item[0], item[1].requires_grad_())], "on cpu with gradients; expected torch.float32"),
    (lambda item: [(item[0], np.ones((2, 3, 8)))], "yielded a ndarray; expected a tensor of torch"),
    (lambda item: [item, item], "yielded the index 0 again; expected (index, layers) once for each of "),
    (
        lambda item: [(item[0] + 5, item[1])],
        "yielded the index 5; expected (index, layers) once for each of",
    ),
    (lambda item: [item] if item[0] else [], "yielded nothing for 1 of 1 sentences; expected layers for each of them"),
    (lambda item: [item[1]], "yielded a Tensor; expected (index, layers) once for each of "),
    (lambda _: [None], "yielded a NoneType; expected (index, layers)"),
    (lambda item: [(np.int64(item[0]), item[1])], "yielded a tuple of int64, Tensor; expected (index, layers)"),
    (lambda item: [(item[0], item[1].to_sparse())], "yielded a tensor with layout=torch.sparse_coo; expected a dense"),
    (
        lambda item: [(item[0], item[1] / 0)],
        "yielded NaN or infinity for a sentence of 3 tokens; expected finite numbers",
    ),
]


@pytest.mark.parametrize(("change", "message"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_result_is_one_line_that_names_the_method(change: Any, message: str) -> None:
    encoder = checked_encoder(Lengths(change))
    assert encoder is not None
    with pytest.raises(HarnessError) as caught:
        list(encoder.encode(SENTENCES))
    assert message in str(caught.value)
    assert str(caught.value).startswith("Lengths.encode yielded ")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("num_layers", "2", "encoder: Lengths.num_layers is '2'; expected an int of 1 or more"),
        ("dim", 0, "encoder: Lengths.dim is 0; expected an int of 1 or more"),
        ("fingerprint", None, "encoder: Lengths.fingerprint is None; expected a str"),
        ("cacheable", 1, "encoder: Lengths.cacheable is 1; expected a bool"),
        ("cacheable", None, "encoder: Lengths.cacheable is None; expected a bool"),
        ("num_parameters", 1.5, "encoder: Lengths.num_parameters is 1.5; expected an int of 1 or more"),
        ("model_card", None, "encoder: Lengths.model_card is None; expected a str"),
    ],
)
def test_a_wrong_member_is_one_line(member: str, value: Any, message: str) -> None:
    encoder = Lengths()
    setattr(encoder, member, value)
    with pytest.raises(ConfigError) as caught:
        checked_encoder(encoder)
    assert str(caught.value) == message


@pytest.mark.parametrize(("returned", "kind"), [(torch.ones(3), "Tensor"), (3, "int"), (None, "NoneType")])
def test_an_encoder_that_returns_no_iterator_is_one_line(returned: Any, kind: str) -> None:
    encoder: Any = Lengths()
    encoder.encode = lambda _: returned
    with pytest.raises(
        HarnessError, match=f"^Lengths.encode returned a {kind}; expected .index, layers. once for each"
    ):
        list(PluginEncoder(encoder=encoder).encode(SENTENCES))


def test_vectors_that_differ_when_a_sentence_is_encoded_again_are_refused() -> None:
    """Such as those of a module whose dropout is on."""
    message = r"^Lengths\.encode: the vectors of a sentence differ when it is encoded again; call eval\(\), or set cach"
    noisy: Any = Lengths(lambda item: [(item[0], torch.rand_like(item[1]))])
    for sentences in (SENTENCES, [("a",)]):
        with pytest.raises(HarnessError, match=message):
            list(PluginEncoder(encoder=noisy).encode(sentences))
    encoder = PluginEncoder(encoder=noisy)
    for _ in range(2):  # the runs of a sweep share their encoder
        with pytest.raises(HarnessError, match=message):
            list(encoder.encode(SENTENCES))
    noisy.cacheable = False
    assert len(list(PluginEncoder(encoder=noisy).encode(SENTENCES))) == 3


def test_a_word_layer_that_depends_on_the_sentence_is_refused() -> None:
    encoder: Any = Lengths(lambda item: [(item[0], item[1] * item[1].shape[1])])
    assert len(list(PluginEncoder(encoder=encoder).encode(SENTENCES))) == 3
    encoder.word_layer = True
    with pytest.raises(HarnessError, match=r"differ in layer 0 from a word alone; set word_layer=False"):
        list(PluginEncoder(encoder=encoder).encode(SENTENCES))


def test_memory_that_an_encoder_uses_again_is_copied() -> None:
    memory = torch.zeros(2, 3, 8)
    encoder = PluginEncoder(encoder=Lengths(lambda item: [(item[0], memory[:, : item[1].shape[1]].fill_(item[0]))]))
    assert [float(layers.sum()) for _, layers in encoder.encode([("a",), ("b",), ("c",)])] == [0.0, 16.0, 32.0]


class Others(Lengths):
    """Another encoder in the same file, whose author forgot to give it another fingerprint."""


def made_by_one() -> Lengths:
    return Lengths()


def test_class_members_and_maker_are_part_of_the_fingerprint() -> None:
    wider: Any = Lengths()
    wider.dim = 9
    encoders = [PluginEncoder(encoder=one) for one in (Lengths(), Others(), wider)]
    encoders.append(PluginEncoder(encoder=Lengths(), made_by=made_by_one))
    assert len({one.fingerprint for one in encoders}) == 4
    again = (PluginEncoder(encoder=Lengths()), PluginEncoder(encoder=Lengths(), made_by=Lengths))
    assert {one.fingerprint for one in again} == {encoders[0].fingerprint}


def test_the_encoders_of_the_harness_are_not_wrapped(tmp_path: Path) -> None:
    own = random_elmo(options=TINY, cache_dir=str(tmp_path))
    assert checked_encoder(own) is own
    assert checked_encoder(None) is None


def test_a_reported_rounding_is_passed_on() -> None:
    assert not isinstance(checked_encoder(Lengths()), Rounding)
    encoder: Any = Lengths()
    encoder.dtype, encoder.rounding_error = "bfloat16", 0.01
    checked = checked_encoder(encoder)
    assert isinstance(checked, Rounding)
    assert (checked.dtype, checked.rounding_error) == ("bfloat16", 0.01)


def test_a_reported_size_is_passed_on() -> None:
    assert not isinstance(checked_encoder(Lengths()), Sized)
    encoder: Any = Lengths()
    encoder.num_parameters = 5
    checked = checked_encoder(encoder)
    assert isinstance(checked, Sized)
    assert checked.num_parameters == 5


CODE = """
import torch
from my_base import Base

class Mine(Base):
    name, fingerprint, state = "mine", "00", "none"
    num_layers, dim, word_layer, cacheable = 1, 2, False, True

    def encode(self, sentences):
        for index, sentence in enumerate(sentences):
            yield index, torch.full((1, len(sentence), 2), 1.0)
"""


def test_edited_code_gives_another_fingerprint_and_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the store would serve the vectors of the old code."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    config = replace(
        config_of(tmp_path, "embedding=none", "data.fraction=0.02", "threads=1"),
        encoder={"_target_": "my_encoder.Mine"},
        plugins=["my_encoder"],
    )
    seen = []
    for base, value in (("1", "1.0"), ("1", "1.0"), ("1", "2.0"), ("2", "1.0")):
        (tmp_path / "my_base.py").write_text(f"class Base:\n    size = {base}\n")
        (tmp_path / "my_encoder.py").write_text(CODE.replace("1.0", value))
        for name in ("my_encoder", "my_base"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        plan = prepare(config)
        assert isinstance(plan.encoder, PluginEncoder)
        seen.append((plan.encoder.fingerprint, plan.identity))
    assert seen[0] == seen[1]
    assert len({fingerprint for fingerprint, _ in seen}) == len({identity for _, identity in seen}) == 3

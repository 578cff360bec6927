"""Freed memory is kept where it can be, and the peak memory is that since the last reset."""

import os
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from harness.utils import memory
from harness.utils.memory import keep_freed_memory, peak_memory, reset_peak_memory

_ROOT = Path(__file__).resolve().parents[2]
SIZE = 200_000_000
OPTIONS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot reset the peak")
def test_the_peak_rises_with_memory_that_is_used_and_falls_after_a_reset() -> None:
    reset_peak_memory("cpu")
    before = peak_memory("cpu")["process"]
    assert before is not None
    torch.ones(SIZE, dtype=torch.uint8)  # freed at once
    used = peak_memory("cpu")["process"]
    assert used is not None
    assert used - before == pytest.approx(SIZE, rel=0.2)
    reset_peak_memory("cpu")
    after = peak_memory("cpu")["process"]
    assert after is not None
    assert after < used - SIZE / 2
    assert peak_memory("cpu")["gpu"] is None


def blocks(count: int) -> list[torch.Tensor]:
    """Return tensors of 8 MiB: more than glibc keeps by default, and less than it always takes from the system."""
    return [torch.ones(2**21) for _ in range(count)]


only_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such options")


_FAULTS = """
import resource
from harness.utils.memory import keep_freed_memory
from tests.utils.test_memory import blocks
keep_freed_memory()
for _ in range(10):
    blocks(9)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    blocks(9)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@only_glibc
def test_freed_memory_is_used_again() -> None:
    """In a new process: in an old one the freed pieces may be too small. The first rounds may need more memory."""
    env = {name: value for name, value in os.environ.items() if name not in OPTIONS}
    ended = subprocess.run(
        [sys.executable, "-c", _FAULTS], cwd=_ROOT, env=env, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) < 5_000  # of 184,320 pages


@pytest.mark.parametrize("option", [*OPTIONS, None])
def test_an_option_of_the_user_comes_first(option: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[int, int]] = []
    monkeypatch.setattr(memory, "_glibc", lambda: SimpleNamespace(mallopt=lambda *both: called.append(both)))
    for name in OPTIONS:
        monkeypatch.delenv(name, raising=False)
    if option is not None:
        monkeypatch.setenv(option, "1000000")
    keep_freed_memory()
    assert called == ([] if option is not None else [(-1, 2**31 - 1), (-3, 2**25)])


@only_glibc
def test_the_memory_of_an_earlier_run_is_not_that_of_the_next() -> None:
    keep_freed_memory()
    reset_peak_memory("cpu")
    before = peak_memory("cpu")["process"]
    blocks(50)  # of an earlier run in this process, freed at once
    reset_peak_memory("cpu")
    after = peak_memory("cpu")["process"]
    assert before is not None
    assert after is not None
    assert after - before < 50 * 2**20  # of 400 MiB


@pytest.mark.gpu
def test_the_peak_of_a_gpu() -> None:
    reset_peak_memory("cuda")
    before = peak_memory("cuda")["gpu"]
    torch.ones(SIZE, dtype=torch.uint8, device="cuda")
    after = peak_memory("cuda")["gpu"]
    assert before is not None
    assert after is not None
    assert after - before >= SIZE

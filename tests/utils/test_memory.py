"""Freed memory is kept where it can be, and the peak memory is that since the last reset."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from harness.utils.memory import peak_memory, reset_peak_memory

SIZE = 200_000_000


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


FAULTS = """
import resource, torch
from harness.utils.memory import keep_freed_memory
keep_freed_memory()
kept = [torch.ones(2**21) for _ in range(9)]  # 8 MiB each: more than glibc keeps by default
for number in range(20):
    if number == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    some = [torch.ones(2**21) for _ in range(9)]
    del some
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 10)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such options")
def test_freed_memory_is_used_again_unless_the_user_has_an_option_of_his_own() -> None:
    def faults(**environment: str) -> int:
        known = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
        asked = {"capture_output": True, "text": True, "check": True, "timeout": 120}
        return int(subprocess.run([sys.executable, "-c", FAULTS], env=known | environment, **asked).stdout)  # type: ignore[call-overload]

    assert faults() < 100  # of the 18,432 pages of 72 MiB
    assert faults(MALLOC_TRIM_THRESHOLD_="1000000") > 10_000


OF_ONE_RUN = """
import torch
from harness.utils.memory import keep_freed_memory, peak_memory, reset_peak_memory
keep_freed_memory()
some = [torch.ones(2**21) for _ in range(50)]  # 400 MiB, of an earlier run in this process
del some
reset_peak_memory("cpu")
before = peak_memory("cpu")["process"]
some = [torch.ones(2**21) for _ in range(2)]
print((peak_memory("cpu")["process"] - before) // 2**20, before // 2**20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such options")
def test_the_memory_of_an_earlier_run_is_not_that_of_the_next() -> None:
    asked = {"capture_output": True, "text": True, "check": True, "timeout": 120}
    done = subprocess.run([sys.executable, "-c", OF_ONE_RUN], **asked)  # type: ignore[call-overload]
    more, before = map(int, done.stdout.split())
    assert more == pytest.approx(16, abs=2)
    assert before < 500


@pytest.mark.gpu
def test_the_peak_of_a_gpu() -> None:
    reset_peak_memory("cuda")
    before = peak_memory("cuda")["gpu"]
    torch.ones(SIZE, dtype=torch.uint8, device="cuda")
    after = peak_memory("cuda")["gpu"]
    assert before is not None
    assert after is not None
    assert after - before >= SIZE

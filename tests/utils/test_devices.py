"""The cores that a process may use, and how OpenMP's threads wait."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.training import determinism
from harness.utils import devices

ROOT = Path(__file__).resolve().parents[2]


def shown(code: str, **environment: str) -> str:
    """Return what a new process prints, without OpenMP's settings of this one."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("OMP_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["harness", pytest.param("harness.sweep.job_entry", marks=pytest.mark.slow)])
def test_threads_wait_without_spinning_from_before_torch_is_imported(module: str) -> None:
    code = f"""
import os, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("OMP_WAIT_POLICY"), flush=True)
            os._exit(0)  # importing torch would take seconds
sys.meta_path.insert(0, Finder())
import {module}, torch
"""
    assert shown(code) == "PASSIVE"
    assert shown(code, OMP_WAIT_POLICY="ACTIVE") == "ACTIVE"  # the user's own setting


def test_onednn_keeps_the_code_of_few_shapes() -> None:
    code = "import os, harness; print(os.environ['ONEDNN_PRIMITIVE_CACHE_CAPACITY'])"
    assert shown(code) == "32"
    assert shown(code, ONEDNN_PRIMITIVE_CACHE_CAPACITY="100") == "100"  # the user's own setting


def test_a_run_on_the_cpu_has_the_threads_of_its_affinity_and_does_not_import_the_compiler_of_torch() -> None:
    code = """
import os, sys, torch
torch.set_num_threads(2)  # a machine with two cores
from harness.training.determinism import default_threads, set_up_torch
set_up_torch(type("config", (), {"threads": 1, "device": "cpu"}))
print("torch._inductor.config" in sys.modules)
if hasattr(os, "sched_setaffinity"):  # not on every system
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    print(default_threads())
"""
    assert shown(code).split() == ["False", "1"][: 1 + hasattr(os, "sched_setaffinity")]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"a/cpu.max": "max 100000\n"}, 8),
        ({"a/b/cpu.max": "max 100000\n", "a/cpu.max": "250000 100000\n"}, 2),  # the quota of a parent holds as well
        ({"cpu.max": "50000 100000\n"}, 1),  # less than one core is one thread
        ({"cpu/a/b/cpu.cfs_quota_us": "-1\n", "cpu/a/b/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu/a/b/cpu.cfs_quota_us": "300000\n", "cpu/a/b/cpu.cfs_period_us": "100000\n"}, 3),
    ],
)
def test_usable_cores_respect_the_quota(
    files: dict[str, str], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "self").write_text("3:cpu,cpuacct:/a/b\n0::/a/b\n")
    monkeypatch.setattr(devices, "_CGROUPS", tmp_path)
    monkeypatch.setattr(devices, "_OWN_CGROUP", tmp_path / "self")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert devices.usable_cores() == expected
    monkeypatch.setattr(determinism, "_TORCH_THREADS", 4)
    assert determinism.default_threads() == min(4, expected)


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="this system does not tell its memory")
def test_usable_memory_respects_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_CGROUPS", tmp_path)
    monkeypatch.setattr(devices, "_OWN_CGROUP", tmp_path / "self")
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert devices.usable_memory() == 4_096_000
    (tmp_path / "memory.max").write_text("max\n")
    assert devices.usable_memory() == 4_096_000
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("2000000\n")
    assert devices.usable_memory() == 2_000_000
    (tmp_path / "memory.max").write_text("1000000\n")
    assert devices.usable_memory() == 1_000_000

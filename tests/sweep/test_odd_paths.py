"""A sweep in a folder with characters that mean something to Hydra."""

from pathlib import Path

import pytest

from tests.support.sweeps import records_in, sweep


@pytest.mark.parametrize(
    "name",
    ["(x) #1 é ~", *(pytest.param(name, marks=pytest.mark.slow) for name in ("it's a=b", "back\\slash", "ends in\\"))],
)
def test_every_job_finds_the_folders(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    assert sweep(folder, "encoder.dtype=float32", "seed=1,2") == 0
    assert [record.status for record in records_in(folder)] == ["ok", "ok"]
    assert len(list((folder / "results" / "sweeps").glob("*/table.md"))) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["cache", "results"]
    assert [path.name for path in tmp_path.iterdir()] == [name]

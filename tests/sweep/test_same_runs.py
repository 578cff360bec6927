"""A run is the same run, whatever launches it."""

from pathlib import Path

import pytest

from tests.support.sweeps import records_in, sweep


@pytest.mark.slow
def test_a_run_that_one_launcher_finished_is_finished_for_every_launcher(
    tmp_path: Path,
) -> None:
    """Joblib's jobs get a share of the threads; before, torch chose their number."""
    assert sweep(tmp_path, "threads=null", "seed=1,2") == 0
    first = records_in(tmp_path)
    assert len(first) == 2
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/ner/*/record.json")}
    assert sweep(tmp_path, "threads=null", "seed=1,2", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2") == 0
    assert sweep(tmp_path, "threads=1", "seed=1,2") == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/ner/*/record.json")} == stamps
    assert len({record.setting for record in first}) == 1

"""A feature store that another user has filled: what may be read is read, and what may not is said in one line."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from harness.errors import CacheError
from harness.features.store import FeatureStore
from tests.support.encoders import tiny_elmo
from tests.support.privileges import modes_hold

KNOWN, NEW = [("a", "bank"), ("b",)], [("c", "new", "sentence")]


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[FeatureStore]:
    """Return a store with the sentences ``KNOWN``."""
    store = FeatureStore(tmp_path, tiny_elmo(tmp_path))
    store.fill(KNOWN)
    yield store
    store.folder.chmod(0o755)


def again(store: FeatureStore) -> FeatureStore:
    """Return the same store as another process opens it."""
    return FeatureStore(store.folder.parent, store.encoder)


def test_what_is_there_is_read_from_a_read_only_store(filled: FeatureStore) -> None:
    expected = filled.read(KNOWN)
    for path in filled.folder.iterdir():
        path.chmod(0o000 if path.name == "lock" else 0o444)
    filled.folder.chmod(0o555)
    with modes_hold():
        store = again(filled)
        assert not store.fill(KNOWN).missing
        assert torch.equal(store.read(KNOWN), expected)


@pytest.mark.parametrize("unwritable", ["lock", "words-1.bin", "sentences-1.idx", "."])
def test_what_is_not_there_needs_a_store_of_your_own(filled: FeatureStore, unwritable: str) -> None:
    if unwritable == ".":
        (filled.folder / "lock").unlink(missing_ok=True)
    path = filled.folder / unwritable
    path.chmod(0o555 if unwritable == "." else 0o444)
    with (
        modes_hold(),
        pytest.raises(CacheError, match=r"Permission denied.*set cache_dir=DIR, or cache=none") as caught,
    ):
        again(filled).fill(NEW)
    assert str(filled.folder) in str(caught.value)


@pytest.mark.parametrize("name", ["sentences-1.idx", "sentences-1.bin", "."])
def test_what_is_not_readable_is_not_called_missing(filled: FeatureStore, name: str) -> None:
    (filled.folder / name).chmod(0o000)
    message = "Permission denied; check its permissions, set cache_dir=DIR, or cache=none"
    with modes_hold(), pytest.raises(CacheError, match=message):
        again(filled).read(KNOWN)

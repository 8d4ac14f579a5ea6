"""Who the people of an import are was looked up in the cache alone: with the import gone, an
extractor of UCI HAR's people counted as one that never saw HAPT's, who are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.data import identities


@pytest.mark.parametrize("name", ["ucihar", "hapt-original"])
def test_the_same_thirty_people_are_known_without_the_cache(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAR_CACHE", str(tmp_path))
    assert identities(name, ["subject02"]) == identities("hapt", ["subject02"])
    assert not identities("pamap2", ["subject02"]) & identities("hapt", ["subject02"])

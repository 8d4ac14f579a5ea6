"""The committed vectors are what their generator writes."""

from __future__ import annotations

from pathlib import Path

from tests.golden import make_vectors


def test_the_committed_vectors_are_what_their_generator_writes(tmp_path: Path) -> None:
    make_vectors.main(tmp_path)
    for name in ("protocol.json", "storage.json"):
        assert (tmp_path / name).read_bytes() == (make_vectors.HERE / name).read_bytes(), name

"""The committed vectors are what their generators write."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.golden import make_shipped, make_vectors


def test_the_committed_vectors_are_what_their_generator_writes(tmp_path: Path) -> None:
    make_vectors.main(tmp_path)
    for name in ("protocol.json", "storage.json"):
        assert (tmp_path / name).read_bytes() == (make_vectors.HERE / name).read_bytes(), name


@pytest.mark.skipif(find_spec("tflite_micro") is None, reason="no int8 oracle on this machine")
def test_shipped_weights_give_the_committed_arrays_features_and_learned_head() -> None:
    committed = json.loads((make_shipped.HERE / "shipped.json").read_text(encoding="ascii"))
    assert make_shipped.document() == committed

"""What `har fit` says that learning takes of the RAM is what the linker gave it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.bundle import emit, load_bundle
from pipeline.sim.build import UNBOUNDED, build_image

pytestmark = pytest.mark.emulated

_FLAGS = 64  # beside the arrays: what is unsaved, the clock, alignment


def test_the_ram_for_learning_is_what_the_linker_gave_it(
    bundle_directory: Path, tmp_path: Path
) -> None:
    emit(load_bundle(bundle_directory), tmp_path / "generated")
    image = build_image(UNBOUNDED, "mps2", tmp_path / "build", tmp_path / "generated")
    linked = [
        piece
        for piece in image.map.pieces
        if piece.output_section == ".bss" and "har_app_head.c" in piece.origin
    ]
    bundle = load_bundle(bundle_directory)
    reckoned = bundle.learning_memory.ram_bytes - bundle.cut_bytes  # the last one: the stream's
    assert reckoned <= sum(piece.size_bytes for piece in linked) < reckoned + _FLAGS

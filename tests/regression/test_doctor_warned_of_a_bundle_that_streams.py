"""`har doctor` asked for what TFLite-Micro needs, also of a bundle that only the compiled engine
runs, and advised to make it again."""

from __future__ import annotations

from pathlib import Path

from pipeline.bundle import emit, load_bundle
from pipeline.bundle.footprint import least_footprint
from pipeline.bundle.ready import ready_bundle, rebuild
from pipeline.doctor.machine import check_generated


def test_what_was_emitted_for_the_compiled_engine_is_green(tmp_path: Path) -> None:
    bundle = rebuild("waist", tmp_path / "bundle", hop=8)
    emit(load_bundle(tmp_path / "bundle"), tmp_path / "generated")
    check, model_id = check_generated(tmp_path / "generated", bundle)
    assert (check.state, model_id) == ("green", bundle.model_id)


def test_its_room_is_that_of_the_compiled_engine(tmp_path: Path) -> None:
    bundle = rebuild("waist", tmp_path / "bundle", hop=8)
    found, usual = least_footprint(bundle), least_footprint(load_bundle(ready_bundle("waist")))
    assert (found.engine, usual.engine) == ("compiled", "tflm")
    assert found.flash_bytes.used < usual.flash_bytes.used - 20_000

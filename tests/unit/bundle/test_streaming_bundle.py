"""A bundle whose board answers more often than every half window."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.bundle import emit, load_bundle
from pipeline.bundle.bundle import answer_steps
from pipeline.bundle.footprint import fit_bundle
from pipeline.bundle.ready import ready_bundle, rebuild
from pipeline.compiler import compile_model
from pipeline.core.errors import InputError
from pipeline.sim.flash import check_emitted
from tests.support.shared import Shared


@pytest.fixture(scope="module")
def streaming(shared: Shared) -> Path:
    """The waist network, every 8 of 64 samples."""
    return shared("bundle-hop-8", lambda part: rebuild("waist", part, hop=8))


def test_its_engine_takes_the_new_samples_alone(streaming: Path) -> None:
    bundle, usual = load_bundle(streaming), load_bundle(ready_bundle("waist"))
    assert (bundle.answer_every, bundle.hop_samples, bundle.smoother_roots) == (8, 32, 2)
    assert bundle.engine.inputs[0].shape[1] == 8
    assert bundle.engine.sources == compile_model(bundle.extractor, hop=8).sources
    assert bundle.model_id != usual.model_id
    # What is judged and learned is the same.
    changed = {"model_id", "answer_samples"}
    assert bundle.model_dump(exclude=changed) == usual.model_dump(exclude=changed)
    assert usual.engine is usual.compiled and usual.smoother_roots == 0


def test_a_hop_of_half_a_window_is_the_usual_bundle(tmp_path: Path) -> None:
    usual = load_bundle(ready_bundle("waist"))
    assert rebuild("waist", tmp_path / "bundle", hop=32).model_id == usual.model_id


@pytest.mark.parametrize("hop", [1, 7, 12, 24, 33, 64])
def test_any_other_hop_is_refused_by_the_hops_that_can_be(hop: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"hop {hop}: .* can answer every 4, 8, 16, 32 samples"):
        rebuild("waist", tmp_path / "bundle", hop=hop)
    assert list(tmp_path.iterdir()) == []


def test_without_smoothing_each_answer_stands_for_itself(tmp_path: Path) -> None:
    made = rebuild("waist", tmp_path / "bundle", hop=16, smoothing=False)
    assert (made.answer_every, made.smoother_roots) == (16, 0)


def test_steps_are_halved_as_far_as_they_are_even() -> None:
    assert answer_steps(32) == [32, 16, 8, 4, 2, 1]
    assert answer_steps(50) == [50, 25]
    assert answer_steps(7) == [7]


def test_only_the_compiled_engine_is_built(streaming: Path, tmp_path: Path) -> None:
    emit(load_bundle(streaming), tmp_path)
    header = (tmp_path / "har_model.h").read_text()
    for line in (
        "#define HAR_WINDOW_HOP 8 ",
        "#define HAR_ENGINE_SAMPLES 8u ",
        "#define HAR_ENGINE_RUNS 8u ",
        "#define HAR_ENGINE_INPUT_BYTES 48\n",
        "#define HAR_SMOOTHER_ROOTS 2 ",
    ):
        assert line in header
    assert "#error" in (tmp_path / "har_extractor_tflite.h").read_text()
    assert check_emitted(tmp_path, "compiled") == load_bundle(streaming).model_id
    with pytest.raises(InputError, match="add --engine compiled"):
        check_emitted(tmp_path, "tflm")
    with pytest.raises(InputError, match="add --engine compiled"):
        fit_bundle(streaming, "tflm", tmp_path / "build")

"""Bundles of image networks: what the engine is given, what the header says, what is refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.bundle import emit, load_bundle
from pipeline.bundle.budgets import head_shapes
from pipeline.bundle.bundle import MANIFEST, model_id_of
from pipeline.core.errors import InputError
from pipeline.head import quantize_samples
from pipeline.training.inputs import input_of_card
from tests.support.image_bundle import write_image_bundle
from tests.support.synthetic import synthetic_task


@pytest.fixture(scope="module", params=[3, 1], ids=["3planes", "1plane"])
def image_directory(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("image") / "bundle"
    write_image_bundle(folder, pixels=32, planes=request.param)
    return folder


def rewrite(original: Path, folder: Path, **changes: object) -> Path:
    """A copy with another bundle.json, its model id right."""
    shutil.copytree(original, folder)
    content = json.loads((folder / MANIFEST).read_text()) | changes
    content["model_id"] = model_id_of(content)
    (folder / MANIFEST).write_text(json.dumps(content))
    return folder


def test_the_engine_is_given_what_training_saw_in_int8(image_directory: Path) -> None:
    bundle = load_bundle(image_directory)
    x = synthetic_task(people=4, seconds=6).windows.x
    made = bundle.normalization
    assert bundle.spectrogram is not None
    seen = input_of_card(made.knee, made.mean, made.std, bundle.spectrogram)(x)
    wanted = np.clip(np.rint(seen / bundle.input.scale) + bundle.input.zero_point, -128, 127)
    given = bundle.engine_input(x)
    assert given.dtype == np.int8 and given.shape == seen.shape
    assert given[0].size == bundle.engine_input_bytes
    apart = np.abs(given.astype(int) - wanted)  # in training a division, here a multiplication
    assert apart.max() <= 1 and (apart > 0).mean() < 1e-3


def test_samples_are_int8_about_zero_and_none_is_clipped(image_directory: Path) -> None:
    bundle = load_bundle(image_directory)
    assert bundle.samples.zero_point == 0
    rows = quantize_samples(synthetic_task(people=4, seconds=6).windows.x, bundle.samples)
    assert 127 in np.abs(rows.astype(int)) and rows.min() > -128


def test_the_header_says_the_picture(image_directory: Path, tmp_path: Path) -> None:
    emit(load_bundle(image_directory), tmp_path)
    bundle = load_bundle(image_directory)
    assert bundle.spectrogram is not None
    planes = bundle.spectrogram.planes
    header = (tmp_path / "har_model.h").read_text()
    wanted = {"SPECTROGRAM_PIXELS": 32, "SPECTROGRAM_PLANES": planes, "SAMPLE_ZERO_POINT": "(0)"}
    for name, value in (wanted | {"ENGINE_INPUT_BYTES": 1024 * planes}).items():
        assert f"#define HAR_{name} {value}" in header
    text = (tmp_path / "har_model.c").read_text()
    for name, values in (("mean", bundle.level_mean), ("gain", bundle.level_gain)):
        array = re.search(rf" har_level_{name}\[\] = {{(.*?)}};", text, re.DOTALL)[1]
        emitted = np.float32([value.strip()[:-1] for value in array.split(",")[:-1]])
        assert emitted.tobytes() == values.tobytes() and len(values) == 32 * planes


def test_a_network_over_samples_is_given_the_window(bundle_directory: Path, tmp_path: Path) -> None:
    bundle = load_bundle(bundle_directory)
    x = synthetic_task(people=4, seconds=6).windows.x[:5]
    assert bundle.engine_input(x).tobytes() == quantize_samples(x, bundle.samples).tobytes()
    assert bundle.samples.zero_point == bundle.input.zero_point
    emit(load_bundle(bundle_directory), tmp_path)
    header = (tmp_path / "har_model.h").read_text()
    assert "#define HAR_SPECTROGRAM_PIXELS 0 " in header
    assert "#define HAR_ENGINE_INPUT_BYTES 768\n" in header


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("pixels", 1, "spectrogram.pixels"),
        ("planes", 2, "spectrogram.planes"),
        ("sample_scale", 0, "spectrogram.sample_scale"),
        ("mean", [0.0], "means and deviations"),
        ("std", [0.0] * 96, "spectrogram"),
    ],
)
def test_a_section_out_of_bounds_names_the_field(
    image_directory: Path, tmp_path: Path, field: str, value: object, where: str
) -> None:
    content = json.loads((image_directory / MANIFEST).read_text())
    section = content["spectrogram"] | {field: value}
    with pytest.raises(InputError, match=where):
        load_bundle(rewrite(image_directory, tmp_path / "copy", spectrogram=section))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cut": "fxc1"}, "an image network has cut fc only"),
        ({"window_samples": 31, "hop_samples": 8}, "a spectrogram needs windows of 32 samples"),
        ({"input": {"scale": 1e-30, "zero_point": 0}}, "steps that float32 cannot hold"),
    ],
)
def test_what_an_image_network_cannot_have_is_refused(
    image_directory: Path, tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        load_bundle(rewrite(image_directory, tmp_path / "copy", **changes))


def test_an_extractor_of_another_size_is_not_emitted(image_directory: Path, tmp_path: Path) -> None:
    content = json.loads((image_directory / MANIFEST).read_text())
    section = content["spectrogram"] | {"pixels": 48}
    copy = rewrite(image_directory, tmp_path / "copy", spectrogram=section)
    with pytest.raises(InputError, match=r"its input is not that of bundle\.json"):
        emit(load_bundle(copy), tmp_path / "generated")


def test_the_only_head_to_count_is_the_bundle_s_own(image_directory: Path) -> None:
    bundle = load_bundle(image_directory)
    assert head_shapes(bundle) == {"fc": bundle.shape}

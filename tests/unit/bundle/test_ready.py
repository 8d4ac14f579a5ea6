"""What ships makes its bundle, byte for byte, and learns recordings of one's own, without data."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.bundle import load_bundle
from pipeline.bundle.bundle import EXTRACTOR, FULL_INT8
from pipeline.bundle.material import CARD, MEMORY, WEIGHTS, load_material, material_names
from pipeline.bundle.ready import quantize_material, rebuild, train_own
from pipeline.compiler import run_tflm
from pipeline.core.errors import InputError
from pipeline.training.corpora import CORPORA
from pipeline.training.shipped import DIRECTORY

SWING_HZ = 1.4


@pytest.fixture(autouse=True)
def no_data(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No data set can be loaded."""
    monkeypatch.setattr("pipeline.data.catalog.load_dataset", None)
    monkeypatch.setattr("pipeline.data.catalog.fetch_archive", None)
    yield


def write_own(path: Path, activity: str, *, placement: str = "", seconds: float = 40.0) -> Path:
    """A made-up exercise at 50 Hz."""
    rng = np.random.default_rng(len(activity))
    t = np.arange(0, seconds, 0.02)
    swing = np.sin(2 * np.pi * SWING_HZ * t[:, None] + rng.uniform(0, 6, 6))
    x = swing * [0.8, 0.9, 0.7, 3.0, 2.0, 3.0] + [0.2, 0.1, 0.9, 0, 0, 0]
    x += rng.normal(0, 0.01, x.shape)
    header = "time_s,ax_g,ay_g,az_g,gx_rads,gy_rads,gz_rads,activity"
    last = f",{placement}" if placement else ""
    lines = ["# subject: anna", header + (",placement" if placement else "")]
    lines += [
        f"{at:.2f}," + ",".join(f"{value:.5f}" for value in row) + f",{activity}{last}"
        for at, row in zip(t, x, strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("name", CORPORA)
def test_the_shipped_weights_make_the_bundle_of_their_card_byte_for_byte(
    name: str, tmp_path: Path
) -> None:
    card = load_material(name).card
    made = rebuild(name, tmp_path / "bundle")
    assert made.model_id == card.model_id
    again = load_bundle(tmp_path / "bundle")
    assert again.provenance.bundle == name and again.placement == card.placement
    assert again.metrics == card.metrics and again.activities == card.activities
    assert again.parameters == card.parameters <= 50_000 and again.macs == card.macs <= 800_000


def test_everything_that_a_corpus_promises_ships() -> None:
    assert material_names() == list(CORPORA)


@pytest.mark.parametrize("name", CORPORA)
def test_the_rebuilt_bundle_knows_the_windows_that_it_was_calibrated_on(
    name: str, tmp_path: Path
) -> None:
    head, validation = rebuild(name, tmp_path / "bundle").new_head(), load_material(name).validation
    said = head.predict(validation.windows).argmax(1)
    assert (said == validation.activities).mean() >= 0.85


def test_a_changed_file_is_refused_with_its_name_and_what_to_do(tmp_path: Path) -> None:
    for name in (WEIGHTS, MEMORY):
        folder = tmp_path / name / "waist"
        shutil.copytree(DIRECTORY / "waist", folder)
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name}.*{CARD}.*har bundles make waist"):
            load_material("waist", tmp_path / name)
    with pytest.raises(InputError, match=r"card.json: no such file"):
        load_material("wrist", tmp_path)


def test_your_own_activity_is_learned_and_the_shipped_ones_are_kept(tmp_path: Path) -> None:
    write_own(tmp_path / "own" / "a.csv", "sawing")
    material = load_material("waist")
    task = material.task(tmp_path / "own")
    trained = train_own(material, task)
    assert trained.card.activities == [*material.card.activities, "sawing"]
    bundle = quantize_material(material, trained, task, tmp_path / "bundle")
    assert bundle.metrics is None and bundle.provenance.bundle == "waist"
    head = bundle.new_head()
    own = head.predict(bundle.at_cut(task.training.x)).argmax(1)
    assert (own == len(material.card.activities)).mean() >= 0.9
    known = material.validation
    before = rebuild("waist", tmp_path / "shipped").new_head().predict(known.windows).argmax(1)
    after = head.predict(known.windows).argmax(1)
    right = (before == known.activities).mean(), (after == known.activities).mean()
    assert right[1] >= right[0] - 0.02
    assert bundle.extractor == (tmp_path / "shipped" / EXTRACTOR).read_bytes()
    inputs = bundle.engine_input(task.training.x)
    whole = run_tflm((bundle.directory / FULL_INT8).read_bytes(), inputs).outputs[0]
    assert (whole.argmax(1) == own).mean() >= 0.95


def test_recordings_of_another_placement_are_refused_unless_any_is_meant(tmp_path: Path) -> None:
    write_own(tmp_path / "own" / "a.csv", "sawing", placement="wrist")
    material = load_material("waist")
    with pytest.raises(InputError, match=r"a\.csv: worn at the wrist.*--placement any"):
        material.task(tmp_path / "own")
    task = material.task(tmp_path / "own", "any")
    assert task.own is not None and task.own.placement == "any"
    assert load_material("wrist").task(tmp_path / "own").own is not None


def test_the_convolutions_learn_after_training_on_a_data_set_only(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="har train --dataset hapt"):
        rebuild("waist", tmp_path / "bundle", cut="fxc1")
    assert not (tmp_path / "bundle").exists()


def test_the_left_wrist_s_bundle_reads_the_mirrored_motion_as_the_right_one_does(
    tmp_path: Path,
) -> None:
    right, left = (rebuild(name, tmp_path / name) for name in ("wrist", "wrist-left"))
    x = np.random.default_rng(0).normal(0, 1, (20, right.window_samples, 6)).astype(np.float32)
    mirrored = x * np.float32([1, -1, 1, -1, 1, -1])
    np.testing.assert_array_equal(right.engine_input(x), left.engine_input(mirrored))
    assert left.model_id != right.model_id and left.provenance.bundle == "wrist-left"
    assert (left.directory / EXTRACTOR).read_bytes() == right.extractor
    assert load_material("wrist-left").card.placement == "wrist"

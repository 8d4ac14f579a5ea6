import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.export import load_bundle
from pipeline.export.bundle import FILES, MANIFEST, TAIL, model_id_of
from pipeline.export.quantize import quantize
from pipeline.learn import LIMIT
from pipeline.models import load_weights, save_weights
from pipeline.training import TrainedModel
from pipeline.training.task import Task


@pytest.fixture
def copy(bundle_directory: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle_directory, tmp_path / "bundle"))


def _rewrite(directory: Path, **changes: object) -> None:
    """A tamperer who also knows how to make the model id right."""
    content = json.loads((directory / MANIFEST).read_text()) | changes
    content["model_id"] = model_id_of(content)
    (directory / MANIFEST).write_text(json.dumps(content))


def test_the_same_training_gives_the_same_model_id(
    task: Task, trained: TrainedModel, bundle_directory: Path, tmp_path: Path
) -> None:
    again = quantize(trained, task.windows, task.split, tmp_path / "again")
    assert again.model_id == load_bundle(bundle_directory).model_id
    assert not list(tmp_path.glob("*.part"))


def test_int8_stays_close_to_float(bundle_directory: Path) -> None:
    metrics = load_bundle(bundle_directory).metrics
    assert metrics.float_accuracy > 0.9
    assert abs(metrics.float_accuracy - metrics.int8_accuracy) < 0.02


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_in_any_file_is_noticed(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 4
    (copy / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        load_bundle(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(InputError, match=name):
        load_bundle(copy)


def test_a_changed_manifest_is_noticed(copy: Path) -> None:
    manifest = copy / MANIFEST
    manifest.write_text(manifest.read_text().replace('"walking"', '"talking"'))
    with pytest.raises(InputError, match="model id does not match"):
        load_bundle(copy)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"activities": ["one"]}, "activities"),
        ({"activities": ["a", "a"]}, "activities"),
        ({"activities": ["a", "b\n"]}, "activities"),
        ({"activities": [f"{i:02d}" + "x" * 29 for i in range(20)]}, "activities"),
        ({"rate_hz": 0}, "rate_hz"),
        ({"window_samples": 64, "hop_samples": 65}, "hop_samples"),
        ({"smoother": {"change": 1e-50, "change_moving": 0.5}}, "smoother.change"),
        ({"cut": "../fc"}, "cut"),
        ({"format": "2"}, "format"),
        ({"features": 7}, "sum of the outputs' sizes"),
        ({"outputs": []}, "outputs"),
        ({"outputs": [{"size": 7, "scale": 0, "zero_point": 0}]}, "outputs.0.scale"),
        ({"surprise": 1}, "surprise"),
        ({"normalization": {"knee": [0] * 6, "mean": [0] * 6, "std": [0] * 6}}, "std"),
        ({"normalization": {"knee": [-1] * 6, "mean": [0] * 6, "std": [1] * 6}}, "knee"),
    ],
)
def test_a_manifest_out_of_bounds_names_the_field(
    copy: Path, changes: dict[str, object], where: str
) -> None:
    _rewrite(copy, **changes)
    with pytest.raises(InputError, match=where):
        load_bundle(copy)


@pytest.mark.parametrize(("number", "age"), [(1, "an older"), (3, "a newer")])
def test_a_bundle_of_another_format_says_what_to_do(copy: Path, number: int, age: str) -> None:
    """Such a bundle has other fields too: the format is the reason, whatever else is wrong."""
    _rewrite(copy, format=number, feature={"scale": 0.1, "zero_point": 0})
    with pytest.raises(InputError, match=f"made by {age} har.*quantize again"):
        load_bundle(copy)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"format": NaN}', "[" * 100_000])
def test_a_manifest_that_is_no_bundle_is_one_clear_error(copy: Path, text: str) -> None:
    (copy / MANIFEST).write_text(text)
    with pytest.raises(InputError, match=MANIFEST):
        load_bundle(copy)


def test_a_folder_without_a_bundle_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="har quantize"):
        load_bundle(tmp_path)


def test_quantize_never_overwrites_a_folder_that_is_no_bundle(
    task: Task, trained: TrainedModel, tmp_path: Path
) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(InputError, match="name an empty folder"):
        quantize(trained, task.windows, task.split, tmp_path)
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_norm_gain_is_the_reciprocal_step(bundle_directory: Path) -> None:
    bundle = load_bundle(bundle_directory)
    steps = bundle.norm_gain.astype(np.float64) * bundle.normalization.std * bundle.input.scale
    np.testing.assert_allclose(steps, 1.0, rtol=1e-6)


@pytest.mark.parametrize("name", ["weights", "bias"])
def test_a_tail_whose_logits_could_overflow_is_refused(
    bundle_directory: Path, tmp_path: Path, name: str
) -> None:
    """The board promises finite probabilities within this limit only."""
    arrays = dict(load_weights(bundle_directory / TAIL))
    arrays[name] = np.full_like(arrays[name], -2 * LIMIT)
    save_weights(tmp_path / TAIL, arrays)
    with pytest.raises(InputError, match=r"tail\.npz.*out of range"):
        load_bundle(bundle_directory).tail(tmp_path)

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.bundle import load_bundle
from pipeline.bundle.bundle import FILES, HEAD, MANIFEST, model_id_of
from pipeline.bundle.quantize import quantize
from pipeline.core.errors import InputError
from pipeline.core.files import write_npz
from pipeline.head import LIMIT
from pipeline.models import load_weights
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


@pytest.mark.slow("converts everything once more")
def test_the_same_training_gives_the_same_model_id(
    task: Task, trained: TrainedModel, bundle_directory: Path, tmp_path: Path
) -> None:
    again = quantize(trained, task, tmp_path / "again")
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
        ({"features": 7}, "features must be the frozen and the learned"),
        ({"rows": 2}, "-1 spare rows"),
        ({"rows": 12}, "9 spare rows"),
        ({"cut": "fxc1"}, "not those of cut fxc1"),
        ({"replay": {"capacity": 0, "exemplars": 12}}, "replay.capacity"),
        ({"replay": {"capacity": 36, "exemplars": -1}}, "replay.exemplars"),
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


@pytest.mark.parametrize(("number", "age"), [(5, "an older"), (7, "a newer")])
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
        quantize(trained, task, tmp_path)
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_norm_gain_is_the_reciprocal_step(bundle_directory: Path) -> None:
    bundle = load_bundle(bundle_directory)
    steps = bundle.norm_gain.astype(np.float64) * bundle.normalization.std * bundle.input.scale
    np.testing.assert_allclose(steps, 1.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("cut", "changes"),
    [
        ("fc", {"frozen": 415}),
        ("fc", {"kernel": 5}),
        ("fc", {"stride": 2}),
        ("fc", {"map_length": 1}),
        ("fxc1", {"kernel": 5}),
        ("fxc1", {"stride": 2}),
        ("fxc1", {"map_length": 0}),
        ("fxc1", {"channels": 95}),
        ("fxc1", {"filters": 111}),
        ("fxc2", {"kernel": 0}),
        ("fxc2", {"kernel": 12}),
        ("fxc2", {"stride": 0}),
        ("fxc2", {"map_length": 10}),
    ],
)
def test_sizes_of_a_head_that_do_not_belong_together_are_refused(
    cut_directories: dict[str, Path], tmp_path: Path, cut: str, changes: dict[str, int]
) -> None:
    directory = Path(shutil.copytree(cut_directories[cut], tmp_path / "bundle"))
    _rewrite(directory, head=load_bundle(directory).head.model_dump() | changes)
    with pytest.raises(InputError, match=MANIFEST):
        load_bundle(directory)


FLOATS = ("parameters", "feature_scale", "feature_offset", "novelty_center", "novelty_inverse_std")


def _read_all(directory: Path, arrays: Path) -> None:
    bundle = load_bundle(directory).at(arrays)
    bundle.new_learner()
    bundle.novelty()


@pytest.mark.parametrize("value", [-2 * LIMIT, np.inf, np.nan, 1e-40])
@pytest.mark.parametrize("name", FLOATS)
def test_values_that_no_board_takes_are_refused(
    bundle_directory: Path, tmp_path: Path, name: str, value: float
) -> None:
    """The board promises finite probabilities within this limit only, and hardware differs about
    denormal numbers."""
    arrays = dict(load_weights(bundle_directory / HEAD))
    arrays[name] = arrays[name].copy()
    arrays[name].flat[-1] = value
    write_npz(tmp_path / HEAD, arrays)
    with pytest.raises(InputError, match=rf"head\.npz: {name}"):
        _read_all(bundle_directory, tmp_path)


@pytest.mark.parametrize("damage", ["missing", "shape", "kind"])
@pytest.mark.parametrize("name", [*FLOATS, "exemplars", "exemplar_activities"])
def test_arrays_that_are_not_the_bundle_s_are_refused(
    bundle_directory: Path, tmp_path: Path, name: str, damage: str
) -> None:
    arrays = dict(load_weights(bundle_directory / HEAD))
    if damage == "missing":
        del arrays[name]
    elif damage == "shape":
        arrays[name] = arrays[name][:-1]
    else:
        arrays[name] = arrays[name].astype(np.float64)
    write_npz(tmp_path / HEAD, arrays)
    with pytest.raises(InputError, match=rf"head\.npz.*{name}"):
        _read_all(bundle_directory, tmp_path)


def test_an_exemplar_of_an_activity_that_does_not_ship_is_refused(
    bundle_directory: Path, tmp_path: Path
) -> None:
    arrays = dict(load_weights(bundle_directory / HEAD))
    arrays["exemplar_activities"] = arrays["exemplar_activities"] + np.uint8(1)
    write_npz(tmp_path / HEAD, arrays)
    with pytest.raises(InputError, match="exemplar is of no activity"):
        load_bundle(bundle_directory).at(tmp_path).new_learner()

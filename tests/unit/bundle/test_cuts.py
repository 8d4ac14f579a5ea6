"""Wherever the extractor ends, the head behind it is the rest of the trained network."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

from pipeline.bundle import Bundle, load_bundle
from pipeline.bundle.quantize import quantize
from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.head import Head
from pipeline.models import backbone
from pipeline.training import TrainedModel
from pipeline.training.task import Task


def _deployed(directory: Path, x: Array) -> tuple[Bundle, Head, Array]:
    """The bundle, its head, and windows at the cut (N, B) of raw windows."""
    bundle = load_bundle(directory)
    return bundle, bundle.new_head(), bundle.at_cut(x)


def _network_behind(bundle: Bundle, trained: TrainedModel, windows: Array) -> Array:
    """Logits (N, K) of the trained network's own layers on what the int8 extractor says."""
    bounds = np.cumsum([output.size for output in bundle.outputs])[:-1]
    parts = [
        (part.astype(np.float32) - output.zero_point) * np.float32(output.scale)
        for part, output in zip(np.split(windows, bounds, axis=1), bundle.outputs, strict=True)
    ]
    network = backbone(trained.card.backbone)
    last = network.heads[-1].removesuffix("_logits")
    layers = {"fc": (), "fxc1": ("pointwise",), "fxc2": ("depthwise", "pointwise")}[bundle.cut]
    if layers:
        x = parts[-1].reshape(len(windows), bundle.head.map_length, 1, bundle.head.channels)
        for layer in layers:
            for name in (layer, f"{layer}_norm", f"{layer}_relu"):
                x = trained.model.get_layer(f"{last}_{name}")(x, training=False)
        parts[-1] = np.asarray(
            trained.model.get_layer(f"{last}_features")(trained.model.get_layer(f"{last}_pool")(x))
        )
    heads = zip(network.heads, parts, strict=True)
    return sum(np.asarray(trained.model.get_layer(name)(part)) for name, part in heads)


def test_the_head_is_the_network_behind_the_cut(
    cut_directory: Path, trained: TrainedModel, task: Task
) -> None:
    x = task.windows.for_subjects(task.split.test).x
    bundle, head, windows = _deployed(cut_directory, x)
    logits = _network_behind(bundle, trained, windows) / bundle.calibration.temperature
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    assert expected.std() > 0.1
    np.testing.assert_allclose(head.predict(windows), expected, atol=2e-5)


def test_what_the_dense_layer_sees_is_standardized(cut_directory: Path, task: Task) -> None:
    x = task.windows.for_subjects(task.split.train).x
    _, head, windows = _deployed(cut_directory, x)
    features = head.features(windows)
    assert features.shape == (len(x), head.shape.features)
    # Up to what int8 makes of them, and less than 1 for features that hardly move.
    assert np.abs(features.mean(axis=0)).max() < 0.3
    spread = features.std(axis=0)
    assert spread.max() < 1.2
    assert np.median(spread) == pytest.approx(1.0, abs=0.05)


def test_a_cut_moves_the_head_s_first_layers_and_nothing_else(
    cut_directories: dict[str, Path],
) -> None:
    bundles = {cut: load_bundle(directory) for cut, directory in cut_directories.items()}
    shapes = {cut: bundle.shape for cut, bundle in bundles.items()}
    assert {shape.features for shape in shapes.values()} == {bundles["fc"].features}
    assert (shapes["fc"].map_length, shapes["fxc1"].kernel) == (0, 0)
    # Behind fxc2's depthwise convolution lies what fxc1's map is.
    assert shapes["fxc2"].positions == shapes["fxc1"].map_length > 1
    assert shapes["fxc2"].channels == shapes["fxc1"].channels
    parameters = [shapes[cut].parameters for cut in ("fc", "fxc1", "fxc2")]
    assert parameters == sorted(set(parameters))
    accuracies = [bundle.metrics.int8_accuracy for bundle in bundles.values()]
    assert max(accuracies) - min(accuracies) < 0.01
    dense = shapes["fc"].parameters
    heads = [bundle.new_head().anchor for bundle in bundles.values()]
    for anchor in heads[1:]:  # temperature and quantization differ a little
        np.testing.assert_allclose(anchor[-dense:], heads[0], rtol=0.1, atol=0.02)


def test_spare_rows_know_nothing(cut_directory: Path) -> None:
    bundle = load_bundle(cut_directory)
    head, shipped = bundle.new_head(), len(bundle.activities)
    assert (bundle.rows, head.activities) == (shipped + 2, shipped)
    dense = head.anchor[-bundle.rows * (bundle.features + 1) :]
    weights = dense[: -bundle.rows].reshape(bundle.rows, bundle.features)
    assert not weights[shipped:].any() and not dense[-2:].any()
    assert weights[:shipped].any(axis=1).all()


def test_a_learner_of_the_bundle_learns_and_starts_anew(cut_directory: Path, task: Task) -> None:
    test = task.windows.for_subjects(task.split.test)
    bundle, head, windows = _deployed(cut_directory, test.x)
    learner = bundle.new_learner()
    wrong = (int(test.y[0]) + 1) % len(bundle.activities)
    for _ in range(3):
        learner.label(windows[0], wrong)
    assert learner.updates == 3
    changed = learner.head.parameters != head.parameters
    size = len(head.anchor) - bundle.rows * (bundle.features + 1)
    assert changed[size:].any()
    assert changed[:size].any() == (bundle.cut != "fc")
    learner.reset()
    assert learner.head.crc() == head.crc()


def test_a_cut_that_the_backbone_does_not_have_is_named(
    task: Task, trained: TrainedModel, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no cut 'fxc3'; it has fc, fxc1, fxc2"):
        quantize(trained, task, tmp_path / "bundle", cut="fxc3")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("room", "said"),
    [
        ({"spare": -1}, "-1 spare rows: give 0 to 8"),
        ({"spare": 9}, "9 spare rows"),
        ({"replay": 0}, "a replay of 0 windows: give 1 to"),
        ({"replay": 100_000}, "a replay of 100000 windows"),
        ({"exemplars": -1}, "-1 exemplars"),
        ({"exemplars": 5_000}, "5000 exemplars of each activity: give 0 to 1365"),
    ],
)
def test_more_than_a_board_has_room_for_is_refused_before_the_work(
    task: Task, trained: TrainedModel, tmp_path: Path, room: dict[str, int], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        quantize(trained, task, tmp_path / "bundle", **room)
    assert not list(tmp_path.iterdir())


def test_a_map_too_large_for_any_board_is_refused_before_the_work(
    task: Task, trained: TrainedModel, tmp_path: Path
) -> None:
    name = "dscnn:k5:300s2-8s2"
    model = backbone(name).build(128, 6, 3, 0.0)
    wide = TrainedModel(trained.card.model_copy(update={"backbone": name}), model)
    with pytest.raises(InputError, match="cut fxc2: a map of 62 x 300 is too large"):
        quantize(wide, task, tmp_path / "bundle", cut="fxc2")
    assert not list(tmp_path.iterdir())


def test_the_command_has_the_library_s_defaults() -> None:
    from pipeline.cli.train import quantize as command

    shown = inspect.signature(command).parameters
    ours = inspect.signature(quantize).parameters
    for name in ("cut", "spare", "replay", "exemplars", "smoothing", "rejecting"):
        assert shown[name].default == ours[name].default, name

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.data import Recording
from pipeline.models import backbone
from pipeline.models.weights import model_arrays
from pipeline.training import load_pretrained, train
from pipeline.training.augment import rotations, swing, varied_windows
from pipeline.training.pretrain import (
    DistillSettings,
    RandomKernels,
    distill,
    leading_components,
)
from pipeline.training.pretrained import distill_extractor
from tests.support.synthetic import synthetic_task

QUICK = DistillSettings(
    backbone="dscnn:k5:8s2-8s2-8s2", windows=256, steps=24, batch=32, kernels=4, components=16
)


@pytest.fixture(scope="module")
def recordings() -> tuple[Recording, ...]:
    return synthetic_task(people=4, seconds=6.0).dataset.recordings


def test_rotations_turn_and_keep_lengths() -> None:
    vectors = np.random.default_rng(0).normal(size=(5, 3))
    matrices = rotations(vectors)
    np.testing.assert_allclose(
        matrices @ matrices.swapaxes(1, 2), np.broadcast_to(np.eye(3), (5, 3, 3)), atol=1e-12
    )
    np.testing.assert_allclose((matrices @ vectors[..., None])[..., 0], vectors, atol=1e-12)
    quarter = rotations(np.array([0.0, 0.0, np.pi / 2]))
    np.testing.assert_allclose(quarter @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-12)


def test_a_swung_sensor_at_rest_feels_gravity_turn_against_its_own_rate() -> None:
    rate_hz, n = 50.0, 128
    time_s = np.arange(n + 1) / rate_hz
    angles = np.sin(2 * np.pi * 0.5 * time_s)[:, None] * np.array([0.6, 0.0, 0.8])
    rest = np.zeros((1, n, 6))
    rest[..., 1] = 1.0
    swung = swing(rest, angles[None], rate_hz)[0]
    gravity, turning = swung[:, :3], swung[:, 3:]
    np.testing.assert_allclose(np.linalg.norm(gravity, axis=1), 1.0, atol=1e-9)
    # d(gravity)/dt = -w x gravity, in the sensor's frame
    derivative = np.diff(gravity, axis=0) * rate_hz
    middle = 0.5 * (gravity[1:] + gravity[:-1])
    np.testing.assert_allclose(derivative, -np.cross(turning[:-1], middle), atol=0.02)
    assert np.abs(derivative).max() > 1.0


def test_varied_windows_are_one_with_their_seed_and_keep_gravity_in_size(
    recordings: tuple[Recording, ...],
) -> None:
    one, again = (varied_windows(recordings, 128, 200, np.random.default_rng(1)) for _ in range(2))
    assert one.shape == (200, 128, 6) and one.dtype == np.float32
    assert one.tobytes() == again.tobytes()
    still = one[one[..., 3:].std(axis=(1, 2)) < 0.1]
    assert len(still) > 20
    gravity = np.linalg.norm(still[..., :3].mean(axis=1), axis=1)
    assert np.all(np.abs(gravity - 1.0) < 0.1)
    downward = still[..., :3].mean(axis=1)
    assert np.all(downward.min(axis=0) < -0.5) and np.all(downward.max(axis=0) > 0.5)


def test_recordings_that_are_too_short_are_refused(recordings: tuple[Recording, ...]) -> None:
    short = [replace(recordings[0], samples=recordings[0].samples[:200], segments=())]
    with pytest.raises(ValueError, match="no recording"):
        varied_windows(short, 128, 4, np.random.default_rng(0))


def test_a_kernel_ignores_the_channels_that_it_does_not_read() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, 128, 6)).astype(np.float32)
    bank = RandomKernels(x, 10, rng)
    other = x.copy()
    other[..., 2] += 1.0
    before, after = bank(x), bank(other)
    assert before.shape == (16, 3 * 10 * 5)
    same = np.all(before == after, axis=0)
    assert 0.1 < same.mean() < 0.9
    assert np.all((before[:, :10] >= 0) & (before[:, :10] <= 1))


def test_leading_components_are_decorrelated_and_largest_first() -> None:
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(500, 3))
    features = hidden @ rng.normal(size=(3, 20)) + 0.01 * rng.normal(size=(500, 20))
    components = leading_components(features, 4)
    np.testing.assert_allclose(components.T @ components / 500, np.eye(4), atol=1e-3)
    explained = np.linalg.lstsq(components[:, :3], hidden - hidden.mean(0), rcond=None)[1]
    assert np.all(explained < 0.02 * 500)


@pytest.mark.slow("distills three times")
def test_the_features_learn_to_tell_the_bank_and_the_seed_decides_the_bits(
    recordings: tuple[Recording, ...],
) -> None:
    untrained, _ = distill(recordings, 128, replace(QUICK, steps=0, peak_rate=0.0), 3)
    runs = [distill(recordings, 128, QUICK, seed) for seed in (3, 3, 4)]
    one, again, other = (model_arrays(model) for model, _ in runs)
    assert all(one[name].tobytes() == again[name].tobytes() for name in one)
    assert any(one[name].tobytes() != other[name].tobytes() for name in one)

    normalize = runs[0][1]
    rng = np.random.default_rng(9)
    x = normalize(varied_windows(recordings, 128, 400, rng))
    targets = leading_components(RandomKernels(x[:100, :, 0], 4, rng)(x[:, :, 0]), 8)
    from pipeline.models import backbone

    def unexplained(model: object) -> float:
        features = backbone(QUICK.backbone).features(model, x)
        features = np.c_[(features - features.mean(0)) / (features.std(0) + 1e-6), np.ones(400)]
        fit = np.linalg.lstsq(features[:200], targets[:200], rcond=1e-4)[0]
        return float(np.mean((features[200:] @ fit - targets[200:]) ** 2))

    assert unexplained(runs[0][0]) < unexplained(untrained)


@pytest.mark.slow("distills")
def test_an_extractor_made_without_labels_is_kept_and_taken_like_any_other(tmp_path: Path) -> None:
    task = synthetic_task(people=8, seconds=6.0)
    path = tmp_path / "distilled.npz"
    card = distill_extractor(task, QUICK, 1, path)
    assert (card.method, card.subjects) == ("distilled", list(task.split.pretrain))
    loaded = load_pretrained(path)
    frozen = loaded.model()
    network = backbone(QUICK.backbone)
    trained = train(loaded, task, 1)
    x = loaded.card.normalize(task.windows.x[:8])
    np.testing.assert_array_equal(network.features(trained.model, x), network.features(frozen, x))
    assert card.validation_accuracy > 0.8

from dataclasses import replace

import numpy as np

from pipeline.training.augment import Augmentation, augment

ONLY_ROTATION = Augmentation(scale=0.0, warp=0.0, jitter_g=0.0, jitter_rad_s=0.0, offset_rad_s=0.0)


def _windows() -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 0.3, (20, 128, 6)).astype(np.float32)
    x[..., 0] += 1.0
    return x


def test_rotation_keeps_every_sensor_s_magnitude() -> None:
    x = _windows()
    turned = augment(x, np.random.default_rng(1), ONLY_ROTATION)
    for sensor in (slice(0, 3), slice(3, 6)):
        before = np.linalg.norm(x[..., sensor], axis=2)
        after = np.linalg.norm(turned[..., sensor], axis=2)
        np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)
    assert np.abs(turned - x).max() > 0.1


def test_rotation_about_the_vertical_alone_leaves_gravity_where_it_is() -> None:
    x = _windows()
    turned = augment(x, np.random.default_rng(1), replace(ONLY_ROTATION, tilt_degrees=0.0))
    np.testing.assert_allclose(turned[..., :3].mean(axis=1), x[..., :3].mean(axis=1), atol=1e-4)


def test_the_same_seed_gives_the_same_windows() -> None:
    x = _windows()
    first = augment(x, np.random.default_rng(3), Augmentation())
    second = augment(x, np.random.default_rng(3), Augmentation())
    assert first.tobytes() == second.tobytes()
    assert first.dtype == np.float32


def test_the_gyroscope_s_offset_stays_the_same_over_a_window() -> None:
    x = _windows()
    none = replace(ONLY_ROTATION, tilt_degrees=0.0, heading_degrees=0.0)
    shifted = augment(x, np.random.default_rng(2), replace(none, offset_rad_s=0.1))
    offset = shifted - augment(x, np.random.default_rng(2), none)
    np.testing.assert_allclose(offset, np.broadcast_to(offset[:, :1], offset.shape), atol=1e-5)
    assert np.abs(offset[..., 3:]).mean() > 0.05
    assert np.abs(offset[..., :3]).max() < 1e-5


def test_half_of_the_windows_are_mirrored_as_the_other_arm_would_give_them() -> None:
    x = np.repeat(_windows(), 20, axis=0)
    none = replace(ONLY_ROTATION, tilt_degrees=0.0, heading_degrees=0.0)
    mirrored = augment(x, np.random.default_rng(4), replace(none, mirror=True))
    same = np.isclose(mirrored, x, atol=1e-5).all(axis=(1, 2))
    other = np.isclose(mirrored, x * [-1, 1, 1, 1, -1, -1], atol=1e-5).all(axis=(1, 2))
    assert (same ^ other).all()
    assert 0.4 < same.mean() < 0.6

"""Images of any size as a network takes them."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.experiments.fxcy.domains import fit_photo_input, planes_of, resize


def test_enlarging_is_bilinear_between_the_centres_of_pixels() -> None:
    row = resize(np.array([0.0, 1.0], np.float32).reshape(1, 1, 2, 1).repeat(2, 1), 4)[0, 0, :, 0]
    assert row.tolist() == [0.0, 0.25, 0.75, 1.0]


def test_enlarging_agrees_with_tensorflow() -> None:
    import tensorflow as tf

    x = np.random.default_rng(0).random((3, 8, 8, 2), np.float32)
    expected = tf.image.resize(x, (32, 32), "bilinear").numpy()
    assert np.allclose(resize(x, 32), expected, atol=1e-6)


def test_a_smaller_network_is_refused() -> None:
    with pytest.raises(InputError, match="28 pixels for a network of 16"):
        resize(np.zeros((1, 28, 28, 1), np.float32), 16)


def test_colour_becomes_gray_and_gray_colour() -> None:
    white = np.ones((1, 2, 2, 3), np.float32)
    assert np.allclose(planes_of(white, 1), 1)
    assert planes_of(white[..., :1], 3).shape == (1, 2, 2, 3)
    assert planes_of(white, 3) is white
    with pytest.raises(InputError, match="2 planes"):
        planes_of(white[..., :2], 3)


def test_training_images_enter_with_zero_mean_and_unit_deviation() -> None:
    x = np.random.default_rng(0).random((20, 32, 32, 3), np.float32) * [1, 0.5, 0.1]
    inputs = fit_photo_input(x, 32, 3)(x)
    assert np.allclose(inputs.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    assert np.allclose(inputs.std(axis=(0, 1, 2)), 1, atol=1e-4)
    assert fit_photo_input(x, 48, 1)(x).shape == (20, 48, 48, 1)

"""Learning rates suit features of any number and size."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.bundle.factory_head import learning_constants


def test_rates_are_per_size_of_what_a_layer_reads() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 7)).astype(np.float32)
    vectors = rng.normal(size=(50, 3, 1, 4)).astype(np.float32)
    nothing = learning_constants(0 * features, 0 * vectors)
    found = learning_constants(features, vectors)
    size = 1 + np.mean([x @ x for x in features])
    assert found.rate == pytest.approx(nothing.rate / size, rel=1e-6)
    size = 1 + np.mean([v @ v for v in vectors.reshape(-1, 4)])
    assert found.rate_convolution == pytest.approx(nothing.rate_convolution / size, rel=1e-6)
    assert found.model_dump(exclude={"rate", "rate_convolution"}) == nothing.model_dump(
        exclude={"rate", "rate_convolution"}
    )


def test_without_convolutions_they_have_no_rate() -> None:
    assert learning_constants(np.ones((2, 3)), None).rate_convolution == 0
    assert learning_constants(np.ones((2, 3)), np.ones((2, 1, 1, 4))).rate_convolution > 0


def test_constants_are_what_float32_holds() -> None:
    found = learning_constants(np.ones((2, 3)), np.ones((2, 1, 1, 4)))
    for value in (found.rate, found.rate_convolution, found.keep):
        assert float(np.float32(value)) == value

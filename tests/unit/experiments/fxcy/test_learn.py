"""A case learns from where the source network ends, and its frozen part is run once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pipeline.experiments.fxcy.domains import Domain, Examples
from pipeline.experiments.fxcy.learn import case_network, cross_entropy, learn
from pipeline.experiments.fxcy.settings import Learning
from pipeline.models.weights import model_arrays

BACKBONE = "dscnn:k5:8s2-12s2-16s2"
LEARNING = Learning(epochs=2, train_windows=96, test_windows=60, batch=32, rate=3e-3)


@pytest.fixture(scope="module")
def target(task: Any) -> Domain:
    sides = []
    for people, count in ((task.split.train, 96), (task.split.test, 60)):
        windows = task.windows.for_subjects(people)
        sides.append(Examples(windows.x, windows.y, windows.subjects).thinned(count))
    return Domain("synthetic", "sensor", task.windows.activities, 50.0, "synthetic", *sides)


@pytest.fixture(scope="module")
def source() -> dict[str, Any]:
    """Any weights: of a network with another number of activities."""
    from pipeline.models import backbone
    from pipeline.training.seeds import seed_everything

    seed_everything(5)
    return model_arrays(backbone(BACKBONE).build(128, 6, 5, 0.0))


def inputs(x: Any) -> Any:
    return x[:, :, None, :]


def _network(case: str) -> Any:
    return case_network(BACKBONE, case, 128, 6, 3)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    case_network.cache_clear()


def test_running_the_frozen_part_once_equals_freezing_in_place(
    target: Domain, source: dict[str, Any]
) -> None:
    import tf_keras

    from pipeline.training.seeds import seed_everything

    network = _network("fxc2")
    learned = learn(network, source, inputs, target, LEARNING, 3)
    once = model_arrays(network.model)

    network.start(source, 3)
    seed_everything(3)
    network.model.compile(
        tf_keras.optimizers.Adam(LEARNING.rate),
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    rng, x, y = np.random.default_rng(3), inputs(target.train.x), target.train.y
    for _ in range(LEARNING.epochs):
        order = rng.permutation(len(y))
        network.model.fit(x[order], y[order], batch_size=LEARNING.batch, shuffle=False, verbose=0)
    for name, values in model_arrays(network.model).items():
        np.testing.assert_allclose(once[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
        layer = name.split("/")[0]
        if layer not in network.trained:
            assert np.array_equal(once[name], source[name]), f"{name} is frozen"
    logits = network.model(inputs(target.test.x), training=False).numpy()
    assert cross_entropy(logits, target.test.y) == pytest.approx(learned["loss"], abs=1e-4)


def test_a_case_gives_the_same_whatever_was_learned_before(
    target: Domain, source: dict[str, Any]
) -> None:
    first = learn(_network("fxc1"), source, inputs, target, LEARNING, 0)
    learn(_network("fxc1"), source, inputs, target, LEARNING, 1)
    again = learn(_network("fxc1"), source, inputs, target, LEARNING, 0)
    assert first["accuracy_curve"] == again["accuracy_curve"]
    assert first["loss_curve"] == again["loss_curve"]
    assert len(first["loss_curve"]) == LEARNING.epochs
    assert set(first["subjects"]) == set(target.test.people)


def test_dense_layers_begin_anew_and_the_rest_where_the_source_ended(
    source: dict[str, Any],
) -> None:
    network = _network("whole")
    network.start(source, 0)
    begun = model_arrays(network.model)
    for name, values in begun.items():
        if name.split("/")[0] not in network.dense_layers:
            assert np.array_equal(values, source[name]), name
    network.start(source, 1)
    other = model_arrays(network.model)
    assert not np.array_equal(begun["stem_logits/kernel"], other["stem_logits/kernel"])


def test_scratch_keeps_nothing_of_the_source(source: dict[str, Any]) -> None:
    network = _network("scratch")
    network.start(source, 0)
    begun = model_arrays(network.model)
    kernels = [name for name in begun if name.endswith("kernel")]
    assert len(kernels) == 8
    for name in kernels:
        if name in source and source[name].shape == begun[name].shape:
            assert not np.allclose(begun[name], source[name]), name
    assert np.all(begun["stem_norm/gamma"] == 1) and np.all(begun["stem_norm/moving_mean"] == 0)
    network.start(source, 0)
    assert all(
        np.array_equal(begun[name], now) for name, now in model_arrays(network.model).items()
    )


def test_cross_entropy_is_the_mean_of_minus_log_softmax() -> None:
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], np.float32))
    assert cross_entropy(logits, np.array([0, 2])) == pytest.approx(
        -(np.log(0.5) + np.log(0.8)) / 2, rel=1e-6
    )

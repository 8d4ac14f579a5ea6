"""The head predicts and learns what the formulas of docs/LEARNING.md say, at every cut, and refuses
what no board takes."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.head import LIMIT, CutScales, Head, HeadShape, check_parameters, without_denormals
from tests.unit.head.samples import SHAPES, SHIPPED, random_head, random_windows

TINY = np.finfo(np.float32).tiny


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> HeadShape:
    return SHAPES[request.param]


@pytest.fixture
def head(shape: HeadShape) -> Head:
    return random_head(shape)


@pytest.fixture
def window(shape: HeadShape) -> np.ndarray:
    return random_windows(shape)


def layers_of(shape: HeadShape, parameters: np.ndarray) -> list[np.ndarray]:
    parts, at = [], 0
    for layer in shape.layers:
        size = int(np.prod(layer))
        parts.append(parameters[at : at + size].reshape(layer))
        at += size
    assert at == len(parameters)
    return parts


def textbook(head: Head, parameters: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Logits (A,) in float64 by the plainest code there is."""
    shape, scales = head.shape, head.scales
    w1, b1, w2, b2, w3, b3 = layers_of(shape, parameters.astype(np.float64))
    values = window[: shape.frozen].astype(np.float64)
    if shape.map_length:
        values_of_map = window[shape.frozen :].reshape(shape.map_length, shape.channels)
        y = (values_of_map.astype(np.float64) - scales.map_zero_point) * scales.map_scale
        if shape.kernel:
            starts = range(0, shape.map_length - shape.kernel + 1, shape.stride)
            y = np.array([(w1 * y[t : t + shape.kernel]).sum(axis=0) + b1 for t in starts])
            y = np.maximum(y, 0)
        assert len(y) == shape.positions
        values = np.concatenate((values, np.maximum(y @ w2.T + b2, 0).mean(axis=0)))
    x = values * scales.scale.astype(np.float64) + scales.offset
    return w3[: head.activities] @ x + b3[: head.activities]


def loss(head: Head, parameters: np.ndarray, window: np.ndarray, label: int) -> float:
    logits = textbook(head, parameters, window)
    return float(np.log(np.exp(logits).sum()) - logits[label])


def test_prediction_is_the_textbooks(head: Head, window: np.ndarray) -> None:
    logits = textbook(head, head.parameters, window)
    exact = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(head.predict(window), exact, rtol=2e-5)


def test_one_step_is_the_gradient_of_cross_entropy(head: Head, window: np.ndarray) -> None:
    head.activities = SHIPPED + 1
    before = head.parameters.astype(np.float64)
    rate, rate_convolution, weight = 0.1, 0.03, 0.7
    head.step(window, 2, rate, rate_convolution, weight)
    dense = head.shape.rows * (head.shape.features + 1)
    moved = 0
    for i in range(len(before)):
        slope = []
        for sign in (1, -1):
            shifted = before.copy()
            shifted[i] += sign * 1e-6
            slope.append(loss(head, shifted, window, 2))
        gradient = (slope[0] - slope[1]) / 2e-6
        share = rate if i >= len(before) - dense else rate_convolution
        assert head.parameters[i] == pytest.approx(before[i] - share * weight * gradient, abs=1e-6)
        moved += head.parameters[i] != before[i]
    assert moved > len(before) / 3


def test_steps_make_the_label_likelier(head: Head, window: np.ndarray) -> None:
    for label in range(SHIPPED):
        before = head.predict(window)[label]
        head.step(window, label, 0.01, 0.001, 1.0)
        assert head.predict(window)[label] > before


def test_a_step_without_weight_or_rate_moves_nothing(head: Head, window: np.ndarray) -> None:
    shipped = head.crc()
    head.step(window, 1, 0.1, 0.1, 0.0)
    assert head.crc() == shipped
    frozen = head.shape.parameters - head.shape.rows * (head.shape.features + 1)
    head.step(window, 1, 0.1, 0.0, 1.0)
    assert (head.parameters[:frozen] == head.anchor[:frozen]).all()
    assert head.crc() != shipped


def test_spare_rows_take_no_part_until_they_are_in_use(head: Head, window: np.ndarray) -> None:
    assert head.predict(window).shape == (SHIPPED,)
    for _ in range(5):
        head.step(window, 0, 0.1, 0.01, 1.0)
    _, _, _, _, dense, bias = layers_of(head.shape, head.parameters)
    _, _, _, _, dense_shipped, bias_shipped = layers_of(head.shape, head.anchor)
    assert (dense[SHIPPED:] == dense_shipped[SHIPPED:]).all()
    assert (bias[SHIPPED:] == bias_shipped[SHIPPED:]).all()
    head.activities += 1
    for _ in range(30):
        head.step(window, SHIPPED, 0.1, 0.01, 1.0)
    assert head.predict(window).argmax() == SHIPPED


def test_the_shipped_parameters_still_predict_beside_the_learned(
    head: Head, window: np.ndarray
) -> None:
    shipped, x = head.predict(window), head.features(window)
    head.activities = head.shape.rows
    for _ in range(5):
        head.step(window, SHIPPED, 0.1, 0.1, 1.0)
    found = head.predict(window, factory=True)
    assert found[:SHIPPED].tobytes() == shipped.tobytes()
    assert (found[SHIPPED:] == 0).all() and found.shape == (head.shape.rows,)
    assert head.features(window, factory=True).tobytes() == x.tobytes()
    assert (head.features(window).tobytes() == x.tobytes()) == (head.shape.map_length == 0)


def test_batches_predict_like_single_windows(head: Head) -> None:
    """Small and large batches are summed in two ways, to the same bits."""
    windows = random_windows(head.shape, 100, 5)
    batch = head.predict(windows)
    assert batch.shape == (100, 5, SHIPPED) and batch.dtype == np.float32
    single = [head.predict(window).tobytes() for window in windows.reshape(500, -1)]
    assert b"".join(single) == batch.tobytes()
    assert head.predict(windows[:0]).shape == (0, 5, SHIPPED)


def test_pull_keeps_its_share_of_the_distance(head: Head, window: np.ndarray) -> None:
    head.step(window, 1, 0.5, 0.1, 1.0)
    moved = head.parameters - head.anchor
    head.pull(1.0)
    np.testing.assert_allclose(head.parameters - head.anchor, moved, atol=1e-7)
    head.pull(0.25)
    np.testing.assert_allclose(head.parameters - head.anchor, moved * 0.25, atol=1e-7)
    head.pull(0.0)
    assert (head.parameters == head.anchor).all()


def test_reset_gives_the_shipped_head_bit_for_bit(head: Head, window: np.ndarray) -> None:
    shipped = head.crc()
    assert shipped == zlib.crc32(head.anchor.astype("<f4").tobytes())
    for _ in range(2):
        head.activities += 1
        head.step(window, 1, 0.5, 0.1, 1.0)
        assert head.crc() != shipped
        head.reset()
        assert head.crc() == shipped and head.activities == SHIPPED


def test_a_loaded_state_is_its_own_and_keeps_the_anchor(head: Head, window: np.ndarray) -> None:
    shipped = head.crc()
    values = head.parameters + np.float32(1)
    head.load(values, SHIPPED + 1)
    taken = head.crc()
    values[:] = 0
    assert head.crc() == taken != shipped and head.activities == SHIPPED + 1
    head.step(window, SHIPPED, 0.1, 0.1, 1.0)
    head.reset()
    assert head.crc() == shipped


@pytest.mark.parametrize(
    "value", [np.nan, np.inf, -np.inf, 2.0**20 * 1.0001, -(2.0**21), TINY / 2, -1e-45]
)
def test_parameters_that_no_board_takes_are_refused(head: Head, value: float) -> None:
    values = head.parameters.copy()
    values[len(values) // 2] = value
    with pytest.raises(InputError):
        Head(head.shape, head.scales, values, SHIPPED)
    before = head.crc()
    with pytest.raises(InputError):
        head.load(values, SHIPPED)
    assert head.crc() == before


def test_the_largest_and_the_smallest_parameters_are_taken(head: Head) -> None:
    edges = np.array([LIMIT, -LIMIT, TINY, -TINY, 0.0, -0.0], np.float32)
    check_parameters(edges, "edges")
    values = head.parameters.copy()
    values[: len(edges)] = edges
    head.load(values, SHIPPED)
    assert np.isfinite(head.predict(random_windows(head.shape, 50))).all()


def test_settling_makes_denormals_zero_and_refuses_what_is_beyond(head: Head) -> None:
    head.parameters[:4] = TINY / 2, -TINY / 2, -0.0, TINY
    head.settle()
    assert head.parameters[:4].tobytes() == np.float32([0, 0, 0, TINY]).tobytes()
    for value in (np.nan, np.inf, 2.0**20 * 1.0001):
        head.parameters[1] = value
        with pytest.raises(InputError):
            head.settle()


def test_without_denormals_changes_nothing_else() -> None:
    values = np.float32([1, -2, TINY, -TINY, TINY / 2, 1e-45, 0])
    found = without_denormals(values)
    np.testing.assert_array_equal(found, np.float32([1, -2, TINY, -TINY, 0, 0, 0]))


@pytest.mark.parametrize(
    "sizes",
    [
        (0, 4, 0),
        (5, 4, 4),
        (5, 0, 5),
        (5, 128, 5),
        (6, 4, 5, 3, 2, 0),
        (6, 4, 5, 0, 2, 1),
        (6, 4, 5, 3, 0, 1),
        (6, 4, 5, 3, 2, 1, 4),
        (6, 4, 5, 3, 2, 1, 2, 0),
        (5, 4, 5, 0, 0, 0, 1),
    ],
)
def test_sizes_that_are_no_head_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(InputError):
        HeadShape(*sizes)


def test_arrays_of_other_sizes_are_refused(head: Head, window: np.ndarray) -> None:
    shape, scales = head.shape, head.scales
    narrow = CutScales(scales.scale[1:], scales.offset[1:])
    for build in (
        lambda: Head(shape, scales, head.anchor[1:], SHIPPED),
        lambda: Head(shape, narrow, head.anchor, SHIPPED),
        lambda: Head(shape, scales, head.anchor, shape.rows + 1),
        lambda: Head(shape, scales, head.anchor, 0),
        lambda: head.load(head.parameters[1:], SHIPPED),
        lambda: head.load(head.parameters, SHIPPED - 1),
        lambda: head.load(head.parameters, shape.rows + 1),
        lambda: head.predict(window[1:]),
        lambda: head.predict(window.astype(np.float32)),
    ):
        with pytest.raises(InputError):
            build()


def test_the_three_cuts_have_the_sizes_that_the_formulas_give() -> None:
    fc = HeadShape(416, 8, 416)
    fxc1 = HeadShape(416, 8, 320, map_length=16, channels=64, filters=96)
    fxc2 = HeadShape(416, 8, 320, map_length=32, channels=64, filters=96, kernel=5, stride=2)
    assert (fc.parameters, fc.window_bytes, fc.positions) == (3336, 416, 0)
    assert (fxc1.parameters, fxc1.window_bytes, fxc1.positions) == (3336 + 96 * 65, 1344, 16)
    assert fxc2.parameters == fxc1.parameters + 6 * 64
    assert (fxc2.window_bytes, fxc2.positions) == (320 + 32 * 64, 14)

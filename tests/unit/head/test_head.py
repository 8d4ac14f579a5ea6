"""The tail predicts and learns what the formulas of docs/LEARNING.md say, at every cut, and refuses
what no board takes."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.head import LIMIT, CutScales, Tail, TailShape, check_parameters, without_denormals
from tests.unit.head.samples import SHAPES, SHIPPED, random_tail, random_windows

TINY = np.finfo(np.float32).tiny


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> TailShape:
    return SHAPES[request.param]


@pytest.fixture
def tail(shape: TailShape) -> Tail:
    return random_tail(shape)


@pytest.fixture
def window(shape: TailShape) -> np.ndarray:
    return random_windows(shape)


def layers_of(shape: TailShape, parameters: np.ndarray) -> list[np.ndarray]:
    parts, at = [], 0
    for layer in shape.layers:
        size = int(np.prod(layer))
        parts.append(parameters[at : at + size].reshape(layer))
        at += size
    assert at == len(parameters)
    return parts


def textbook(tail: Tail, parameters: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Logits (A,) in float64 by the plainest code there is."""
    shape, scales = tail.shape, tail.scales
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
    return w3[: tail.activities] @ x + b3[: tail.activities]


def loss(tail: Tail, parameters: np.ndarray, window: np.ndarray, label: int) -> float:
    logits = textbook(tail, parameters, window)
    return float(np.log(np.exp(logits).sum()) - logits[label])


def test_prediction_is_the_textbooks(tail: Tail, window: np.ndarray) -> None:
    logits = textbook(tail, tail.parameters, window)
    exact = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(tail.predict(window), exact, rtol=2e-5)


def test_one_step_is_the_gradient_of_cross_entropy(tail: Tail, window: np.ndarray) -> None:
    tail.activities = SHIPPED + 1
    before = tail.parameters.astype(np.float64)
    rate, rate_convolution, weight = 0.1, 0.03, 0.7
    tail.step(window, 2, rate, rate_convolution, weight)
    dense = tail.shape.rows * (tail.shape.features + 1)
    moved = 0
    for i in range(len(before)):
        slope = []
        for sign in (1, -1):
            shifted = before.copy()
            shifted[i] += sign * 1e-6
            slope.append(loss(tail, shifted, window, 2))
        gradient = (slope[0] - slope[1]) / 2e-6
        share = rate if i >= len(before) - dense else rate_convolution
        assert tail.parameters[i] == pytest.approx(before[i] - share * weight * gradient, abs=1e-6)
        moved += tail.parameters[i] != before[i]
    assert moved > len(before) / 3


def test_steps_make_the_label_likelier(tail: Tail, window: np.ndarray) -> None:
    for label in range(SHIPPED):
        before = tail.predict(window)[label]
        tail.step(window, label, 0.01, 0.001, 1.0)
        assert tail.predict(window)[label] > before


def test_a_step_without_weight_or_rate_moves_nothing(tail: Tail, window: np.ndarray) -> None:
    shipped = tail.crc()
    tail.step(window, 1, 0.1, 0.1, 0.0)
    assert tail.crc() == shipped
    frozen = tail.shape.parameters - tail.shape.rows * (tail.shape.features + 1)
    tail.step(window, 1, 0.1, 0.0, 1.0)
    assert (tail.parameters[:frozen] == tail.anchor[:frozen]).all()
    assert tail.crc() != shipped


def test_spare_rows_take_no_part_until_they_are_in_use(tail: Tail, window: np.ndarray) -> None:
    assert tail.predict(window).shape == (SHIPPED,)
    for _ in range(5):
        tail.step(window, 0, 0.1, 0.01, 1.0)
    _, _, _, _, dense, bias = layers_of(tail.shape, tail.parameters)
    _, _, _, _, dense_shipped, bias_shipped = layers_of(tail.shape, tail.anchor)
    assert (dense[SHIPPED:] == dense_shipped[SHIPPED:]).all()
    assert (bias[SHIPPED:] == bias_shipped[SHIPPED:]).all()
    tail.activities += 1
    for _ in range(30):
        tail.step(window, SHIPPED, 0.1, 0.01, 1.0)
    assert tail.predict(window).argmax() == SHIPPED


def test_the_shipped_parameters_still_predict_beside_the_learned(
    tail: Tail, window: np.ndarray
) -> None:
    shipped, x = tail.predict(window), tail.features(window)
    tail.activities = tail.shape.rows
    for _ in range(5):
        tail.step(window, SHIPPED, 0.1, 0.1, 1.0)
    found = tail.predict(window, shipped=True)
    assert found[:SHIPPED].tobytes() == shipped.tobytes()
    assert (found[SHIPPED:] == 0).all() and found.shape == (tail.shape.rows,)
    assert tail.features(window, shipped=True).tobytes() == x.tobytes()
    assert (tail.features(window).tobytes() == x.tobytes()) == (tail.shape.map_length == 0)


def test_batches_predict_like_single_windows(tail: Tail) -> None:
    """Small and large batches are summed in two ways, to the same bits."""
    windows = random_windows(tail.shape, 100, 5)
    batch = tail.predict(windows)
    assert batch.shape == (100, 5, SHIPPED) and batch.dtype == np.float32
    single = [tail.predict(window).tobytes() for window in windows.reshape(500, -1)]
    assert b"".join(single) == batch.tobytes()
    assert tail.predict(windows[:0]).shape == (0, 5, SHIPPED)


def test_pull_keeps_its_share_of_the_distance(tail: Tail, window: np.ndarray) -> None:
    tail.step(window, 1, 0.5, 0.1, 1.0)
    moved = tail.parameters - tail.anchor
    tail.pull(1.0)
    np.testing.assert_allclose(tail.parameters - tail.anchor, moved, atol=1e-7)
    tail.pull(0.25)
    np.testing.assert_allclose(tail.parameters - tail.anchor, moved * 0.25, atol=1e-7)
    tail.pull(0.0)
    assert (tail.parameters == tail.anchor).all()


def test_reset_gives_the_shipped_tail_bit_for_bit(tail: Tail, window: np.ndarray) -> None:
    shipped = tail.crc()
    assert shipped == zlib.crc32(tail.anchor.astype("<f4").tobytes())
    for _ in range(2):
        tail.activities += 1
        tail.step(window, 1, 0.5, 0.1, 1.0)
        assert tail.crc() != shipped
        tail.reset()
        assert tail.crc() == shipped and tail.activities == SHIPPED


def test_a_loaded_state_is_its_own_and_keeps_the_anchor(tail: Tail, window: np.ndarray) -> None:
    shipped = tail.crc()
    values = tail.parameters + np.float32(1)
    tail.load(values, SHIPPED + 1)
    taken = tail.crc()
    values[:] = 0
    assert tail.crc() == taken != shipped and tail.activities == SHIPPED + 1
    tail.step(window, SHIPPED, 0.1, 0.1, 1.0)
    tail.reset()
    assert tail.crc() == shipped


@pytest.mark.parametrize(
    "value", [np.nan, np.inf, -np.inf, 2.0**20 * 1.0001, -(2.0**21), TINY / 2, -1e-45]
)
def test_parameters_that_no_board_takes_are_refused(tail: Tail, value: float) -> None:
    values = tail.parameters.copy()
    values[len(values) // 2] = value
    with pytest.raises(InputError):
        Tail(tail.shape, tail.scales, values, SHIPPED)
    before = tail.crc()
    with pytest.raises(InputError):
        tail.load(values, SHIPPED)
    assert tail.crc() == before


def test_the_largest_and_the_smallest_parameters_are_taken(tail: Tail) -> None:
    edges = np.array([LIMIT, -LIMIT, TINY, -TINY, 0.0, -0.0], np.float32)
    check_parameters(edges, "edges")
    values = tail.parameters.copy()
    values[: len(edges)] = edges
    tail.load(values, SHIPPED)
    assert np.isfinite(tail.predict(random_windows(tail.shape, 50))).all()


def test_settling_makes_denormals_zero_and_refuses_what_is_beyond(tail: Tail) -> None:
    tail.parameters[:4] = TINY / 2, -TINY / 2, -0.0, TINY
    tail.settle()
    assert tail.parameters[:4].tobytes() == np.float32([0, 0, 0, TINY]).tobytes()
    for value in (np.nan, np.inf, 2.0**20 * 1.0001):
        tail.parameters[1] = value
        with pytest.raises(InputError):
            tail.settle()


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
def test_sizes_that_are_no_tail_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(InputError):
        TailShape(*sizes)


def test_arrays_of_other_sizes_are_refused(tail: Tail, window: np.ndarray) -> None:
    shape, scales = tail.shape, tail.scales
    narrow = CutScales(scales.scale[1:], scales.offset[1:])
    for build in (
        lambda: Tail(shape, scales, tail.anchor[1:], SHIPPED),
        lambda: Tail(shape, narrow, tail.anchor, SHIPPED),
        lambda: Tail(shape, scales, tail.anchor, shape.rows + 1),
        lambda: Tail(shape, scales, tail.anchor, 0),
        lambda: tail.load(tail.parameters[1:], SHIPPED),
        lambda: tail.load(tail.parameters, SHIPPED - 1),
        lambda: tail.load(tail.parameters, shape.rows + 1),
        lambda: tail.predict(window[1:]),
        lambda: tail.predict(window.astype(np.float32)),
    ):
        with pytest.raises(InputError):
            build()


def test_the_three_cuts_have_the_sizes_that_the_formulas_give() -> None:
    fc = TailShape(416, 8, 416)
    fxc1 = TailShape(416, 8, 320, map_length=16, channels=64, filters=96)
    fxc2 = TailShape(416, 8, 320, map_length=32, channels=64, filters=96, kernel=5, stride=2)
    assert (fc.parameters, fc.window_bytes, fc.positions) == (3336, 416, 0)
    assert (fxc1.parameters, fxc1.window_bytes, fxc1.positions) == (3336 + 96 * 65, 1344, 16)
    assert fxc2.parameters == fxc1.parameters + 6 * 64
    assert (fxc2.window_bytes, fxc2.positions) == (320 + 32 * 64, 14)

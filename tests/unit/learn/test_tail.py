"""The tail learns what the formulas of docs/LEARNING.md say, and refuses what could explode."""

from __future__ import annotations

import dataclasses
import zlib

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.learn import LIMIT, Learning, Tail, dequantize

K, F = 4, 16
LEARNING = Learning(rate=0.1, anchor=0.05, steps=2)


@pytest.fixture
def tail() -> Tail:
    rng = np.random.default_rng(1)
    return Tail(
        rng.normal(0, 0.5, (K, F)).astype(np.float32), rng.normal(0, 0.1, K).astype(np.float32)
    )


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(2).uniform(0, 4, F).astype(np.float32)


def test_one_step_is_the_gradient_of_cross_entropy_plus_the_pull(tail: Tail, x: np.ndarray) -> None:
    tail.update(x, 0, LEARNING)  # away from the anchor first
    w, b = tail.weights.astype(np.float64), tail.bias.astype(np.float64)
    a, ab = tail.anchor_weights.astype(np.float64), tail.anchor_bias.astype(np.float64)

    def loss(weights: np.ndarray, bias: np.ndarray) -> float:
        logits = weights @ x.astype(np.float64) + bias
        pull = ((weights - a) ** 2).sum() + ((bias - ab) ** 2).sum()
        return float(np.log(np.exp(logits).sum()) - logits[2] + 0.5 * 0.05 * pull)

    def slope(k: int, f: int | None) -> float:
        step = 1e-5
        values = []
        for sign in (1, -1):
            weights, bias = w.copy(), b.copy()
            if f is None:
                bias[k] += sign * step
            else:
                weights[k, f] += sign * step
            values.append(loss(weights, bias))
        return (values[0] - values[1]) / (2 * step)

    tail.update(x, 2, dataclasses.replace(LEARNING, steps=1))
    for k in range(K):
        assert tail.bias[k] == pytest.approx(b[k] - 0.1 * slope(k, None), abs=2e-6)
        for f in range(F):
            assert tail.weights[k, f] == pytest.approx(w[k, f] - 0.1 * slope(k, f), abs=2e-6)


def test_learning_makes_the_label_likelier(tail: Tail, x: np.ndarray) -> None:
    for label in range(K):
        before = tail.predict(x)[label]
        tail.update(x, label, dataclasses.replace(LEARNING, rate=0.01))
        assert tail.predict(x)[label] > before


def test_steps_are_updates_of_one_step_in_a_row(tail: Tail, x: np.ndarray) -> None:
    other = Tail(tail.weights, tail.bias)
    tail.update(x, 1, dataclasses.replace(LEARNING, steps=5))
    for _ in range(5):
        other.update(x, 1, dataclasses.replace(LEARNING, steps=1))
    assert tail.crc() == other.crc()


def test_a_full_pull_goes_back_to_the_anchor_but_for_the_gradient(
    tail: Tail, x: np.ndarray
) -> None:
    learning = Learning(rate=0.5, anchor=2.0, steps=1)
    for _ in range(50):
        tail.update(x, 3, learning)
    assert np.abs(tail.weights - tail.anchor_weights).max() <= 0.5 * x.max() * (1 + 1e-5)


def test_reset_gives_the_shipped_tail_and_the_copy_is_its_own(tail: Tail, x: np.ndarray) -> None:
    shipped = tail.crc()
    tail.update(x, 1, LEARNING)
    assert tail.crc() != shipped
    tail.reset()
    assert tail.crc() == shipped
    tail.update(x, 1, LEARNING)
    tail.reset()
    assert tail.crc() == shipped


def test_crc_is_of_weights_then_bias_as_little_endian_float32(tail: Tail) -> None:
    data = tail.weights.astype("<f4").tobytes() + tail.bias.astype("<f4").tobytes()
    assert tail.crc() == zlib.crc32(data)


def test_batches_predict_like_single_windows(tail: Tail) -> None:
    x = np.random.default_rng(3).normal(0, 3, (7, 5, F)).astype(np.float32)
    batch = tail.predict(x)
    assert batch.shape == (7, 5, K)
    for i in range(7):
        for j in range(5):
            assert tail.predict(x[i, j]).tobytes() == batch[i, j].tobytes()


@pytest.mark.parametrize(
    ("x_value", "w_value", "changes"),
    [
        (np.nan, None, {}),
        (np.inf, None, {}),
        (2.0**21, None, {}),
        (1.0, np.nan, {}),
        (1.0, -np.inf, {}),
        (1.0, 2.0**20, {}),  # the step could pass the limit
        (2.0**19, None, {"rate": 2.0, "anchor": 0.0}),
        (1.0, None, {"rate": 0.0}),
        (1.0, None, {"rate": -0.1}),
        (1.0, None, {"rate": float("nan")}),
        (1.0, None, {"rate": float("inf")}),
        (1.0, None, {"anchor": -1e-9}),
        (1.0, None, {"anchor": 10.1}),
        (1.0, None, {"steps": 0}),
        (1.0, None, {"label": K}),
        (1.0, None, {"label": -1}),
    ],
)
def test_what_could_explode_is_refused_and_changes_nothing(
    tail: Tail, x: np.ndarray, x_value: float, w_value: float | None, changes: dict[str, float]
) -> None:
    label = int(changes.pop("label", 0))
    x[3] = x_value
    if w_value is not None:
        tail.weights[2, 5] = w_value
    before = tail.weights.tobytes(), tail.bias.tobytes()
    with pytest.raises(InputError):
        tail.update(x, label, dataclasses.replace(LEARNING, **changes))  # type: ignore[arg-type]
    assert (tail.weights.tobytes(), tail.bias.tobytes()) == before


def test_no_accepted_step_leads_beyond_the_limit() -> None:
    rng = np.random.default_rng(4)
    accepted = refused = 0
    for _ in range(300):
        size = np.float32(2.0 ** rng.uniform(0, 20))
        tail = Tail((rng.uniform(-1, 1, (K, F)) * size).astype(np.float32), np.zeros(K, np.float32))
        rate = 2.0 ** rng.uniform(-10, 4)
        learning = Learning(rate, rng.uniform(0, 1) / rate * 0.99, int(rng.integers(1, 6)))
        try:
            for _ in range(20):
                x = (rng.uniform(-1, 1, F) * 2.0 ** rng.uniform(0, 19)).astype(np.float32)
                tail.update(x, int(rng.integers(K)), learning)
                accepted += 1
                assert np.abs(tail.weights).max() <= LIMIT and np.abs(tail.bias).max() <= LIMIT
                assert np.isfinite(tail.predict(x)).all()
        except InputError:
            refused += 1
    assert accepted > 500 and refused > 20


@pytest.mark.parametrize("value", [np.nan, np.inf, 2.0**20 * 1.001])
def test_a_tail_that_cannot_be_right_is_refused(tail: Tail, value: float) -> None:
    weights = tail.weights.copy()
    weights[0, 0] = value
    with pytest.raises(InputError):
        Tail(weights, tail.bias)
    before = tail.crc()
    with pytest.raises(InputError):
        tail.load(weights, tail.bias)
    with pytest.raises(InputError):
        tail.load(tail.weights[:, :-1], tail.bias)
    assert tail.crc() == before


def test_a_loaded_state_keeps_the_anchor(tail: Tail) -> None:
    shipped = tail.crc()
    tail.load(tail.weights + np.float32(1), tail.bias)
    assert tail.crc() != shipped
    tail.reset()
    assert tail.crc() == shipped


def test_dequantize_is_exact_at_the_extremes() -> None:
    q = np.array([-128, -100, 0, 127], np.int8)
    x = dequantize(q, 0.03, -100)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, np.float32([-28, 0, 100, 227]) * np.float32(0.03))

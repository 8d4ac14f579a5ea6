"""Seeded int8 inputs that reach the corners of a quantized net."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Int8Array = npt.NDArray[np.int8]


def parity_inputs(count: int, shape: tuple[int, ...], zero_point: int, seed: int) -> Int8Array:
    """(count, *shape) int8: the extremes first, then noise and smooth signals in turn.

    Fewer than all extremes are used when `count` is small, so that every count sees the rest.
    """
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    makers: list[Callable[[], npt.NDArray[np.float64]]] = [
        lambda: rng.integers(-128, 128, size).astype(float),
        lambda: zero_point + rng.normal(0.0, rng.uniform(1.0, 60.0), size),
        lambda: zero_point + _waves(rng, shape),
        lambda: zero_point + _walk(rng, shape),
    ]
    extremes = _extremes(size, zero_point)[: count // 2]
    rows = extremes + [makers[i % len(makers)]() for i in range(count - len(extremes))]
    rounded = np.clip(np.rint(np.stack(rows)), -128, 127).astype(np.int8)
    return rounded.reshape(count, *shape)


def _extremes(size: int, zero_point: int) -> list[npt.NDArray[np.float64]]:
    ramp = np.linspace(-128.0, 127.0, size)
    alternating = np.where(np.arange(size) % 2 == 0, -128.0, 127.0)
    flat = [np.full(size, float(value)) for value in (-128, 127, zero_point)]
    return [*flat, ramp, ramp[::-1], alternating, -1.0 - alternating]


def _time_and_lanes(shape: tuple[int, ...]) -> tuple[int, int]:
    """Signals run along all axes but the last, which holds channels."""
    lanes = shape[-1] if len(shape) > 1 else 1
    return int(np.prod(shape)) // lanes, lanes


def _waves(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    steps, lanes = _time_and_lanes(shape)
    turns = rng.uniform(0.5, 8.0, lanes) * np.arange(steps)[:, None] / steps
    phase = rng.uniform(0.0, 1.0, lanes)
    height = rng.uniform(5.0, 140.0, lanes)
    waves: npt.NDArray[np.float64] = height * np.sin(2 * np.pi * (turns + phase))
    return (waves + rng.normal(0, 2, (steps, lanes))).ravel()


def _walk(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    steps, lanes = _time_and_lanes(shape)
    stride = rng.uniform(0.5, 12.0, lanes)
    walk: npt.NDArray[np.float64] = np.cumsum(rng.normal(size=(steps, lanes)) * stride, axis=0)
    return walk.ravel()

"""The payload of a learned tail, as docs/STORAGE.md lays it out: what a record in flash keeps, a
.head file holds, and HEAD_READ and HEAD_WRITE carry."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import InputError
from pipeline.learn.tail import LIMIT

Array = np.ndarray[Any, Any]

_HEADER = struct.Struct("<HHI")  # features, activities, updates


@dataclass(frozen=True, eq=False)
class LearnedTail:
    """A learned state and its history."""

    weights: Array
    """(K, F) float32"""
    bias: Array
    """(K,) float32"""
    updates: int
    """labels learned since the shipped tail"""
    labels: tuple[int, ...]
    """labels learned per activity, (K,)"""
    limits: Array
    """(K,) float32: up to which distance a window is known (`Limits`)"""


def weights_offset(activities: int) -> int:
    """Where the weights begin, bytes: what stands before them is no part of the tail's CRC."""
    return _HEADER.size + 8 * activities


def payload_bytes(features: int, activities: int) -> int:
    """Size of the payload in bytes."""
    return weights_offset(activities) + 4 * activities * (features + 1)


def pack(
    weights: Array, bias: Array, updates: int, labels: tuple[int, ...], limits: Array
) -> bytes:
    """Weights (K, F), bias (K,), labels learned in all and per activity (K,), limits (K,) ->
    payload.

    Raises InputError for shapes that do not belong together and for values that `unpack` refuses.
    """
    activities, features = weights.shape
    if not bias.shape == limits.shape == (len(labels),) == (activities,):
        raise InputError(
            f"a head of weights {weights.shape}, bias {bias.shape}, {len(labels)} label counts and "
            f"limits {limits.shape}: they do not belong together; give (K, F), (K,), K and (K,)"
        )
    values = np.concatenate((limits, weights.ravel(), bias), dtype="<f4", casting="same_kind")
    _check_values(values, activities)
    return b"".join(
        (
            _HEADER.pack(features, activities, updates),
            struct.pack(f"<{activities}I", *labels),
            values.tobytes(),
        )
    )


def unpack(payload: bytes, shape: tuple[int, int] | None = None) -> LearnedTail:
    """Payload -> learned tail; of `shape` (K, F), if given.

    Raises InputError for what the board refuses: sizes that disagree, another shape, values that
    are not finite or beyond LIMIT.
    """
    if len(payload) < _HEADER.size:
        raise InputError(f"a head of {len(payload)} bytes is cut off: pull it again")
    features, activities, updates = _HEADER.unpack_from(payload)
    if shape is not None and (activities, features) != shape:
        raise InputError(
            f"a head made for {features} features and {activities} activities, not {shape[1]} and "
            f"{shape[0]}: use one of the same model"
        )
    size = payload_bytes(features, activities)
    if features == 0 or activities == 0 or len(payload) != size:
        raise InputError(
            f"a head of {features} features and {activities} activities has {size} bytes, "
            f"this one {len(payload)}: it is cut off or no head; pull it again"
        )
    labels = struct.unpack_from(f"<{activities}I", payload, _HEADER.size)
    offset = _HEADER.size + 4 * activities
    values = np.frombuffer(payload, "<f4", offset=offset).astype(np.float32)
    _check_values(values, activities)
    limits, weights, bias = np.split(values, [activities, activities * (features + 1)])
    return LearnedTail(weights.reshape(activities, features), bias, updates, labels, limits)


def _check_values(values: Array, activities: int) -> None:
    """The first K are limits."""
    if not np.all(np.abs(values) <= LIMIT):  # False for NaN as well
        raise InputError(
            f"a head with a value that is not finite or larger than {LIMIT:.0f}, which no board "
            "takes: pull another one"
        )
    if not np.all(values[:activities] > 0):
        raise InputError(
            "a head with a limit that is not above 0, which no board takes: pull another one"
        )

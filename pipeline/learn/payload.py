"""The payload of a learned tail as docs/STORAGE.md tells it: what flash keeps and HEAD_READ and
HEAD_WRITE carry."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import InputError
from pipeline.learn.tail import LIMIT

Array = np.ndarray[Any, Any]

_HEADER = struct.Struct("<HHI")


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


def payload_bytes(features: int, activities: int) -> int:
    """Size of the payload in bytes."""
    return _HEADER.size + 4 * activities * (features + 2)


def pack(weights: Array, bias: Array, updates: int, labels: tuple[int, ...]) -> bytes:
    """Weights (K, F), bias (K,), labels learned in all and per activity (K,) -> payload."""
    activities, features = weights.shape
    if bias.shape != (activities,) or len(labels) != activities:
        raise InputError(
            f"learned tail: weights {weights.shape}, bias {bias.shape} and {len(labels)} label "
            "counts do not belong together"
        )
    return b"".join(
        (
            _HEADER.pack(features, activities, updates),
            struct.pack(f"<{activities}I", *labels),
            weights.astype("<f4").tobytes(),
            bias.astype("<f4").tobytes(),
        )
    )


def unpack(payload: bytes, features: int, activities: int) -> LearnedTail:
    """Payload -> learned tail of that shape. Raises InputError for what the board refuses."""
    if len(payload) != payload_bytes(features, activities):
        raise InputError(
            f"learned tail: {len(payload)} bytes where {payload_bytes(features, activities)} "
            f"belong ({features} features, {activities} activities)"
        )
    found_features, found_activities, updates = _HEADER.unpack_from(payload)
    if (found_features, found_activities) != (features, activities):
        raise InputError(
            f"learned tail: made for {found_features} features and {found_activities} activities, "
            f"not {features} and {activities}"
        )
    labels = struct.unpack_from(f"<{activities}I", payload, _HEADER.size)
    values = np.frombuffer(payload, "<f4", offset=_HEADER.size + 4 * activities)
    values = values.astype(np.float32)
    if not np.all(np.abs(values) <= LIMIT):
        raise InputError(f"learned tail: a value is not finite or larger than {LIMIT:.0f}")
    weights = values[: activities * features].reshape(activities, features)
    return LearnedTail(weights, values[activities * features :], updates, labels)

"""The payload of a learned head, as docs/STORAGE.md lays it out: what a .head file holds and what
HEAD_READ and HEAD_WRITE carry. A record in flash has the windows kept for replay after it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core import wire
from pipeline.core.errors import InputError
from pipeline.core.names import NAME_BYTES_MAX, check_name
from pipeline.core.types import Array
from pipeline.core.wire import U8, U16, U32
from pipeline.head.head import LIMIT
from pipeline.head.learner import Guard

if TYPE_CHECKING:
    from pipeline.head.head import HeadShape


_NAME = struct.Struct(f"<B{NAME_BYTES_MAX}s")
_LIMIT_BITS = int(LIMIT.view(np.uint32))
_NORMAL_BITS = int(np.finfo(np.float32).tiny.view(np.uint32))


@dataclass(frozen=True)
class _Sizes:
    """How the payload of a head begins."""

    features: U16
    rows: U8
    activities: U8
    parameters: U32


@dataclass(frozen=True)
class History:
    """What follows the sizes."""

    updates: U32
    """labels that the head has learned from"""
    exemplars: U32
    """factory exemplars drawn"""
    random: U32
    """state of the generator of the draws"""
    guard: Guard
    since_s: U32
    """Unix time of the first label since the factory head, 0: unknown"""
    saved_s: U32
    """Unix time of the save, 0: unknown"""
    window_bytes: U16
    """B, of one window at the cut"""
    capacity: U16
    """N, windows that the board keeps for replay"""


HEAD_START_BYTES = len(
    wire.encode(_Sizes(0, 0, 0, 0)) + wire.encode(History(0, 0, 0, Guard(), 0, 0, 0, 0))
)


@dataclass(frozen=True, eq=False)
class LearnedHead(History):
    """A learned state and its history. K activities are the model's, A in use, R have room."""

    features: int
    """F, of the dense layer"""
    shipped: int
    """K"""
    names: tuple[str, ...]
    """of the activities that were taught, (A - K,)"""
    labels: tuple[int, ...]
    """given by activity since the factory head, (R,)"""
    limits: Array
    """(R,) float32: up to which distance a window is known (`Limits`)"""
    parameters: Array
    """(P,) float32, of the whole head (`Head`)"""

    @property
    def rows(self) -> int:
        """R."""
        return len(self.labels)

    @property
    def activities(self) -> int:
        """A."""
        return self.shipped + len(self.names)


def values_offset(rows: int, shipped: int) -> int:
    """Where the parameters begin, bytes: what stands before them is no part of the head's CRC."""
    return HEAD_START_BYTES + 8 * rows + _NAME.size * (rows - shipped)


def head_bytes(shape: HeadShape, shipped: int) -> int:
    """Size of the payload of a head, bytes."""
    return values_offset(shape.rows, shipped) + 4 * shape.parameters


def head_size(start: bytes, shipped: int) -> int:
    """Size in bytes of the payload that begins with ``start``, at least HEAD_START_BYTES of it."""
    sizes = wire.read(_Sizes, wire.Cursor(start))
    return values_offset(sizes.rows, shipped) + 4 * sizes.parameters


def record_bytes(shape: HeadShape, shipped: int, capacity: int) -> int:
    """Size of a stored record's payload, bytes: the head and the windows kept for replay."""
    replay = 4 * shape.rows + capacity * (2 + shape.window_bytes)
    return (head_bytes(shape, shipped) + replay + 3) // 4 * 4


def pack(head: LearnedHead) -> bytes:
    """Head -> payload.

    Raises InputError for sizes that do not belong together and for values that `unpack` refuses.
    """
    rows = head.rows
    limits, parameters = np.asarray(head.limits), np.asarray(head.parameters)
    if limits.shape != (rows,) or parameters.ndim != 1:
        raise InputError(
            f"a head of {rows} label counts, limits {limits.shape} and parameters "
            f"{parameters.shape}: they do not belong together; give R, (R,) and (P,)"
        )
    sizes = _Sizes(head.features, rows, head.activities, len(parameters))
    _check_sizes(sizes, head.shipped)
    head.guard.check()
    _check_names(head.names)
    values = np.concatenate((limits, parameters), dtype="<f4", casting="same_kind")
    _check_values(values, rows)
    names = [_NAME.pack(len(name.encode()), name.encode()) for name in head.names]
    return b"".join(
        (
            wire.encode(sizes) + wire.encode(head, History),
            struct.pack(f"<{rows}I", *head.labels),
            values[:rows].tobytes(),
            b"".join(names).ljust(_NAME.size * (rows - head.shipped), b"\0"),
            values[rows:].tobytes(),
        )
    )


def unpack(payload: bytes, shipped: int | None = None) -> LearnedHead:
    """Payload -> head; of a model with `shipped` activities, if given, else its length tells how
    many there are.

    Raises InputError for what no board takes: sizes that disagree, values that are not finite,
    denormal or beyond LIMIT, limits that are not above 0, counts that cannot be, invalid names.
    """
    if len(payload) < HEAD_START_BYTES:
        raise InputError(f"a head of {len(payload)} bytes is cut off: pull it again")
    cursor = wire.Cursor(payload)
    sizes, history = wire.read(_Sizes, cursor), wire.read(History, cursor)
    rows, parameters = sizes.rows, sizes.parameters
    spare, odd = divmod(len(payload) - values_offset(rows, rows) - 4 * parameters, _NAME.size)
    if shipped is None:
        shipped = rows - spare
    if odd or spare != rows - shipped or not 0 <= spare <= rows:
        raise InputError(
            f"a head of {rows} rows and {parameters} parameters has not {len(payload)} bytes: "
            "it is cut off, or of another model; pull it again"
        )
    _check_sizes(sizes, shipped)
    history.guard.check()
    limits = np.frombuffer(payload, "<f4", rows, HEAD_START_BYTES + 4 * rows)
    values = np.frombuffer(payload, "<f4", parameters, values_offset(rows, shipped))
    _check_values(np.concatenate((limits, values)), rows)
    return LearnedHead(
        **vars(history),
        features=sizes.features,
        shipped=shipped,
        names=_names(payload, HEAD_START_BYTES + 8 * rows, sizes.activities - shipped),
        labels=struct.unpack_from(f"<{rows}I", payload, HEAD_START_BYTES),
        limits=limits.astype(np.float32),
        parameters=values.astype(np.float32),
    )


def _check_sizes(sizes: _Sizes, shipped: int) -> None:
    fits = 1 <= shipped <= sizes.activities <= sizes.rows
    if not fits or min(sizes.features, sizes.parameters) < 1:
        raise InputError(
            f"invalid head: {sizes.features} features, {sizes.parameters} parameters, "
            f"{sizes.activities} activities in {sizes.rows} rows; pull another one"
        )


def _names(payload: bytes, offset: int, count: int) -> tuple[str, ...]:
    names = []
    for i in range(count):
        size, text = _NAME.unpack_from(payload, offset + i * _NAME.size)
        try:
            names.append(text[:size].decode() if size <= NAME_BYTES_MAX else "")
        except UnicodeDecodeError:
            raise InputError("invalid head: a name is not UTF-8; pull another one") from None
    _check_names(tuple(names))
    return tuple(names)


def _check_names(names: tuple[str, ...]) -> None:
    for i, name in enumerate(names):
        check_name(name, names[:i])


def _check_values(values: Array, rows: int) -> None:
    """The first R are limits."""
    bits = values.astype(np.float32).view(np.uint32) & np.uint32(0x7FFFFFFF)
    if np.any((bits > _LIMIT_BITS) | ((bits != 0) & (bits < _NORMAL_BITS))):
        raise InputError(
            f"invalid head: a value is not finite, denormal or larger than {LIMIT:.0f}; "
            "pull another one"
        )
    if not np.all(values[:rows] > 0):
        raise InputError("invalid head: a limit that is not above 0; pull another one")

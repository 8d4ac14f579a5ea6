"""The messages that a board sends, as docs/PROTOCOL.md lists them; those about learning and heads
stand in from_board_head.py, those about its sensor in from_board_sensor.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, Self

from pipeline.protocol.constants import (
    MODEL_ID_BYTES,
    Counter,
    Empty,
    Engine,
    ErrorCode,
    MessageType,
    Target,
    pack_model_id,
)
from pipeline.protocol.payload import Reader, pack, pack_string

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Hello:
    """HELLO_REPLY: who the board is. Window and hop in samples. Of its ``activities`` the first
    ``shipped`` are the model's, the others were taught; there is room for ``rows``."""

    TYPE: ClassVar = MessageType.HELLO_REPLY
    version: int
    model_id: bytes
    engine: Engine
    target: Target
    counter: Counter
    rate_hz: float
    window: int
    hop: int
    features: int
    rows: int
    shipped: int
    activities: tuple[str, ...]
    firmware_version: str

    @property
    def taught(self) -> tuple[str, ...]:
        """Names of the activities that the model never had."""
        return self.activities[self.shipped :]

    def encode(self) -> bytes:
        return b"".join(
            [
                pack("B", self.version),
                pack_model_id(self.model_id),
                pack("BBBf", self.engine, self.target, self.counter, self.rate_hz),
                pack("HHH", self.window, self.hop, self.features),
                pack("BBB", self.rows, self.shipped, len(self.activities)),
                *map(pack_string, self.activities),
                pack_string(self.firmware_version),
            ]
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        message = cls(
            version=reader.u8(),
            model_id=reader.take(MODEL_ID_BYTES),
            engine=reader.choice(Engine),
            target=reader.choice(Target),
            counter=reader.choice(Counter),
            rate_hz=reader.f32(),
            window=reader.u16(),
            hop=reader.u16(),
            features=reader.u16(),
            rows=reader.u8(),
            shipped=reader.u8(),
            activities=tuple(reader.string() for _ in range(reader.u8())),
            firmware_version=reader.string(),
        )
        reader.done()
        rate_is_good = isfinite(message.rate_hz) and message.rate_hz > 0
        reader.require(rate_is_good, f"has a rate of {message.rate_hz} Hz")
        reader.require(
            1 <= message.hop <= message.window,
            f"has a window of {message.window} and a hop of {message.hop} samples",
        )
        reader.require(message.features >= 1, "has no features")
        named = len(message.activities)
        reader.require(
            1 <= message.shipped <= named <= message.rows,
            f"names {named} activities of {message.shipped} shipped and room for {message.rows}",
        )
        reader.require(
            len(set(message.activities)) == len(message.activities) and all(message.activities),
            "names activities that are empty or the same",
        )
        return message


@dataclass(frozen=True)
class Prediction:
    """PREDICTION: one window, named by its last sample. Counts in the unit of `Hello.counter`.

    ``activity`` and ``probabilities`` are the head's, of this window alone; ``smoothed`` and its
    probability take the windows before it into account. ``novelty`` is the window's distance from
    what is known of ``activity``, as a share of the limit.

    The frame does not say how many activities there are: compare with `Hello.activities`.
    """

    TYPE: ClassVar = MessageType.PREDICTION
    end_index: int
    time_ms: int
    activity: int
    features_crc: int
    engine_count: int
    head_count: int
    smoothed: int
    smoothed_probability: float
    novelty: float
    probabilities: tuple[float, ...]

    @property
    def unknown(self) -> bool:
        """Like nothing that the board knows."""
        return self.novelty > 1.0

    def shown(self, activities: Sequence[str]) -> tuple[str, float]:
        """What the board's own line of text says: the smoothed activity and its probability, or
        "unknown" and how near to known: 1 at the limit, 0 far away."""
        if self.unknown:
            return UNKNOWN, 1.0 / self.novelty
        return activities[self.smoothed], self.smoothed_probability

    def encode(self) -> bytes:
        return pack(
            f"IIBIIIBff{len(self.probabilities)}f",
            self.end_index,
            self.time_ms,
            self.activity,
            self.features_crc,
            self.engine_count,
            self.head_count,
            self.smoothed,
            self.smoothed_probability,
            self.novelty,
            *self.probabilities,
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        head = (reader.u32(), reader.u32(), reader.u8(), reader.u32(), reader.u32(), reader.u32())
        behind = (reader.u8(), reader.probability(), reader.f32())
        activities = reader.left // 4
        message = cls(*head, *behind, tuple(reader.probability() for _ in range(activities)))
        reader.done()
        for index in (message.activity, message.smoothed):
            reader.require(index < activities, f"has activity {index} of {activities}")
        reader.require(
            isfinite(message.novelty) and message.novelty >= 0,
            f"has a novelty of {message.novelty}",
        )
        return message


@dataclass(frozen=True)
class Status:
    """STATUS_REPLY: counters since boot, all modulo 2^32; stack in bytes, 0 where unknown."""

    TYPE: ClassVar = MessageType.STATUS_REPLY
    uptime_ms: int
    samples_received: int
    samples_lost: int
    windows: int
    frames_bad: int
    frames_dropped: int
    stack_used: int
    stack_size: int

    def encode(self) -> bytes:
        return pack(
            "8I",
            self.uptime_ms,
            self.samples_received,
            self.samples_lost,
            self.windows,
            self.frames_bad,
            self.frames_dropped,
            self.stack_used,
            self.stack_size,
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        message = cls(*(reader.u32() for _ in range(8)))
        reader.done()
        return message


@dataclass(frozen=True)
class ByeReply(Empty):
    TYPE: ClassVar = MessageType.BYE_REPLY


@dataclass(frozen=True)
class ErrorReply:
    """ERROR: why the board refused the request that had ``type`` and ``seq``."""

    TYPE: ClassVar = MessageType.ERROR
    type: int
    seq: int
    status: ErrorCode
    text: str

    def encode(self) -> bytes:
        return pack("BHB", self.type, self.seq, self.status) + pack_string(self.text)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        message = cls(reader.u8(), reader.u16(), reader.choice(ErrorCode), reader.string())
        reader.done()
        return message

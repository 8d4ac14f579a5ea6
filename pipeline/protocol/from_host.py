"""The messages that a host sends, as docs/PROTOCOL.md lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from pipeline.protocol.constants import (
    MODEL_ID_BYTES,
    PROTOCOL_VERSION,
    Empty,
    MessageType,
    pack_model_id,
)
from pipeline.protocol.payload import Reader, pack, pack_string
from pipeline.protocol.samples import CHANNELS, SAMPLES_PER_FRAME_MAX

_RESTART = 0x01  # SAMPLES, flag bit 0
_SEND = 0x01  # SENSOR, flag bit 0


@dataclass(frozen=True)
class HelloRequest:
    """``time_s``: Unix time, from which the board counts on; 0: unknown."""

    TYPE: ClassVar = MessageType.HELLO
    version: int = PROTOCOL_VERSION
    time_s: int = 0

    def encode(self) -> bytes:
        return pack("BI", self.version, self.time_s)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        message = cls(reader.u8(), reader.u32())
        reader.done()
        return message


@dataclass(frozen=True, eq=False)
class SamplesMessage:
    """1 to 32 samples (n, 6) int16 in wire units, the first one numbered ``index``, taken at
    ``time_ms``. ``restart`` begins a new stream."""

    TYPE: ClassVar = MessageType.SAMPLES
    index: int
    time_ms: int
    samples: npt.NDArray[np.int16]
    restart: bool = False

    def encode(self) -> bytes:
        shape = self.samples.shape
        if self.samples.dtype != np.int16 or len(shape) != 2 or shape[1] != CHANNELS:
            raise ValueError(f"samples are int16 (n, 6), not {self.samples.dtype} {shape}")
        if not 1 <= len(self.samples) <= SAMPLES_PER_FRAME_MAX:
            raise ValueError(f"a frame carries 1 to {SAMPLES_PER_FRAME_MAX} samples, not {shape}")
        flags = _RESTART if self.restart else 0
        head = pack("IIBB", self.index, self.time_ms, flags, len(self.samples))
        return head + self.samples.astype("<i2").tobytes()

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        index, time_ms, flags, count = reader.u32(), reader.u32(), reader.u8(), reader.u8()
        reader.require(flags & ~_RESTART == 0, f"has unknown flags ({flags:#04x})")
        reader.require(1 <= count <= SAMPLES_PER_FRAME_MAX, f"counts {count} samples")
        data = reader.take(count * CHANNELS * 2)
        reader.done()
        samples = np.frombuffer(data, "<i2").astype(np.int16).reshape(count, CHANNELS)
        return cls(index, time_ms, samples, flags & _RESTART != 0)


@dataclass(frozen=True)
class LabelRequest:
    """Teaches the window that ends with sample ``end_index``."""

    TYPE: ClassVar = MessageType.LABEL
    end_index: int
    activity: int

    def encode(self) -> bytes:
        return pack("IB", self.end_index, self.activity)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        message = cls(reader.u32(), reader.u8())
        reader.done()
        return message


@dataclass(frozen=True)
class SaveRequest(Empty):
    TYPE: ClassVar = MessageType.SAVE


@dataclass(frozen=True)
class HeadShowRequest(Empty):
    TYPE: ClassVar = MessageType.HEAD_SHOW


@dataclass(frozen=True)
class HeadResetRequest(Empty):
    TYPE: ClassVar = MessageType.HEAD_RESET


@dataclass(frozen=True)
class HeadRollbackRequest(Empty):
    TYPE: ClassVar = MessageType.HEAD_ROLLBACK


@dataclass(frozen=True)
class HeadReadRequest:
    TYPE: ClassVar = MessageType.HEAD_READ
    offset: int
    length: int

    def encode(self) -> bytes:
        return pack("IH", self.offset, self.length)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        message = cls(reader.u32(), reader.u16())
        reader.done()
        return message


@dataclass(frozen=True)
class HeadWriteRequest:
    TYPE: ClassVar = MessageType.HEAD_WRITE
    offset: int
    data: bytes

    def encode(self) -> bytes:
        return pack("I", self.offset) + self.data

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        return cls(reader.u32(), reader.take(reader.left))


@dataclass(frozen=True)
class HeadCommitRequest:
    TYPE: ClassVar = MessageType.HEAD_COMMIT
    model_id: bytes
    length: int
    crc: int

    def encode(self) -> bytes:
        return pack_model_id(self.model_id) + pack("II", self.length, self.crc)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        message = cls(reader.take(MODEL_ID_BYTES), reader.u32(), reader.u32())
        reader.done()
        return message


@dataclass(frozen=True)
class StatusRequest(Empty):
    TYPE: ClassVar = MessageType.STATUS


@dataclass(frozen=True)
class ByeRequest(Empty):
    TYPE: ClassVar = MessageType.BYE


@dataclass(frozen=True)
class UndoRequest(Empty):
    """Takes the last label back."""

    TYPE: ClassVar = MessageType.UNDO


@dataclass(frozen=True)
class NameRequest:
    """Adds an activity that the model never had."""

    TYPE: ClassVar = MessageType.NAME
    name: str

    def encode(self) -> bytes:
        return pack_string(self.name)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        message = cls(reader.string())
        reader.done()
        return message


@dataclass(frozen=True)
class SensorRequest:
    """Asks for the state of the board's own sensor; ``send``: its samples shall come as SENSED,
    until this is asked again without, or a new session begins."""

    TYPE: ClassVar = MessageType.SENSOR
    send: bool

    def encode(self) -> bytes:
        return pack("B", _SEND if self.send else 0)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        flags = reader.u8()
        reader.require(flags & ~_SEND == 0, f"has unknown flags ({flags:#04x})")
        reader.done()
        return cls(flags & _SEND != 0)

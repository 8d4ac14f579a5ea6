"""The protocol's numbers, and what every message is. See docs/PROTOCOL.md."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, Protocol, Self

from pipeline.protocol.frames import PAYLOAD_BYTES_MAX
from pipeline.protocol.payload import Reader

PROTOCOL_VERSION = 4
MODEL_ID_BYTES = 8
HEAD_PIECE_BYTES_MAX = PAYLOAD_BYTES_MAX - 4  # HEAD_DATA and HEAD_WRITE: what follows the offset


class MessageType(IntEnum):
    """`type` of a frame."""

    HELLO = 0x01
    SAMPLES = 0x02
    LABEL = 0x03
    SAVE = 0x04
    HEAD_SHOW = 0x05
    HEAD_RESET = 0x06
    HEAD_ROLLBACK = 0x07
    HEAD_READ = 0x08
    HEAD_WRITE = 0x09
    HEAD_COMMIT = 0x0A
    STATUS = 0x0B
    BYE = 0x0C
    UNDO = 0x0D
    NAME = 0x0E
    SENSOR = 0x0F
    HELLO_REPLY = 0x81
    PREDICTION = 0x82
    LEARNED = 0x83
    HEAD_STATE = 0x84
    HEAD_DATA = 0x88
    HEAD_WRITTEN = 0x89
    STATUS_REPLY = 0x8B
    BYE_REPLY = 0x8C
    NAMED = 0x8E
    SENSOR_STATE = 0x8F
    SENSED = 0x90
    ERROR = 0xFF


class ErrorCode(IntEnum):
    """`status` of an ERROR: the numbers of firmware/lib/base/har_status.h."""

    ARGUMENT = 1
    LENGTH = 2
    CRC = 3
    MODEL = 4
    VERSION = 5
    STATE = 6
    NOT_FINITE = 7
    FLASH = 8
    EMPTY = 9
    ENGINE = 10
    TYPE = 11


class Engine(IntEnum):
    COMPILED = 0
    TFLM = 1


class Target(IntEnum):
    HOST = 0
    MPS2 = 1
    NANO33BLE = 2


class Counter(IntEnum):
    """What the ``*_count`` fields count."""

    INSTRUCTIONS = 1
    CYCLES = 2
    NANOSECONDS = 3


class HeadSource(IntEnum):
    SHIPPED = 0
    LEARNED = 1


class Sensor(IntEnum):
    """A board's own motion sensor."""

    NONE = 0
    LSM9DS1 = 1  # Nano 33 BLE Sense, Rev1
    BMI270 = 2  # Rev2
    PLAYED = 3  # a recording, on an emulated board


class SensorTrouble(IntEnum):
    """What is the matter with it."""

    RIGHT = 0
    ABSENT = 1
    BUS_STUCK = 2
    REFUSED = 3
    SILENT = 4


class Message(Protocol):
    """What every message below is."""

    TYPE: ClassVar[MessageType]

    def encode(self) -> bytes:
        """The payload. Raises ValueError when a value does not fit its field."""

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Raises `DecodeError`."""


class Empty:
    """Base of messages without a payload."""

    TYPE: ClassVar[MessageType]

    def encode(self) -> bytes:
        return b""

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        Reader(cls.TYPE.name, payload).done()
        return cls()


def pack_model_id(model_id: bytes) -> bytes:
    """Raises ValueError unless there are 8 bytes."""
    if len(model_id) != MODEL_ID_BYTES:
        raise ValueError(f"a model id has {MODEL_ID_BYTES} bytes, not {len(model_id)}")
    return model_id

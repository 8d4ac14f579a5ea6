"""Every message of docs/PROTOCOL.md as a frozen dataclass, and `decode_message` for any frame.

``encode()`` gives a payload; ``decode(payload)`` takes one apart and raises `DecodeError` for any
byte too few or too many, any number outside its enum or range, any text that is no printable
UTF-8. firmware/lib/link/har_protocol.h is the other half.
"""

from __future__ import annotations

from pipeline.head import Outcome
from pipeline.protocol.constants import (
    HEAD_PIECE_BYTES_MAX,
    MODEL_ID_BYTES,
    PROTOCOL_VERSION,
    Counter,
    Engine,
    ErrorCode,
    HeadSource,
    Message,
    MessageType,
    Sensor,
    SensorTrouble,
    Target,
)
from pipeline.protocol.frames import Frame
from pipeline.protocol.from_board import ByeReply, ErrorReply, Hello, Prediction, Status
from pipeline.protocol.from_board_head import HeadData, HeadState, HeadWritten, Learned, Named
from pipeline.protocol.from_board_sensor import Sensed, SensorState
from pipeline.protocol.from_host import (
    ByeRequest,
    HeadCommitRequest,
    HeadReadRequest,
    HeadResetRequest,
    HeadRollbackRequest,
    HeadShowRequest,
    HeadWriteRequest,
    HelloRequest,
    LabelRequest,
    NameRequest,
    SamplesMessage,
    SaveRequest,
    SensorRequest,
    StatusRequest,
    UndoRequest,
)
from pipeline.protocol.payload import DecodeError
from pipeline.protocol.samples import SAMPLES_PER_FRAME_MAX, decode_samples, encode_samples

__all__ = [
    "HEAD_PIECE_BYTES_MAX",
    "MODEL_ID_BYTES",
    "PROTOCOL_VERSION",
    "SAMPLES_PER_FRAME_MAX",
    "ByeReply",
    "ByeRequest",
    "Counter",
    "DecodeError",
    "Engine",
    "ErrorCode",
    "ErrorReply",
    "HeadCommitRequest",
    "HeadData",
    "HeadReadRequest",
    "HeadResetRequest",
    "HeadRollbackRequest",
    "HeadShowRequest",
    "HeadSource",
    "HeadState",
    "HeadWriteRequest",
    "HeadWritten",
    "Hello",
    "HelloRequest",
    "LabelRequest",
    "Learned",
    "Message",
    "MessageType",
    "NameRequest",
    "Named",
    "Outcome",
    "Prediction",
    "SamplesMessage",
    "SaveRequest",
    "Sensed",
    "Sensor",
    "SensorRequest",
    "SensorState",
    "SensorTrouble",
    "Status",
    "StatusRequest",
    "Target",
    "UndoRequest",
    "decode_message",
    "decode_samples",
    "encode_samples",
]

_MESSAGES: tuple[type[Message], ...] = (
    HelloRequest,
    SamplesMessage,
    LabelRequest,
    SaveRequest,
    HeadShowRequest,
    HeadResetRequest,
    HeadRollbackRequest,
    HeadReadRequest,
    HeadWriteRequest,
    HeadCommitRequest,
    StatusRequest,
    ByeRequest,
    UndoRequest,
    NameRequest,
    SensorRequest,
    Hello,
    Prediction,
    Learned,
    HeadState,
    HeadData,
    HeadWritten,
    Status,
    ByeReply,
    Named,
    SensorState,
    Sensed,
    ErrorReply,
)
_BY_TYPE: dict[int, type[Message]] = {int(message.TYPE): message for message in _MESSAGES}


def decode_message(frame: Frame) -> Message:
    """The message in a frame of either direction. Raises `DecodeError`, also for unknown types."""
    message = _BY_TYPE.get(frame.type)
    if message is None:
        raise DecodeError(
            f"a frame has the unknown type {frame.type:#04x}: "
            "flash the firmware that belongs to this har"
        )
    return message.decode(frame.payload)

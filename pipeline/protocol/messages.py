"""Every message of docs/PROTOCOL.md, declared once: its fields are its bytes (pipeline.core.wire).

``encode()`` gives a payload; ``decode(payload)`` takes one apart and raises `DecodeError` for any
byte too few or too many, any number outside its enum or range, any text that is not printable
UTF-8. firmware/lib/link/har_protocol.h is the other half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from math import nan
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from pipeline.core import wire
from pipeline.core.errors import ExternalError
from pipeline.core.names import UNKNOWN
from pipeline.core.wire import COUNTED, U8, U16, U32, Exactly, Number, require
from pipeline.head import Guard, Outcome
from pipeline.protocol.frames import PAYLOAD_BYTES_MAX
from pipeline.protocol.samples import SAMPLES_PER_FRAME_MAX, SampleBlock

PROTOCOL_VERSION = 4
MODEL_ID_BYTES = 8
HEAD_PIECE_BYTES_MAX = PAYLOAD_BYTES_MAX - 4  # HEAD_DATA and HEAD_WRITE: what follows the offset
SENSED_PER_FRAME_MAX = 20

_F32_MAX = float(np.finfo(np.float32).max)
ModelId = Annotated[bytes, Exactly(MODEL_ID_BYTES)]
Probability = Annotated[float, Number("f", "probability", 0.0, 1.0)]
Rate = Annotated[float, Number("f", "rate in Hz", 0.0, _F32_MAX)]
RateOrNone = Annotated[float | None, Number("f", "rate in Hz", 0.0, _F32_MAX, unknown=0.0)]
Novelty = Annotated[float, Number("f", "novelty", 0.0, _F32_MAX)]
GyroZero = Annotated[float, Number("f", "gyroscope's zero", -_F32_MAX, _F32_MAX)]
Celsius = Annotated[float | None, Number("f", "temperature", -_F32_MAX, _F32_MAX, unknown=nan)]


class MessageType(IntEnum):
    """`type` of a frame: below 0x80 from the host, from 0x80 on from the board."""

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
    RECENT = 0x11
    LABEL_RECENT = 0x12
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
    RECENT_REPLY = 0x91
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


class DecodeError(ExternalError):
    """A frame came whole and does not say what docs/PROTOCOL.md allows."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}: flash the firmware that belongs to this har")


class Message:
    """Base of every message. ``TYPE`` is that of its frame."""

    TYPE: ClassVar[MessageType]

    def __init_subclass__(cls, type: MessageType) -> None:
        cls.TYPE = type

    def encode(self) -> bytes:
        """The payload. Raises ValueError when a value does not fit its field."""
        return wire.encode(self)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Raises `DecodeError`."""
        try:
            message = wire.decode(cls, payload)
            message.check()
        except wire.Malformed as error:
            raise DecodeError(f"the {cls.TYPE.name} frame {error}") from None
        return message

    def check(self) -> None:
        """Raises `wire.Malformed` for fields that contradict each other."""


# ---- from the host -------------------------------------------------------------------------------


@dataclass(frozen=True)
class HelloRequest(Message, type=MessageType.HELLO):
    """``time_s``: Unix time, from which the board counts on; 0: unknown."""

    version: U8 = PROTOCOL_VERSION
    time_s: U32 = 0


@dataclass(frozen=True, eq=False)
class SamplesMessage(Message, type=MessageType.SAMPLES):
    """1 to 32 samples (n, 6) int16 in wire units, the first one numbered ``index``, taken at
    ``time_ms``. ``restart`` begins a new stream."""

    index: U32
    time_ms: U32
    restart: bool
    samples: Annotated[npt.NDArray[np.int16], SampleBlock("<i2", SAMPLES_PER_FRAME_MAX)]


@dataclass(frozen=True)
class LabelRequest(Message, type=MessageType.LABEL):
    """Teaches the window that ends with sample ``end_index``."""

    end_index: U32
    activity: U8


@dataclass(frozen=True)
class RecentRequest(Message, type=MessageType.RECENT):
    """Asks for the windows that the board keeps of the last ten seconds."""


@dataclass(frozen=True)
class LabelRecentRequest(Message, type=MessageType.LABEL_RECENT):
    """Teaches one of them; LEARNED names it by ``number``, too, in place of an index."""

    number: U32
    activity: U8


@dataclass(frozen=True)
class SaveRequest(Message, type=MessageType.SAVE):
    """Stores the head in use."""


@dataclass(frozen=True)
class HeadShowRequest(Message, type=MessageType.HEAD_SHOW):
    """Asks for HEAD_STATE."""


@dataclass(frozen=True)
class HeadResetRequest(Message, type=MessageType.HEAD_RESET):
    """Goes to the factory head."""


@dataclass(frozen=True)
class HeadRollbackRequest(Message, type=MessageType.HEAD_ROLLBACK):
    """Drops what is not saved, or goes to the record before the newest."""


@dataclass(frozen=True)
class HeadReadRequest(Message, type=MessageType.HEAD_READ):
    """Asks for bytes of the head in use."""

    offset: U32
    length: U16


@dataclass(frozen=True)
class HeadWriteRequest(Message, type=MessageType.HEAD_WRITE):
    """Fills the staging buffer."""

    offset: U32
    data: bytes


@dataclass(frozen=True)
class HeadCommitRequest(Message, type=MessageType.HEAD_COMMIT):
    """Stores what is staged, and makes it the head in use."""

    model_id: ModelId
    length: U32
    crc: U32


@dataclass(frozen=True)
class StatusRequest(Message, type=MessageType.STATUS):
    """Asks for the counters."""


@dataclass(frozen=True)
class ByeRequest(Message, type=MessageType.BYE):
    """Ends the session."""


@dataclass(frozen=True)
class UndoRequest(Message, type=MessageType.UNDO):
    """Takes the last label back."""


@dataclass(frozen=True)
class NameRequest(Message, type=MessageType.NAME):
    """Adds an activity that the model does not have."""

    name: str


@dataclass(frozen=True)
class SensorRequest(Message, type=MessageType.SENSOR):
    """Asks for the state of the board's own sensor; ``send``: its samples shall come as SENSED,
    until this is asked again without, or a new session begins."""

    send: bool


# ---- from the board ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hello(Message, type=MessageType.HELLO_REPLY):
    """HELLO_REPLY: who the board is. Window and hop in samples. Of its ``activities`` the first
    ``shipped`` are the model's, the others were added; there is room for ``rows``."""

    version: U8
    model_id: ModelId
    engine: Engine
    target: Target
    counter: Counter
    rate_hz: Rate
    window: U16
    hop: U16
    features: U16
    rows: U8
    shipped: U8
    activities: Annotated[tuple[str, ...], COUNTED]
    firmware_version: str

    @property
    def taught(self) -> tuple[str, ...]:
        """Names of the activities that the model does not have."""
        return self.activities[self.shipped :]

    @property
    def step(self) -> int:
        """Samples between windows that are judged and labelled: half a window, however much more
        often the board answers."""
        return self.hop * max(1, self.window // 2 // self.hop)

    def check(self) -> None:
        window, hop, named = self.window, self.hop, len(self.activities)
        require(1 <= self.rate_hz <= 10_000, f"has a rate of {self.rate_hz} Hz")
        require(1 <= hop <= window, f"has a window of {window} and a hop of {hop} samples")
        require(self.features >= 1, "has no features")
        require(
            1 <= self.shipped <= named <= self.rows,
            f"names {named} activities of {self.shipped} factory ones and room for {self.rows}",
        )
        distinct = len(set(self.activities)) == named and all(self.activities)
        require(distinct, "names activities that are empty or the same")


@dataclass(frozen=True)
class Prediction(Message, type=MessageType.PREDICTION):
    """PREDICTION: one window, named by its last sample. Counts in the unit of `Hello.counter`.

    ``activity`` and ``probabilities`` are the head's, of this window alone; ``smoothed`` and its
    probability take the windows before it into account. ``novelty`` is the window's distance from
    what is known of ``activity``, as a share of the limit.

    The frame does not say how many activities there are: compare with `Hello.activities`.
    """

    end_index: U32
    time_ms: U32
    activity: U8
    features_crc: U32
    engine_count: U32
    head_count: U32
    smoothed: U8
    smoothed_probability: Probability
    novelty: Novelty
    probabilities: tuple[Probability, ...]

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

    def check(self) -> None:
        activities = len(self.probabilities)
        for index in (self.activity, self.smoothed):
            require(index < activities, f"has activity {index} of {activities}")


@dataclass(frozen=True)
class Recent(Message, type=MessageType.RECENT_REPLY):
    """RECENT_REPLY: the windows that can be labelled, half a window apart and of any session, by
    how long ago their answers came, the newest first. ``number`` is the first one's; each has one
    less than that in front of it."""

    number: U32
    ages_ms: tuple[U32, ...]


@dataclass(frozen=True)
class Learned(Message, type=MessageType.LEARNED):
    """LEARNED: what one labelled window did to the learned head, whose probabilities of the label
    these are. ``serves``: predictions are now the learned head's, not the factory head's."""

    end_index: U32
    activity: U8
    outcome: Outcome
    serves: bool
    updates: U32
    probability_before: Probability
    probability_after: Probability
    head_crc: U32
    update_count: U32


@dataclass(frozen=True)
class HeadState(Message, type=MessageType.HEAD_STATE):
    """HEAD_STATE: where the head in use comes from and what it has learned.

    ``serves``: predictions are the learned head's, not the factory head's. ``sequence``: of the
    newest record in flash, 0 when there is none. ``held``: windows of the holdout, never learned,
    of which the active head gets ``held_right`` right; ``stored``, of ``capacity``: windows kept,
    as holdout or to be learned again. ``evidence``: mistakes of the factory head before the learned
    one may become active. Times are Unix times, 0 where unknown. ``labels`` by activity; ``taught``
    names those that the model does not have.
    """

    source: HeadSource
    serves: bool
    unsaved: bool
    can_undo: bool
    sequence: U32
    updates: U32
    head_crc: U32
    records: U8
    features: U16
    rows: U8
    guard: Guard
    held: U16
    held_right: U16
    stored: U16
    capacity: U16
    evidence: U16
    since_s: U32
    saved_s: U32
    labels: Annotated[tuple[U32, ...], COUNTED]
    taught: tuple[str, ...]

    @property
    def evidence_missing(self) -> int:
        """Mistakes of the factory head still needed before the learned one may be active."""
        return max(0, self.evidence - max(0, self.guard.judged - self.guard.shipped_right))

    def check(self) -> None:
        require(
            self.held_right <= self.held <= self.stored <= self.capacity,
            f"counts {self.held_right} right of {self.held} in the holdout, {self.stored} stored "
            f"of {self.capacity}",
        )
        named, activities = len(self.taught), len(self.labels)
        require(
            named < activities <= self.rows,
            f"has {named} names of {activities} activities in {self.rows} rows",
        )
        require(all(self.taught), "has an activity without a name")


@dataclass(frozen=True)
class HeadData(Message, type=MessageType.HEAD_DATA):
    """HEAD_DATA: a piece of the head in use, as docs/STORAGE.md lays out its payload."""

    offset: U32
    data: bytes


@dataclass(frozen=True)
class HeadWritten(Message, type=MessageType.HEAD_WRITTEN):
    """HEAD_WRITTEN: the staging buffer now holds bytes 0 .. ``end_offset`` - 1."""

    end_offset: U32


@dataclass(frozen=True)
class Status(Message, type=MessageType.STATUS_REPLY):
    """STATUS_REPLY: counters since boot, all modulo 2^32; stack in bytes, 0 where unknown."""

    uptime_ms: U32
    samples_received: U32
    samples_lost: U32
    windows: U32
    frames_bad: U32
    frames_dropped: U32
    stack_used: U32
    stack_size: U32


@dataclass(frozen=True)
class ByeReply(Message, type=MessageType.BYE_REPLY):
    """BYE_REPLY: text follows."""


@dataclass(frozen=True)
class Named(Message, type=MessageType.NAMED):
    """NAMED: the number of the activity that was added."""

    activity: U8


@dataclass(frozen=True)
class SensorState(Message, type=MessageType.SENSOR_STATE):
    """SENSOR_STATE: the board's own motion sensor, now. Counts since boot, modulo 2^32.

    ``sending``: its samples come as `Sensed` in this session. ``rate_hz``: measured against the
    board's clock, None as long as that takes; ``nominal_hz``: by its data sheet. ``gyro_zero``
    [rad/s] is the gyroscope's bias, subtracted from all samples once ``zero_known``. ``celsius``:
    of the processor. ``overruns``: times that the sensor dropped samples; ``bus_errors``: transfers
    that failed; ``saturated``: samples with an axis beyond its range; ``late``: samples that waited
    too long for the model.
    """

    sensor: Sensor
    trouble: SensorTrouble
    zero_known: bool
    sending: bool
    nominal_hz: Rate
    rate_hz: RateOrNone
    gyro_zero: tuple[GyroZero, GyroZero, GyroZero]
    celsius: Celsius
    overruns: U32
    bus_errors: U32
    saturated: U32
    late: U32

    @property
    def works(self) -> bool:
        """There is one, and it gives samples."""
        return self.sensor != Sensor.NONE and self.trouble == SensorTrouble.RIGHT

    def document(self) -> dict[str, Any]:
        """For JSON; the sensor and its trouble by name, in lower case."""
        return {
            **asdict(self),
            "sensor": self.sensor.name.lower(),
            "trouble": self.trouble.name.lower(),
            "gyro_zero": list(self.gyro_zero),
        }


@dataclass(frozen=True, eq=False)
class Sensed(Message, type=MessageType.SENSED):
    """SENSED: 1 to 20 samples (n, 6) float32 [ax ay az g, gx gy gz rad/s] of the board's own
    sensor, the very ones that its window took.

    ``index`` numbers the first one as `Prediction.end_index` does, ``time_ms`` is its time;
    ``lost``: samples that are missing just before it.
    """

    index: U32
    time_ms: U32
    lost: U32
    samples: Annotated[npt.NDArray[np.float32], SampleBlock("<f4", SENSED_PER_FRAME_MAX)]


@dataclass(frozen=True)
class ErrorReply(Message, type=MessageType.ERROR):
    """ERROR: why the board refused the request that had ``type`` and ``seq``."""

    type: U8
    seq: U16
    status: ErrorCode
    text: str

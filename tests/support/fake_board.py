"""A board in Python, and the wire to it: docs/PROTOCOL.md without any hardware.

The board is written from the document, not from the client: it keeps the memory of the last
request, drops repeated samples, counts gaps. Its model is plain: the probability of an activity
grows with what its labels taught, the shipped head is right when the label is what it sees, and the
learned one always. Every fourth label of an activity is held back.
"""

from __future__ import annotations

import time
import zlib
from collections import deque
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pipeline.board.errors import PortLost
from pipeline.core.errors import InputError
from pipeline.core.names import check_name
from pipeline.core.types import Array
from pipeline.head import Guard, Outcome, unpack, values_offset
from pipeline.head.memory import RECENT_WINDOWS
from pipeline.head.payload import LearnedHead, pack
from pipeline.protocol import messages as m
from pipeline.protocol.frames import Frame, FrameDecoder, encode_frame

MESSAGES = {int(declared.TYPE): declared for declared in m.Message.__subclasses__()}
MODEL_ID = bytes.fromhex("0123456789abcdef")
ACTIVITIES = ("walking", "sitting", "lying")
FEATURES = 100
ROWS = 5
CAPACITY = 8
EVIDENCE = 2
HOLD_EVERY = 4
SENSED_AT_ONCE = 10
NO_SENSOR = m.SensorState(
    sensor=m.Sensor.NONE,
    trouble=m.SensorTrouble.ABSENT,
    zero_known=False,
    sending=False,
    nominal_hz=0.0,
    rate_hz=None,
    gyro_zero=(0.0, 0.0, 0.0),
    celsius=None,
    overruns=0,
    bus_errors=0,
    saturated=0,
    late=0,
)
LSM9DS1 = replace(
    NO_SENSOR,
    sensor=m.Sensor.LSM9DS1,
    trouble=m.SensorTrouble.RIGHT,
    zero_known=True,
    nominal_hz=119.0,
    rate_hz=118.75,
    gyro_zero=(0.0625, -0.03125, 0.0),
    celsius=31.5,
)
HELLO = m.Hello(
    version=m.PROTOCOL_VERSION,
    model_id=MODEL_ID,
    engine=m.Engine.COMPILED,
    target=m.Target.HOST,
    counter=m.Counter.NANOSECONDS,
    rate_hz=50.0,
    window=128,
    hop=64,
    features=FEATURES,
    rows=ROWS,
    shipped=len(ACTIVITIES),
    activities=ACTIVITIES,
    firmware_version="fake",
)


class Refusal(Exception):
    def __init__(self, status: m.ErrorCode, text: str) -> None:
        self.status, self.text = status, text
        super().__init__(text)


@dataclass
class Learned:
    """All that labels change. `weights` are what a pushed head brought: they do nothing."""

    labels: list[int] = field(default_factory=lambda: [0] * ROWS)
    names: list[str] = field(default_factory=list)
    weights: Array = field(default_factory=lambda: np.zeros((ROWS, FEATURES), np.float32))
    guard: Guard = field(default_factory=Guard)
    held: int = 0
    stored: int = 0
    since_s: int = 0
    saved_s: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Learned) and self.key() == other.key()

    def key(self) -> tuple[object, ...]:
        return (tuple(self.labels), tuple(self.names), self.guard, self.weights.tobytes())


class FakeBoard:
    """Bytes in, bytes out. `outcomes` are what the next labels come to, instead of the usual.
    `sensor` is what SENSOR is answered with; `sensor_next` are the states that follow it, one a
    request, the last one for good."""

    def __init__(self, hello: m.Hello = HELLO, sensor: m.SensorState = LSM9DS1) -> None:
        self.hello = hello
        self.sensor = sensor
        self.sensor_next: deque[m.SensorState] = deque()
        self.framed = False
        self.executed: list[m.Message] = []
        self.head = Learned()
        self.saved = [deepcopy(self.head)]  # the shipped head, then every record
        self.before: Learned | None = None  # what undo goes back to
        self.outcomes: deque[Outcome] = deque()
        self.time_s = 0
        self.staged = b""
        self.received = self.lost = self.windows = self.sensed = 0
        self._decoder = FrameDecoder()
        self._memory: tuple[bytes, bytes] | None = None
        self._begin()

    @property
    def activities(self) -> tuple[str, ...]:
        return (*self.hello.activities, *self.head.names)

    @property
    def labels(self) -> list[int]:
        return self.head.labels[: len(self.activities)]

    @labels.setter
    def labels(self, labels: list[int]) -> None:
        """As if so many had been given."""
        self.head.labels[: len(labels)] = labels
        count = sum(labels)
        self.head.guard = replace(self.head.guard, judged=count, learned_right=count)

    def _begin(self) -> None:
        self.from_host = False
        self.sending = False
        self.held: list[tuple[int, int, Array]] = []  # index, lost before it, sample
        self.expected = 0
        self.window: list[Array] = []
        self.until_next = self.hello.window
        self.last_end: int | None = None
        self.last_seen: int | None = None

    def feed(self, data: bytes) -> bytes:
        return b"".join(self._handle(frame) for frame in self._decoder.push(data))

    def _handle(self, frame: Frame) -> bytes:
        if frame.type == m.MessageType.SAMPLES:
            if not self.framed:
                return self._error(frame, m.ErrorCode.STATE, "say HELLO first")
            return self._samples(m.SamplesMessage.decode(frame.payload))
        key = encode_frame(frame.type, frame.seq, frame.payload)
        if self._memory and self._memory[0] == key and frame.type != m.MessageType.HELLO:
            return self._memory[1]
        message = MESSAGES[frame.type].decode(frame.payload)
        try:
            if not self.framed and not isinstance(message, m.HelloRequest):
                raise Refusal(m.ErrorCode.STATE, "say HELLO first")
            reply = self._execute(message)
            answer = encode_frame(reply.TYPE, frame.seq, reply.encode())
        except Refusal as refusal:
            answer = self._error(frame, refusal.status, refusal.text)
        self._memory = (key, answer)
        return answer

    @staticmethod
    def _error(frame: Frame, status: m.ErrorCode, text: str) -> bytes:
        payload = m.ErrorReply(frame.type, frame.seq, status, text).encode()
        return encode_frame(m.MessageType.ERROR, frame.seq, payload)

    def _execute(self, message: m.Message) -> m.Message:
        self.executed.append(message)
        match message:
            case m.HelloRequest(version=version, time_s=time_s):
                if version != self.hello.version:
                    raise Refusal(m.ErrorCode.VERSION, f"this is version {self.hello.version}")
                self.framed = True
                self.time_s = time_s or self.time_s
                self._begin()
                return replace(self.hello, activities=self.activities)
            case m.ByeRequest():
                self.framed = False
                return m.ByeReply()
            case m.StatusRequest():
                return m.Status(0, self.received, self.lost, self.windows, 0, 0, 0, 0)
            case m.LabelRequest(end_index=end_index, activity=activity):
                return self._label(end_index, activity)
            case m.RecentRequest():
                period_ms = round(1000 * self.hello.hop / self.hello.rate_hz)
                kept = min(self.windows, RECENT_WINDOWS)
                return m.Recent(self.windows, tuple(i * period_ms for i in range(kept)))
            case m.LabelRecentRequest(number=number, activity=activity):
                if not 0 <= self.windows - number < min(self.windows, RECENT_WINDOWS):
                    raise Refusal(m.ErrorCode.STATE, "that window is gone")
                return self._learn(number, activity)
            case m.UndoRequest():
                if self.before is None:
                    raise Refusal(m.ErrorCode.STATE, "no label to take back")
                self.head, self.before = self.before, None
            case m.NameRequest(name=name):
                return self._name(name)
            case m.SensorRequest(send=send):
                state, self.sending, self.held = self.sensor, send, []
                if self.sensor_next:
                    self.sensor = self.sensor_next.popleft()
                return replace(state, sending=send)
            case m.SaveRequest():
                if self.unsaved:
                    self.head.saved_s = self.time_s
                    self.saved.append(deepcopy(self.head))
            case m.HeadResetRequest():
                never_stored = len(self.saved) == 1 and self.unsaved
                if self.saved[-1] != Learned() or never_stored:
                    self.saved.append(Learned())
                self._take(Learned())
            case m.HeadRollbackRequest():
                if len(self.saved) < (2 if self.unsaved else 3):
                    raise Refusal(m.ErrorCode.STATE, "nothing to roll back to")
                if self.unsaved:
                    self._take(self.saved[-1])
                else:
                    self._take(self.saved[-2])
                    self.saved.append(deepcopy(self.head))
            case m.HeadReadRequest(offset=offset, length=length):
                return m.HeadData(offset, self._head()[offset : offset + length])
            case m.HeadWriteRequest(offset=offset, data=data):
                if offset not in (0, len(self.staged)):
                    raise Refusal(m.ErrorCode.STATE, "pieces must follow each other")
                self.staged = self.staged[:offset] + data
                self.before = None
                return m.HeadWritten(len(self.staged))
            case m.HeadCommitRequest(model_id=model_id, length=length, crc=crc):
                if model_id != self.hello.model_id:
                    raise Refusal(m.ErrorCode.MODEL, "made for another model")
                if (length, crc) != (len(self.staged), zlib.crc32(self.staged)):
                    raise Refusal(m.ErrorCode.CRC, "the pieces are not that head")
                self._commit(unpack(self.staged, self.hello.shipped))
        return self._state()

    def _label(self, end_index: int, activity: int) -> m.Learned:
        if end_index != self.last_end:
            raise Refusal(m.ErrorCode.STATE, "that window is gone")
        return self._learn(end_index, activity)

    def _learn(self, named: int, activity: int) -> m.Learned:
        self.before = deepcopy(self.head)
        head, before = self.head, self.probabilities()[activity]
        head.labels[activity] += 1
        held = head.labels[activity] % HOLD_EVERY == 0
        outcome = Outcome.HELD_BACK if held else Outcome.LEARNED
        if self.outcomes:
            outcome = self.outcomes.popleft()
        head.since_s = head.since_s or self.time_s
        guard = head.guard
        head.guard = Guard(
            guard.judged + 1,
            guard.shipped_right + (activity == self.last_seen),
            guard.learned_right + 1,
            guard.undone + (outcome == Outcome.UNDONE),
        )
        if head.stored < CAPACITY and outcome != Outcome.UNDONE:
            head.stored += 1
            head.held += outcome == Outcome.HELD_BACK
        after, crc = self.probabilities()[activity], self._crc()
        updates = self.updates
        return m.Learned(named, activity, outcome, self.serves, updates, before, after, crc, 1)

    def _name(self, name: str) -> m.Named:
        try:
            check_name(name, self.activities)
        except InputError as error:
            raise Refusal(m.ErrorCode.ARGUMENT, str(error)) from None
        if len(self.activities) == self.hello.rows:
            raise Refusal(m.ErrorCode.STATE, "all 5 rows are taken")
        self.head.names.append(name)
        self.before = None
        return m.Named(len(self.activities) - 1)

    def _take(self, head: Learned) -> None:
        self.head, self.before = deepcopy(head), None

    def _commit(self, head: LearnedHead) -> None:
        weights = head.parameters[: ROWS * FEATURES].reshape(ROWS, FEATURES)
        taken = Learned(list(head.labels), list(head.names), weights, head.guard)
        taken.since_s, taken.saved_s = head.since_s, head.saved_s
        self._take(taken)
        self.saved.append(deepcopy(self.head))

    @property
    def updates(self) -> int:
        return sum(self.head.labels) - self.head.held - self.head.guard.undone

    @property
    def serves(self) -> bool:
        return (
            self.updates > 0 and self.head.guard.judged - self.head.guard.shipped_right >= EVIDENCE
        )

    @property
    def unsaved(self) -> bool:
        return self.head != self.saved[-1]

    def _head(self) -> bytes:
        head = self.head
        bias = np.array(head.labels, np.float32)
        return pack(
            LearnedHead(
                features=self.hello.features,
                shipped=self.hello.shipped,
                names=tuple(head.names),
                labels=tuple(head.labels),
                limits=np.ones(ROWS, np.float32),
                parameters=np.concatenate((head.weights.ravel(), bias)),
                updates=self.updates,
                exemplars=0,
                random=0,
                guard=head.guard,
                since_s=head.since_s,
                saved_s=head.saved_s,
                window_bytes=FEATURES,
                capacity=CAPACITY,
            )
        )

    def _crc(self) -> int:
        return zlib.crc32(self._head()[values_offset(ROWS, self.hello.shipped) :])

    def _state(self) -> m.HeadState:
        head = self.head
        learned = any(head.labels) or bool(head.names)
        return m.HeadState(
            source=m.HeadSource.LEARNED if learned else m.HeadSource.SHIPPED,
            serves=self.serves,
            unsaved=self.unsaved,
            can_undo=self.before is not None,
            sequence=len(self.saved) - 1,
            updates=self.updates,
            head_crc=self._crc(),
            records=len(self.saved) - 1,
            features=self.hello.features,
            rows=self.hello.rows,
            guard=head.guard,
            held=head.held,
            held_right=head.held,
            stored=head.stored,
            capacity=CAPACITY,
            evidence=EVIDENCE,
            since_s=head.since_s,
            saved_s=head.saved_s,
            labels=tuple(self.labels),
            taught=tuple(head.names),
        )

    def probabilities(self) -> tuple[float, ...]:
        shares = np.exp(np.array(self.labels, np.float64))
        return tuple(float(s) for s in (shares / shares.sum()).astype(np.float32))

    def _samples(self, message: m.SamplesMessage) -> bytes:
        self.from_host = True
        if message.restart:
            self._restart(message.index)
        out = b""
        for number, sample in enumerate(message.samples):
            index = (message.index + number) & 0xFFFFFFFF
            ahead = (index - self.expected) & 0xFFFFFFFF
            if ahead >= 1 << 31:
                continue
            if ahead:
                self.lost += ahead
                self._restart(index)
            out += self.take(index, sample)
        return out

    def _restart(self, index: int) -> None:
        self.expected = index
        self.window = []
        self.until_next = self.hello.window

    def sense(self, sample: Array, lost: int = 0) -> bytes:
        """One sample (6,) [g, rad/s] of the board's own sensor, behind `lost` that are missing."""
        if self.from_host:
            return b""
        out = b""
        if lost:
            out = self._send_held()
            self.lost += lost
            self._restart((self.expected + lost) & 0xFFFFFFFF)
        self.held.append((self.expected, lost, np.asarray(sample, np.float32)))
        predicted = self.take(self.expected, np.asarray(sample, np.float64) * 4096.0)
        if predicted or len(self.held) >= SENSED_AT_ONCE:
            out += self._send_held()
        return out + predicted

    def _send_held(self) -> bytes:
        held, self.held = self.held, []
        if not held or not (self.framed and self.sending):
            return b""
        index, lost, _ = held[0]
        samples = np.stack([sample for _, _, sample in held])
        time_ms = round(index * 1000 / self.hello.rate_hz) & 0xFFFFFFFF
        self.sensed += 1
        message = m.Sensed(index, time_ms, lost, samples)
        return encode_frame(message.TYPE, self.sensed & 0xFFFF, message.encode())

    def take(self, index: int, sample: Array) -> bytes:
        """One sample in wire units, from the host or the board's own sensor."""
        self.received += 1
        self.expected = (index + 1) & 0xFFFFFFFF
        self.window = [*self.window[-self.hello.window + 1 :], sample]
        self.until_next -= 1
        if self.until_next:
            return b""
        self.until_next = self.hello.hop
        self.windows += 1
        self.last_end = index
        return self.predict(index)

    def predict(self, index: int) -> bytes:
        # What it sees follows the first channel: its mean in steps of 1 g.
        mean = float(np.mean([s[0] for s in self.window])) / 4096.0
        names = self.activities
        activity = int(np.clip(round(mean), 0, len(names) - 1))
        self.last_seen = activity
        shares = tuple(float(i == activity) for i in range(len(names)))
        # Nobody is below -1 g; twice as far is twice as unknown.
        novelty = max(0.0, -mean)
        prediction = m.Prediction(index, 0, activity, 0, 1, 1, activity, 1.0, novelty, shares)
        if not self.framed:
            shown, share = prediction.shown(names)
            return f"{shown} {share:.2f}\n".encode()
        return encode_frame(m.MessageType.PREDICTION, self.windows & 0xFFFF, prediction.encode())


@dataclass
class Faults:
    """Decides, frame by frame, what the wire does to it: "drop", "duplicate", "corrupt", "delay"
    (it comes with the next one) or "" (nothing). `host` sees frames to the board, `board` those
    from it; each is called with the frame's number on that way."""

    host: Callable[[int], str] = lambda _: ""
    board: Callable[[int], str] = lambda _: ""


@dataclass
class FakeWire:
    """A `Transport` with a board behind it."""

    board: FakeBoard
    faults: Faults = field(default_factory=Faults)
    name: str = "fake"
    closed: bool = False
    unplugged: bool = False

    def __post_init__(self) -> None:
        self._counts = [0, 0]
        self._held = [b"", b""]
        self._to_board = b""
        self._to_host: deque[bytes] = deque()

    def write(self, data: bytes) -> None:
        self._check()
        *frames, self._to_board = (self._to_board + data).split(b"\x00")
        for frame in frames:
            for arrived in self._carry(0, frame + b"\x00", self.faults.host):
                for reply in self.board.feed(arrived).split(b"\x00")[:-1]:
                    self._to_host += self._carry(1, reply + b"\x00", self.faults.board)

    def read(self, timeout_s: float) -> bytes:
        self._check()
        data = b"".join(self._to_host)
        self._to_host.clear()
        if not data:
            time.sleep(min(timeout_s, 0.001))
        return data

    def close(self) -> None:
        self.closed = True

    def say(self, data: bytes) -> None:
        """The board speaks unasked."""
        self._to_host.append(data)

    def _check(self) -> None:
        if self.unplugged:
            raise PortLost(f"{self.name} is gone")

    def _carry(self, way: int, frame: bytes, fault: Callable[[int], str]) -> list[bytes]:
        if frame == b"\x00":
            return [frame]
        what = fault(self._counts[way])
        self._counts[way] += 1
        before, self._held[way] = self._held[way], b""
        if what == "delay":
            self._held[way] = before + frame
            return []
        if what == "corrupt":
            frame = bytes([frame[0], frame[1] % 255 + 1, *frame[2:]])
        copies = {"drop": 0, "duplicate": 2}.get(what, 1)
        return [before, *[frame] * copies]


def board_with(**changes: Any) -> FakeBoard:
    return FakeBoard(replace(HELLO, **changes))

"""A board in Python, and the wire to it: docs/PROTOCOL.md without any hardware.

The board is written from the document, not from the client: it keeps the memory of the last
request, drops repeated samples, counts gaps. Its model is plain: the probability of an activity
grows with what its labels taught.
"""

from __future__ import annotations

import time
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.device import messages as m
from pipeline.device.errors import PortLost
from pipeline.device.frames import FrameDecoder, encode_frame
from pipeline.learn import pack, unpack, weights_offset

MODEL_ID = bytes.fromhex("0123456789abcdef")
ACTIVITIES = ("walking", "sitting", "lying")
FEATURES = 100
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
    activities=ACTIVITIES,
    firmware_version="fake",
)


class Refusal(Exception):
    def __init__(self, status: m.ErrorCode, text: str) -> None:
        self.status, self.text = status, text
        super().__init__(text)


class FakeBoard:
    """Bytes in, bytes out."""

    def __init__(self, hello: m.Hello = HELLO) -> None:
        self.hello = hello
        self.framed = False
        self.executed: list[m.Message] = []
        self.labels = [0] * len(hello.activities)
        self.saved = [list(self.labels)]  # the shipped head, then every record
        self.staged = b""
        self.received = self.lost = self.windows = 0
        self.weights = np.zeros((len(hello.activities), hello.features), np.float32)
        self._decoder = FrameDecoder()
        self._memory: tuple[bytes, bytes] | None = None
        self._begin()

    def _begin(self) -> None:
        self.from_host = False
        self.expected = 0
        self.window: list[np.ndarray] = []
        self.until_next = self.hello.window
        self.last_end: int | None = None

    def feed(self, data: bytes) -> bytes:
        return b"".join(self._handle(frame) for frame in self._decoder.push(data))

    def _handle(self, frame) -> bytes:
        if frame.type == m.MessageType.SAMPLES:
            if not self.framed:
                return self._error(frame, m.ErrorCode.STATE, "say HELLO first")
            return self._samples(m.SamplesMessage.decode(frame.payload))
        key = encode_frame(frame.type, frame.seq, frame.payload)
        repeated = self._memory is not None and self._memory[0] == key
        if repeated and frame.type != m.MessageType.HELLO:
            return self._memory[1]
        message = m.decode_message(frame)
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
    def _error(frame, status: m.ErrorCode, text: str) -> bytes:
        payload = m.ErrorReply(frame.type, frame.seq, status, text).encode()
        return encode_frame(m.MessageType.ERROR, frame.seq, payload)

    def _execute(self, message: m.Message) -> m.Message:
        self.executed.append(message)
        match message:
            case m.HelloRequest(version=version):
                if version != self.hello.version:
                    raise Refusal(m.ErrorCode.VERSION, f"this is version {self.hello.version}")
                self.framed = True
                self._begin()
                return self.hello
            case m.ByeRequest():
                self.framed = False
                return m.ByeReply()
            case m.StatusRequest():
                return m.Status(0, self.received, self.lost, self.windows, 0, 0, 0, 0)
            case m.LabelRequest(end_index=end_index, activity=activity):
                if end_index != self.last_end:
                    raise Refusal(m.ErrorCode.STATE, "only the last window can be labelled")
                before = self.probabilities()[activity]
                self.labels[activity] += 1
                after = self.probabilities()[activity]
                crc = zlib.crc32(self._head()[weights_offset(len(self.labels)) :])
                return m.Learned(end_index, activity, sum(self.labels), before, after, crc, 1)
            case m.SaveRequest():
                if self.unsaved:
                    self.saved.append(list(self.labels))
            case m.HeadResetRequest():
                shipped = [0] * len(self.labels)
                never_stored = len(self.saved) == 1 and self.unsaved
                if self.saved[-1] != shipped or never_stored:
                    self.saved.append(shipped)
                self.labels = list(shipped)
            case m.HeadRollbackRequest():
                if len(self.saved) < (2 if self.unsaved else 3):
                    raise Refusal(m.ErrorCode.STATE, "nothing to roll back to")
                if self.unsaved:
                    self.labels = list(self.saved[-1])
                else:
                    self.labels = list(self.saved[-2])
                    self.saved.append(list(self.labels))
            case m.HeadReadRequest(offset=offset, length=length):
                return m.HeadData(offset, self._head()[offset : offset + length])
            case m.HeadWriteRequest(offset=offset, data=data):
                if offset not in (0, len(self.staged)):
                    raise Refusal(m.ErrorCode.STATE, "pieces must follow each other")
                self.staged = self.staged[:offset] + data
                return m.HeadWritten(len(self.staged))
            case m.HeadCommitRequest(model_id=model_id, length=length, crc=crc):
                if model_id != self.hello.model_id:
                    raise Refusal(m.ErrorCode.MODEL, "made for another model")
                if (length, crc) != (len(self.staged), zlib.crc32(self.staged)):
                    raise Refusal(m.ErrorCode.CRC, "the pieces are not that head")
                head = unpack(self.staged)
                self.labels, self.weights = list(head.labels), head.weights
                self.saved.append(list(self.labels))
        return self._state()

    @property
    def unsaved(self) -> bool:
        return self.labels != self.saved[-1]

    def _head(self) -> bytes:
        bias = np.array(self.labels, np.float32)
        limits = np.ones(len(self.labels), np.float32)
        return pack(self.weights, bias, sum(self.labels), tuple(self.labels), limits)

    def _state(self) -> m.HeadState:
        crc = zlib.crc32(self._head()[weights_offset(len(self.labels)) :])
        source = m.HeadSource.LEARNED if any(self.labels) else m.HeadSource.SHIPPED
        updates, features = sum(self.labels), self.hello.features
        records = len(self.saved) - 1
        labels = tuple(self.labels)
        return m.HeadState(source, self.unsaved, records, updates, crc, records, features, labels)

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

    def take(self, index: int, sample: np.ndarray) -> bytes:
        """One sample, from the host or the board's own IMU."""
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
        activity = int(np.clip(round(mean), 0, len(self.hello.activities) - 1))
        names = self.hello.activities
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


def board_with(**changes: object) -> FakeBoard:
    return FakeBoard(replace(HELLO, **changes))

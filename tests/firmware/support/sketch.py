"""The whole sketch (firmware/src/main.cpp) on this machine in scripted time, and a host or a
person at the other end of its USB line."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Frame
from tests.firmware.support.harness import FIRMWARE, ROOT, SUPPORT, Harness

BOARD = FIRMWARE / "boards" / "nano33ble"
PARTS = ("base", "link", "window", "head", "store", "engine", "app")
INCLUDES = [
    f"-I{FIRMWARE}",
    f"-I{SUPPORT}",
    f"-I{ROOT / 'tests' / 'stubs' / 'arduino'}",
]
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-funsigned-char", "-ffp-contract=off"]

# The sizes of the default model: windows of 2.56 s every 1.28 s, a record of seven pages.
T, HOP, STEPS, SHIPPED = 128, 64, 64, 6
RATE_HZ = 50.0
MODEL = [
    "-DHAR_TEST_LARGE",
    f"-DHAR_WINDOW_LENGTH={T}",
    f"-DHAR_WINDOW_HOP={HOP}",
    f"-DHAR_LEARNING_STEPS={STEPS}",
]
# What takes its scripted time: the processor's work, and packets on the wire.
TIMED = ("har_engine_run", "har_head_step", "har_board_write")

VERSION = 4
SENSOR, SENSOR_STATE, SENSED = 0x0F, 0x8F, 0x90
NONE, LSM9DS1, BMI270 = range(3)
RIGHT, ABSENT, BUS_STUCK, REFUSED, SILENT = range(5)
CHIP_HZ = {0: 1.0, 1: 119.0, 2: 100.0}
FIFO = {1: 32, 2: 170}  # samples


@dataclass(frozen=True)
class Sensed:
    index: int
    time_ms: int
    lost: int
    samples: np.ndarray  # float32 (n, 6)

    @property
    def end(self) -> int:
        """Index of the sample after the last one."""
        return self.index + len(self.samples)


def sensed(frame: Frame) -> Sensed:
    assert frame.type == SENSED
    index, time_ms, lost, count = struct.unpack_from("<IIIB", frame.payload)
    samples = np.frombuffer(frame.payload, "<f4", offset=13).reshape(-1, 6)
    assert len(samples) == count and 1 <= count <= 20
    return Sensed(index, time_ms, lost, samples)


def ramp(samples: np.ndarray) -> np.ndarray:
    """Which of the chip's own samples these are, or where between them: z counts."""
    return samples[:, 2] / (4 / 32768)


@dataclass(frozen=True)
class State:
    """SENSOR_STATE."""

    sensor: int
    trouble: int
    zero_known: bool
    sending: bool
    nominal_hz: float
    rate_hz: float
    gyro_zero: tuple[float, float, float]
    celsius: float
    overruns: int
    bus_errors: int
    saturated: int
    late: int


@dataclass
class Turns:
    """What the loop did meanwhile."""

    count: int = 0
    longest_us: int = 0


class Sketch:
    """A board that runs; what it sends while its port is open and read comes to the host."""

    def __init__(self, harness: Harness) -> None:
        self._ask = harness.ask
        self._rest = b""
        self._framed = False
        self._seq = 0
        self.lines: list[str] = []
        self.frames: list[Frame] = []

    def tell(self, *words: object) -> None:
        assert self._ask(*words) == ["ok"], words

    def boot(self, revision: int, rate_hz: float = 0.0, clock_us: int = 0) -> None:
        """Powers it up; the clock reads `clock_us` when setup() begins."""
        self.revision = revision
        self.rate_hz = rate_hz or CHIP_HZ[revision]
        self.tell("boot", revision, self.rate_hz, clock_us)

    def costs(self, what: str, us: int) -> None:
        """From now on `what` (turn, inference, step) takes so long."""
        self.tell("cost", what, us)

    def port(self, read: bool) -> None:
        """Whether someone has it open and reads, or it is closed, or open and nobody reads: those
        two are one to the board."""
        self.tell("port", int(read))

    def clock_us(self) -> int:
        return int(self._ask("clock")[0])

    def run(self, seconds: float) -> Turns:
        """loop() again and again for so long; what it sent goes into `lines` and `frames`."""
        words = self._ask("run", round(seconds * 1e6))
        self._take(bytes.fromhex(words[2]) if len(words) > 2 else b"")
        return Turns(int(words[0]), int(words[1]))

    def _take(self, data: bytes) -> None:
        *pieces, rest = (self._rest + data).split(b"\0")
        for piece in filter(None, pieces):
            body = wire.uncobs(piece)
            if len(body) >= 7 and zlib.crc32(body[:-4]) == struct.unpack("<I", body[-4:])[0]:
                kind, seq = struct.unpack_from("<BH", body)
                self.frames.append(Frame(kind, seq, body[3:-4]))
                if kind in (wire.HELLO_REPLY, wire.BYE_REPLY):
                    self._framed = kind == wire.HELLO_REPLY
            else:
                assert piece.endswith(b"\n"), piece
                self.lines += piece.decode().splitlines()
        if not self._framed and b"\n" in rest:
            whole, _, rest = rest.rpartition(b"\n")
            self.lines += whole.decode().splitlines()
        self._rest = rest

    def type(self, text: str) -> None:
        """Keys."""
        self.serial(text.encode())

    def serial(self, data: bytes) -> None:
        self.tell("send", data.hex())

    def ask(self, kind: int, payload: bytes = b"", within: float = 5.0) -> Frame:
        """The reply, waited for; what came before it is in `frames`, too."""
        self._seq = (self._seq + 1) % 65536
        self.serial(wire.frame(kind, self._seq, payload))
        at = len(self.frames)
        for _ in range(round(within / 0.02)):
            self.run(0.02)
            for frame in self.frames[at:]:
                if frame.seq == self._seq and frame.type in (kind + 0x80, 0x84, wire.ERROR):
                    return frame
        raise AssertionError(f"no reply to {kind} within {within} s")

    def hello(self) -> Frame:
        self.serial(b"\0")  # what was typed is no part of it
        reply = self.ask(wire.HELLO, struct.pack("<BI", VERSION, 0))
        assert reply.type == wire.HELLO_REPLY
        return reply

    def sensor(self, send: bool) -> State:
        reply = self.ask(SENSOR, bytes([send]))
        assert reply.type == SENSOR_STATE
        v = struct.unpack("<BB??6f4I", reply.payload)
        return State(*v[:6], v[6:9], *v[9:])

    def status(self) -> dict[str, int]:
        names = ("uptime", "received", "lost", "windows", "bad", "dropped")
        values = struct.unpack_from("<6I", self.ask(wire.STATUS).payload)
        return dict(zip(names, values, strict=True))

    def sensed(self) -> list[Sensed]:
        return [sensed(frame) for frame in self.frames if frame.type == SENSED]

    def predictions(self) -> list[tuple[int, int]]:
        """(end_index, time_ms)"""
        found = [frame for frame in self.frames if frame.type == wire.PREDICTION]
        return [struct.unpack_from("<II", frame.payload) for frame in found]

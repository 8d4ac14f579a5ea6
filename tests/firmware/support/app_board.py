"""The app as a process under AddressSanitizer and UBSan, and a host's end of docs/PROTOCOL.md that
is written from that page alone, but for HEAD_STATE: what that holds is declared once."""

from __future__ import annotations

import struct
import subprocess
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.protocol.messages import HeadState

ROOT = Path(__file__).resolve().parents[3]
FIRMWARE = ROOT / "firmware"
LIB = FIRMWARE / "lib"
SUPPORT = Path(__file__).resolve().parent
PARTS = ("base", "link", "window", "head", "store", "engine", "app")
INCLUDES = [f"-I{FIRMWARE}", f"-I{SUPPORT}"]
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off"]
SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]

FLASH_BYTES = 16 * 4096
FOREVER = 0xFFFFFFFF
MODEL_ID = bytes(range(1, 9))
OTHER_MODEL_ID = bytes(range(0x11, 0x19))

HELLO, SAMPLES, LABEL, SAVE, SHOW, RESET, ROLLBACK = range(1, 8)
READ, WRITE, COMMIT, STATUS, BYE, UNDO, NAME, SENSOR = range(8, 16)
HELLO_REPLY, PREDICTION, LEARNED, STATE, DATA, WRITTEN = 0x81, 0x82, 0x83, 0x84, 0x88, 0x89
STATUS_REPLY, BYE_REPLY, NAMED, ERROR = 0x8B, 0x8C, 0x8E, 0xFF
SENSOR_STATE, SENSED, RECENT_REPLY = 0x8F, 0x90, 0x91
RECENT, LABEL_RECENT = 0x11, 0x12
LEARNED_HERE, HELD_BACK, UNDONE = range(3)
PERIOD_MS = 20


def cobs(data: bytes) -> bytes:
    pieces = (data + b"\x00").split(b"\x00")[:-1]
    encoded = bytearray()
    for piece in pieces:
        while len(piece) >= 254:
            encoded += b"\xff" + piece[:254]
            piece = piece[254:]
        encoded += bytes([len(piece) + 1]) + piece
    return bytes(encoded)


def uncobs(data: bytes) -> bytes:
    decoded = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        decoded += data[at + 1 : at + code]
        at += code
        if code < 255 and at < len(data):
            decoded.append(0)
    return bytes(decoded)


def frame(kind: int, seq: int, payload: bytes = b"") -> bytes:
    body = struct.pack("<BH", kind, seq) + payload
    return cobs(body + struct.pack("<I", zlib.crc32(body))) + b"\x00"


@dataclass(frozen=True)
class Frame:
    type: int
    seq: int
    payload: bytes

    @property
    def status(self) -> int:
        """Of an ERROR."""
        assert self.type == ERROR
        return self.payload[3]

    @property
    def text(self) -> str:
        """Of an ERROR."""
        assert self.payload[4] == len(self.payload) - 5
        return self.payload[5:].decode()


def parse(data: bytes) -> list[Frame]:
    """All that stands between zeros; anything damaged is a failure of the test."""
    frames = []
    assert data == b"" or data.endswith(b"\x00")
    for piece in filter(None, data.split(b"\x00")):
        body = uncobs(piece)
        assert zlib.crc32(body[:-4]) == struct.unpack("<I", body[-4:])[0]
        kind, seq = struct.unpack_from("<BH", body)
        frames.append(Frame(kind, seq, body[3:-4]))
    return frames


def hello_payload(time_s: int = 0) -> bytes:
    return struct.pack("<BI", 4, time_s)


def samples_payload(index: int, wire: np.ndarray, restart: bool = False, time_ms: int = 0) -> bytes:
    head = struct.pack("<IIBB", index, time_ms, int(restart), len(wire))
    return head + wire.astype("<i2").tobytes()


def string(text: str) -> bytes:
    return bytes([len(text.encode())]) + text.encode()


def sensor_state(
    sensor: int,
    trouble: int,
    zero_known: bool = True,
    rate_hz: float = 118.7,
    celsius: float = 21.5,
    overruns: int = 0,
    saturated: int = 0,
) -> bytes:
    """struct har_sensor_state as it lies in memory; what is not said is made up."""
    return struct.pack(
        "<BB?x6f4I",
        *(sensor, trouble, zero_known, 119.0, rate_hz, 0.01, -0.02, 0.03, celsius),
        *(overruns, 7, saturated, 9),
    )


def head_state(frame: Frame, shipped: int = 3) -> dict[str, Any]:
    """HEAD_STATE of a model with so many shipped activities: its fields, the guard's among them."""
    assert frame.type == STATE, frame
    state = vars(HeadState.decode(frame.payload)).copy()
    assert len(state["labels"]) - len(state["taught"]) == shipped
    return state | asdict(state.pop("guard")) | {"activities": len(state["labels"])}


class Board:
    """A context manager; leaving it is a power cut, and the flash file stays.

    `banner` is the first line of its start, `said` what followed."""

    def __init__(self, program: Path, flash: Path, *arguments: str) -> None:
        if not flash.exists():
            flash.write_bytes(b"\xff" * FLASH_BYTES)
        self._command = [str(program), str(flash), *arguments]
        self.seq = 0
        self.banner = ""
        self.said = ""
        self.sensed_ms = 0

    def __enter__(self) -> Board:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=pipe)
        self.banner, _, self.said = self.serial().decode().partition("\n")
        return self

    def __exit__(self, *_: object) -> None:
        _, complaint = self._process.communicate()
        assert self._process.returncode == 0, complaint.decode()

    def tell(self, command: str, number: int) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + struct.pack("<I", number))
        self._process.stdin.flush()

    def _exchange(self, command: str, data: bytes) -> bytes:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(command.encode() + struct.pack("<I", len(data)) + data)
        self._process.stdin.flush()
        size = self._process.stdout.read(4)
        assert len(size) == 4, self._process.communicate()[1].decode()
        return self._process.stdout.read(struct.unpack("<I", size)[0])

    def serial(self, data: bytes = b"") -> bytes:
        """Bytes to the board; what it sent."""
        return self._exchange("r", data)

    def imu(self, samples: np.ndarray, lost: dict[int, int] | None = None) -> bytes:
        """Samples (n, 6) from its own sensor, `lost` of them missing before some; what it sent.

        They follow each other at the model's rate, the first of all at 0 ms."""
        data = bytearray()
        for n, sample in enumerate(samples.astype("<f4")):
            missing = (lost or {}).get(n, 0)
            self.sensed_ms += PERIOD_MS * missing
            data += sample.tobytes() + struct.pack("<II", self.sensed_ms, missing)
            self.sensed_ms += PERIOD_MS
        return self._exchange("i", bytes(data))

    def wait(self, ms: int) -> bytes:
        """What it sent when so much time had passed."""
        self.tell("m", ms)
        return self.serial()

    def watch(self) -> tuple[int, list[int]]:
        """How often it has collected, and what it has shown, since this was asked last."""
        answer = self._exchange("w", b"")
        return struct.unpack_from("<I", answer)[0], list(answer[4:])

    def send(self, kind: int, payload: bytes = b"", seq: int | None = None) -> list[Frame]:
        self.seq = (self.seq + 1) % 65536 if seq is None else seq
        return parse(self.serial(frame(kind, self.seq, payload)))

    def ask(self, kind: int, payload: bytes = b"", seq: int | None = None) -> Frame:
        """Exactly one answer, with the seq of the request."""
        (reply,) = self.send(kind, payload, seq)
        assert reply.seq == self.seq
        return reply

    def sensor(self, state: bytes) -> None:
        """Its sensor's state from now on, as `sensor_state` packs it."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"s" + struct.pack("<I", len(state)) + state)
        self._process.stdin.flush()

    def hello(self, time_s: int = 0) -> Frame:
        data = self.serial(b"\x00" + frame(HELLO, 7, hello_payload(time_s)))
        _text, _, frames = data.partition(b"\x00")
        (reply,) = parse(frames or data)  # no text before it when frames were already spoken
        return reply

"""Frames on the serial line: ``COBS(type u8 | seq u16 | payload | crc32 u32) 0x00``.

The twin of firmware/lib/link/har_frame.h; docs/PROTOCOL.md describes every byte. What the decoder
guarantees, whatever bytes arrive, stands there as G1 .. G7.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

__all__ = [
    "DELIMITER",
    "ENCODED_BYTES_MAX",
    "PAYLOAD_BYTES_MAX",
    "Frame",
    "FrameDecoder",
    "cobs_decode",
    "cobs_encode",
    "encode_frame",
]

DELIMITER = b"\x00"
PAYLOAD_BYTES_MAX = 512
_HEADER = struct.Struct("<BH")
_CRC = struct.Struct("<I")
_OVERHEAD_BYTES = _HEADER.size + _CRC.size
_RUN_BYTES_MAX = 254  # bytes without a 0x00 that one COBS group can carry

_RAW_BYTES_MAX = PAYLOAD_BYTES_MAX + _OVERHEAD_BYTES
ENCODED_BYTES_MAX = _RAW_BYTES_MAX + _RAW_BYTES_MAX // _RUN_BYTES_MAX + 1
"""Longest frame on the wire, without its 0x00: 522 bytes."""


@dataclass(frozen=True)
class Frame:
    """One frame whose CRC was right. ``type`` is a plain number: it may be an unknown one."""

    type: int
    seq: int
    payload: bytes


def cobs_encode(data: bytes) -> bytes:
    """Removes every 0x00 (Cheshire & Baker 1999). A final group of 254 bytes is not followed by
    an empty one."""
    out = bytearray()
    runs = data.split(b"\x00")
    for number, run in enumerate(runs):
        while len(run) > _RUN_BYTES_MAX:
            out.append(0xFF)
            out += run[:_RUN_BYTES_MAX]
            run = run[_RUN_BYTES_MAX:]
        out.append(len(run) + 1)
        out += run
        if len(run) == _RUN_BYTES_MAX and number < len(runs) - 1:
            out.append(1)  # a full group implies no 0x00 after it: an empty one does
    return bytes(out)


def cobs_decode(data: bytes) -> bytes:
    """Brings every 0x00 back. Raises ValueError when ``data`` is badly stuffed: empty, with a 0x00
    inside, or with a group that runs past the end."""
    if not data or 0 in data:
        raise ValueError("COBS data is empty or contains 0x00")
    out = bytearray()
    at = 0
    while at < len(data):
        end = at + data[at]
        if end > len(data):
            raise ValueError("a COBS group runs past the end")
        out += data[at + 1 : end]
        if data[at] != 0xFF and end < len(data):
            out.append(0)
        at = end
    return bytes(out)


def encode_frame(kind: int, seq: int, payload: bytes = b"") -> bytes:
    """One whole frame, its 0x00 included. Raises ValueError when the payload is longer than 512
    bytes or ``kind`` or ``seq`` does not fit."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise ValueError(f"a payload has at most {PAYLOAD_BYTES_MAX} bytes, not {len(payload)}")
    try:
        raw = _HEADER.pack(kind, seq) + payload
    except struct.error as error:
        raise ValueError(f"no frame has type {kind} and seq {seq}: {error}") from None
    return cobs_encode(raw + _CRC.pack(zlib.crc32(raw))) + DELIMITER


class FrameDecoder:
    """Finds the frames in a stream of bytes, however it is split.

    ``good`` counts frames yielded; ``bad`` counts what was dropped for being too short, too long,
    badly stuffed, or failing its CRC. Empty runs between two 0x00 are neither. Never raises, and
    keeps at most `ENCODED_BYTES_MAX` bytes.
    """

    def __init__(self) -> None:
        self.good = 0
        self.bad = 0
        self._pending = bytearray()
        self._overflowed = False

    def push(self, data: bytes) -> list[Frame]:
        """Takes bytes; returns the frames that they complete, in order."""
        frames = []
        *ended, rest = data.split(DELIMITER)
        for piece in ended:
            self._keep(piece)
            frame = self._finish()
            if frame is not None:
                frames.append(frame)
        self._keep(rest)
        return frames

    def _keep(self, piece: bytes) -> None:
        room = ENCODED_BYTES_MAX - len(self._pending)
        self._overflowed |= len(piece) > room
        self._pending += piece[:room]

    def _finish(self) -> Frame | None:
        encoded, overflowed = bytes(self._pending), self._overflowed
        self._pending.clear()
        self._overflowed = False
        if not encoded:
            return None
        frame = None if overflowed else _parse(encoded)
        if frame is None:
            self.bad += 1
        else:
            self.good += 1
        return frame


def _parse(encoded: bytes) -> Frame | None:
    try:
        raw = cobs_decode(encoded)
    except ValueError:
        return None
    if not _OVERHEAD_BYTES <= len(raw) <= _RAW_BYTES_MAX:
        return None
    body, crc = raw[: -_CRC.size], raw[-_CRC.size :]
    if _CRC.pack(zlib.crc32(body)) != crc:
        return None
    kind, seq = _HEADER.unpack_from(body)
    return Frame(kind, seq, body[_HEADER.size :])

"""What a test says to the app and, at the same time, to its twin (app_twin.py)."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from pipeline.head.payload import head_bytes, record_bytes
from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board, Frame
from tests.firmware.support.app_twin import (
    HOP,
    SMALL,
    Model,
    T,
    Twin,
    raw_samples,
)
from tests.support.flash_image import SlotLayout, newest, read_image

F, K, R = SMALL.shape.features, SMALL.shipped, SMALL.shape.rows
NAMES = SMALL.names
HEAD = head_bytes(SMALL.shape, K)
ARGUMENT, LENGTH, CRC, MODEL, VERSION, STATE, NOT_FINITE, FLASH = 1, 2, 3, 4, 5, 6, 7, 8
ENGINE, TYPE = 10, 11


def prediction(frame: Frame) -> tuple[int, int, int, int, np.ndarray]:
    """(end_index, time_ms, activity, features_crc, probabilities)"""
    assert frame.type == wire.PREDICTION
    end_index, time_ms, activity, crc = struct.unpack_from("<IIBI", frame.payload)
    return end_index, time_ms, activity, crc, np.frombuffer(frame.payload, "<f4", offset=30)


def behind(frame: Frame) -> tuple[int, float, float]:
    """(smoothed, smoothed_probability, novelty) of a PREDICTION."""
    return struct.unpack_from("<Bff", frame.payload, 21)


def status(board: Board) -> dict[str, int]:
    names = ("uptime", "received", "lost", "windows", "bad", "dropped", "stack_used", "stack_size")
    return dict(zip(names, struct.unpack("<8I", board.ask(wire.STATUS).payload), strict=True))


def stream(board: Board, raw: np.ndarray, start: int = 0, restart: bool = False) -> list[Frame]:
    frames = []
    for at in range(0, len(raw), 32):
        payload = wire.samples_payload(start + at, raw[at : at + 32], restart and at == 0)
        frames += board.send(wire.SAMPLES, payload)
    return frames


def next_window(board: Board, twin: Twin, seed: int) -> Frame:
    """A window apart, on both sides, which must agree to the bit."""
    raw = raw_samples(T, seed)
    (frame,) = stream(board, raw, twin.index, restart=True)
    twin.restart()
    ((end_index, crc, probabilities),) = twin.expect(raw)
    found = prediction(frame)
    assert found[:1] + found[2:4] == (end_index, int(probabilities.argmax()), crc)
    assert found[4].tobytes() == probabilities.tobytes()
    assert behind(frame) == twin.behind[-1]
    return frame


def learn(board: Board, twin: Twin, label: int) -> Frame:
    """Labels the last window on both sides, which must agree to the bit."""
    end = twin.index - 1 - (twin.index - T) % HOP
    reply = board.ask(wire.LABEL, struct.pack("<IB", end, label))
    outcome, before, after = twin.label(label)
    learner = twin.learner
    assert reply.type == wire.LEARNED
    assert reply.payload[:23] == struct.pack(
        "<IBBBIffI",
        *(end, label, outcome, learner.learned_active, learner.updates),
        *(before, after, twin.head.crc()),
    )
    assert struct.unpack("<I", reply.payload[23:])[0] > 0  # what it cost
    return reply


def name(board: Board, twin: Twin, text: str) -> int:
    """Adds an activity on both sides; its number."""
    reply = board.ask(wire.NAME, wire.string(text))
    assert reply.type == wire.NAMED
    twin.add(text)
    assert reply.payload == bytes([len(twin.names) - 1])
    return reply.payload[0]


def with_labels(board: Board, labels: list[int], twin: Twin | None = None) -> Twin:
    """Streams and teaches one window per label."""
    twin = Twin() if twin is None else twin
    for n, label in enumerate(labels):
        next_window(board, twin, n)
        learn(board, twin, label)
    return twin


def pull(board: Board, size: int = HEAD) -> bytes:
    pieces = [(at, min(100, size - at)) for at in range(0, size, 100)]
    replies = [board.ask(wire.READ, struct.pack("<IH", *piece)) for piece in pieces]
    for (at, _), reply in zip(pieces, replies, strict=True):
        assert reply.type == wire.DATA and struct.unpack_from("<I", reply.payload)[0] == at
    return b"".join(reply.payload[4:] for reply in replies)


def push(board: Board, payload: bytes, model_id: bytes = wire.MODEL_ID) -> Frame:
    for at in range(0, len(payload), 77):
        piece = payload[at : at + 77]
        reply = board.ask(wire.WRITE, struct.pack("<I", at) + piece)
        assert reply.type == wire.WRITTEN
        assert reply.payload == struct.pack("<I", at + len(piece))
    commit = model_id + struct.pack("<II", len(payload), zlib.crc32(payload))
    return board.ask(wire.COMMIT, commit)


def stored(flash: Path, model: Model = SMALL) -> bytes:
    """Payload of the newest record."""
    size = record_bytes(model.shape, model.shipped, model.capacity)
    layout = SlotLayout.of(wire.FLASH_BYTES, size, 4096)
    record = newest(read_image(flash.read_bytes(), layout), wire.MODEL_ID)
    assert record is not None
    return record.payload

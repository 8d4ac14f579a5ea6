"""The head of a board, copied from it and to it, in pieces that fit a frame."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from pipeline.board.errors import NoAnswer
from pipeline.core.errors import InputError
from pipeline.head import HEAD_START_BYTES, check_name, head_size, unpack, values_offset
from pipeline.protocol.messages import (
    HEAD_PIECE_BYTES_MAX,
    DecodeError,
    HeadData,
    HeadReadRequest,
    HeadWriteRequest,
    HeadWritten,
)

if TYPE_CHECKING:
    from pipeline.board.client import Client

HEAD_BYTES_MAX = 1 << 20  # far above what any board stores


def pull(client: Client) -> bytes:
    """The current head as the payload of docs/STORAGE.md, checked against the board's CRC.

    Raises `NoAnswer` when it changed meanwhile, `DecodeError` for one that is none.
    """
    state, shipped = client.head(), client.board.shipped
    payload = _read(client, 0, HEAD_START_BYTES)
    size = head_size(payload, shipped)
    if not HEAD_START_BYTES < size <= HEAD_BYTES_MAX:
        raise DecodeError(f"{client.port} tells of a head of {size} bytes")
    while len(payload) < size:
        payload += _read(client, len(payload), min(HEAD_PIECE_BYTES_MAX, size - len(payload)))
    if zlib.crc32(payload[values_offset(state.rows, shipped) :]) != state.head_crc:
        raise NoAnswer(f"the head on {client.port} changed while it was read: pull again")
    return payload


def stage(client: Client, payload: bytes) -> None:
    """Sends a head to the board, which keeps it aside until it is told to take it.

    Raises `InputError`, before anything is sent, for what is no head or none of this board's shape.
    """
    board = client.board
    head = unpack(payload, board.shipped)
    if (head.features, head.rows) != (board.features, board.rows):
        raise InputError(
            f"a head made for {head.features} features and {head.rows} activities, not "
            f"{board.features} and {board.rows}: use one of the same model"
        )
    for name in head.names:
        check_name(name, board.activities[: board.shipped])
    for offset in range(0, len(payload), HEAD_PIECE_BYTES_MAX):
        piece = payload[offset : offset + HEAD_PIECE_BYTES_MAX]
        client.request(HeadWriteRequest(offset, piece), HeadWritten)


def _read(client: Client, offset: int, size: int) -> bytes:
    piece = client.request(HeadReadRequest(offset, size), HeadData)
    if piece.offset != offset or len(piece.data) != size:
        raise NoAnswer(
            f"{client.port} sent another piece of its head than the one asked for: "
            "flash the firmware that belongs to this har"
        )
    return piece.data

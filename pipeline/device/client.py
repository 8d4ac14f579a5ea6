"""The host's end of docs/PROTOCOL.md.

No threads: whoever asks also listens, and predictions that arrive meanwhile wait in a queue. A
request without an answer is sent again under the same seq, which the board answers from memory, so
that nothing is executed twice.
"""

from __future__ import annotations

import os
import time
import zlib
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from pipeline.device import messages
from pipeline.device.errors import BoardRefused, NoAnswer, PortLost
from pipeline.device.frames import Frame, FrameDecoder, encode_frame
from pipeline.device.messages import (
    Hello,
    HeadState,
    Learned,
    MessageType,
    Prediction,
    Status,
)
from pipeline.device.transport import Transport, open_port
from pipeline.errors import HarError, HonestNo, InputError

if TYPE_CHECKING:
    from pipeline.device.stream import StreamResult

TIMEOUT_S = 2.0
ATTEMPTS = 5
PREDICTIONS_KEPT = 4096


class Client:
    """One board behind one `Transport`; use it as a context manager, so that it says BYE.

    `model_id` (8 bytes or 16 hex digits): refuse a board that runs another model. Each request
    waits `timeout_s` seconds for its answer and is sent up to `attempts` times.

    Methods raise `PortLost` or `NoAnswer` (both `WorldError`) when the board is gone or silent,
    and `BoardRefused` (an `HonestNo`) when it answers ERROR.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        model_id: bytes | str | None = None,
        timeout_s: float = TIMEOUT_S,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.timeout_s = timeout_s
        self.attempts = attempts
        self.next_index = 0  # of the sample that continues the last stream
        self.origin = 0  # where the board's window last started
        self._transport = transport
        self._model_id = bytes.fromhex(model_id) if isinstance(model_id, str) else model_id
        self._decoder = FrameDecoder()
        # A random start, so that a late answer to an earlier program is not taken for ours.
        self._seq = int.from_bytes(os.urandom(2), "little")
        self._hello: Hello | None = None
        self._replies: deque[Frame] = deque()
        self._predictions: deque[Prediction] = deque(maxlen=PREDICTIONS_KEPT)
        self._closed = False

    @classmethod
    def open(
        cls, port: str, *, model_id: bytes | str | None = None, timeout_s: float = TIMEOUT_S
    ) -> Self:
        """Opens a port (see `open_port`). Nothing is said on it before the first request."""
        return cls(open_port(port), model_id=model_id, timeout_s=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def port(self) -> str:
        """The port as a person would type it."""
        return self._transport.name

    @property
    def board(self) -> Hello:
        """Who is there; says HELLO if that has not happened yet."""
        return self._hello or self.hello()

    @property
    def frames_bad(self) -> int:
        """Frames from the board that came damaged and were dropped."""
        return self._decoder.bad

    # --- the conversation -------------------------------------------------------------------

    def hello(self, *, attempts: int | None = None) -> Hello:
        """Switches the board to frames and learns who it is.

        Raises `HonestNo` when it speaks another protocol version or runs another model than the
        one expected.
        """
        self._transport.write(b"\x00")  # ends whatever an earlier program left half-sent
        try:
            frame = self._request(
                MessageType.HELLO,
                bytes([messages.PROTOCOL_VERSION]),
                MessageType.HELLO_REPLY,
                "HELLO",
                attempts=attempts,
            )
        except BoardRefused as error:
            raise HonestNo(
                f"{self.port}: the board refused protocol version {messages.PROTOCOL_VERSION} "
                f"({error.text}): flash the firmware that belongs to this har"
            ) from None
        hello = self._parsed(Hello.parse, frame)
        if hello.version != messages.PROTOCOL_VERSION:
            raise HonestNo(
                f"{self.port} speaks protocol version {hello.version}, this har "
                f"{messages.PROTOCOL_VERSION}: flash the firmware that belongs to this har"
            )
        if self._model_id is not None and hello.model_id != self._model_id:
            raise HonestNo(
                f"{self.port} runs model {hello.model_id.hex()}, not {self._model_id.hex()}: "
                "flash this model, or use the bundle that the board was built from"
            )
        self._hello = hello
        return hello

    def status(self) -> Status:
        """Counters and stack use of the board. All that was sent before is then processed."""
        frame = self._request(MessageType.STATUS, b"", MessageType.STATUS_REPLY, "STATUS")
        return self._parsed(Status.parse, frame)

    def bye(self) -> None:
        """Back to text. A board that does not answer is left as it is."""
        self._transport.write(b"\x00")  # a Ctrl-C may have cut a frame in two
        self._request(MessageType.BYE, b"", MessageType.BYE_REPLY, "BYE", attempts=2)
        self._hello = None

    def close(self) -> None:
        """Says BYE if the board is still there, and gives the port back."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._hello is not None:
                self.bye()
        except HarError:
            pass  # best effort: whatever broke was reported where it broke
        finally:
            self._transport.close()

    # --- samples and predictions -------------------------------------------------------------

    def stream(
        self,
        samples: npt.NDArray[np.float32],
        *,
        restart: bool = True,
        start_index: int | None = None,
        on_prediction: Callable[[Prediction], None] | None = None,
    ) -> StreamResult:
        """Streams samples (n, 6) float32 [g, rad/s]; see `pipeline.device.stream.stream`."""
        from pipeline.device.stream import stream

        return stream(
            self, samples, restart=restart, start_index=start_index, on_prediction=on_prediction
        )

    def send_samples(self, index: int, raw: npt.NDArray[np.int16], *, restart: bool) -> None:
        """Sends one SAMPLES frame: at most 32 samples (n, 6) in wire units. Waits for nothing."""
        time_ms = round(index * 1000 / self.board.rate_hz) & 0xFFFFFFFF
        payload = messages.encode_samples(index & 0xFFFFFFFF, time_ms, raw, restart=restart)
        self._transport.write(encode_frame(MessageType.SAMPLES, self._next_seq(), payload))

    def prediction(self, timeout_s: float = 0.0) -> Prediction | None:
        """The oldest prediction not taken yet; waits at most `timeout_s` seconds for one."""
        deadline = time.monotonic() + timeout_s
        while not self._predictions:
            left = max(0.0, deadline - time.monotonic())
            if not self._listen(left) and left == 0.0:
                return None
        return self._predictions.popleft()

    # --- learning and heads ------------------------------------------------------------------

    def label(self, end_index: int, activity: str | int) -> Learned:
        """Teaches the board its last window, named by `end_index`."""
        number = self.activity_index(activity)
        payload = messages.encode_label(end_index, number)
        frame = self._request(MessageType.LABEL, payload, MessageType.LEARNED, "LABEL")
        return self._parsed(Learned.parse, frame)

    def activity_index(self, activity: str | int) -> int:
        """The board's number of an activity; `InputError` names those that it knows."""
        names = self.board.activities
        if isinstance(activity, str) and activity in names:
            return names.index(activity)
        if isinstance(activity, int) and 0 <= activity < len(names):
            return activity
        raise InputError(f"the board knows no activity {activity!r}; it knows {', '.join(names)}")

    def save(self) -> HeadState:
        """Writes the current head to flash, to survive power loss."""
        return self._head(MessageType.SAVE, "SAVE")

    def head(self) -> HeadState:
        """What the current head is and how it came to be."""
        return self._head(MessageType.HEAD_SHOW, "HEAD_SHOW")

    def head_reset(self) -> HeadState:
        """Back to the shipped head, for good."""
        return self._head(MessageType.HEAD_RESET, "HEAD_RESET")

    def head_rollback(self) -> HeadState:
        """Back to the record before the newest."""
        return self._head(MessageType.HEAD_ROLLBACK, "HEAD_ROLLBACK")

    def pull(self) -> bytes:
        """The current head as the payload of docs/STORAGE.md, checked against the board's CRC."""
        state = self.head()
        size = messages.head_payload_bytes(state.features, len(state.labels))
        payload = bytearray()
        while len(payload) < size:
            want = min(messages.HEAD_PIECE_BYTES, size - len(payload))
            request = messages.encode_head_read(len(payload), want)
            frame = self._request(
                MessageType.HEAD_READ, request, MessageType.HEAD_DATA, "HEAD_READ"
            )
            offset, piece = self._parsed(messages.parse_head_data, frame)
            if offset != len(payload) or len(piece) != want:
                raise NoAnswer(
                    f"{self.port} answered {len(piece)} bytes at {offset} of its head, not {want} "
                    f"at {len(payload)}: flash the firmware that belongs to this har"
                )
            payload += piece
        learned = zlib.crc32(payload[messages.head_weights_offset(len(state.labels)) :])
        if learned != state.tail_crc:
            raise HonestNo(
                f"the head read from {self.port} does not have the CRC that the board names: "
                "it changed meanwhile; pull again"
            )
        return bytes(payload)

    def push(self, payload: bytes) -> HeadState:
        """Makes `payload` (docs/STORAGE.md) the current head and stores it.

        Raises `InputError`, before anything is sent, when its size is not that of this board's
        model; the board itself checks the model id, the CRC and every value.
        """
        board = self.board
        size = messages.head_payload_bytes(board.features, len(board.activities))
        if len(payload) != size:
            raise InputError(
                f"a head for {self.port} ({board.features} features, {len(board.activities)} "
                f"activities) has {size} bytes, this one {len(payload)}: use one of the same model"
            )
        for offset in range(0, size, messages.HEAD_PIECE_BYTES):
            piece = payload[offset : offset + messages.HEAD_PIECE_BYTES]
            request = messages.encode_head_write(offset, piece)
            self._request(MessageType.HEAD_WRITE, request, MessageType.HEAD_WRITTEN, "HEAD_WRITE")
        commit = messages.encode_head_commit(board.model_id, size, zlib.crc32(payload))
        return self._head(MessageType.HEAD_COMMIT, "HEAD_COMMIT", commit)

    # --- below the messages ------------------------------------------------------------------

    def _head(self, kind: MessageType, doing: str, payload: bytes = b"") -> HeadState:
        frame = self._request(kind, payload, MessageType.HEAD_STATE, doing)
        return self._parsed(HeadState.parse, frame)

    def _request(
        self,
        kind: MessageType,
        payload: bytes,
        answer: MessageType,
        doing: str,
        *,
        attempts: int | None = None,
    ) -> Frame:
        if self._hello is None and kind not in (MessageType.HELLO, MessageType.BYE):
            self.hello()
        seq = self._next_seq()
        data = encode_frame(kind, seq, payload)
        self._replies.clear()
        for _ in range(attempts or self.attempts):
            self._transport.write(data)
            deadline = time.monotonic() + self.timeout_s
            while True:
                while self._replies:
                    frame = self._replies.popleft()
                    if frame.seq != seq:
                        continue  # a late or repeated answer to an earlier request
                    if frame.type == answer:
                        return frame
                    if frame.type == MessageType.ERROR:
                        error = self._parsed(messages.parse_error, frame)
                        raise BoardRefused(doing, error.status, error.text)
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._listen(left)
        raise NoAnswer(
            f"{self.port} does not answer {doing}: is the har firmware on it? "
            "Reset the board, then retry"
        )

    def _listen(self, timeout_s: float) -> bool:
        """Takes what has arrived; False when nothing came within `timeout_s` seconds."""
        data = self._transport.read(timeout_s)
        for frame in self._decoder.push(data):
            if frame.type == MessageType.PREDICTION:
                self._predictions.append(self._parsed(Prediction.parse, frame))
            else:
                self._replies.append(frame)
        return bool(data)

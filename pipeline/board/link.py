"""Requests and replies over one transport, and what the board sends unasked.

No threads: whoever asks also listens. A request without a reply is sent again under the same seq,
which the board answers from memory, so that nothing is executed twice. Every wait ends by the clock
whatever the board sends meanwhile, and what is kept for later is bounded.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TypeVar

from pipeline.board.errors import BoardRefused, NoAnswer
from pipeline.board.transport import Transport
from pipeline.protocol.frames import Frame, FrameDecoder, encode_frame
from pipeline.protocol.messages import ErrorReply, Message, MessageType, Prediction, Sensed

KEPT = 4096

Answer = TypeVar("Answer", bound=Message)
Unasked = TypeVar("Unasked", Prediction, Sensed)


class Link:
    """`predictions` and `sensed` wait here, the oldest first. Of each the newest `KEPT` are kept;
    their numbers show what is missing.

    ``greeted``: the board has answered HELLO. Until then what it sends is an earlier session's.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.greeted = False
        self.predictions: deque[Prediction] = deque(maxlen=KEPT)
        self.sensed: deque[Sensed] = deque(maxlen=KEPT)
        self._decoder = FrameDecoder()
        # A random start, so that a late reply to an earlier program is not taken for ours.
        self._seq = int.from_bytes(os.urandom(2), "little")
        self._awaited: tuple[int, MessageType] | None = None  # seq and type of the reply
        self._reply: Frame | None = None

    @property
    def frames_bad(self) -> int:
        """Frames from the board that came damaged and were dropped."""
        return self._decoder.bad

    def send(self, message: Message) -> None:
        """Sends `message` once and waits for nothing."""
        self.transport.write(encode_frame(message.TYPE, self._next_seq(), message.encode()))

    def request(
        self, message: Message, answer: type[Answer], *, timeout_s: float, attempts: int
    ) -> Answer:
        """Sends `message` up to `attempts` times, `timeout_s` seconds apart, until its `answer`
        comes, and returns that. Raises `NoAnswer` or `BoardRefused`."""
        seq = self._next_seq()
        data = encode_frame(message.TYPE, seq, message.encode())
        for _ in range(attempts):
            self._awaited, self._reply = (seq, answer.TYPE), None
            self.transport.write(data)
            deadline = time.monotonic() + timeout_s
            while self._reply is None and (left := deadline - time.monotonic()) > 0:
                self._listen(left)
            self._awaited = None
            if self._reply is None:
                continue
            if self._reply.type == MessageType.ERROR:
                raise _refused(ErrorReply.decode(self._reply.payload))
            return answer.decode(self._reply.payload)
        raise NoAnswer(
            f"{self.transport.name} does not answer {message.TYPE.name}: is the har firmware on "
            "it, and no other program on the port? Reset the board, then retry"
        )

    def oldest(self, queue: deque[Unasked], timeout_s: float) -> Unasked | None:
        """Takes the oldest of `predictions` or `sensed`; waits at most `timeout_s` seconds. At 0 it
        still takes in what has arrived, as much as one read gives."""
        deadline = time.monotonic() + timeout_s
        while not queue:
            self._listen(max(0.0, deadline - time.monotonic()))
            if not queue and time.monotonic() >= deadline:
                return None
        return queue.popleft()

    def _listen(self, timeout_s: float) -> None:
        """Takes in what has arrived; waits at most `timeout_s` seconds for some."""
        for frame in self._decoder.push(self.transport.read(timeout_s)):
            if frame.type == MessageType.PREDICTION:
                self.predictions.append(Prediction.decode(frame.payload))
            elif frame.type == MessageType.SENSED:
                self.sensed.append(Sensed.decode(frame.payload))
            else:
                self._look_at(frame)
                if self._awaited is not None and self._reply is None:
                    # Any other seq is a late or repeated reply to an earlier request.
                    seq, kind = self._awaited
                    if frame.seq == seq and frame.type in (kind, MessageType.ERROR):
                        self._reply = frame

    def _look_at(self, reply: Frame) -> None:
        if not self.greeted:
            if reply.type == MessageType.HELLO_REPLY:  # what came before is an earlier session's
                self.predictions.clear()
                self.sensed.clear()
        elif reply.type == MessageType.ERROR:
            error = ErrorReply.decode(reply.payload)
            if error.type == MessageType.SAMPLES:  # no request waits for an answer to these
                raise _refused(error)

    def _next_seq(self) -> int:
        self._seq = (self._seq + 1) & 0xFFFF
        return self._seq


def _refused(error: ErrorReply) -> BoardRefused:
    try:
        doing = MessageType(error.type).name
    except ValueError:
        doing = f"type {error.type:#04x}"
    return BoardRefused(doing, error.status, error.text)

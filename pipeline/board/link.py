"""Requests and answers over one transport, and what the board says unasked.

No threads: whoever asks also listens, and what arrives meanwhile waits in queues. A request without
an answer is sent again under the same seq, which the board answers from memory, so that nothing is
executed twice.
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
    """`predictions` and `sensed` wait here, the oldest first; the newest `KEPT` of each are kept.

    ``greeted``: the board has answered HELLO. Until then what it says is an earlier session's.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.greeted = False
        self.predictions: deque[Prediction] = deque(maxlen=KEPT)
        self.sensed: deque[Sensed] = deque(maxlen=KEPT)
        self._decoder = FrameDecoder()
        # A random start, so that a late answer to an earlier program is not taken for ours.
        self._seq = int.from_bytes(os.urandom(2), "little")
        self._replies: deque[Frame] = deque()

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
        self._replies.clear()
        for _ in range(attempts):
            self.transport.write(data)
            frame = self._await(seq, answer.TYPE, timeout_s)
            if frame is None:
                continue
            if frame.type == MessageType.ERROR:
                raise _refused(ErrorReply.decode(frame.payload))
            return answer.decode(frame.payload)
        raise NoAnswer(
            f"{self.transport.name} does not answer {message.TYPE.name}: is the har firmware on "
            "it, and no other program on the port? Reset the board, then retry"
        )

    def oldest(self, queue: deque[Unasked], timeout_s: float) -> Unasked | None:
        """Takes the oldest of `predictions` or `sensed`; waits at most `timeout_s` seconds."""
        deadline = time.monotonic() + timeout_s
        while not queue:
            left = max(0.0, deadline - time.monotonic())
            if not self._listen(left) and left == 0.0:
                return None
        return queue.popleft()

    def _await(self, seq: int, kind: MessageType, timeout_s: float) -> Frame | None:
        deadline = time.monotonic() + timeout_s
        while True:
            while self._replies:
                frame = self._replies.popleft()
                # Any other seq is a late or repeated answer to an earlier request.
                if frame.seq == seq and frame.type in (kind, MessageType.ERROR):
                    return frame
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._listen(left)

    def _listen(self, timeout_s: float) -> bool:
        """Takes what has arrived; False when nothing came within `timeout_s` seconds."""
        data = self.transport.read(timeout_s)
        for frame in self._decoder.push(data):
            if frame.type == MessageType.PREDICTION:
                self.predictions.append(Prediction.decode(frame.payload))
            elif frame.type == MessageType.SENSED:
                self.sensed.append(Sensed.decode(frame.payload))
            else:
                self._look_at(frame)
                self._replies.append(frame)
        return bool(data)

    def _look_at(self, reply: Frame) -> None:
        if not self.greeted:
            if reply.type == MessageType.HELLO_REPLY:  # what came before is an earlier session's
                self.predictions.clear()
                self.sensed.clear()
        elif reply.type == MessageType.ERROR:
            error = ErrorReply.decode(reply.payload)
            if error.type == MessageType.SAMPLES:  # nobody waits for an answer to these
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

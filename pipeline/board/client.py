"""The host's end of docs/PROTOCOL.md: what can be asked of a board, and what it sends unasked."""

from __future__ import annotations

import time
import zlib
from dataclasses import replace
from typing import Self

import numpy as np
import numpy.typing as npt

from pipeline.board.errors import BoardRefused, NoAnswer
from pipeline.board.link import Answer, Link
from pipeline.board.pace import PREDICTIONS_AHEAD, U32, Pace, StreamResult
from pipeline.board.ports import find_board
from pipeline.board.sensor_text import describe
from pipeline.board.transport import Transport, open_port
from pipeline.core.errors import CheckFailed, ExternalError, HarError, InputError
from pipeline.core.names import check_name
from pipeline.head import HEAD_START_BYTES, head_size, unpack, values_offset
from pipeline.protocol import messages
from pipeline.protocol.frames import DELIMITER
from pipeline.protocol.messages import (
    PROTOCOL_VERSION,
    DecodeError,
    HeadState,
    Hello,
    Learned,
    Message,
    MessageType,
    Prediction,
    Recent,
    Sensed,
    SensorState,
    Status,
)
from pipeline.protocol.samples import CHANNELS, SAMPLES_PER_FRAME_MAX, encode_samples

TIMEOUT_S = 2.0
ATTEMPTS = 5
GOODBYE_ATTEMPTS = 2
HEAD_BYTES_MAX = 1 << 20  # far above what any board stores


class Client:
    """One board on one `Transport`; use it as a context manager, so that it says BYE.

    `model_id` (8 bytes or 16 hex digits): refuse a board that runs another model. Each request
    waits `timeout_s` seconds for its answer and is sent up to `attempts` times.

    Methods raise `PortLost` or `NoAnswer` (both `ExternalError`) when the board is gone or silent,
    and `BoardRefused` (a `CheckFailed`) when it answers ERROR.
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
        self._next_index = 0  # number of the sample that continues the last stream
        self._origin: int | None = None  # where the last restart emptied the board's window
        self._link = Link(transport)
        self._model_id = _model_id(model_id)
        self._hello: Hello | None = None
        self._sensing = False  # the board was asked to send what its sensor measures
        self._closed = False

    @classmethod
    def open(
        cls, port: str | None, *, model_id: bytes | str | None = None, timeout_s: float = TIMEOUT_S
    ) -> Self:
        """Opens a port (see `open_port`), by default that of the one board on USB (see
        `find_board`). Nothing is sent on it before the first request."""
        name = find_board(None) if port is None else port
        return cls(open_port(name), model_id=model_id, timeout_s=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def port(self) -> str:
        """The port as a user would type it."""
        return self._link.transport.name

    @property
    def board(self) -> Hello:
        """Who is there, with the activities taught since; says HELLO if that has not happened
        yet."""
        return self._hello or self.hello()

    @property
    def frames_bad(self) -> int:
        """Frames from the board that came damaged and were dropped."""
        return self._link.frames_bad

    # ---- the session ---------------------------------------------------------------------------

    def hello(self, *, attempts: int | None = None) -> Hello:
        """Begins a session: frames, an empty window, samples numbered from 0. Tells who is there,
        and the board the Unix time.

        Raises `CheckFailed` when the board speaks another protocol version or runs another model
        than the one expected.
        """
        self._forget()
        self._link.transport.write(DELIMITER)  # ends whatever an earlier program left half-sent
        request = messages.HelloRequest(time_s=int(time.time()) & U32)
        try:
            hello = self.request(request, Hello, attempts=attempts)
        except BoardRefused as error:
            # Version 2 had a HELLO of another length.
            if error.status not in (messages.ErrorCode.VERSION, messages.ErrorCode.LENGTH):
                raise
            raise self._other_version(error.text) from None
        if hello.version != PROTOCOL_VERSION:
            raise self._other_version(f"it speaks {hello.version}")
        if self._model_id is not None and hello.model_id != self._model_id:
            raise CheckFailed(
                f"{self.port} runs model {hello.model_id.hex()}, not {self._model_id.hex()}: "
                "flash this model, or use the bundle that the board was built from"
            )
        self._hello = hello
        self._link.greeted = True
        self._next_index = 0
        self._origin = None
        return hello

    def status(self) -> Status:
        """The board's counters, after it has processed all that was sent before."""
        return self.request(messages.StatusRequest(), Status)

    def bye(self) -> None:
        """Ends the session: text again."""
        self._link.transport.write(DELIMITER)  # a Ctrl-C may have cut a frame in two
        self.request(messages.ByeRequest(), messages.ByeReply, attempts=GOODBYE_ATTEMPTS)
        self._forget()

    def close(self) -> None:
        """Says BYE if the board is still there, and gives the port back."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._hello is not None:
                self.bye()
        except HarError:
            pass  # whatever broke was reported where it broke
        finally:
            self._link.transport.close()

    # ---- samples and predictions ---------------------------------------------------------------

    def stream(self, samples: npt.NDArray[np.float32], *, restart: bool = True) -> StreamResult:
        """Streams samples (n, 6) float32 [ax ay az g, gx gy gz rad/s] and collects the predictions.

        `restart` empties the board's window first. Samples are numbered on from the last stream: so
        an `end_index` names one window of the whole session, and a LABEL can never mean another.

        Raises `InputError` for a wrong shape or values that are not finite, before anything is
        sent; `PortLost` or `NoAnswer` when the board is gone or silent.
        """
        wire, saturated = encode_samples(samples)
        if self._origin is None:
            # From a host's first sample on, a board no longer listens to its own sensor. The stream
            # that follows restarts, so that this sample reaches no window.
            self._send_samples(0, np.zeros((1, CHANNELS), np.int16), restart=True)
            restart = True
        start = self._next_index
        if restart:
            self._origin = start
        before = self.status()
        self._link.predictions.clear()  # of samples before these
        board = self.board
        pace = Pace(start, len(wire), self._origin or 0, board.window, board.hop)
        for at in range(0, len(wire), SAMPLES_PER_FRAME_MAX):
            piece = wire[at : at + SAMPLES_PER_FRAME_MAX]
            self._send_samples(start + at, piece, restart=restart and at == 0)
            self._next_index = start + at + len(piece)
            self._keep_pace(pace)
        after = self.status()  # answered in order: what has not come by now never will
        self._collect(pace, 0.0)
        gaps = (after.samples_lost - before.samples_lost) & U32
        # The loss of a stream's last samples leaves no gap that the board could see.
        unseen = len(wire) - ((after.samples_received - before.samples_received) & U32)
        return StreamResult(
            start_index=start,
            predictions=tuple(pace.predictions),
            samples_sent=len(wire),
            saturated=saturated,
            samples_lost=max(gaps, unseen, 0),
            predictions_missing=max(0, pace.expected - len(pace.predictions)),
        )

    def _keep_pace(self, pace: Pace) -> None:
        """Holds the sender back while too many predictions are due."""
        self._collect(pace, 0.0)
        while pace.due(self._next_index) > PREDICTIONS_AHEAD:
            if not self._collect(pace, self.timeout_s):
                self.status()  # answered in order: predictions still due were lost
                self._collect(pace, 0.0)
                pace.give_up(self._next_index)

    def _collect(self, pace: Pace, timeout_s: float) -> bool:
        """Takes the predictions that are there; waits at most `timeout_s` seconds for one of this
        stream. False when there was none."""
        deadline = time.monotonic() + timeout_s
        accepted = False
        while True:
            left = 0.0 if accepted else max(0.0, deadline - time.monotonic())
            prediction = self.prediction(left)
            if prediction is not None:
                accepted |= pace.accept(prediction)
            if prediction is None or (not self._link.predictions and (accepted or left == 0.0)):
                return accepted

    def _send_samples(self, index: int, wire: npt.NDArray[np.int16], *, restart: bool) -> None:
        """Sends one SAMPLES frame, 1 to 32 samples (n, 6) in wire units, and waits for nothing."""
        time_ms = round(index * 1000 / self.board.rate_hz)
        self._link.send(messages.SamplesMessage(index & U32, time_ms & U32, restart, wire))

    def prediction(self, timeout_s: float = 0.0) -> Prediction | None:
        """The oldest prediction not taken yet; waits at most `timeout_s` seconds for one."""
        prediction = self._link.oldest(self._link.predictions, timeout_s)
        if prediction is not None and self._hello is not None:
            found, named = len(prediction.probabilities), len(self._hello.activities)
            if found != named:
                raise DecodeError(
                    f"{self.port}: a prediction over {found} activities from a board that named "
                    f"{named}"
                )
        return prediction

    # ---- the board's own sensor ----------------------------------------------------------------

    def sensor(self, send: bool | None = None) -> SensorState:
        """What the board's own motion sensor says of itself. `send`: from now on its samples shall
        come (see `sensed`), or come no more; None keeps what is. A new session begins without."""
        wanted = self._sensing and self._hello is not None if send is None else send
        state = self.request(messages.SensorRequest(wanted), SensorState)
        self._sensing = wanted
        return state

    def require_sensor(
        self, verb: str = "learn live", remedy: str = "label a recording instead (--csv)"
    ) -> SensorState:
        """The state of the board's own motion sensor. Raises `ExternalError`, which says that the
        board cannot ``verb`` and what to do, when it does not work."""
        state = self.sensor()
        if not state.works:
            raise ExternalError(f"{self.port} cannot {verb}: {describe(state)}; {remedy}")
        return state

    def sensed(self, timeout_s: float = 0.0) -> Sensed | None:
        """The oldest samples of the board's own sensor not taken yet; waits at most `timeout_s`
        seconds for some. The samples of a window come before its prediction."""
        return self._link.oldest(self._link.sensed, timeout_s)

    # ---- learning and heads --------------------------------------------------------------------

    def label(self, end_index: int, activity: str | int) -> Learned:
        """Teaches the board a window of this session and of the last ten seconds, named by
        `end_index`."""
        number = self.activity_index(activity)
        return self.request(messages.LabelRequest(end_index & U32, number), Learned)

    def recent(self) -> Recent:
        """The windows that the board keeps of the last ten seconds, of any session."""
        return self.request(messages.RecentRequest(), Recent)

    def label_recent(self, number: int, activity: str | int) -> Learned:
        """Teaches the board one of them. Raises `BoardRefused` when it is gone."""
        index = self.activity_index(activity)
        return self.request(messages.LabelRecentRequest(number & U32, index), Learned)

    def undo(self) -> HeadState:
        """Takes the last label back, whole; once."""
        return self._head_state(messages.UndoRequest())

    def name(self, activity: str) -> int:
        """Adds an activity that the model never had, to be labelled from now on; its number.

        Raises `InputError` for an invalid name or one that the board knows already, `CheckFailed`
        when every row is taken.
        """
        board = self.board
        check_name(activity, board.activities)
        if len(board.activities) >= board.rows:
            taught = ", ".join(board.taught) or "none, this model has no spare rows"
            raise CheckFailed(
                f"{self.port} has no room for {activity!r}; added so far: {taught}; "
                "`har head reset` forgets these, `har quantize --spare` makes more room"
            )
        number = self.request(messages.NameRequest(activity), messages.Named).activity
        if number != len(board.activities):
            raise DecodeError(
                f"{self.port} gave {activity!r} the number {number}, not {len(board.activities)}"
            )
        self._taught((*board.taught, activity))
        return number

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
        return self._head_state(messages.SaveRequest())

    def head(self) -> HeadState:
        """What the current head is and how it came to be."""
        return self._head_state(messages.HeadShowRequest())

    def head_reset(self) -> HeadState:
        """Back to the factory head, for good."""
        return self._head_state(messages.HeadResetRequest())

    def head_rollback(self) -> HeadState:
        """Back to the newest record if something is unsaved, else to the one before."""
        return self._head_state(messages.HeadRollbackRequest())

    def pull(self) -> bytes:
        """The current head as the payload of docs/STORAGE.md, checked against the board's CRC.

        Raises `NoAnswer` when it changed meanwhile, `DecodeError` for an invalid one.
        """
        state, shipped = self.head(), self.board.shipped
        payload = self._read_head(0, HEAD_START_BYTES)
        size = head_size(payload, shipped)
        if not HEAD_START_BYTES < size <= HEAD_BYTES_MAX:
            raise DecodeError(f"{self.port} names a head of {size} bytes")
        while len(payload) < size:
            piece = min(messages.HEAD_PIECE_BYTES_MAX, size - len(payload))
            payload += self._read_head(len(payload), piece)
        if zlib.crc32(payload[values_offset(state.rows, shipped) :]) != state.head_crc:
            raise NoAnswer(f"the head on {self.port} changed while it was read: pull again")
        return payload

    def _read_head(self, offset: int, size: int) -> bytes:
        piece = self.request(messages.HeadReadRequest(offset, size), messages.HeadData)
        if piece.offset != offset or len(piece.data) != size:
            raise DecodeError(f"{self.port} sent another piece of its head than was asked for")
        return piece.data

    def push(self, payload: bytes) -> HeadState:
        """Makes `payload` (docs/STORAGE.md) the current head and stores it.

        Raises `InputError`, before anything of it is sent, for an invalid head or one of another
        shape; the board checks all of it again, and the CRC, before it changes.
        """
        board = self.board
        head = unpack(payload, board.shipped)
        if (head.features, head.rows) != (board.features, board.rows):
            raise InputError(
                f"a head made for {head.features} features and {head.rows} activities, not "
                f"{board.features} and {board.rows}: use one of the same model"
            )
        for name in head.names:
            check_name(name, board.activities[: board.shipped])
        for offset in range(0, len(payload), messages.HEAD_PIECE_BYTES_MAX):
            piece = payload[offset : offset + messages.HEAD_PIECE_BYTES_MAX]
            self.request(messages.HeadWriteRequest(offset, piece), messages.HeadWritten)
        crc = zlib.crc32(payload)
        return self._head_state(messages.HeadCommitRequest(board.model_id, len(payload), crc))

    def _head_state(self, request: Message) -> HeadState:
        """Raises `DecodeError` for the state of another head than HELLO described."""
        state = self.request(request, HeadState)
        board = self.board
        expected = (board.features, board.rows, board.shipped)
        found = (state.features, state.rows, len(state.labels) - len(state.taught))
        if found != expected:
            raise DecodeError(
                f"{self.port}: a head over {found[0]} features with {found[2]} of {found[1]} rows "
                f"used, from a board of {expected[0]}, {expected[2]} and {expected[1]}"
            )
        self._taught(state.taught)
        return state

    def _taught(self, names: tuple[str, ...]) -> None:
        """The board now knows these activities in addition to the model's."""
        board = self.board
        activities = (*board.activities[: board.shipped], *names)
        if activities == board.activities:
            return
        if len(set(activities)) != len(activities):
            raise DecodeError(f"{self.port} names an activity twice")
        self._hello = replace(board, activities=activities)
        self._link.predictions.clear()  # of other activities

    # ---- below the messages --------------------------------------------------------------------

    def request(
        self, message: Message, answer: type[Answer], *, attempts: int | None = None
    ) -> Answer:
        """Sends `message` until its `answer` comes, and returns that; says HELLO first if nobody
        did."""
        if self._hello is None and message.TYPE != MessageType.HELLO:
            self.hello()
        return self._link.request(
            message, answer, timeout_s=self.timeout_s, attempts=attempts or self.attempts
        )

    def _forget(self) -> None:
        """No session: what is said before the next HELLO_REPLY belongs to none."""
        self._hello = None
        self._link.greeted = False
        self._sensing = False

    def _other_version(self, how: str) -> CheckFailed:
        return CheckFailed(
            f"{self.port} does not speak protocol version {PROTOCOL_VERSION} ({how}): "
            "flash the firmware that belongs to this har"
        )


def _model_id(model_id: bytes | str | None) -> bytes | None:
    try:
        given = bytes.fromhex(model_id) if isinstance(model_id, str) else model_id
    except ValueError:
        given = b""
    if given is not None and len(given) != messages.MODEL_ID_BYTES:
        raise InputError(f"{model_id!r} is not a model id: give 16 hexadecimal digits")
    return given

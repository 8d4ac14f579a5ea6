"""Streams samples to a board, no faster than its predictions come back, and counts every loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.protocol.samples import CHANNELS, SAMPLES_PER_FRAME_MAX, encode_samples

if TYPE_CHECKING:
    from pipeline.board.client import Client
    from pipeline.protocol.messages import Prediction

# Predictions that may be on their way at once: enough to keep the line busy, little enough
# that no buffer between here and the board fills up.
PREDICTIONS_AHEAD = 4
U32 = 0xFFFFFFFF


@dataclass(frozen=True)
class StreamResult:
    """What one stream gave.

    `predictions` in order, each once. `saturated` counts values beyond what the wire can carry
    (+-8 g, +-40.96 rad/s), which were sent clipped. `samples_lost` never reached a window: lost on
    the way, as the board counts. `predictions_missing` were due and did not come.
    """

    start_index: int
    predictions: tuple[Prediction, ...]
    samples_sent: int
    saturated: int
    samples_lost: int
    predictions_missing: int


def stream(
    client: Client,
    samples: npt.NDArray[np.float32],
    *,
    restart: bool = True,
    start_index: int | None = None,
    on_prediction: Callable[[Prediction], None] | None = None,
) -> StreamResult:
    """Streams samples (n, 6) float32 [ax ay az g, gx gy gz rad/s] and collects the predictions.

    `restart` empties the board's window first. Samples are numbered from `start_index`, by default
    on from the last stream: so an `end_index` names one window of the whole session, and a LABEL
    can never mean another.

    Raises `InputError` for a wrong shape or values that are not finite, before anything is sent;
    `PortLost` or `NoAnswer` when the board is gone or silent.
    """
    wire, saturated = encode_samples(samples)
    if client.origin is None:
        _silence_imu(client)
        restart = True
    start = client.next_index if start_index is None else start_index
    if restart:
        client.origin = start
    elif start != client.next_index:
        raise InputError(
            f"a stream that does not restart goes on at sample {client.next_index}, not {start}"
        )
    before = client.status()
    while client.prediction() is not None:
        pass  # of samples before these
    pace = _Pace(client, start, len(wire), on_prediction)
    for at in range(0, len(wire), SAMPLES_PER_FRAME_MAX):
        piece = wire[at : at + SAMPLES_PER_FRAME_MAX]
        client.send_samples(start + at, piece, restart=restart and at == 0)
        client.next_index = start + at + len(piece)
        pace.keep(client.next_index)
    after = client.status()  # answered in order: what has not come by now never will
    pace.take(0.0)
    gaps = (after.samples_lost - before.samples_lost) & U32
    # The loss of a stream's last samples leaves no gap that the board could see.
    unseen = len(wire) - ((after.samples_received - before.samples_received) & U32)
    due = pace.windows(start, start + len(wire))
    return StreamResult(
        start_index=start,
        predictions=tuple(pace.predictions),
        samples_sent=len(wire),
        saturated=saturated,
        samples_lost=max(gaps, unseen, 0),
        predictions_missing=max(0, due - len(pace.predictions)),
    )


def _silence_imu(client: Client) -> None:
    # From the first sample of a host on, a board listens to its own IMU no more. The stream that
    # follows restarts, so that this sample reaches no window.
    client.send_samples(0, np.zeros((1, CHANNELS), np.int16), restart=True)


class _Pace:
    """Holds the sender back while too many predictions are due."""

    def __init__(
        self,
        client: Client,
        start: int,
        size: int,
        on_prediction: Callable[[Prediction], None] | None,
    ) -> None:
        self.predictions: list[Prediction] = []
        self._client = client
        self._start = start
        self._size = size
        self._on_prediction = on_prediction
        self._answered = start  # samples before this one await no prediction any more

    def keep(self, sent: int) -> None:
        """Returns when at most `PREDICTIONS_AHEAD` predictions of the samples sent are due."""
        self.take(0.0)
        while self.windows(self._answered, sent) > PREDICTIONS_AHEAD:
            if not self.take(self._client.timeout_s):
                self._client.status()  # answered in order: predictions still due were lost
                self.take(0.0)
                self._answered = sent

    def take(self, timeout_s: float) -> bool:
        """Takes the predictions that are there; True when there was one."""
        any_came = False
        prediction = self._client.prediction(timeout_s)
        while prediction is not None:
            any_came = True
            self._accept(prediction)
            prediction = self._client.prediction(0.0)
        return any_came

    def _accept(self, prediction: Prediction) -> None:
        at = (prediction.end_index - self._start) & U32
        if at >= self._size or self._start + at < self._answered:
            return  # of an earlier stream, or a repetition
        self._answered = self._start + at + 1
        self.predictions.append(prediction)
        if self._on_prediction is not None:
            self._on_prediction(prediction)

    def windows(self, since: int, until: int) -> int:
        """Windows that end with one of the samples `since` .. `until` - 1."""
        board, origin = self._client.board, self._client.origin or 0
        return _windows_by(until - origin, board.window, board.hop) - _windows_by(
            since - origin, board.window, board.hop
        )


def _windows_by(samples: int, window: int, hop: int) -> int:
    """Windows that the first `samples` after a restart complete."""
    return 0 if samples < window else 1 + (samples - window) // hop

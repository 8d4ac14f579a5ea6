"""Which predictions of a stream are due: the arithmetic of `Client.stream`."""

from __future__ import annotations

from dataclasses import dataclass

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


class Pace:
    """Of one stream: `size` samples from number `start` on, to a board whose window of `window`
    samples was emptied before sample `origin` and ends every `hop` samples."""

    def __init__(self, start: int, size: int, origin: int, window: int, hop: int) -> None:
        self.predictions: list[Prediction] = []
        self._start, self._size, self._origin = start, size, origin
        self._window, self._hop = window, hop
        self._answered = start  # no prediction of an earlier sample is awaited
        self.expected = self._by(start + size) - self._by(start)

    def due(self, sent: int) -> int:
        """Predictions that are still to come of the samples before number `sent`."""
        return self._by(sent) - self._by(self._answered)

    def accept(self, prediction: Prediction) -> bool:
        """Keeps it, unless it is of an earlier stream, or a repetition."""
        at = (prediction.end_index - self._start) & U32
        if at >= self._size or self._start + at < self._answered:
            return False
        self._answered = self._start + at + 1
        self.predictions.append(prediction)
        return True

    def give_up(self, sent: int) -> None:
        """Awaits no prediction of the samples before number `sent` any more."""
        self._answered = sent

    def _by(self, index: int) -> int:
        """Windows that the samples before number `index` complete."""
        samples = index - self._origin
        return 0 if samples < self._window else 1 + (samples - self._window) // self._hop

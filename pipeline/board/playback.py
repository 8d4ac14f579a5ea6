"""Recordings streamed to a board: to compare its predictions, and to label windows for it.

`stretches` cuts recordings into what a board can follow, `replay` compares its predictions with
the truth, `labelled_windows` and `teach` label windows for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.board.errors import BoardRefused, NoAnswer
from pipeline.board.pace import U32
from pipeline.core.errors import InputError
from pipeline.protocol.messages import ErrorCode
from pipeline.training import Scores, score

if TYPE_CHECKING:
    from pipeline.board.client import Client
    from pipeline.data import Recording
    from pipeline.protocol.messages import Learned, Prediction

RATE_TOLERANCE = 0.01
TRIES_PER_WINDOW = 3
PATIENCE_WINDOWS = 3.0  # a prediction is missed after so many windows' time without one
LABEL_PATIENCE = 4.0  # times that: without a label that the board takes


@dataclass(frozen=True, eq=False)
class Stretch:
    """A piece of a recording, at least one window long, to stream in one go: samples (n, 6) float32
    [g, rad/s] of one subject doing one activity (None: not known which)."""

    subject: str
    activity: str | None
    samples: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Answer:
    """One prediction and the truth, by the board's number of the activity; None: not known."""

    subject: str
    truth: int | None
    prediction: Prediction


@dataclass
class Playback:
    """What the board answered to streamed recordings; grows while it runs."""

    activities: tuple[str, ...]
    answers: list[Answer] = field(default_factory=list)
    segments: int = 0
    samples_sent: int = 0
    samples_lost: int = 0
    saturated: int = 0
    predictions_missing: int = 0

    @property
    def scores(self) -> Scores | None:
        """Of the labelled windows; None without any."""
        labelled = [answer for answer in self.answers if answer.truth is not None]
        if not labelled:
            return None
        truth = np.array([answer.truth for answer in labelled])
        predicted = np.array([answer.prediction.activity for answer in labelled])
        subjects = np.array([answer.subject for answer in labelled])
        return score(truth, predicted, subjects, len(self.activities))

    def document(self) -> dict[str, Any]:
        """For JSON."""
        scores, count = self.scores, len(self.activities)
        return {
            "segments": self.segments,
            "predictions_received": len(self.answers),
            "predictions_missing": self.predictions_missing,
            "samples_sent": self.samples_sent,
            "samples_lost": self.samples_lost,
            "values_saturated": self.saturated,
            "accuracy": scores and scores.accuracy,
            "subject_accuracy": scores.subject_accuracy if scores else {},
            "worst_subject": scores
            and {"id": scores.worst_subject, "accuracy": scores.worst_subject_accuracy},
            "activities": list(self.activities),
            "confusion": scores.confusion.tolist() if scores else [[0] * count] * count,
        }


@dataclass(frozen=True)
class UpdateResult:
    """One window that `teach` labelled, and what the board says it learned from it."""

    activity: str
    learned: Learned


def stretches(
    recordings: Iterable[Recording],
    client: Client,
    *,
    windows: int | None = None,
    new: str | None = None,
) -> list[Stretch]:
    """Cuts recordings into stretches of one activity that the board knows, or of the activity `new`
    that it is about to be taught.

    Stretches too short for a window are left out, and so is what comes after `windows` windows. A
    recording without any segment is one stretch of unknown activity.

    What was recorded at another rate than the model's is brought to it. Raises `InputError` where
    nothing is left.
    """
    board = client.board
    known = list(dict.fromkeys((*board.activities, *([] if new is None else [new]))))
    found: list[Stretch] = []
    left = windows
    for recorded in recordings:
        recording = at_board_rate(recorded, board.rate_hz)
        parts: list[tuple[int, int, str | None]] = [
            (s.start, s.stop, s.activity) for s in recording.segments if s.activity in known
        ]
        if not recording.segments:
            parts = [(0, len(recording.samples), None)]
        for start, stop, activity in parts:
            count = max(0, 1 + (stop - start - board.window) // board.step)
            if left is not None:
                count = min(count, left)
                left -= count
                stop = min(stop, start + board.window + (count - 1) * board.step)
            if count:
                samples = recording.samples[start:stop]
                found.append(Stretch(recording.subject, activity, samples))
    if not found:
        raise InputError(
            f"nothing to stream: no {board.window} samples in a row show one of the board's "
            f"activities ({', '.join(known)})"
        )
    return found


def replay(
    client: Client,
    what: Iterable[Stretch],
    *,
    on_stretch: Callable[[Playback], None] = lambda _: None,
) -> Playback:
    """Streams each stretch from an empty window and compares the predictions with the truth. Of a
    board that answers more often than once in half a window, those in between are not judged."""
    board = client.board
    names = board.activities
    result = Playback(names)
    for stretch in what:
        streamed = client.stream(stretch.samples)
        result.segments += 1
        result.samples_sent += streamed.samples_sent
        result.samples_lost += streamed.samples_lost
        result.saturated += streamed.saturated
        result.predictions_missing += streamed.predictions_missing
        truth = None if stretch.activity is None else names.index(stretch.activity)
        first = streamed.start_index + board.window - 1
        result.answers += [
            Answer(stretch.subject, truth, each)
            for each in streamed.predictions
            if (each.end_index - first) % board.step == 0
        ]
        on_stretch(result)
    return result


def labelled_windows(
    what: Sequence[Stretch], client: Client, *, per_activity: int
) -> list[tuple[npt.NDArray[np.float32], str]]:
    """The first `per_activity` windows (T, 6) of each activity, one of each in turn.

    Raises `InputError` where there are fewer.
    """
    board = client.board
    found: dict[str, list[npt.NDArray[np.float32]]] = {}
    for stretch in what:
        if stretch.activity is None:
            raise InputError("the recording has no labels: give its --activity")
        mine = found.setdefault(stretch.activity, [])
        last = len(stretch.samples) - board.window
        mine += [stretch.samples[at : at + board.window] for at in range(0, last + 1, board.step)]
    for activity, windows in found.items():
        if len(windows) < per_activity:
            raise InputError(
                f"{activity} has {len(windows)} windows, not {per_activity}: ask for fewer"
            )
    return [(found[name][turn], name) for turn in range(per_activity) for name in found]


def teach(
    client: Client,
    labelled: Iterable[tuple[npt.NDArray[np.float32], str]],
    *,
    on_update: Callable[[UpdateResult], None] = lambda _: None,
) -> list[UpdateResult]:
    """Shows each window (T, 6) to the board and labels it, in this order.

    A window that gets lost on the way is shown again; a label is never applied twice. Raises
    `NoAnswer` for a board that gives no prediction.
    """
    done: list[UpdateResult] = []
    for samples, activity in labelled:
        client.activity_index(activity)
        for _ in range(TRIES_PER_WINDOW):
            streamed = client.stream(samples)
            if streamed.predictions:
                break
        else:
            raise NoAnswer(
                f"{client.port} gave no prediction for a whole window, {TRIES_PER_WINDOW} times: "
                "check the cable, then `har stream`"
            )
        learned = client.label(streamed.predictions[-1].end_index, activity)
        result = UpdateResult(activity, learned)
        done.append(result)
        on_update(result)
    return done


def teach_live(
    client: Client,
    activity: str,
    windows: int,
    *,
    on_update: Callable[[UpdateResult], None] = lambda _: None,
) -> list[UpdateResult]:
    """Begins a session and labels the next ``windows`` windows that the board's own sensor fills.

    Windows overlap by at most half. One that the board has passed before its label came is
    not labelled, and the next one takes its place. Raises ``ExternalError`` without a working
    sensor, ``NoAnswer`` when no prediction comes or no label is taken in time.
    """
    board = client.hello()
    client.activity_index(activity)
    client.require_sensor()
    patience_s = PATIENCE_WINDOWS * board.window / board.rate_hz
    done: list[UpdateResult] = []
    last: int | None = None
    deadline = time.monotonic() + LABEL_PATIENCE * patience_s
    while len(done) < windows:
        if time.monotonic() > deadline:
            raise NoAnswer(
                f"{client.port} took no label for {LABEL_PATIENCE * patience_s:.0f} s: each window "
                "was gone before its label came; `har doctor` says more"
            )
        prediction = client.prediction(patience_s)
        if prediction is None:
            raise NoAnswer(
                f"{client.port} gave no prediction for {patience_s:.0f} s: `har doctor` says more"
            )
        if last is not None and (prediction.end_index - last) & U32 < board.step:
            continue
        learned = _unless_gone(partial(client.label, prediction.end_index, activity))
        if learned is None:
            continue
        last = prediction.end_index
        deadline = time.monotonic() + LABEL_PATIENCE * patience_s
        done.append(UpdateResult(activity, learned))
        on_update(done[-1])
    return done


def recent_numbers(client: Client, seconds: float) -> list[int]:
    """The numbers of the windows that lie within the last ``seconds``, oldest first.

    Raises `InputError` where none does.
    """
    board, recent = client.board, client.recent()
    window_s = board.window / board.rate_hz
    found = [
        recent.number - i
        for i, age_ms in enumerate(recent.ages_ms)
        if age_ms / 1000 + window_s <= seconds
    ]
    if not found:
        raise InputError(
            f"{client.port} has no whole window of the last {seconds:g} s: a window takes "
            f"{window_s:g} s, and it keeps {len(recent.ages_ms)} windows"
            + (f", the newest {recent.ages_ms[0] / 1000:.1f} s old" if recent.ages_ms else "")
        )
    return found[::-1]


def teach_recent(
    client: Client,
    activity: str,
    numbers: Sequence[int],
    *,
    on_update: Callable[[UpdateResult], None] = lambda _: None,
) -> list[UpdateResult]:
    """Labels these of the windows that the board keeps. One that it has forgotten meanwhile is left
    out."""
    done: list[UpdateResult] = []
    for number in numbers:
        learned = _unless_gone(partial(client.label_recent, number, activity))
        if learned is not None:
            done.append(UpdateResult(activity, learned))
            on_update(done[-1])
    return done


def _unless_gone(label: Callable[[], Learned]) -> Learned | None:
    """What the label did; None where the board no longer has its window."""
    try:
        return label()
    except BoardRefused as error:
        if error.status != ErrorCode.STATE:
            raise
        return None


def at_board_rate(recording: Recording, rate_hz: float) -> Recording:
    """The recording at the rate of the board's model, low-passed as `pipeline.data.resample` does,
    which is what a board of another rate does, too."""
    from pipeline.data import resample

    if abs(recording.rate_hz - rate_hz) <= RATE_TOLERANCE * rate_hz:
        return recording
    return resample(recording, rate_hz)

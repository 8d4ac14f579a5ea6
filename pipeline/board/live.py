"""Teaching a board what its own sensor measures now."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.board.client import Client
from pipeline.board.errors import BoardRefused, NoAnswer
from pipeline.board.playback import Lesson
from pipeline.board.sensor_text import describe
from pipeline.core.errors import ExternalError
from pipeline.protocol.messages import ErrorCode, SensorState

PATIENCE_WINDOWS = 3.0
"""A prediction is missed after so many windows' time without one."""


def require_sensor(
    client: Client,
    verb: str = "learn live",
    remedy: str = "a recording can teach it, too (--csv)",
) -> SensorState:
    """The state of the board's own motion sensor. Raises ExternalError, which says that the board
    cannot ``verb`` and what to do, when it does not work."""
    state = client.sensor()
    if not state.works:
        raise ExternalError(f"{client.port} cannot {verb}: {describe(state)}; {remedy}")
    return state


def teach_live(
    client: Client,
    activity: str,
    windows: int,
    *,
    on_lesson: Callable[[Lesson], None] | None = None,
) -> list[Lesson]:
    """Begins a session and labels the next ``windows`` windows that the board's own sensor fills.

    Windows overlap as the model's do. One that the board has left behind before its label came is
    not labelled, and the next one takes its place. Raises ``ExternalError`` without a working
    sensor,
    ``NoAnswer`` when no prediction comes.
    """
    board = client.hello()
    client.activity_index(activity)
    require_sensor(client)
    patience_s = PATIENCE_WINDOWS * board.window / board.rate_hz
    done: list[Lesson] = []
    while len(done) < windows:
        prediction = client.prediction(patience_s)
        if prediction is None:
            raise NoAnswer(
                f"{client.port} gave no prediction for {patience_s:.0f} s: `har doctor` tells more"
            )
        try:
            learned = client.label(prediction.end_index, activity)
        except BoardRefused as error:
            if error.status != ErrorCode.STATE:
                raise
            continue
        done.append(Lesson(activity, learned))
        if on_lesson is not None:
            on_lesson(done[-1])
    return done

"""Recording what a board's own sensor measures, labelled, into a CSV file.

`record` says HELLO, has the samples sent, and writes those of one stretch. Whatever ends it early,
Ctrl-C, an unplugged board, a full disk, the file keeps what was written until then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.board.client import Client
from pipeline.board.errors import BoardRefused
from pipeline.board.pace import U32
from pipeline.board.sensor_text import describe
from pipeline.core.errors import ExternalError, HarError, InputError
from pipeline.core.names import check_name
from pipeline.data import read_csv
from pipeline.data.csv_writer import CsvWriter, check_field, recording_path, rescue_recordings
from pipeline.data.placement import check_placement
from pipeline.protocol.messages import ErrorCode, Hello, Sensed, Sensor, SensorState, Target
from pipeline.protocol.samples import CHANNELS

SILENCE_S = 3.0  # without a sample: something is wrong
LISTEN_S = 0.1
RATE_TOLERANCE = 0.05
RATE_SECONDS = 5.0  # what is shorter says little about the rate
SUBJECT_CHARACTERS = 40  # leaves room for the session, which is the subject and the time

_BOARDS = {
    Sensor.NONE: "unknown",
    Sensor.LSM9DS1: "Rev1 LSM9DS1",
    Sensor.BMI270: "Rev2 BMI270",
    Sensor.PLAYED: "emulated",
}


@dataclass(frozen=True)
class Plan:
    """What to record. `countdown_s` seconds pass before it begins, with the samples to be seen.
    `placement` is where on the body the board is worn, "" for unknown."""

    activity: str
    seconds: float
    folder: Path
    subject: str = "me"
    countdown_s: float = 3.0
    placement: str = ""

    def __post_init__(self) -> None:
        """Raises InputError for a name that no board or no file can hold."""
        check_name(self.activity)
        check_field("activity", self.activity)
        check_field("subject", self.subject, longest=SUBJECT_CHARACTERS)
        placement = check_placement(self.placement)
        object.__setattr__(self, "placement", placement and check_field("placement", placement))

    def keys(self, when: datetime) -> dict[str, str]:
        """Subject and session, as the header of a file that begins at ``when`` has them."""
        subject = self.subject.strip()
        return {"subject": subject, "session": f"{subject}/{when:%Y%m%d-%H%M%S}"}

    def open(self, when: datetime, rate_hz: float, keys: Mapping[str, str]) -> CsvWriter:
        """The file to write to; what killed recordings left gets its name first. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        rescue_recordings(self.folder)
        path = recording_path(self.folder, self.activity, when)
        return self.writer(path, rate_hz, keys)

    def writer(self, path: Path, rate_hz: float, keys: Mapping[str, str]) -> CsvWriter:
        """A file of this name, or the next free one. Raises OSError."""
        return CsvWriter(path, self.activity, rate_hz=rate_hz, keys=keys, placement=self.placement)


@dataclass
class Progress:
    """How far it is. `starts_in_s` is above 0 in the countdown; `trace` (n, 6) float32 [g, rad/s]
    are the newest samples, one window of `window` at most; those lost are NaN. `remark` is shown
    in place of the number of those lost."""

    starts_in_s: float = 0.0
    left_s: float = 0.0
    samples: int = 0
    lost: int = 0
    window: int = 0
    trace: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 6), np.float32))
    remark: str = ""


@dataclass(frozen=True)
class Taken:
    """What was recorded. `path` is None when no sample was. `interrupted` is why it is shorter than
    asked, `refused` why the project's own reader will not take it, `doubts` what is to be known
    about it; each is one line of text. Without our firmware there is no model id."""

    path: Path | None
    activity: str
    subject: str
    session: str
    rate_hz: float
    sensor_rate_hz: float | None
    board: str
    model_id: str | None
    firmware: str | None
    samples: int
    lost_samples: int
    seconds: float
    interrupted: str | None
    interrupted_exit_code: int
    refused: str | None
    doubts: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        document = asdict(self)
        del document["interrupted_exit_code"]
        return document | {
            "path": None if self.path is None else str(self.path),
            "seconds": round(self.seconds, 3),
            "doubts": list(self.doubts),
        }


def rate_is_wrong(state: SensorState) -> bool:
    """Whether the sensor runs at another rate than it was set to."""
    rate_hz, nominal_hz = state.rate_hz, state.nominal_hz
    return bool(rate_hz and nominal_hz and abs(rate_hz / nominal_hz - 1) > RATE_TOLERANCE)


def record(
    client: Client,
    plan: Plan,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    now: Callable[[], datetime] = datetime.now,
) -> Taken:
    """Records as planned, and reads the file again to check it.

    Raises ``ExternalError`` or ``BoardRefused`` when nothing can begin: no answer, no sensor, no
    sample within three seconds, no file. Once it has begun, what goes wrong, Ctrl-C included, is
    in the answer.
    """
    board = client.hello()
    remedy = "`har emulate --sensor NAME` plays a recording to an emulated one"
    if board.target == Target.NANO33BLE:
        remedy = "`har doctor` says more"
    begun = client.require_sensor("record", remedy)
    take = _Take(client, plan, board, on_progress)
    take.count_down()
    keys = plan.keys(when := now()) | {
        "board": _BOARDS[begun.sensor],
        "model_id": board.model_id.hex(),
        "firmware": board.firmware_version or "unknown",
    }
    writer = plan.open(when, board.rate_hz, keys)
    why, exit_code = take.run(writer)
    ended, trouble = _state_after(client) if exit_code in (0, 130) else (None, None)
    rate_hz = ended.rate_hz if ended is not None and ended.rate_hz else begun.rate_hz
    kept = finish(writer, take.lost, rate_hz)
    refused, doubts = (None, []) if kept < 2 else read_again(writer.path)
    if trouble is not None:
        doubts.append(trouble)
    doubts += _sensor_doubts(begun, ended) + take.rate_doubts()
    if 0 < kept < board.window:
        doubts.append(f"{kept} samples are less than one window of {board.window}: too short")
    return Taken(
        path=writer.path if kept else None,
        activity=plan.activity,
        subject=keys["subject"],
        session=keys["session"],
        rate_hz=board.rate_hz,
        sensor_rate_hz=rate_hz,
        board=_BOARDS[begun.sensor],
        model_id=board.model_id.hex(),
        firmware=board.firmware_version,
        samples=kept,
        lost_samples=take.lost,
        seconds=(kept + take.lost) / board.rate_hz,
        interrupted=why,
        interrupted_exit_code=exit_code,
        refused=refused,
        doubts=tuple(doubts),
    )


class _Take:
    """One stretch of samples on its way from the board to the file."""

    def __init__(
        self, client: Client, plan: Plan, board: Hello, on_progress: Callable[[Progress], None]
    ) -> None:
        self._client = client
        self._plan = plan
        self._board = board
        self._tell = on_progress
        self._wanted = max(1, round(plan.seconds * board.rate_hz))
        self._show = Progress(
            starts_in_s=plan.countdown_s, left_s=plan.seconds, window=board.window
        )
        self._heard = 0.0  # when the last sample came
        self._expected: int | None = None  # number of the sample that follows it
        # (number of the sample, the board's ms, our s) of the first and the last batch
        self._marks: list[tuple[int, int, float]] = []
        self.lost = 0

    def count_down(self) -> None:
        """Has samples sent, and shows them until it is time."""
        self._client.sensor(send=True)
        self._heard = time.monotonic()
        starts = self._heard + self._plan.countdown_s
        while self._show.starts_in_s > 0 or not len(self._show.trace):
            self._show.starts_in_s = max(0.0, starts - time.monotonic())
            self._next()

    def run(self, writer: CsvWriter) -> tuple[str | None, int]:
        """Writes until enough has come; else why not, and the exit code for that."""
        show = self._show
        self._expected = None
        first = -1
        try:
            while show.left_s > 0:
                sensed, gap = self._next()
                if sensed is None:
                    continue
                if first < 0:
                    first = sensed.index
                number = (sensed.index - first) & U32
                samples = sensed.samples[: max(0, self._wanted - number)]
                if gap:
                    self.lost = show.lost = self.lost + min(gap, self._wanted - (number - gap))
                    writer.set_late("lost_samples", str(self.lost))
                if len(samples):
                    writer.write(number, samples)
                    self._marks = [*self._marks[:1], (number, sensed.time_ms, self._heard)]
                show.samples += len(samples)
                show.left_s = max(0, self._wanted - number - len(samples)) / self._board.rate_hz
            self._tell(show)
        except (KeyboardInterrupt, OSError, HarError) as error:
            if isinstance(error, BoardRefused) and error.status == ErrorCode.STATE:
                error = ExternalError(f"the board on {self._client.port} has restarted")
            return interruption(error, writer)
        return None, 0

    def rate_doubts(self) -> list[str]:
        """Whether the samples came as fast as they should, by the board's clock and by ours."""
        if len(self._marks) < 2:
            return []
        (first, first_ms, first_s), (last, last_ms, last_s) = self._marks
        rate_hz = self._board.rate_hz
        expected_s = (last - first) / rate_hz
        if expected_s < RATE_SECONDS:
            return []
        spans = {
            "the board's clock": ((last_ms - first_ms) & U32) / 1000,
            "this computer's clock": last_s - first_s,
        }
        return [
            f"wrong rate: by {clock} there came {(last - first) / span_s:.1f} samples a second "
            f"instead of {rate_hz:g}"
            for clock, span_s in spans.items()
            if span_s > 0 and abs(span_s / expected_s - 1) > RATE_TOLERANCE
        ]

    def _next(self) -> tuple[Sensed | None, int]:
        """The next batch, None when there is none yet, and how many samples are missing before it.
        Raises ``ExternalError`` after a silence."""
        self._tell(self._show)
        sensed = self._client.sensed(LISTEN_S)
        now = time.monotonic()
        if sensed is not None:
            # What was lost on the way here counts like what the board itself lost.
            gap = 0 if self._expected is None else (sensed.index - self._expected) & U32
            if not gap >> 31:  # else a repetition
                self._heard = now
                self._expected = (sensed.index + len(sensed.samples)) & U32
                window = self._board.window
                missing = np.full((min(gap, window), CHANNELS), np.nan, np.float32)
                trace = np.concatenate((self._show.trace, missing, sensed.samples))
                self._show.trace = trace[-window:]
                return sensed, gap
        if now - self._heard > SILENCE_S:
            state = self._client.sensor()  # raises when no board is there any more
            raise ExternalError(
                f"{self._client.port} sent no new samples for {SILENCE_S:.0f} s: "
                f"{describe(state)}; `har doctor` says more"
            )
        return None, 0


def _state_after(client: Client) -> tuple[SensorState | None, str | None]:
    try:
        return client.sensor(send=False), None
    except HarError as error:
        return None, str(error)


def interruption(error: BaseException, writer: CsvWriter) -> tuple[str, int]:
    """Why a recording is shorter than asked, and the exit code for that."""
    if isinstance(error, HarError):
        return str(error), error.exit_code
    if isinstance(error, OSError):
        return f"{writer.path}: {error.strerror or error}", ExternalError.exit_code
    return "interrupted", 130


def finish(writer: CsvWriter, lost: int, sensor_rate_hz: float | None) -> int:
    """Closes the file; how many samples it holds. Raises ``ExternalError``."""
    with suppress(OSError):  # the samples are worth more
        writer.set_late("lost_samples", str(lost))
        if sensor_rate_hz is not None:
            writer.set_late("sensor_rate_hz", f"{sensor_rate_hz:.2f}")
    try:
        return writer.close()
    except OSError as error:
        raise ExternalError(
            f"{writer.path}: cannot be finished ({error.strerror or error}); what was written "
            "is next to it as .part"
        ) from None


def read_again(path: Path) -> tuple[str | None, list[str]]:
    """Why the reader refuses the file, if it does, and what it doubts."""
    doubts: list[str] = []
    try:
        read_csv(path, doubts.append)
    except InputError as error:
        return str(error), []
    return None, doubts


def _sensor_doubts(begun: SensorState, ended: SensorState | None) -> list[str]:
    """What the sensor itself has to say about the time between the two."""
    doubts = []
    if rate_is_wrong(ended or begun):
        state = ended or begun
        doubts.append(f"the sensor runs at {state.rate_hz:.1f} Hz, not {state.nominal_hz:g} Hz")
    if begun.sensor != Sensor.PLAYED and not (ended or begun).zero_known:
        doubts.append(
            "the gyroscope's bias was not known: lay the board still for two seconds after "
            "plugging it in, then record again"
        )
    if ended is not None:
        for name, what in (
            ("saturated", "samples with an axis beyond the sensor's range"),
            ("overruns", "times the sensor had to drop samples"),
            ("bus_errors", "failed transfers from the sensor"),
        ):
            count = (getattr(ended, name) - getattr(begun, name)) & U32
            if count:
                doubts.append(f"{count} {what}")
    return doubts

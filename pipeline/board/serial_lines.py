"""Recording what any sketch prints on a serial port, lines of numbers, into a CSV file.

For whoever has a board and not yet our firmware on it. When a line came says little about when it
was measured, as USB hands over several at once: `place` finds the steady rate.
"""

from __future__ import annotations

import itertools
import math
import re
import time
from array import array
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.board.recording import Plan, Progress, Taken, finish, interruption, read_again
from pipeline.board.transport import Transport
from pipeline.core.errors import ExternalError, HarError, InputError
from pipeline.data.csv_writer import CsvWriter
from pipeline.data.plausibility import check_samples
from pipeline.data.recording import CHANNELS
from pipeline.data.timeline import MAX_RATE_HZ, MIN_RATE_HZ, RATE_TOLERANCE
from pipeline.data.units import ACCELERATION, ROTATION, find_unit
from pipeline.protocol.frames import FrameDecoder

TIMES = {"time": 1.0, "time_ms": 1e-3, "time_us": 1e-6}
SKIP = "-"

SETTLE_S = 0.2  # what waited in buffers tells no rate
MEASURE_S = 2.0  # of lines, before the recording begins
SILENCE_S = 5.0  # without a line that fits: something is wrong
LISTEN_S = SHOW_S = 0.1
WINDOW, WINDOW_S = 128, 2.56  # what the default model reads
LINE_BYTES_MAX = 512
NUMBER_MAX = 1e12
BROKEN_SHARE, BROKEN_LINES = 0.1, 50  # more is too much, once there are so many lines
# By how many periods all samples after a gap are late; a sketch's own clock has no bursts.
SLACK, CLOCK_SLACK = 1.5, 0.5
UNSURE = 0.1  # share of a silence that a rate which is not known well may explain
BURSTS_AFTER = 4  # fewer do not tell whether a silence is made up for
STALL_S = 0.1  # by which a rate from arrival may be off, over all of the time

SHOWN_BYTES = 60

BOARD = "other sketch"
OURS = "this board runs our firmware: leave --from-serial out"
REMEDY = "do --columns and --baud fit?"

_BETWEEN = re.compile(r"\s*[,;]\s*|\s+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?")
_WORD = re.compile(rb"[A-Za-z]{4}")
_OUR_TEXT = re.compile(rb"har: .*|[^\d:,;]+ [01]\.\d\d")  # docs/PROTOCOL.md, "Text"

Floats = npt.NDArray[np.float64]
Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Layout:
    """What a line holds: each of `CHANNELS`, perhaps one of `TIMES`, and what to `SKIP`; ``units``
    are those of acceleration and rotation."""

    columns: tuple[str, ...]
    units: tuple[str, str]

    @classmethod
    def of(cls, columns: str, units: str) -> Layout:
        """As on the command line: with commas."""
        names = tuple(name.strip().lower() for name in columns.split(","))
        wanted = [name for name in names if name != SKIP and name not in TIMES]
        if sorted(wanted) != sorted(CHANNELS) or sum(name in TIMES for name in names) > 1:
            raise InputError(
                f"--columns {columns}: a recording needs {','.join(CHANNELS)}, each once; also one "
                f"of {', '.join(TIMES)}, and {SKIP} for what to skip"
            )
        acceleration, _, rotation = units.partition(",")
        return cls(
            names,
            (
                find_unit(acceleration, ACCELERATION, "--units, acceleration"),
                find_unit(rotation, ROTATION, "--units, rotation (after the comma)"),
            ),
        )

    @property
    def clock(self) -> str | None:
        """The column with the sketch's own time."""
        return next((name for name in self.columns if name in TIMES), None)

    @property
    def factors(self) -> Floats:
        """(6,): from the units to g and rad/s."""
        return np.repeat([ACCELERATION[self.units[0]], ROTATION[self.units[1]]], 3)

    def read(self, line: bytes) -> list[float] | None:
        """The six numbers and, if there is one, the time, as they stand; None for another line.
        Every cell may be ``name:value``: then their order is free, and other names are skipped."""
        text = line.decode("ascii", "replace").lower().replace(": ", ":").rstrip(",;")
        cells = _BETWEEN.split(text)
        if all(":" in cell for cell in cells):
            found = dict(cell.split(":", 1) for cell in cells)
        elif len(cells) == len(self.columns):
            found = dict(zip(self.columns, cells, strict=True))
        else:
            return None
        numbers = [found.get(name, "") for name in (*CHANNELS, self.clock) if name is not None]
        if not all(_NUMBER.fullmatch(number) for number in numbers):
            return None
        values = [float(number) for number in numbers]
        return values if all(abs(value) <= NUMBER_MAX for value in values) else None


def place(stamps_s: Floats, slack: float) -> tuple[npt.NDArray[np.int64], float, int]:
    """Number samples that came at ``stamps_s`` (n,), counting those that are missing. Also the
    rate in Hz (nan where the stamps tell none) and the number of gaps.

    A stamp may be late and is never early. So the earliest in each second say where the samples
    stand, and a burst, or a stall that is caught up, moves none. A gap is a silence that is not
    made up for, by more than ``slack`` periods, neither at once nor within a second. The rate is
    count over time, without the gaps.
    """
    numbers = np.arange(len(stamps_s))
    ends = np.flatnonzero(np.diff(stamps_s, append=math.inf) > 0)  # the last sample of each burst
    if len(ends) < 2:
        return numbers, math.nan, 0
    t, size = stamps_s[ends], np.diff(ends, prepend=-1)
    second_ago, in_a_second = np.searchsorted(t, t - 1.0), np.searchsorted(t, t + 1.0, "right")
    rate_hz = float((ends[-1] - ends[0]) / (t[-1] - t[0]))
    missing: dict[int, float] = {}  # before which bursts, how many samples
    for _ in range(5):  # with the gaps the rate gets better, and with the rate the gaps
        count = span = 0.0
        late = t * rate_hz - ends
        for begin, end in itertools.pairwise([0, *missing, len(t)]):
            half = (end - begin + 1) // 2
            early = late[begin : min(begin + half, in_a_second[begin])]
            final = max(end - half, second_ago[end - 1])
            first, last = begin + early.argmin(), final + late[final:end].argmin()
            count, span = count + ends[last] - ends[first], span + t[last] - t[first]
        rate_hz = float(count / span) if span > 0 else rate_hz
        late = t * rate_hz - ends
        silences = np.diff(t, prepend=t[0]) * rate_hz
        missing, start = {}, 0
        for at in np.flatnonzero(silences[:-BURSTS_AFTER] > slack + 1).tolist():
            before = late[max(start, second_ago[at - 1]) : at].min()
            gap = min(late[at : in_a_second[at]].min() - before, silences[at] - size[at])
            if gap > slack + UNSURE * silences[at]:
                missing[at], start = gap, at
    for at, gap in missing.items():
        numbers[ends[at - 1] + 1 :] += round(gap)
    return numbers, rate_hz, len(missing)


@dataclass(frozen=True)
class TakenLines(Taken):
    """``broken_lines`` did not have the columns, ``gaps`` times nothing came; ``units`` are those
    that the sketch prints."""

    broken_lines: int
    gaps: int
    units: str


def record_lines(
    port: Transport,
    plan: Plan,
    layout: Layout,
    *,
    stated_hz: float | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    now: Callable[[], datetime] = datetime.now,
) -> TakenLines:
    """Record as planned, and read the file again to check it. The rate is ``stated_hz``, or what is
    measured.

    Raises ``ExternalError`` or ``InputError`` when nothing can begin: nothing comes, no line has
    the columns, our own firmware is there, the rate is another one. Once it has begun, what goes
    wrong, Ctrl-C included, is in the answer.
    """
    take = _Take(port, plan, layout, on_progress)
    rate_hz = begun_hz = take.begin(stated_hz)
    keys = plan.keys(when := now()) | {"board": BOARD, "printed_units": " ".join(layout.units)}
    writer = plan.open(when, begun_hz, keys)
    why, exit_code = take.run(writer)
    samples, numbers, measured_hz, gaps = take.placed()
    sensor_hz = round(measured_hz, 2) if math.isfinite(measured_hz) else None
    lost = int(numbers[-1]) + 1 - len(samples) if len(samples) else 0
    if stated_hz is None and measured_hz >= MIN_RATE_HZ:
        rate_hz = round(measured_hz, 1)
    kept = finish(writer, 0, sensor_hz)
    if kept and (lost or rate_hz != begun_hz):
        try:
            kept = _rewrite(writer.path, plan, rate_hz, keys, samples, numbers, sensor_hz)
        except OSError as error:  # full: the file stays as it is
            why, exit_code = interruption(error, writer)
            rate_hz, lost = begun_hz, 0
    refused, doubts = (None, []) if kept < 2 else read_again(writer.path)
    if refused is not None:
        refused += _other_units(samples, rate_hz, layout)
    if _differ(measured_hz, rate_hz, len(samples) / rate_hz):
        doubts.append(f"wrong rate: {measured_hz:.1f} lines a second came instead of {rate_hz:g}")
    if take.broken:
        doubts.append(take.broken_text())
    if 0 < (seconds := (kept + lost) / rate_hz) < WINDOW_S:
        doubts.append(f"{seconds:.2f} s are less than one window of {WINDOW_S:g} s: too short")
    return TakenLines(
        path=writer.path if kept else None,
        activity=plan.activity,
        subject=keys["subject"],
        session=keys["session"],
        rate_hz=rate_hz,
        sensor_rate_hz=sensor_hz,
        board=BOARD,
        model_id=None,
        firmware=None,
        samples=kept,
        lost_samples=lost,
        seconds=seconds,
        interrupted=why,
        interrupted_exit_code=exit_code,
        refused=refused,
        doubts=tuple(doubts),
        broken_lines=take.broken,
        gaps=gaps,
        units=",".join(layout.units),
    )


class _Take:
    """Lines on their way from the port to the file."""

    def __init__(
        self, port: Transport, plan: Plan, layout: Layout, on_progress: Callable[[Progress], None]
    ) -> None:
        self._port = port
        self._plan = plan
        self._layout = layout
        self._slack = SLACK if layout.clock is None else CLOCK_SLACK
        self._tell = on_progress
        self._show = Progress(left_s=plan.seconds, window=WINDOW)
        self._shown = 0.0
        self._frames = FrameDecoder()
        self._rest = b""  # of a line that has begun
        self._half = True  # it began before anybody heard
        self._heard = 0.0  # when the last line came that fits
        # When each sample came, the sketch's time, six numbers as printed (nan: damaged).
        self._came, self._clock, self._values = array("d"), array("d"), array("d")
        self._begun = 0  # samples before the recording
        self.lines = self.broken = 0
        self._example = self._ours = b""  # the first broken one; one as our firmware prints it

    def begin(self, stated_hz: float | None) -> float:
        """Listen until it is time and the rate is known; the rate to begin with, in Hz."""
        self._heard = time.monotonic() + SETTLE_S
        while (left := self._heard - time.monotonic()) > 0:
            self._port.read(left)
        starts = self._heard + self._plan.countdown_s
        while (left := max(starts - time.monotonic(), MEASURE_S - self._heard_s())) > 0:
            self._show.starts_in_s = left
            self._next()
        self._show.starts_in_s = 0.0
        rate_hz = place(self._stamps(0), self._slack)[1]
        if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            raise InputError(
                f"{self._port.name}: {rate_hz:.4g} samples a second by "
                f"{self._layout.clock or 'their arrival'}, where {MIN_RATE_HZ:g} to "
                f"{MAX_RATE_HZ:g} (as a rule 50) show the motion of a body: does the sketch wait "
                "too long, or is its time in another unit?"
            )
        if stated_hz is not None and _differ(rate_hz, stated_hz, self._heard_s()):
            raise InputError(
                f"--rate {stated_hz:g}, but {self._port.name} sends {rate_hz:.1f} samples a "
                "second: leave --rate out"
            )
        self._begun = len(self._came)
        self.lines = self.broken = 0
        self._example = b""
        return stated_hz or round(rate_hz, 1)

    def run(self, writer: CsvWriter) -> tuple[str | None, int]:
        """Write what comes; why that is shorter than asked, and the exit code."""
        ends = time.monotonic() + self._plan.seconds
        seen = self._begun
        try:
            while (left := ends - time.monotonic()) > 0:
                self._show.left_s = left
                self._next()
                fresh = self._samples(seen)
                seen += len(fresh)
                fresh = fresh[np.isfinite(fresh[:, 0])]
                writer.write(self._show.samples, fresh)
                self._show.samples += len(fresh)
            self._check_broken(1)
        except (KeyboardInterrupt, OSError, HarError) as error:
            return interruption(error, writer)
        return None, 0

    def placed(self) -> tuple[Samples, npt.NDArray[np.int64], float, int]:
        """The samples (n, 6) of the recording and their numbers (n,), the rate in Hz, how many
        gaps."""
        numbers, rate_hz, gaps = place(self._stamps(self._begun), self._slack)
        samples = self._samples(self._begun)
        whole = np.isfinite(samples[:, 0])
        return samples[whole], numbers[whole] - numbers[whole][:1], rate_hz, gaps

    def broken_text(self) -> str:
        """How many lines were broken, and the first of them."""
        return (
            f"{self.broken:,} of {self.lines:,} lines did not have the columns "
            f"{','.join(self._layout.columns)}; the first: {_shown(self._example)}"
        )

    def _heard_s(self) -> float:
        return self._came[-1] - self._came[0] if self._came else 0.0

    def _stamps(self, start: int) -> Floats:
        """When each sample was taken, in s, by the sketch's time where there is one: over where
        that jumps back, as micros() does every 71 minutes, by arrival."""
        came = np.array(self._came[start:])
        if self._layout.clock is None or not len(came):
            return came
        steps = np.diff(self._clock[start:]) * TIMES[self._layout.clock]
        return np.cumsum([0.0, *np.where(steps >= 0, steps, np.diff(came))])

    def _samples(self, start: int) -> Samples:
        values = np.array(self._values[start * len(CHANNELS) :]).reshape(-1, len(CHANNELS))
        return (values * self._layout.factors).astype(np.float32)

    def _next(self) -> None:
        """Take in what has arrived. Raises ``ExternalError`` after a silence, or where too many
        lines are broken; ``InputError`` where our firmware speaks."""
        data = self._port.read(LISTEN_S)
        now = time.monotonic()
        if self._frames.push(data):
            raise InputError(f"{self._port.name}: {OURS}")
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[: LINE_BYTES_MAX + 1]
        for line in filter(None, map(bytes.strip, lines)):
            self._take(line, now)
        if now - self._heard > SILENCE_S:
            raise self._silence()
        self._check_broken(BROKEN_LINES)
        if now - self._shown > SHOW_S:
            self._shown = now
            recent = max(0, len(self._came) - 8 * WINDOW)
            rate_hz = place(self._stamps(recent), self._slack)[1]
            self._show.lost = self.broken
            self._show.remark = f"{rate_hz:.1f} Hz, broken lines: {self.broken}"
            self._show.trace = self._samples(max(0, len(self._came) - WINDOW))
            self._tell(self._show)

    def _take(self, line: bytes, now: float) -> None:
        if self._half:
            self._half = False
            return
        self.lines += 1
        values = self._layout.read(line) if len(line) <= LINE_BYTES_MAX else None
        if values is not None:
            self._heard = now
            self._clock.extend(values[len(CHANNELS) :])
        else:
            self.broken += 1
            self._example = self._example or line
            if _OUR_TEXT.fullmatch(line):
                self._ours = line
            # A damaged sample has its place in time; words have none.
            if not self._came or self._layout.clock or _WORD.search(line):
                return
            values = [math.nan] * len(CHANNELS)
        self._came.append(now)
        self._values.extend(values[: len(CHANNELS)])

    def _check_broken(self, least: int) -> None:
        if self._came and self.lines >= least and self.broken > BROKEN_SHARE * self.lines:
            raise ExternalError(f"{self._port.name}: {self.broken_text()}; {REMEDY}")

    def _silence(self) -> HarError:
        name = f"{self._port.name}, within {SILENCE_S:g} s"
        if self._ours and not self._came:
            return InputError(f"{name}: {_shown(self._ours)}; {OURS}")
        if self.broken:
            return ExternalError(f"{name}: {self.broken_text()}; {REMEDY}")
        came = f"no whole line, but {_shown(self._rest)}" if self._rest else "nothing came"
        return ExternalError(f"{name}: {came}; does the sketch print, and at this --baud?")


def _rewrite(
    path: Path,
    plan: Plan,
    rate_hz: float,
    keys: Mapping[str, str],
    samples: Samples,
    numbers: npt.NDArray[np.int64],
    sensor_hz: float | None,
) -> int:
    """The file again, with the rate and the gaps that are known at last; how many samples. Raises
    OSError: then it stays as it is."""
    writer = plan.writer(path, rate_hz, keys)
    try:
        for part in np.split(np.arange(len(samples)), np.flatnonzero(np.diff(numbers) > 1) + 1):
            writer.write(int(numbers[part[0]]), samples[part])
    except OSError:
        writer.close()
        writer.path.unlink(missing_ok=True)
        raise
    kept = finish(writer, int(numbers[-1]) + 1 - len(samples), sensor_hz)
    writer.path.replace(path)
    return kept


def _other_units(samples: Samples, rate_hz: float, layout: Layout) -> str:
    """What to do where the physics of other units is right, those with the fewest changes first."""
    pairs = itertools.product(ACCELERATION, ROTATION)
    for pair in sorted(pairs, key=lambda pair: np.sum(np.array(pair) != layout.units))[1:]:
        other = (samples * (Layout(CHANNELS, pair).factors / layout.factors)).astype(np.float32)
        with suppress(InputError):
            check_samples(other, rate_hz, [], "")
            return f"; record again with --units {','.join(pair)}"
    return ""


def _differ(rate_hz: float, other_hz: float, over_s: float) -> bool:
    return abs(rate_hz / other_hz - 1) > RATE_TOLERANCE + STALL_S / max(over_s, STALL_S)


def _shown(line: bytes) -> str:
    return repr(line[:SHOWN_BYTES])[1:]

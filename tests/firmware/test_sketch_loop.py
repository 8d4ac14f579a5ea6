"""setup() and loop() of the real sketch in scripted time, over sensors of both revisions, flash
and USB that stand in for the real ones: nothing blocks, nothing is lost unsaid."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.support import app_board as wire
from tests.firmware.support.harness import Harness
from tests.firmware.support.sketch import (
    ABSENT,
    CHIP_HZ,
    FIFO,
    HOP,
    NONE,
    RATE_HZ,
    RIGHT,
    SENSED,
    SHIPPED,
    SILENT,
    STEPS,
    Sketch,
    T,
    ramp,
    sensed,
)
from tests.support.programs import c_program

BOTH = pytest.mark.parametrize("revision", [1, 2])


@pytest.fixture(scope="module")
def program() -> Path:
    return c_program("sketch")


@pytest.fixture
def sketch(program: Path) -> Iterator[Sketch]:
    with Harness(program) as harness:
        yield Sketch(harness)


def streaming(sketch: Sketch, revision: int, **boot: float) -> Sketch:
    """A host that takes predictions and samples."""
    sketch.boot(revision, **boot)
    sketch.port(read=True)
    sketch.run(1.0)
    sketch.hello()
    assert sketch.sensor(send=True).sending
    sketch.frames.clear()
    return sketch


def predicted(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.startswith("har: ")]


def check_in_order(sketch: Sketch) -> tuple[np.ndarray, np.ndarray]:
    """No sample twice or missing unsaid, none later than its window's prediction. Returns all
    samples' indices and what the ramp says they are."""
    covered = None
    lost = 0
    for frame in sketch.frames:
        if frame.type == SENSED:
            batch = sensed(frame)
            if covered is not None:
                assert batch.index == (covered + batch.lost) % 2**32
                lost += batch.lost
            covered = batch.end
        elif frame.type == wire.PREDICTION and covered is not None:
            end_index = struct.unpack_from("<I", frame.payload)[0]
            assert end_index < covered
    batches = sketch.sensed()
    indices = np.concatenate([np.arange(b.index, b.end) for b in batches])
    return indices, np.concatenate([ramp(b.samples) for b in batches])


# ---- a person at a serial monitor --------------------------------------------------------------


@BOTH
def test_a_person_reads_boot_sensor_and_one_line_per_window_and_none_is_lost(
    sketch: Sketch, revision: int
) -> None:
    sketch.boot(revision)
    sketch.port(read=True)
    sketch.run(20.0)
    assert sketch.lines[0].startswith("har: 0.1.0, model 0102030405060708, ")
    assert sketch.lines[0].endswith("; ? for help")
    name, hz = {1: ("LSM9DS1 (Rev1)", 119), 2: ("BMI270 (Rev2)", 100)}[revision]
    assert sketch.lines.count(f"har: motion sensor {name}, {hz} Hz") == 1
    lines = predicted(sketch.lines)
    assert len(lines) == pytest.approx((20 * RATE_HZ - T) / HOP + 1, abs=1)
    assert all(line.split()[0] in {*"abcdef", "unknown"} for line in lines)
    assert all(0 <= float(line.split()[1]) <= 1 for line in lines)
    sketch.hello()
    status = sketch.status()
    assert (status["windows"], status["dropped"], status["lost"]) == (len(lines), 0, 0)


@BOTH
def test_nothing_waits_for_a_port_that_nobody_reads(sketch: Sketch, revision: int) -> None:
    sketch.boot(revision)
    sketch.port(read=False)
    sketch.costs("inference", 0)
    turns = sketch.run(20.0)
    assert turns.longest_us < 5_000
    assert turns.count > 20_000
    sketch.port(read=True)
    sketch.run(5.0)
    assert sketch.lines[0].startswith("har: 0.1.0, model ")
    assert "har: motion sensor" in sketch.lines[1]
    late = predicted(sketch.lines)
    assert len(late) == pytest.approx(5 * RATE_HZ / HOP + 1, abs=1)  # an old one, then the newest
    sketch.hello()
    assert sketch.status()["dropped"] == 0


@BOTH
def test_keys_answer_while_samples_run(sketch: Sketch, revision: int) -> None:
    sketch.boot(revision)
    sketch.port(read=True)
    sketch.run(4.0)

    def press(key: str, seconds: float = 1.0) -> list[str]:
        at = len(sketch.lines)
        sketch.type(key)
        sketch.run(seconds)
        return [line for line in sketch.lines[at:] if line.startswith("har: ")]

    assert len(press("?")) >= 1
    for n, digit in enumerate("01234"):
        (said,) = press(digit, 2.0)
        assert said.startswith(f"har: learned {'abcdef'[n]}, ")
    (said,) = press("u")
    assert said.startswith("har: ")
    assert press("s", 2.0) == ["har: saved, record 1"]
    assert press("r") == ["har: press r again within 5 s to forget all that was learned"]
    assert len(press("r", 2.0)) == 1
    assert press("AT+CGMI\r") == ["har: one key at a time; ? for help"]
    shown = len(predicted(sketch.lines))
    press("p")
    paused = len(predicted(sketch.lines))
    sketch.run(5.0)
    assert len(predicted(sketch.lines)) == paused
    press("p")
    sketch.run(5.0)
    assert len(predicted(sketch.lines)) - paused == pytest.approx(6 * RATE_HZ / HOP, abs=1)
    assert shown > 8
    sketch.hello()
    status = sketch.status()
    assert (status["lost"], status["dropped"], status["bad"]) == (0, 0, 0)


# ---- a host that comes and goes ----------------------------------------------------------------


@BOTH
def test_samples_are_whole_over_predictions_and_never_behind_their_window(
    sketch: Sketch, revision: int
) -> None:
    streaming(sketch, revision)
    sketch.run(20.0)
    indices, at = check_in_order(sketch)
    assert len(indices) == pytest.approx(20 * RATE_HZ, abs=25)
    assert np.diff(indices).tolist() == [1] * (len(indices) - 1)
    assert np.diff(at) == pytest.approx(CHIP_HZ[revision] / RATE_HZ, abs=2e-2)
    ends = [end for end, _ in sketch.predictions()]
    assert ends == list(range(T - 1, ends[-1] + 1, HOP)) and len(ends) >= 14
    status, state = sketch.status(), sketch.sensor(send=True)
    assert (status["lost"], status["dropped"], state.late, state.overruns) == (0, 0, 0, 0)
    assert state.rate_hz == pytest.approx(CHIP_HZ[revision], rel=2e-3)


@BOTH
def test_a_prediction_has_the_time_of_its_last_sample(sketch: Sketch, revision: int) -> None:
    streaming(sketch, revision)
    sketch.run(10.0)
    when = {b.index + k: b.time_ms + 20 * k for b in sketch.sensed() for k in range(len(b.samples))}
    found = sketch.predictions()
    assert len(found) >= 6
    for end_index, time_ms in found:
        assert abs(time_ms - when[end_index]) <= 2


@BOTH
def test_a_host_that_goes_without_bye_and_comes_again_starts_anew(
    sketch: Sketch, revision: int
) -> None:
    streaming(sketch, revision)
    sketch.run(5.0)
    sketch.port(read=False)
    turns = sketch.run(30.0)
    assert turns.longest_us < 110_000  # no more than an inference
    sketch.port(read=True)
    sketch.run(1.0)  # the rest of the old session
    at = sketch.frames.index(sketch.hello())
    sketch.run(4.0)
    kinds = {frame.type for frame in sketch.frames[at:]}
    assert kinds == {wire.HELLO_REPLY, wire.PREDICTION}  # nobody asked for samples yet
    assert sketch.status()["dropped"] > 0
    sketch.sensor(send=True)
    sketch.frames.clear()
    sketch.run(4.0)
    indices, at_chip = check_in_order(sketch)
    assert indices[0] < 6 * RATE_HZ and len(indices) >= 3.5 * RATE_HZ
    assert np.diff(at_chip) == pytest.approx(CHIP_HZ[revision] / RATE_HZ, abs=2e-2)


def test_a_host_that_does_not_read_sees_by_seq_what_was_dropped(sketch: Sketch) -> None:
    streaming(sketch, 1)
    sketch.run(3.0)
    sketch.port(read=False)
    assert sketch.run(20.0).longest_us < 110_000
    sketch.port(read=True)
    sketch.run(3.0)
    missing = 0
    for kind in (SENSED, wire.PREDICTION):
        seqs = np.array([frame.seq for frame in sketch.frames if frame.type == kind])
        missing += int(((np.diff(seqs) - 1) % 65536).sum())
    assert missing > 50
    status = sketch.status()
    assert (status["dropped"], status["lost"]) == (missing, 0)


def test_after_bye_text_goes_on_and_after_hello_frames(sketch: Sketch) -> None:
    streaming(sketch, 2)
    for _ in range(3):
        assert sketch.ask(wire.BYE).type == wire.BYE_REPLY
        sketch.lines.clear()
        at = len(sketch.frames)
        sketch.run(6.0)
        assert len(predicted(sketch.lines)) >= 3
        assert len(sketch.frames) == at
        sketch.hello()
        sketch.lines.clear()
        sketch.run(6.0)
        assert sketch.lines == []
        assert {frame.type for frame in sketch.frames[at + 1 :]} == {wire.PREDICTION}


# ---- the processor is busy ---------------------------------------------------------------------


def label(sketch: Sketch, activity: int = 1) -> float:
    """Labels the last window; seconds that it took."""
    end_index = sketch.predictions()[-1][0]
    began_us = sketch.clock_us()
    reply = sketch.ask(wire.LABEL, struct.pack("<IB", end_index, activity))
    assert reply.type == wire.LEARNED
    return (sketch.clock_us() - began_us) * 1e-6


@BOTH
def test_a_label_of_700_ms_loses_nothing_and_what_came_late_is_counted(
    sketch: Sketch, revision: int
) -> None:
    streaming(sketch, revision)
    sketch.costs("step", 700_000 // STEPS)
    sketch.costs("inference", 0)
    sketch.run(6.0)
    seconds = label(sketch)
    assert 0.7 <= seconds < 0.9
    sketch.run(6.0)
    indices, at = check_in_order(sketch)
    assert np.diff(indices).tolist() == [1] * (len(indices) - 1)
    assert np.diff(at) == pytest.approx(CHIP_HZ[revision] / RATE_HZ, abs=2e-2)
    status, state = sketch.status(), sketch.sensor(send=True)
    assert (status["lost"], state.overruns) == (0, 0)
    assert state.late == pytest.approx((seconds - 0.25) * RATE_HZ, abs=3)


@BOTH
def test_saving_while_samples_run_loses_nothing_and_is_counted_as_late(
    sketch: Sketch, revision: int
) -> None:
    streaming(sketch, revision)
    sketch.run(6.0)
    label(sketch)
    before = sketch.sensor(send=True).late
    sketch.costs("inference", 0)
    began_us = sketch.clock_us()
    assert sketch.ask(wire.SAVE).type == wire.STATE
    seconds = (sketch.clock_us() - began_us) * 1e-6
    assert seconds > 7 * 0.085 + 28_000 / 4 * 41e-6  # the flash had its time
    sketch.run(6.0)
    indices, at = check_in_order(sketch)
    assert np.diff(indices).tolist() == [1] * (len(indices) - 1)
    assert np.diff(at) == pytest.approx(CHIP_HZ[revision] / RATE_HZ, abs=2e-2)
    state = sketch.sensor(send=True)
    assert (sketch.status()["lost"], state.overruns) == (0, 0)
    assert state.late - before == pytest.approx((seconds - 0.25) * RATE_HZ, abs=3)


@BOTH
@pytest.mark.parametrize("seconds", [2.0, 5.0])
def test_a_stall_in_one_piece_is_lost_to_the_sample_and_the_window_restarts(
    sketch: Sketch, revision: int, seconds: float
) -> None:
    chip_hz = CHIP_HZ[revision]
    streaming(sketch, revision)
    sketch.run(5.0)
    sketch.tell("stall", round(seconds * 1e6))
    sketch.run(8.0)
    batches = sketch.sensed()
    gaps = [n for n, batch in enumerate(batches) if batch.lost and n > 0]
    assert len(gaps) == 1
    gap = batches[gaps[0]]
    before, after = ramp(batches[gaps[0] - 1].samples)[-1], ramp(gap.samples)[0]
    assert after - before >= seconds * chip_hz - FIFO[revision] - 4
    assert gap.lost == pytest.approx((after - before) / chip_hz * RATE_HZ - 1, abs=1)
    indices, at = check_in_order(sketch)
    skew = indices / RATE_HZ - at / chip_hz
    assert np.ptp(skew) <= 1 / RATE_HZ
    ends = [end for end, _ in sketch.predictions()]
    first = min(end for end in ends if end >= gap.index)
    assert first == gap.index + T - 1
    status, state = sketch.status(), sketch.sensor(send=True)
    assert status["lost"] == gap.lost
    assert state.overruns == 1


@BOTH
def test_every_inference_too_slow_for_the_fifo_still_keeps_time(
    sketch: Sketch, revision: int
) -> None:
    """2 s of every window's 1.28 s: the board cannot keep up and says by how much."""
    sketch.costs("inference", 2_000_000)
    streaming(sketch, revision)
    sketch.run(40.0)
    indices, at = check_in_order(sketch)
    gaps = np.count_nonzero(np.diff(indices) > 1)  # each is counted in whole samples
    assert gaps >= 5
    assert np.ptp(indices / RATE_HZ - at / CHIP_HZ[revision]) <= (1 + gaps / 2) / RATE_HZ
    assert len(sketch.predictions()) >= 5


# ---- the bus, the sensor, the clock ------------------------------------------------------------


@BOTH
def test_a_few_failed_transfers_are_counted_and_so_is_what_they_cost(
    sketch: Sketch, revision: int
) -> None:
    streaming(sketch, revision)
    errors = range(1, 10)
    for failures in errors:
        sketch.run(0.5 + 0.0013 * failures)
        sketch.tell("fail", failures)
    sketch.run(2.0)
    indices, at = check_in_order(sketch)
    assert np.ptp(indices / RATE_HZ - at / CHIP_HZ[revision]) <= 2 / RATE_HZ
    missing = indices[-1] - indices[0] + 1 - len(indices)
    assert missing <= 6 * len(errors)
    assert sketch.status()["lost"] == missing
    state = sketch.sensor(send=True)
    assert state.bus_errors == sum(errors)
    assert (state.sensor, state.trouble) == (revision, RIGHT)


@BOTH
def test_a_sensor_that_falls_silent_is_said_and_its_return_goes_on_at_the_right_index(
    sketch: Sketch, revision: int
) -> None:
    streaming(sketch, revision)
    sketch.run(3.0)
    sketch.tell("fail", -1)
    sketch.run(5.0)
    state = sketch.sensor(send=True)
    assert state.trouble == SILENT and state.bus_errors > 0
    sketch.tell("fail", 0)
    sketch.run(20.0)
    state = sketch.sensor(send=True)
    assert (state.sensor, state.trouble) == (revision, RIGHT)
    batches = sketch.sensed()
    check_in_order(sketch)
    gaps = [batch for batch in batches[1:] if batch.lost]
    assert len(gaps) == 1
    assert 5 * RATE_HZ <= gaps[0].lost <= 16 * RATE_HZ
    silence = [b for b in batches if b.index >= gaps[0].index]
    first, last = batches[0], batches[-1]
    by_clock = (last.time_ms - first.time_ms) / 1000 * RATE_HZ
    assert last.index - first.index == pytest.approx(by_clock, abs=3)
    assert len(silence) > 10
    assert sketch.status()["lost"] == gaps[0].lost


@BOTH
def test_a_person_is_told_of_a_silent_sensor_and_of_its_return(
    sketch: Sketch, revision: int
) -> None:
    sketch.boot(revision)
    sketch.port(read=True)
    sketch.run(5.0)
    sketch.lines.clear()
    sketch.tell("fail", -1)
    sketch.run(15.0)
    said = [line for line in sketch.lines if line.startswith("har: ")]
    assert len(said) == 1 and "looked for again every 10 s" in said[0]
    sketch.lines.clear()
    sketch.tell("fail", 0)
    sketch.run(20.0)
    assert any("motion sensor" in line for line in sketch.lines)
    assert len(predicted(sketch.lines)) >= 4


def test_without_a_sensor_a_host_sends_samples_and_the_board_predicts(sketch: Sketch) -> None:
    sketch.boot(0)
    sketch.port(read=True)
    sketch.run(3.0)
    absent = "har: no motion sensor found: a host can send samples instead (har stream)"
    assert sketch.lines.count(absent) == 1
    assert predicted(sketch.lines) == []
    sketch.hello()
    state = sketch.sensor(send=True)
    assert (state.sensor, state.trouble) == (NONE, ABSENT)
    samples = np.random.default_rng(3).normal(0, 3000, (T + 2 * HOP, 6)).astype(np.int16)
    for at in range(0, len(samples), 32):
        sketch.serial(wire.frame(wire.SAMPLES, at, wire.samples_payload(at, samples[at : at + 32])))
        sketch.run(0.7)
    assert [end for end, _ in sketch.predictions()] == [T - 1, T + HOP - 1, T + 2 * HOP - 1]
    assert sketch.sensed() == []


@BOTH
@pytest.mark.parametrize("wrap_us", [2**32, 2**32 * 1000], ids=["microseconds", "milliseconds"])
def test_the_clock_wraps_while_samples_run(sketch: Sketch, revision: int, wrap_us: int) -> None:
    streaming(sketch, revision, clock_us=wrap_us - 12_000_000)
    sketch.run(25.0)
    indices, at = check_in_order(sketch)
    assert len(indices) == pytest.approx(25 * RATE_HZ, abs=25)
    assert np.diff(at) == pytest.approx(CHIP_HZ[revision] / RATE_HZ, abs=2e-2)
    times = np.array([time_ms for _, time_ms in sketch.predictions()])
    assert np.diff(times) % 2**32 == pytest.approx(HOP / RATE_HZ * 1000, abs=5)
    status, state = sketch.status(), sketch.sensor(send=True)
    assert (status["lost"], state.late, state.overruns, state.bus_errors) == (0, 0, 0, 0)


@BOTH
def test_keys_and_text_survive_the_wrap_of_the_clock(sketch: Sketch, revision: int) -> None:
    sketch.boot(revision, clock_us=2**32 * 1000 - 5_000_000)
    sketch.port(read=True)
    sketch.run(4.99)
    sketch.type("?")
    at = len(sketch.lines)
    sketch.run(1.0)
    assert any(line.startswith("har: ") for line in sketch.lines[at:])
    sketch.run(5.0)
    assert len(predicted(sketch.lines)) == pytest.approx((11 * RATE_HZ - T) / HOP + 1, abs=1)


# ---- all of it -----------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("rate", [0.95, 1.05])
def test_minutes_at_a_rate_off_the_nominal_lose_nothing_and_keep_time(
    sketch: Sketch, revision: int, rate: float
) -> None:
    chip_hz = CHIP_HZ[revision] * rate
    streaming(sketch, revision, rate_hz=chip_hz)
    sketch.run(30.0)  # until the rate is known
    state = sketch.sensor(send=True)
    assert state.rate_hz == pytest.approx(chip_hz, rel=1e-3)
    sketch.frames.clear()
    sketch.run(120.0)
    indices, at = check_in_order(sketch)
    assert np.diff(indices).tolist() == [1] * (len(indices) - 1)
    assert np.ptp(indices / RATE_HZ - at / chip_hz) <= 0.12  # a thousandth of two minutes
    times = np.array([b.time_ms for b in sketch.sensed()])
    first = np.array([ramp(b.samples)[0] for b in sketch.sensed()])
    assert np.ptp(times / 1000 - first / chip_hz) <= 2 / chip_hz + 2e-3
    status, state = sketch.status(), sketch.sensor(send=True)
    assert (status["lost"], status["dropped"], state.late, state.overruns) == (0, 0, 0, 0)


@BOTH
@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_what_is_missing_is_counted_and_the_index_keeps_time(
    sketch: Sketch, revision: int, seed: int
) -> None:
    rng = np.random.default_rng(1000 * revision + seed)
    streaming(sketch, revision, clock_us=2**32 * 1000 - int(rng.integers(1, 60)) * 1_000_000)
    sketch.costs("step", 700_000 // STEPS)
    sketch.run(4.0)

    def stall() -> None:
        sketch.tell("stall", int(rng.integers(10_000, 3_000_000)))

    def slow() -> None:
        sketch.costs("inference", int(rng.choice([0, 20_000, 100_000, 600_000])))

    def fail() -> None:
        sketch.tell("fail", int(rng.integers(1, 9)))

    def teach() -> None:
        end_index = sketch.predictions()[-1][0]
        payload = struct.pack("<IB", end_index, int(rng.integers(0, SHIPPED)))
        assert sketch.ask(wire.LABEL, payload).type in (wire.LEARNED, wire.ERROR)

    def save() -> None:
        assert sketch.ask(wire.SAVE).type == wire.STATE

    steps = (stall, slow, fail, teach, save)
    for _ in range(25):
        steps[int(rng.integers(len(steps)))]()
        sketch.run(float(rng.uniform(0.0, 2.0)))
    sketch.costs("inference", 0)
    sketch.run(5.0)
    indices, at = check_in_order(sketch)
    missing = int(indices[-1] - indices[0]) + 1 - len(indices)
    gaps = int(np.count_nonzero(np.diff(indices) > 1))
    assert sketch.status()["lost"] == missing
    assert sketch.status()["dropped"] == 0
    assert np.ptp(indices / RATE_HZ - at / CHIP_HZ[revision]) <= (1 + gaps / 2) / RATE_HZ
    assert sketch.sensor(send=True).trouble == RIGHT

"""A board's own motion sensor in words."""

from __future__ import annotations

from pipeline.protocol.messages import Sensor, SensorState, SensorTrouble

_NAMES = {
    Sensor.NONE: "none",
    Sensor.LSM9DS1: "LSM9DS1 (Rev1)",
    Sensor.BMI270: "BMI270 (Rev2)",
    Sensor.PLAYED: "a played recording",
}
_TROUBLES = {
    SensorTrouble.RIGHT: ("works", ""),
    SensorTrouble.ABSENT: ("not found", "a host can send samples instead (`har stream`)"),
    SensorTrouble.BUS_STUCK: ("a line of its bus is stuck", "unplug the board for a second"),
    SensorTrouble.REFUSED: ("did not take its settings", "unplug the board for a second"),
    SensorTrouble.SILENT: ("answers no more", "the board looks for it again every 10 s"),
}


def sensor_name(state: SensorState) -> str:
    """Chip and, as they differ in it, revision of the board."""
    return _NAMES[state.sensor]


def trouble(state: SensorState) -> tuple[str, str]:
    """What is the matter with it, and what to do, which is "" when nothing is."""
    return _TROUBLES[state.trouble]


def describe(state: SensorState) -> str:
    """One line: `motion sensor LSM9DS1 (Rev1), 118.7 Hz`, or its trouble."""
    named = "motion sensor"
    if state.sensor != Sensor.NONE:
        named += f"{':' if state.sensor == Sensor.PLAYED else ''} {_NAMES[state.sensor]}"
    if state.trouble != SensorTrouble.RIGHT:
        what, remedy = trouble(state)
        return f"{named}: {what}; {remedy}"
    if state.rate_hz is None:
        return f"{named}, {state.nominal_hz:g} Hz nominal, its true rate not measured yet"
    return f"{named}, {state.rate_hz:.1f} Hz"

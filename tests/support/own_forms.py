"""Recordings of one's own in the forms of other programs, and how an import reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.core.errors import InputError
from pipeline.data.importers import IMPORTERS, Given, Reading, open_tree
from tests.support.foreign_data import G

Samples = npt.NDArray[np.float64]


def read_form(name: str, path: Path, **given: Any) -> Reading:
    """``given`` are fields of Given."""
    importer = IMPORTERS[name]
    with open_tree(path, importer.anchor, importer.expects, zips=True) as tree:
        return importer.read(tree, Given(**given))


def refusal(name: str, path: Path, **given: Any) -> str:
    """The one line of it, which must name the path."""
    with pytest.raises(InputError) as refused:
        read_form(name, path, **given)
    message = str(refused.value)
    assert path.name in message and "\n" not in message
    return message


def write_sensor_logger(
    folder: Path,
    samples: Samples,
    rate_hz: float = 100.0,
    *,
    platform: str = "android",
    standardisation: str | None = "false",
    total: bool = True,
    gyroscope_times: Samples | None = None,
    annotations: Sequence[tuple[float, str]] = (),
) -> Path:
    """``samples`` (n, 6) in g and rad/s as an accelerometer reads them; iOS's signs are turned.

    The gyroscope's are written at ``gyroscope_times``, in s, if given (interpolated).
    """
    folder.mkdir(parents=True, exist_ok=True)
    times = 0.25 + np.arange(len(samples)) / rate_hz
    sign = -1.0 if platform == "ios" and standardisation != "true" else 1.0
    acceleration = sign * samples[:, :3] * G
    gravity = acceleration / np.linalg.norm(acceleration, axis=1, keepdims=True) * G

    def save(name: str, at: Samples, values: Samples) -> None:
        lines = ["time,seconds_elapsed,z,y,x"]
        for time, (x, y, z) in zip(at, values.tolist(), strict=True):
            nanoseconds = 1_698_501_144_000_000_000 + round(time * 1e9)
            lines.append(f"{nanoseconds},{time:.9f},{z!r},{y!r},{x!r}")
        (folder / name).write_text("\n".join(lines) + "\n")

    save("Accelerometer.csv", times, acceleration - gravity)
    save("Gravity.csv", times, gravity)
    if total:
        save("TotalAcceleration.csv", times, acceleration)
    if gyroscope_times is None:
        save("Gyroscope.csv", times, samples[:, 3:])
    else:
        rates = [np.interp(gyroscope_times, times, column) for column in samples[:, 3:].T]
        save("Gyroscope.csv", gyroscope_times, np.stack(rates, axis=1))
    (folder / "Location.csv").write_text("time,seconds_elapsed,latitude,longitude\n1,0.1,52,4\n")
    lines = [f"{round(at * 1e9)},{at},{text},120" for at, text in annotations]
    header = "time,seconds_elapsed,text,millisecond_press_duration"
    (folder / "Annotation.csv").write_text("\n".join([header, *lines]) + "\n")
    header = "version,device name,recording time,platform,appVersion"
    line = f"3,phone,2024-01-01_12-00-00,{platform},1.30"
    if standardisation is not None:
        header, line = f"{header},standardisation", f"{line},{standardisation}"
    (folder / "Metadata.csv").write_text(f"{header}\n{line}\n")
    return folder


def write_phyphox(
    folder: Path,
    samples: Samples,
    rate_hz: float = 200.0,
    *,
    gyroscope_times: Samples | None = None,
    delimiter: str = ",",
    comma: bool = False,
    together: bool = False,
    linear: bool = False,
) -> Path:
    """``samples`` (n, 6) in g and rad/s; ``comma`` for a decimal one, ``together`` for one file of
    both sensors, ``linear`` for acceleration without gravity."""
    folder.mkdir(parents=True, exist_ok=True)
    times = 0.009 + np.arange(len(samples)) / rate_hz
    acceleration = samples[:, :3] * G
    name = "Linear Acceleration" if linear else "Acceleration"
    first = [f"{name} {axis} (m/s^2)" for axis in "xyz"]
    second = [f"Gyroscope {axis} (rad/s)" for axis in "xyz"]

    def save(file: str, header: Sequence[str], at: Samples, values: Samples) -> None:
        lines = [delimiter.join(f'"{cell}"' for cell in ("Time (s)", *header))]
        for row in np.column_stack([at, values]).tolist():
            line = delimiter.join(f"{value:.9E}" for value in row)
            lines.append(line.replace(".", ",") if comma else line)
        (folder / file).write_text("\n".join(lines) + "\n")

    if together:
        size = np.linalg.norm(acceleration, axis=1, keepdims=True)
        values = np.hstack([acceleration, size, samples[:, 3:]])
        save("Raw Data.csv", [*first, "Absolute acceleration (m/s^2)", *second], times, values)
    else:
        save(
            "Linear Acceleration.csv" if linear else "Accelerometer.csv", first, times, acceleration
        )
        rates = [
            np.interp(times if gyroscope_times is None else gyroscope_times, times, column)
            for column in samples[:, 3:].T
        ]
        at = times if gyroscope_times is None else gyroscope_times
        save("Gyroscope.csv", second, at, np.stack(rates, axis=1))
    (folder / "meta").mkdir(exist_ok=True)
    device = [("property", "value"), ("version", "1.1.16"), ("deviceBrand", "Apple")]
    time = [("event", "experiment time", "system time"), ("START", "0", "1698501144")]
    for file, rows in (("device.csv", device), ("time.csv", time)):
        lines = [delimiter.join(f'"{cell}"' for cell in row) for row in rows]
        (folder / "meta" / file).write_text("\n".join(lines) + "\n")
    return folder


def edit(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Writes a file again, its lines changed."""
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


def cell(line: int, column: int, text: str) -> Callable[[list[str]], list[str]]:
    """The change of one cell; lines count from 1, columns from 0."""

    def change(lines: list[str]) -> list[str]:
        cells = lines[line - 1].split(",")
        cells[column] = text
        return [*lines[: line - 1], ",".join(cells), *lines[line:]]

    return change

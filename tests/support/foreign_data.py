"""Small copies of published data sets, in the form in which they are published.

The motion is made up and obeys physics: gravity turns as the gyroscope says.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

G = 9.80665
STEP_HZ = {"walking": 1.8, "upstairs": 1.5, "downstairs": 2.1, "jogging": 2.8}


def motion(
    seconds: float, rate_hz: float, activity: str = "sitting", seed: int = 0
) -> npt.NDArray[np.float64]:
    """(n, 6): acceleration in g with gravity, angular rate in rad/s; who steps, bounces too."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate_hz)
    time_s = np.arange(n) / rate_hz
    phase = rng.uniform(0, 2 * np.pi, 3)
    turning = 0.3 * np.sin(2 * np.pi * np.array([0.13, 0.21, 0.17]) * time_s[:, None] + phase)
    gravity = []
    x, y, z = 0.9045, 0.3015, 0.3015
    for wx, wy, wz in turning.tolist():
        gravity.append((x, y, z))
        x, y, z = (
            x - (wy * z - wz * y) / rate_hz,
            y - (wz * x - wx * z) / rate_hz,
            z - (wx * y - wy * x) / rate_hz,
        )
        length = math.sqrt(x * x + y * y + z * z)
        x, y, z = x / length, y / length, z / length
    samples = np.hstack([np.array(gravity).reshape(-1, 3), turning])
    if activity in STEP_HZ:
        bounce = np.sin(2 * np.pi * STEP_HZ[activity] * time_s)[:, None]
        samples[:, :3] *= 1 + 0.4 * bounce
        samples[:, 3:] += 0.8 * bounce * [0.2, 1.0, 0.4]
    noisy: npt.NDArray[np.float64] = samples + rng.normal(0, 0.004, samples.shape)
    return noisy


def zipped(folder: Path, path: Path, prefix: str = "") -> Path:
    """A zip of everything below ``folder``, with what macOS adds."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, prefix + file.relative_to(folder).as_posix())
        archive.writestr("__MACOSX/._thing", b"\0\5\26\7")
    return path


def _save(path: Path, table: npt.ArrayLike, form: str, delimiter: str = " ") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.atleast_2d(np.asarray(table).T).T
    line = delimiter.join([form] * rows.shape[1])
    path.write_text("".join(line % tuple(row) + "\n" for row in rows.tolist()))


# ---- UCI HAR -------------------------------------------------------------------------------------

UCI_LABELS = (
    "1 WALKING\n2 WALKING_UPSTAIRS\n3 WALKING_DOWNSTAIRS\n4 SITTING\n5 STANDING\n6 LAYING\n"
)
UCI_NAMES = ("walking", "upstairs", "downstairs", "sitting", "standing", "lying")


def rows_of(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n, 6) into windows (N, 128, 6) that overlap by half."""
    return np.stack([samples[at : at + 128] for at in range(0, len(samples) - 127, 64)])


def write_ucihar(
    root: Path,
    stretches: Sequence[tuple[str, int, int, npt.NDArray[np.float64]]],
) -> Path:
    """``stretches`` are (train or test, person, activity number, samples (n, 6))."""
    folder = root / "UCI HAR Dataset"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "activity_labels.txt").write_text(UCI_LABELS)
    for part in ("train", "test"):
        own = [stretch for stretch in stretches if stretch[0] == part]
        rows = [rows_of(samples) for _, _, _, samples in own]
        people = [person for (_, person, _, _), r in zip(own, rows, strict=True) for _ in r]
        numbers = [number for (_, _, number, _), r in zip(own, rows, strict=True) for _ in r]
        x = np.concatenate(rows)
        _save(folder / part / f"subject_{part}.txt", people, "%d")
        _save(folder / part / f"y_{part}.txt", numbers, "%d")
        for channel, signal in enumerate(
            f"{sensor}_{axis}" for sensor in ("total_acc", "body_gyro") for axis in "xyz"
        ):
            path = folder / part / "Inertial Signals" / f"{signal}_{part}.txt"
            _save(path, x[:, :, channel], " % .7e")
    return folder


# ---- HAPT ----------------------------------------------------------------------------------------


def write_hapt(
    root: Path,
    experiments: Sequence[tuple[int, int, npt.NDArray[np.float64]]],
    labels: Sequence[tuple[int, int, int, int, int]],
) -> Path:
    """``experiments`` are (experiment, person, samples (n, 6)); ``labels`` as in labels.txt."""
    folder = root / "HAPT Data Set"
    folder.mkdir(parents=True, exist_ok=True)
    more = "7 STAND_TO_SIT \n8 SIT_TO_STAND \n9 SIT_TO_LIE \n10 LIE_TO_SIT \n"
    (folder / "activity_labels.txt").write_text(
        UCI_LABELS + more + "11 STAND_TO_LIE \n12 LIE_TO_STAND \n"
    )
    for experiment, person, samples in experiments:
        end = f"exp{experiment:02d}_user{person:02d}.txt"
        _save(folder / "RawData" / f"acc_{end}", samples[:, :3], "%.16g")
        _save(folder / "RawData" / f"gyro_{end}", samples[:, 3:], "%.16g")
    _save(folder / "RawData" / "labels.txt", labels, "%d")
    return folder


# ---- PAMAP2 --------------------------------------------------------------------------------------


def write_pamap2(
    root: Path,
    person: int,
    samples: npt.NDArray[np.float64],
    numbers: npt.NDArray[np.int64],
    lost: Sequence[tuple[int, int]] = (),
    rate_hz: float = 100.0,
) -> Path:
    """``samples`` (n, 6) in g and rad/s at 100 Hz; ``lost`` are stretches without the hand."""
    table = np.full((len(samples), 54), np.nan)
    table[:, 0] = 8.38 + np.arange(len(samples)) / rate_hz
    table[:, 1] = numbers
    table[::11, 2] = 104  # heart rate: about 9 Hz
    for first in (3, 20, 37):
        table[:, first] = 30.5
        table[:, first + 4 : first + 7] = 55.0  # the other accelerometer must not be taken
        table[:, first + 7 : first + 13] = 44.0
        table[:, first + 13 : first + 17] = [1, 0, 0, 0]
    table[:, 4:7] = samples[:, :3] * G
    table[:, 10:13] = samples[:, 3:]
    for start, stop in lost:
        table[start:stop, 3:20] = np.nan
    folder = root / "PAMAP2_Dataset"
    (folder / "Protocol").mkdir(parents=True, exist_ok=True)
    with (folder / "Protocol" / f"subject{person}.dat").open("w") as file:
        for row in table:
            file.write(" ".join("NaN" if np.isnan(v) else f"{v:.6g}" for v in row) + "\n")
    return folder


# ---- MotionSense ---------------------------------------------------------------------------------

MOTIONSENSE_HEADER = (
    ",attitude.roll,attitude.pitch,attitude.yaw,gravity.x,gravity.y,gravity.z,rotationRate.x,"
    "rotationRate.y,rotationRate.z,userAcceleration.x,userAcceleration.y,userAcceleration.z"
)


def write_motionsense(
    root: Path, code: str, trial: int, person: int, samples: npt.NDArray[np.float64]
) -> Path:
    """``samples`` (n, 6) as an accelerometer reads them; the file has iOS's opposite sign."""
    gravity = -samples[:, :3] / np.linalg.norm(samples[:, :3], axis=1, keepdims=True)
    user = -samples[:, :3] - gravity
    angles = np.zeros((len(samples), 3))
    table = np.hstack([angles, gravity, samples[:, 3:], user])
    folder = root / "A_DeviceMotion_data"
    path = folder / f"{code}_{trial}" / f"sub_{person}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{i}," + ",".join(f"{v:.6f}" for v in row) for i, row in enumerate(table)]
    path.write_text("\n".join([MOTIONSENSE_HEADER, *lines]) + "\n")
    return folder


# ---- WISDM ---------------------------------------------------------------------------------------


def wisdm_records(
    person: int,
    activity: str,
    samples: npt.NDArray[np.float64],
    start_s: float = 49105.0,
    rate_hz: float = 20.0,
) -> list[str]:
    """One record a sample, in m/s2."""
    return [
        f"{person},{activity},{round((start_s + i / rate_hz) * 1e9)},"
        + ",".join(f"{value * G:.7g}" for value in sample[:3])
        for i, sample in enumerate(samples)
    ]


def write_wisdm(root: Path, records: Sequence[str], end: str = ";\n") -> Path:
    folder = root / "WISDM_ar_v1.1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "WISDM_ar_v1.1_raw.txt").write_text("".join(record + end for record in records))
    return folder


# ---- WISDM 2019 ----------------------------------------------------------------------------------


def write_wisdm2019(
    root: Path,
    unit: str,
    person: int,
    stretches: Sequence[tuple[str, npt.NDArray[np.float64]]],
    *,
    gyroscope_delay_s: float = 0.0,
    start_s: float = 90426.0,
    rate_hz: float = 20.0,
) -> Path:
    """``stretches`` are (letter, samples (n, 6) in g and rad/s), one after the other with a second
    between; the gyroscope's times are later by a delay."""
    folder = root / "wisdm-dataset"
    for sensor, columns, scale, delay in (
        ("accel", slice(0, 3), G, 0.0),
        ("gyro", slice(3, 6), 1.0, gyroscope_delay_s),
    ):
        at, lines = start_s + delay, []
        for letter, samples in stretches:
            for i, sample in enumerate(samples):
                values = ",".join(f"{value * scale:.8g}" for value in sample[columns])
                lines.append(f"{person},{letter},{round((at + i / rate_hz) * 1e9)},{values};")
            at += len(samples) / rate_hz + 1.0
        path = folder / "raw" / unit / sensor / f"data_{person}_{sensor}_{unit}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    return folder


# ---- DSADS ---------------------------------------------------------------------------------------

DSADS_UNITS = ("torso", "right_arm", "left_arm", "right_leg", "left_leg")


def write_dsads(
    root: Path,
    activity: int,
    person: int,
    segments: Sequence[Mapping[str, npt.NDArray[np.float64]]],
) -> Path:
    """Segments of one person and activity, from s01 on: samples (125, 6) in g and rad/s by unit.

    Where they are zero, so is the magnetometer, as in the missing seconds of the original.
    """
    folder = root / "data"
    path = folder / f"a{activity:02d}" / f"p{person}"
    path.mkdir(parents=True, exist_ok=True)
    for number, units in enumerate(segments, start=1):
        parts = []
        for unit in DSADS_UNITS:
            there = units[unit].any(axis=1, keepdims=True)
            field = there * [-0.61, 0.37, 0.12]  # must not be taken
            parts += [units[unit][:, :3] * G, units[unit][:, 3:], field]
        _save(path / f"s{number:02d}.txt", np.hstack(parts), "%.5g", ",")
    return folder


# ---- one's own -----------------------------------------------------------------------------------


def write_own(
    path: Path,
    samples: npt.NDArray[np.float64],
    labels: Sequence[str],
    rate_hz: float = 50.0,
    subject: str = "",
) -> Path:
    """A CSV file in the project's own form."""
    lines = [f"# subject: {subject}"] if subject else []
    lines.append("time_s,ax_g,ay_g,az_g,gx_rads,gy_rads,gz_rads,activity")
    for i, (sample, label) in enumerate(zip(samples, labels, strict=True)):
        lines.append(f"{i / rate_hz:.5f}," + ",".join(f"{v:.6f}" for v in sample) + f",{label}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path

"""Watch: ten people, a smartwatch on either arm, seven shoulder exercises.

The wheel holds a NumPy file with one pickled dictionary: X (140 arrays (n, 6)), y, subject, side
(1 = right, 0 = left) and the two lists of names.
"""

from __future__ import annotations

import io
import reprlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.data.archives import read_zip_member
from pipeline.data.recording import Recording, Segment
from pipeline.data.safe_pickle import NUMPY_GLOBALS, InertArray, load_pickle
from pipeline.data.source import Source

RATE_HZ = 50.0
MEMBER = "seglearn/data/watch_dataset.npy"
MEMBER_BYTES = 19_000_000  # the real one has 18,118,091

ACTIVITIES = ("PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW")
COLUMNS = ("ax", "ay", "az", "wx", "wy", "wz")
SIDES = ("left", "right")

# A right arm mirrors a left one: ax, wy and wz change their sign.
MIRROR = np.array([-1, 1, 1, 1, -1, -1], dtype=np.float32)


def read_watch(path: Path) -> tuple[Recording, ...]:
    """Reads the 140 recordings out of the package's wheel.

    Raises:
        InputError: the archive, the member, the pickle, a shape, a column, a side or a label is
            not as expected; the message names the place.
    """
    where = f"{path}, member {MEMBER}"
    content = _content(read_zip_member(path, MEMBER, MEMBER_BYTES), where)
    if tuple(content["X_labels"]) != COLUMNS:
        raise InputError(
            f"{where}: columns {reprlib.repr(content['X_labels'])}; expected {list(COLUMNS)}"
        )
    if tuple(content["y_labels"]) != ACTIVITIES:
        raise InputError(
            f"{where}: activities {reprlib.repr(content['y_labels'])}; expected {list(ACTIVITIES)}"
        )
    stretches = content["X"]
    count = len(stretches)
    labels = _numbers(content, "y", count, len(ACTIVITIES), where)
    sides = _numbers(content, "side", count, len(SIDES), where)
    people = _numbers(content, "subject", count, 100, where)

    recordings = []
    for index in range(count):
        place = f"{where}, recording {index}"
        array = stretches[index].value if isinstance(stretches[index], InertArray) else None
        if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype != np.float64:
            raise InputError(f"{place}: no float64 array of two dimensions")
        if array.shape[1] != len(COLUMNS):
            raise InputError(f"{place}: {array.shape[1]} columns; expected {len(COLUMNS)}")
        subject = f"subject{people[index]:02d}"
        try:
            recording = Recording(
                samples=np.ascontiguousarray(array, dtype=np.float32),
                rate_hz=RATE_HZ,
                subject=subject,
                session=f"{subject}/{SIDES[sides[index]]}",
                source=f"{SOURCE.package} {SOURCE.version}",
                segments=(Segment(0, len(array), ACTIVITIES[labels[index]]),),
            )
        except InputError as error:
            raise InputError(f"{place}: {error}") from error
        recordings.append(recording)
    order = {name: rank for rank, name in enumerate(ACTIVITIES)}
    return tuple(sorted(recordings, key=lambda r: (r.session, order[r.segments[0].activity])))


def _content(member: bytes, where: str) -> dict[str, Any]:
    """The dictionary inside the NumPy file."""
    file = io.BytesIO(member)
    try:
        npy: Any = np.lib.format
        version = npy.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"format version {version}")
        shape, _, dtype = npy.read_array_header_1_0(file)
    except ValueError as error:
        raise InputError(f"{where}: no NumPy file of version 1.0 ({error})") from error
    if shape != () or dtype != np.dtype(object):
        raise InputError(f"{where}: an array {dtype} {shape}; expected one object")
    array = load_pickle(file.read(), NUMPY_GLOBALS, where)
    items = array.value if isinstance(array, InertArray) else None
    content = items[0] if isinstance(items, list) and len(items) == 1 else None
    if not isinstance(content, dict):
        raise InputError(f"{where}: no dictionary inside")
    for name in ("X", "X_labels", "y_labels", "y", "subject", "side"):
        kind = list if name in ("X", "X_labels", "y_labels") else InertArray
        if not isinstance(content.get(name), kind):
            raise InputError(f"{where}: entry {name!r} is missing or of another kind")
    return content


def _numbers(
    content: dict[str, Any], name: str, count: int, limit: int, where: str
) -> npt.NDArray[np.int64]:
    """Entry ``name`` as whole numbers (count,) in 0..limit-1."""
    values = content[name].value
    if not isinstance(values, np.ndarray) or values.shape != (count,):
        raise InputError(f"{where}: entry {name!r} is not one number per recording")
    valid = (values >= 0) & (values < limit) & (values == np.floor(values))
    if not valid.all():
        first = int(np.argmin(valid))
        raise InputError(
            f"{where}, recording {first}: {name} is {values[first]}; known are 0..{limit - 1}"
        )
    return values.astype(np.int64)


SOURCE = Source(
    name="watch",
    title="Watch: shoulder physiotherapy exercises, smartwatch on either arm",
    package="seglearn",
    version="1.2.5",
    file="seglearn-1.2.5-py3-none-any.whl",
    sha256="ec6b952c85c9627050102854b372d85951563d3b990df677d7c55547e87413dd",
    size_bytes=11_320_941,
    rate_hz=RATE_HZ,
    activities=ACTIVITIES,
    terms=(
        "The package that carries the data is BSD-3-Clause (copyright 2018 David M. Burns); the "
        "data has no terms of its own. Cite Burns 2018."
    ),
    citation=(
        "Burns, Leung, Hardisty, Whyne, Henry, McLachlin: Shoulder physiotherapy exercise "
        "recognition: machine learning the inertial signals from a smartwatch. Physiological "
        "Measurement 39 (2018), 075007."
    ),
    read=read_watch,
    placement="wrist",
)

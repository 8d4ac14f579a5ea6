"""The nouns of the data: Recording, Segment, Windows, Dataset.

Every sample array has the six columns of ``CHANNELS``: acceleration in g with gravity included,
then angular rate in rad/s.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError

CHANNELS = ("ax", "ay", "az", "gx", "gy", "gz")
UNITS: Mapping[str, str] = {
    "acceleration": "g, gravity included",
    "angular_rate": "rad/s",
    "time": "s",
}


@dataclass(frozen=True)
class Segment:
    """Samples ``start`` (included) to ``stop`` (excluded) of a recording show one activity."""

    start: int
    stop: int
    activity: str

    def __len__(self) -> int:
        return self.stop - self.start


def segments_of(labels: Sequence[str], cuts: Iterable[int] = ()) -> tuple[Segment, ...]:
    """Runs of one label of the samples, (n,), that end before each index of ``cuts``; samples with
    the label "" are left out."""
    changes = (i for i in range(1, len(labels)) if labels[i] != labels[i - 1])
    borders = sorted({0, *changes, *cuts, len(labels)})
    return tuple(
        Segment(start, stop, labels[start])
        for start, stop in itertools.pairwise(borders)
        if labels[start]
    )


@dataclass(frozen=True, eq=False)
class Recording:
    """One continuous stretch of one person wearing one device.

    ``samples`` is float32 (n, 6), columns as in ``CHANNELS``, and is read-only from here on.
    ``segments`` are sorted and do not overlap; what they leave out is unlabelled. ``placement`` is
    where on the body the device sat ("" for unknown).

    Raises:
        InputError: wrong type or shape, a value that is not finite, an impossible rate, a segment
            that is empty, out of range, out of order, overlapping or nameless.
    """

    samples: npt.NDArray[np.float32]
    rate_hz: float
    subject: str
    session: str
    source: str
    segments: tuple[Segment, ...]
    placement: str = ""

    def __post_init__(self) -> None:
        where = f"recording {self.session or '(no session)'} from {self.source or '(no source)'}"
        samples = self.samples
        if samples.dtype != np.float32 or samples.ndim != 2 or samples.shape[1] != len(CHANNELS):
            raise InputError(
                f"{where}: samples are {samples.dtype} {samples.shape}; "
                "give float32 (n, 6) as [ax ay az g, gx gy gz rad/s]"
            )
        if not math.isfinite(self.rate_hz) or self.rate_hz <= 0:
            raise InputError(f"{where}: rate {self.rate_hz} Hz; give a positive, finite rate")
        finite = np.isfinite(samples)
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            raise InputError(
                f"{where}: {int((~finite).sum())} values are not finite, the first at "
                f"sample {row}, column {CHANNELS[column]}; cut or repair that stretch"
            )
        end = 0
        for segment in self.segments:
            if not segment.activity:
                raise InputError(f"{where}: the segment at sample {segment.start} has no activity")
            if not end <= segment.start < segment.stop <= len(samples):
                raise InputError(
                    f"{where}: segment {segment.start}..{segment.stop} ({segment.activity}) is "
                    f"empty, overlaps the one before it or leaves 0..{len(samples)}"
                )
            end = segment.stop
        view = samples.view()
        view.flags.writeable = False
        object.__setattr__(self, "samples", view)

    def part(self, start: int, stop: int) -> Recording:
        """Samples ``start`` to ``stop`` with the segments that begin there, as a recording."""
        segments = [s for s in self.segments if start <= s.start < stop]
        return replace(
            self,
            samples=self.samples[start:stop],
            segments=tuple(Segment(s.start - start, s.stop - start, s.activity) for s in segments),
        )

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate_hz


@dataclass(frozen=True, eq=False)
class Windows:
    """N windows of T samples, all at one rate.

    x float32 (N, T, 6); y int64 (N,) indexes ``activities``; subjects and sessions str (N,);
    recording int64 (N,) indexes the recordings that were cut; start int64 (N,) is the window's
    first sample there.

    Raises:
        InputError: the arrays do not fit each other.
    """

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64]
    activities: tuple[str, ...]
    subjects: npt.NDArray[np.str_]
    sessions: npt.NDArray[np.str_]
    recording: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.x.ndim != 3 or self.x.shape[2] != len(CHANNELS):
            raise InputError(f"windows have the shape {self.x.shape}; give (N, T, 6)")
        for name in ("y", "subjects", "sessions", "recording", "start"):
            shape = getattr(self, name).shape
            if shape != (len(self.x),):
                raise InputError(f"{name} has the shape {shape} for {len(self.x)} windows")
        if len(self.y) and not 0 <= self.y.min() <= self.y.max() < len(self.activities):
            raise InputError(f"y leaves 0..{len(self.activities) - 1}, the range of activities")

    def __len__(self) -> int:
        return len(self.x)

    def subset(self, mask: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Windows:
        """The windows that ``mask`` picks: bool (N,), or indices in the wanted order."""
        return Windows(
            x=self.x[mask],
            y=self.y[mask],
            activities=self.activities,
            subjects=self.subjects[mask],
            sessions=self.sessions[mask],
            recording=self.recording[mask],
            start=self.start[mask],
        )

    def for_subjects(self, subjects: Iterable[str]) -> Windows:
        """The windows of these people, order kept.

        Raises:
            InputError: a bare string was given where a collection of names is meant.
        """
        if isinstance(subjects, str):
            raise InputError(f"for_subjects({subjects!r}): give a collection of names")
        return self.subset(np.isin(self.subjects, np.array(list(subjects), dtype=np.str_)))


@dataclass(frozen=True, eq=False)
class Dataset:
    """Recordings of one origin, with everything one must know to use and to cite them.

    ``activities`` are the classes to learn, in their fixed order; segments may name others.
    ``sha256`` is the hash of the archive or file that the recordings were read from. ``people``
    names a group that other data sets may have recorded too ("" for none that is known).
    ``placement`` is where on the body the sensor sits, several joined by "and" ("" for unknown).
    ``notes`` is what every report about this data must say.
    """

    name: str
    title: str
    recordings: tuple[Recording, ...]
    activities: tuple[str, ...]
    rate_hz: float
    units: Mapping[str, str]
    terms: str
    citation: str
    package: str
    version: str
    sha256: str
    people: str = ""
    placement: str = ""
    notes: tuple[str, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everyone who appears, sorted."""
        return tuple(sorted({recording.subject for recording in self.recordings}))

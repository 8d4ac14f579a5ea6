"""Recordings that an emulated board plays as what its own motion sensor measures."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import ExternalError, InputError
from pipeline.core.files import write_whole

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MAGIC = b"HSEN"
HEADER_BYTES = 16
SAMPLE_BYTES = 6 * 4

_RATE = re.compile(r"^#define HAR_RATE_HZ ([0-9.e+-]+)f$", re.MULTILINE)


def write_played(path: Path, samples: npt.NDArray[np.float32]) -> None:
    """Writes samples (n, 6) float32 [ax ay az g, gx gy gz rad/s] at the model's rate as `launch`
    takes them: "HSEN", their count as u32, two u32 that are 0, the samples; little-endian.

    Raises `InputError` for another shape or a value that is not finite.
    """
    import numpy as np

    if samples.ndim != 2 or samples.shape[1] != 6 or not len(samples):
        raise InputError(f"a recording to play is (n, 6) with n > 0, not {samples.shape}")
    if not np.isfinite(samples).all():
        raise InputError("a recording to play has a value that is not finite: cut that stretch")
    header = MAGIC + struct.pack("<III", len(samples), 0, 0)
    write_whole(path, header + samples.astype("<f4").tobytes())


def read_played(path: Path) -> bytes:
    """The whole file, checked. Raises `ExternalError` when it cannot be read, `InputError` when it
    is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ExternalError(f"cannot read the recording {path}: {error.strerror}") from None
    size = len(data) - HEADER_BYTES
    if data[:4] != MAGIC or size <= 0 or size != SAMPLE_BYTES * int.from_bytes(data[4:8], "little"):
        raise InputError(f"{path} is not a recording to play: `har emulate --sensor` makes one")
    return data


def model_rate_hz(generated: Path) -> float:
    """Samples a second that the emitted model in the folder `generated` expects.

    Raises `InputError` when there is none.
    """
    try:
        found = _RATE.search((generated / "har_model.h").read_text())
    except OSError:
        found = None
    if found is None:
        raise InputError(f"{generated} holds no har_model.h: run `har emit` first")
    return float(found[1])


def recording_to_play(
    what: str, subject: str | None, rate_hz: float, tell: Callable[[str], None]
) -> tuple[npt.NDArray[Any], str]:
    """Samples (n, 6) float32 at `rate_hz`, and in words what they are: of a CSV file, or of one
    subject of a data set, by default the first test subject.

    Raises `InputError` for unknown subjects; what else loading raises.
    """
    import numpy as np

    from pipeline.board.playback import at_board_rate
    from pipeline.data.selection import select

    if what.lower().endswith(".csv"):
        recordings = select(None, None, subject, Path(what), tell).recordings
        name = what
    else:
        selection = select(what, None, subject, None, tell)
        person = subject or selection.subjects[0]
        recordings = tuple(r for r in selection.recordings if r.subject == person)
        name = f"{person} of {selection.source}"
    played = [at_board_rate(recording, rate_hz).samples for recording in recordings]
    return np.concatenate(played), name

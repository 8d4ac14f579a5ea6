"""The firmware's own learner as a process of this machine (firmware/tools/learner.h)."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Self

import numpy as np

from pipeline.core import wire
from pipeline.core.digests import sources_digest
from pipeline.core.errors import ExternalError, InputError
from pipeline.core.files import write_whole, written_aside
from pipeline.core.types import Array
from pipeline.core.wire import U8, U16, U32
from pipeline.head import Guard
from pipeline.sim.build import ROOT, build_image

_REQUEST = struct.Struct("<BBI")
_HELLO = struct.Struct("<8sIHBB")
_ITEMS = 4096  # of one request
_PREDICTS = {"serving": 0, "learned": 1, "shipped": 2}
_REFUSED = 0x80  # and above: har_status
_SOURCES = (
    *("CMakeLists.txt", "hal/*", "lib/base/*", "lib/head/*"),
    *("boards/host/*", "boards/played/*", "tools/learner.*"),
)
_GENERATED = ("har_model.h", "har_model.c")
_END_S = 10.0

Predicts = Literal["serving", "learned", "shipped"]


@dataclass(frozen=True)
class LearnerState:
    """``activities`` A; whether the learned head is active; labels learned; the guard's counts
    (firmware/lib/head/har_learner.h); CRC-32 of the learned parameters."""

    activities: U8
    serves: bool
    updates: U32
    guard: Guard
    held: U16
    held_right: U16
    crc: U32


_STATE_BYTES = len(wire.encode(LearnerState(0, False, 0, Guard(), 0, 0, 0)))


def build_learner(generated: Path, program: Path, build_dir: Path) -> None:
    """Builds the learner of what `har emit` wrote into ``generated`` as ``program``, unless it is
    there from the same sources.

    ``build_dir``: where CMake works. For many models one after the other, keep it and ``generated``
    the same: then only what differs is compiled. Raises as `build_image`.
    """
    digest = learner_digest(generated)
    note = program.with_name(program.name + ".sha256")
    with contextlib.suppress(OSError):
        if program.exists() and note.read_text().strip() == digest:
            return
    image = build_image("har_learner", "host", build_dir, generated)
    note.unlink(missing_ok=True)
    with written_aside(program) as part:
        shutil.copy2(image.path, part)
    write_whole(note, digest + "\n")


def learner_digest(generated: Path) -> str:
    """SHA-256 of all that the program is made of. Raises InputError where a file is missing."""
    try:
        emitted = sources_digest(generated, _GENERATED)
    except OSError as error:
        raise InputError(f"{error}; run `har emit` first") from None
    return hashlib.sha256(
        (sources_digest(ROOT / "firmware", _SOURCES) + emitted).encode()
    ).hexdigest()


class LearnerProgram:
    """One learner in a separate process, as shipped at first.

    Windows are int8 (N, B), as they leave the extractor at the cut. For one thread at a time.
    Raises ExternalError where the process cannot be started or ends.
    """

    def __init__(self, program: Path) -> None:
        self._path = program
        try:
            self._process = subprocess.Popen(
                [str(program)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise ExternalError(f"{program}: {error.strerror}; run it again") from None
        assert self._process.stdin and self._process.stdout
        self._to: IO[bytes] = self._process.stdin
        self._from: IO[bytes] = self._process.stdout
        found = _HELLO.unpack(self._ask("H", answer_bytes=_HELLO.size))
        self.model_id = found[0].hex()
        self.window_bytes, self.features, self.rows, self.shipped = map(int, found[1:])
        self.activities = self.shipped

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process."""
        for pipe in (self._to, self._from):
            with contextlib.suppress(OSError):  # it has ended already
                pipe.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def reset(self) -> None:
        """To the factory head."""
        self.activities = self._ask("R", answer_bytes=1)[0]

    def blind(self, features: int) -> None:
        """An ablation: the dense layer sees 0 instead of each of the first ``features``, with the
        rate that the others ask for; then as `reset`."""
        if not 0 <= features < self.features:
            raise InputError(f"{features} of {self.features} features: one must be left")
        self.activities = self._ask("B", count=features, answer_bytes=1)[0]

    def add(self) -> None:
        """One more activity. Raises InputError when no row is left."""
        before, self.activities = self.activities, self._ask("A", answer_bytes=1)[0]
        if self.activities == before:
            raise InputError(f"all {self.rows} rows are taken; make a bundle with more --spare")

    def label(self, windows: Array, activities: Array | Sequence[int]) -> list[int]:
        """Learns the windows one after the other; the outcomes (enum har_outcome).

        Raises InputError for a label that the learner refuses; those before it are learned.
        """
        labels = np.asarray(activities)
        if labels.shape != (len(windows),) or not ((labels >= 0) & (labels < 256)).all():
            raise InputError(f"labels {labels.shape} do not fit {len(windows)} windows")
        items = np.column_stack([labels.astype(np.uint8), self._bytes_of(windows)])
        outcomes = self._ask_for_each("L", 0, items)
        if refused := [outcome - _REFUSED for outcome in outcomes if outcome >= _REFUSED]:
            raise InputError(f"{self._path}: refused {len(refused)} labels, status {refused[0]}")
        return list(outcomes)

    def predict(self, windows: Array, by: Predicts = "serving") -> Array:
        """The activity of each window, int64 (N,)."""
        said = self._ask_for_each("P", _PREDICTS[by], self._bytes_of(windows))
        return np.frombuffer(said, np.uint8).astype(np.int64)

    def state(self) -> LearnerState:
        return wire.decode(LearnerState, self._ask("S", answer_bytes=_STATE_BYTES))

    def _bytes_of(self, windows: Array) -> Array:
        """int8 (N, B) as uint8."""
        if windows.dtype != np.int8 or windows.shape[1:] != (self.window_bytes,):
            raise InputError(
                f"windows {windows.dtype} {windows.shape} are not int8 (N, {self.window_bytes})"
            )
        return np.ascontiguousarray(windows).view(np.uint8)

    def _ask_for_each(self, operation: str, argument: int, items: Array) -> bytes:
        """A byte for each item."""
        parts = [items[at : at + _ITEMS] for at in range(0, len(items), _ITEMS)]
        return b"".join(
            self._ask(operation, argument, len(part), part.tobytes(), len(part)) for part in parts
        )

    def _ask(
        self,
        operation: str,
        argument: int = 0,
        count: int = 0,
        items: bytes = b"",
        answer_bytes: int = 0,
    ) -> bytes:
        try:
            self._to.write(_REQUEST.pack(ord(operation), argument, count) + items)
            self._to.flush()
            answer = self._from.read(answer_bytes)
        except OSError as error:
            raise ExternalError(f"{self._path}: the learner ended ({error.strerror})") from None
        if len(answer) != answer_bytes:
            raise ExternalError(f"{self._path}: the learner ended; build it again")
        return answer

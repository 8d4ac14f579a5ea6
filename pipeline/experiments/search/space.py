"""What is searched: the shapes of a dscnn, written as the backbone names that everything takes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.core.errors import InputError
from pipeline.models import backbone_names, shape_of
from pipeline.models.dscnn import Shape

if TYPE_CHECKING:
    from optuna import Trial

STAGES = (3, 6)
WIDTHS = (8, 128, 8)  # first, last, step
KERNELS = (3, 5, 7, 9)
STRIDES = (1, 2)
WINDOWS = (64, 128, 192, 256)

# Hand-made sizes that the search has to beat.
_BY_HAND = {
    "S": "dscnn:k5:24s2-32s2-48s1-48s2",
    "M": "dscnn:k5:32s2-48s2-64s1-64s2-96s1",
    "L": "dscnn:k5:48s2-64s2-96s1-96s2-128s1",
}


@dataclass(frozen=True)
class Candidate:
    """A shape and the window, in samples, that it sees."""

    shape: Shape
    window: int

    @property
    def key(self) -> str:
        """Two candidates are the same if their keys are: ``dscnn:k5:...@128``."""
        return f"{self.shape.name}@{self.window}"


@dataclass(frozen=True)
class Space:
    """All candidates that the search may try. ``windows``: their lengths, samples; ascending."""

    windows: tuple[int, ...] = (128,)

    def __post_init__(self) -> None:
        if not self.windows or not set(self.windows) <= set(WINDOWS):
            raise InputError(f"windows of {list(self.windows)} samples; choose among {WINDOWS}")

    @classmethod
    def named(cls, window: str) -> Space:
        """For ``window`` samples, or for all of `WINDOWS` with ``any``. InputError for other
        words."""
        if window == "any":
            return cls(WINDOWS)
        if not window.isdecimal():
            raise InputError(f"window {window!r}: give one of {WINDOWS} samples, or any")
        return cls((int(window),))

    def suggest(self, trial: Trial) -> Candidate:
        """Draws a candidate; its parameters are those of `parameters`."""
        count = trial.suggest_int("stages", *STAGES)
        kernel = trial.suggest_int("kernel", KERNELS[0], KERNELS[-1], step=2)
        first, last, step = WIDTHS
        stages = tuple(
            (
                trial.suggest_int(f"width{number}", first, last, step=step),
                trial.suggest_int(f"stride{number}", STRIDES[0], STRIDES[-1]),
            )
            for number in range(count)
        )
        window = self.windows[0]
        if len(self.windows) > 1:
            window = trial.suggest_int("window", self.windows[0], self.windows[-1], step=64)
        return Candidate(Shape(kernel, stages), window)

    def holds(self, candidate: Candidate) -> bool:
        """Whether `suggest` could draw it."""
        shape, (first, last, step) = candidate.shape, WIDTHS
        return (
            STAGES[0] <= len(shape.stages) <= STAGES[1]
            and shape.kernel in KERNELS
            and candidate.window in self.windows
            and all(width in range(first, last + 1, step) for width, _ in shape.stages)
            and all(stride in STRIDES for _, stride in shape.stages)
        )

    def parameters(self, candidate: Candidate) -> dict[str, int]:
        """What `suggest` would have drawn; nothing for a candidate that is outside this space."""
        if not self.holds(candidate):
            return {}
        shape = candidate.shape
        drawn = {"stages": len(shape.stages), "kernel": shape.kernel}
        for number, (width, stride) in enumerate(shape.stages):
            drawn |= {f"width{number}": width, f"stride{number}": stride}
        if len(self.windows) > 1:
            drawn["window"] = candidate.window
        return drawn

    def references(self) -> dict[str, Candidate]:
        """The shipped sizes and those made by hand, by name, at 128 samples or else the shortest
        window."""
        window = 128 if 128 in self.windows else self.windows[0]
        names = {name: name for name in backbone_names()} | _BY_HAND
        return {name: Candidate(shape_of(shape), window) for name, shape in names.items()}

    def narrowest(self) -> Iterator[Candidate]:
        """Every combination of depth, kernel, strides and window at the smallest width. Nothing
        with these is cheaper, so if none of them fits, nothing does."""
        for window, kernel in itertools.product(self.windows, KERNELS):
            for count in range(STAGES[0], STAGES[1] + 1):
                for strides in itertools.product(STRIDES, repeat=count):
                    stages = tuple((WIDTHS[0], stride) for stride in strides)
                    yield Candidate(Shape(kernel, stages), window)

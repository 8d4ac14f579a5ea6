"""What is searched: the shapes of a dscnn, written as the backbone names that everything takes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pipeline.compiler.layout import block_bytes, planes_bytes
from pipeline.compiler.plan import SLACK_BYTES, Buffer, arena_size, place
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

    def parameters(self, candidate: Candidate) -> dict[str, int]:
        """What `suggest` would have drawn; nothing for a candidate that is outside this space."""
        shape, (first, last, step) = candidate.shape, WIDTHS
        drawn = {"stages": len(shape.stages), "kernel": shape.kernel}
        inside = STAGES[0] <= len(shape.stages) <= STAGES[1] and shape.kernel in KERNELS
        for number, (width, stride) in enumerate(shape.stages):
            drawn |= {f"width{number}": width, f"stride{number}": stride}
            inside &= width in range(first, last + 1, step) and stride in STRIDES
        if len(self.windows) > 1:
            drawn["window"] = candidate.window
        return drawn if inside and candidate.window in self.windows else {}

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


@dataclass(frozen=True)
class Cost:
    """``parameters``: weights and biases of the whole network, batch normalization folded.
    ``macs``: multiply-accumulates of one prediction, classifier included. ``ram_bytes``: the
    arena in which the compiled int8 extractor computes."""

    parameters: int
    macs: int
    ram_bytes: int


@dataclass(frozen=True)
class Limits:
    """The most that a candidate may cost."""

    parameters: int = 36_000
    macs: int = 550_000
    ram_bytes: int = 65_536  # a quarter of the board's: windows, head, link and stack want theirs

    def excess(self, cost: Cost | None) -> dict[str, float]:
        """Share by which each limit is passed; nothing above 0 fits. ``None``, a network that its
        window is too short for, passes all of them."""
        return {
            name: getattr(cost, name) / most - 1.0 if cost else 1.0
            for name, most in asdict(self).items()
        }

    def fit(self, cost: Cost | None) -> bool:
        """Whether nothing is passed."""
        return max(self.excess(cost).values()) <= 0.0


def count_cost(candidate: Candidate, channels: int, activities: int) -> Cost | None:
    """Counts a candidate for windows of ``channels`` and a classifier of ``activities``; ``None``
    when the window is too short for the strides. Equals what `compile_model` says of the
    quantized network."""
    kernel = candidate.shape.kernel
    length, width = candidate.window, channels
    parameters, macs = activities, 0
    stages: list[tuple[int, int, int]] = []  # inputs of an output pixel, length, filters
    for number, (filters, stride) in enumerate(candidate.shape.stages):
        if length < kernel:
            return None
        length = (length - kernel) // stride + 1
        if number == 0:
            parameters += kernel * width * filters + filters
            macs += length * kernel * width * filters
            stages.append((kernel * width, length, filters))
        else:
            parameters += kernel * width + width + width * filters + filters
            macs += length * (kernel * width + width * filters)
            stages.append((width, length, filters))
        parameters += filters * activities
        macs += filters * activities
        width = filters
    return Cost(parameters, macs, _arena_bytes(candidate.window * channels, stages))


def _arena_bytes(source: int, stages: list[tuple[int, int, int]]) -> int:
    """Places the extractor's tensors as the compiler does: each stage is one group, which computes
    its map as planes from the last one's in blocks of four pixels, and is pooled at once.
    ``source``: bytes of the input. Pooled features stay to the end."""
    end = 2 * len(stages)
    buffers = {0: Buffer(source, -1, 0)}
    for now, (inputs, length, filters) in enumerate(stages):
        last = min(2 * now + 2, end)  # read by its pool and the next stage
        buffers[3 * now + 1] = Buffer(planes_bytes(filters, length), 2 * now, last)
        buffers[3 * now + 2] = Buffer(block_bytes(inputs), 2 * now, 2 * now)
        buffers[3 * now + 3] = Buffer(filters, 2 * now + 1, end)
    return arena_size(buffers, place(buffers), SLACK_BYTES)

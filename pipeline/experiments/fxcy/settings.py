"""What a run of `har fxcy` trains, and for how long: every number of it in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.models import family

LAST_DENSE, FC, WHOLE, SCRATCH = "last_dense", "fc", "whole", "scratch"

DEFAULT_PAIRS = (("hapt", "watch"), ("watch", "hapt"))
DEFAULT_BACKBONES = ("smallcnn", "efficientnetb0", "efficientnetb2", "mobilenetv2", "dscnn")
DEFAULT_SEEDS = 3
QUICK_PAIRS = (("hapt", "watch"),)
QUICK_BACKBONES = ("smallcnn", "dscnn")
QUICK_CASES = (FC, "fxc1", WHOLE)
QUICK_SEEDS = 2

# Up to one convolution after the other for the shallow networks; for the others the original's,
# then the convolutions at which a stage begins.
_CASES: Mapping[str, tuple[int, ...]] = {
    "smallcnn": (1, 2, 3, 4, 5),
    "dscnn": (1, 2, 4, 6, 8),
    "mobilenetv2": (1, 2, 4, 7, 13, 22, 34),
    "efficientnetb0": (1, 2, 4, 5, 6, 8, 10, 25),
    "efficientnetb2": (1, 2, 4, 5, 6, 8, 10, 35),
}


def default_cases(backbone: str, convolutions: int | None = None) -> tuple[str, ...] | None:
    """The cases that are compared where none are asked for, shallow first, of a network with
    ``convolutions``, if not as many as its namesake; None for one without such a list, which is
    divided by its depth."""
    numbers = _CASES.get(family(backbone))
    if numbers is None:
        return None
    first = (LAST_DENSE, FC) if family(backbone) == "smallcnn" else (FC,)
    deep = convolutions or max(numbers) + 1
    return (*first, *(f"fxc{n}" for n in numbers if n < deep), WHOLE, SCRATCH)


def cases_by_depth(convolutions: int) -> tuple[str, ...]:
    """Cases of a network that has no list of its own: 1, 2, 4, 8, ... of its convolutions."""
    numbers = [1 << power for power in range(convolutions.bit_length())]
    return (FC, *(f"fxc{n}" for n in numbers if n < convolutions), WHOLE, SCRATCH)


@dataclass(frozen=True)
class Learning:
    """How all cases of a network learn: Adam (Kingma, Ba 2015) at one rate, a fixed number of
    epochs, no augmentation, at most so many windows of the target's people."""

    epochs: int
    train_windows: int
    test_windows: int
    batch: int = 32
    rate: float = 2e-3


@dataclass(frozen=True)
class SourceLearning:
    """How a source network is made: epochs by the data set's recipe over at most so many windows
    in each."""

    epochs: int
    windows: int
    batch: int = 32


@dataclass(frozen=True)
class Preset:
    """All settings of one network. ``build_s`` and ``window_s``: roughly, on one core, to build and
    trace it, and to train its whole on one window; only the time left is guessed from them."""

    learning: Learning
    source: SourceLearning
    build_s: float
    window_s: float


# What three hours of two cores allow. Fewer windows for the networks that compute most: smallcnn
# has the most multiply-accumulates, the EfficientNets the most layers.
_DEFAULT: Mapping[str, Preset] = {
    "dscnn": Preset(Learning(40, 1024, 1000, rate=4e-3), SourceLearning(30, 4096), 4.0, 0.0006),
    "smallcnn": Preset(Learning(10, 512, 300), SourceLearning(8, 2048), 6.0, 0.008),
    "mobilenetv2": Preset(Learning(15, 768, 400), SourceLearning(20, 6144), 12.0, 0.0022),
    "efficientnetb0": Preset(Learning(10, 512, 300), SourceLearning(12, 4096), 22.0, 0.007),
    "efficientnetb2": Preset(Learning(10, 512, 300), SourceLearning(12, 4096), 30.0, 0.0095),
}
_OTHER = Preset(Learning(6, 512, 400), SourceLearning(5, 2048), 40.0, 0.02)
# Steps of a small network cost next to nothing, and next to the board's learner it has to converge.
_QUICK = {
    "dscnn": Preset(
        Learning(20, 192, 200, batch=16, rate=5e-3), SourceLearning(10, 1536), 4.0, 0.0006
    )
}
_QUICK_OTHER = Preset(Learning(4, 192, 200), SourceLearning(3, 768), 5.0, 0.011)


def preset(backbone: str, quick: bool = False) -> Preset:
    """The settings for a network; ``quick``: few windows for all of them."""
    if quick:
        return _QUICK.get(family(backbone), _QUICK_OTHER)
    return _DEFAULT.get(family(backbone), _OTHER)

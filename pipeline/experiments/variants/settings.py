"""How much training each network gets, in one place: what it is, the report's notes say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from pipeline.core.errors import InputError
from pipeline.experiments.variants.optimize import FineTuning
from pipeline.models import family

REPRESENTATIVE_WINDOWS = 500
"""Training windows whose ranges set the scales of int8 activations, as `har quantize` takes."""
CHECKED_WINDOWS = 16
"""Test windows on which the compiled engine and TFLite-Micro are compared byte by byte."""


@dataclass(frozen=True)
class Effort:
    """``windows``: training windows that each epoch draws, at most; ``epochs`` on the data set and
    ``source_epochs`` before that on the source, None for the recipe's. ``test_windows``: at most;
    None for all. ``pruning`` and ``aware``: of fine-tuning."""

    windows: int
    epochs: int | None
    source_epochs: int | None
    pruning: FineTuning
    aware: FineTuning
    test_windows: int | None = None

    def text(self, *, source: bool = True, pruning: bool = True, aware: bool = True) -> str:
        """One line for the report, of what it has of it: a start with ``source``, ``pruning``,
        quantization-aware training (``aware``)."""

        def epochs(count: int | None) -> str:
            if count is None:
                return "as many epochs as the recipe has"
            return f"{count} epoch{'s' * (count != 1)}"

        steps = [f"{epochs(self.source_epochs)} on the source"] if source else []
        steps.append(f"{epochs(self.epochs)} on the data set")
        for wanted, plan, name in (
            (pruning, self.pruning, "pruning"),
            (aware, self.aware, "quantization-aware training"),
        ):
            if wanted:
                steps.append(f"{epochs(plan.epochs)} of {name} (peak rate {plan.peak_rate:g})")
        tested = "all" if self.test_windows is None else f"at most {self.test_windows}"
        return (
            f"up to {self.windows} windows an epoch; {', then '.join(steps)}; {tested} test windows"
        )


_FULL: Mapping[str, Effort] = MappingProxyType(
    {
        "dscnn": Effort(8192, 30, 20, FineTuning(12, 2e-3), FineTuning(4, 2e-4)),
        "smallcnn": Effort(2048, 8, 4, FineTuning(4, 5e-4), FineTuning(2, 1e-4)),
        "mobilenetv2": Effort(4096, 30, 8, FineTuning(8, 1e-3), FineTuning(3, 1e-4)),
        "squeezenet": Effort(4096, 14, 8, FineTuning(8, 1e-3), FineTuning(3, 1e-4)),
    }
)
_OTHERS = Effort(2048, 8, 4, FineTuning(4, 5e-4), FineTuning(2, 1e-4))
_QUICK: Mapping[str, Effort] = MappingProxyType(
    {"dscnn": Effort(2048, 8, 2, FineTuning(4, 2e-3), FineTuning(2, 2e-4), test_windows=500)}
)
_QUICK_OTHERS = Effort(1024, 4, 1, FineTuning(2, 5e-4), FineTuning(1, 1e-4), test_windows=300)

BACKBONES = ("mobilenetv2", "squeezenet", "smallcnn", "dscnn")
QUICK_BACKBONES = ("smallcnn", "dscnn")
SPARSITIES = (0.5, 0.8)
QUICK_SPARSITIES = (0.8,)


def effort_for(
    backbone: str, *, quick: bool, epochs: int | None = None, windows: int | None = None
) -> Effort:
    """For ``backbone``, by its name without width and pixels. ``epochs`` (on the data set) and
    ``windows`` (an epoch) replace what it has. InputError for one below 1."""
    for count, what in ((epochs, "epochs"), (windows, "windows")):
        if count is not None and count < 1:
            raise InputError(f"{count} {what}: at least 1 is needed")
    known, other = (_QUICK, _QUICK_OTHERS) if quick else (_FULL, _OTHERS)
    found = known.get(family(backbone), other)
    return replace(
        found,
        windows=found.windows if windows is None else windows,
        epochs=found.epochs if epochs is None else epochs,
    )

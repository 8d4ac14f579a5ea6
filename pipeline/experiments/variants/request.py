"""What is asked of `har variants`, checked before anything is trained, and its jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pipeline.core.errors import InputError
from pipeline.data import load_dataset, split_subjects
from pipeline.data.mixed import mix
from pipeline.experiments.variants.optimize import FineTuning
from pipeline.models import backbone, family
from pipeline.training.shipped import recipes_digest

SPARSITY_MOST = 0.95
FAMILIES = ("float32", "float16", "int8", "int8_qat", "pruned", "pruned_int8", "pruned_qat")
"""What can be asked for; pruned ones at every sparsity asked for, or with a percentage in the name:
``pruned80_int8``."""
BASE = "float32"

_PRUNED = re.compile(r"pruned(\d{1,2})(_int8|_qat)?")
REPRESENTATIVE_WINDOWS = 500
"""Training windows whose ranges set the scales of int8 activations, as `har quantize` takes."""
CHECKED_WINDOWS = 16
"""Test windows on which the compiled engine and TFLite-Micro are compared byte by byte."""
BACKBONES = ("mobilenetv2", "squeezenet", "smallcnn", "dscnn")
QUICK_BACKBONES = ("smallcnn", "dscnn")
SPARSITIES = (0.5, 0.8)
QUICK_SPARSITIES = (0.8,)
WEIGHTS = ("source", "imagenet", "none")


@dataclass(frozen=True)
class Variant:
    """``sparsity``: share of the weights that are 0, of the layers that are pruned. ``aware``:
    fine-tuned with quantization in the loop."""

    name: str
    precision: Literal["float32", "float16", "int8"]
    sparsity: float = 0.0
    aware: bool = False

    @property
    def pruned(self) -> bool:
        """Whether it begins with a pruned network."""
        return self.name.startswith("pruned")

    @property
    def quantized(self) -> bool:
        """int8 weights and activations."""
        return self.precision == "int8"


def parse_variant(name: str) -> Variant:
    """The variant called ``name``: float32, float16, int8, int8_qat, pruned80, pruned80_int8,
    pruned80_qat. InputError for any other name."""
    if name in ("float32", "float16", "int8"):
        return Variant(name, name)  # type: ignore[arg-type]
    if name == "int8_qat":
        return Variant(name, "int8", aware=True)
    if match := _PRUNED.fullmatch(name):
        sparsity = int(match[1]) / 100
        _check_sparsity(sparsity)
        kind = match[2]
        precision: Literal["float32", "int8"] = "int8" if kind else "float32"
        return Variant(name, precision, sparsity, aware=kind == "_qat")
    raise InputError(
        f"unknown variant {name!r}; known: {', '.join(FAMILIES)}, and pruned80_int8 and the like"
    )


def variant_names(asked: Sequence[str], sparsities: Sequence[float]) -> tuple[str, ...]:
    """All variants asked for, by full name, float32 first: what the others are compared with is
    always among them. Nothing asked for: all of them, at each sparsity, and pruning and
    quantization-aware training together at the highest.

    Raises InputError for an unknown name, a sparsity outside 0..0.95 or of no whole percent.
    """
    percents = []
    for sparsity in sparsities:
        _check_sparsity(sparsity)
        percents.append(f"{round(100 * sparsity):02d}")
    names = [BASE]
    for name in asked or FAMILIES:
        if name in FAMILIES and name.startswith("pruned"):
            mine = percents if asked or name != "pruned_qat" else [max(percents)]
            names += [name.replace("pruned", f"pruned{percent}") for percent in mine]
        else:
            names.append(parse_variant(name).name)
    return tuple(dict.fromkeys(names))


def _check_sparsity(sparsity: float) -> None:
    if not 0.0 <= sparsity <= SPARSITY_MOST:
        raise InputError(f"sparsity {sparsity:g}: give 0 to {SPARSITY_MOST:g}, a share of 1")
    if abs(100 * sparsity - round(100 * sparsity)) > 1e-6:
        raise InputError(f"sparsity {sparsity:g}: give whole percents, e.g. 0.5 or 0.85")


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


@dataclass(frozen=True)
class VariantsRequest:
    """``backbones``, ``variants`` and ``sparsities``: empty for the defaults. ``source``: the data
    set that networks are pretrained on unless ``weights`` is none, and where imagenet is not to be
    had. ``epochs`` on the data set and ``windows`` an epoch: None for what `effort_for` has."""

    dataset: str = "hapt"
    backbones: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    sparsities: tuple[float, ...] = ()
    weights: Literal["source", "imagenet", "none"] = "source"
    source: str = "watch"
    split: str = "official"
    seed: int = 0
    seeds: int = 1
    quick: bool = False
    epochs: int | None = None
    windows: int | None = None
    output: Path = Path("build/variants")

    @property
    def networks(self) -> tuple[str, ...]:
        """Backbones asked for, each once."""
        names = self.backbones or (QUICK_BACKBONES if self.quick else BACKBONES)
        return tuple(dict.fromkeys(name.lower() for name in names))

    @property
    def all_variants(self) -> tuple[str, ...]:
        """By full name, float32 first. Raises as `variant_names`."""
        usual = QUICK_SPARSITIES if self.quick else SPARSITIES
        return variant_names(self.variants, self.sparsities or usual)

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """One network of each backbone for each."""
        return tuple(range(self.seed, self.seed + self.seeds))

    def effort(self, name: str) -> Effort:
        """Of one backbone; raises as `effort_for`."""
        return effort_for(name, quick=self.quick, epochs=self.epochs, windows=self.windows)

    @property
    def networks_folder(self) -> Path:
        """Networks that several variants start from."""
        return self.output / "bases"

    def check(self) -> None:
        """Raises InputError, one line, for anything that is no request."""
        if self.weights not in WEIGHTS:
            raise InputError(f"weights {self.weights!r}: give one of {', '.join(WEIGHTS)}")
        if self.seeds < 1:
            raise InputError(f"{self.seeds} seeds: at least 1 is needed")
        for name in self.networks:
            backbone(name)
            self.effort(name)
        self.all_variants  # noqa: B018 - raises
        split_subjects(load_dataset(self.dataset), self.split, seed=self.seed)
        if self.weights != "none":
            check_source(self.dataset, self.source)

    def jobs(self) -> tuple[dict[str, Any], ...]:
        """Variant by variant, so that workers do not wait for one network together."""
        return tuple(
            {"backbone": name, "variant": variant, "seed": seed}
            for variant in self.all_variants
            for name in self.networks
            for seed in self.all_seeds
        )

    def definition(self) -> dict[str, Any]:
        """What must be equal for results to stand in one table."""
        return {
            "dataset": self.dataset,
            "dataset_sha256": load_dataset(self.dataset, progress=False).sha256,
            "split": self.split,
            "weights": self.weights,
            "source": None if self.weights == "none" else self.source,
            "source_sha256": (
                None if self.weights == "none" else load_dataset(self.source, progress=False).sha256
            ),
            "effort": {kind: asdict(self.effort(kind)) for kind in (*BACKBONES, "other networks")},
            "recipes": recipes_digest(),
        }


def check_source(dataset: str, source: str) -> None:
    """Raises InputError unless ``source`` is another data set, of other subjects, at the same
    rate."""
    target, other = load_dataset(dataset), load_dataset(source)
    if target.name == other.name:
        raise InputError(
            f"source and data set are both {dataset}; name another --source, or --weights none"
        )
    mix((other, target))

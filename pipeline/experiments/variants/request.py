"""What is asked of `har variants`, checked before anything is trained, and its jobs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pipeline.core.errors import InputError
from pipeline.data import load_dataset, split_subjects
from pipeline.experiments.jobs import JobSet
from pipeline.experiments.variants.job import Setting, run_job
from pipeline.experiments.variants.names import parse_variant, variant_names
from pipeline.experiments.variants.settings import (
    BACKBONES,
    QUICK_BACKBONES,
    QUICK_SPARSITIES,
    SPARSITIES,
    Effort,
    effort_for,
)
from pipeline.experiments.variants.task import check_source
from pipeline.models import backbone
from pipeline.training.shipped import recipes_digest

WEIGHTS = ("source", "imagenet", "none")
_BASES = "bases"
_RESULTS = "jobs"
# Roughly, and in the same unit: only the time left is guessed from it.
_COST = {"float32": 8.0, "pruned": 6.0, "aware": 3.0, "other": 1.0}


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

    def job_set(self) -> JobSet:
        """The jobs, as any worker may take any of them."""
        setting = Setting(
            dataset=self.dataset,
            split=self.split,
            weights=self.weights,
            source=self.source,
            quick=self.quick,
            epochs=self.epochs,
            windows=self.windows,
            keep=self.output / _BASES,
        )
        return JobSet(
            folder=self.output / _RESULTS,
            definition=self.definition(),
            jobs=self.jobs(),
            run=partial(run_job, setting),
            data=(self.dataset,) if self.weights == "none" else (self.dataset, self.source),
            cost=cost_of,
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


def cost_of(job: dict[str, Any]) -> float:
    """Of a job, against others."""
    variant = parse_variant(job["variant"])
    kind = job["variant"] if job["variant"] in _COST else "other"
    if variant.aware:
        kind = "aware"
    elif variant.pruned and not variant.quantized:
        kind = "pruned"
    return _COST[kind]

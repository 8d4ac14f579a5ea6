"""From the results of jobs to the report's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.experiments.fxcy.domains import NOBODY
from pipeline.experiments.fxcy.schema import DeviceRow, FxcyRow
from pipeline.experiments.fxcy.settings import FC

Job = dict[str, Any]


@dataclass(frozen=True)
class Convergence:
    """As `FxcyRow` has it: means over the ``seeds`` that reach fc's best accuracy."""

    seeds: int
    epochs: float | None
    faster_percent: float | None
    less_energy_percent: float | None


def convergence(
    fc_curves: Sequence[Sequence[float]],
    curves: Sequence[Sequence[float]],
    energy_ratio: float,
) -> Convergence:
    """How much sooner a case is where fc ends up, seed by seed.

    Of each seed, fc's epochs are those until its best accuracy on the test subjects, and the case's
    those until the first accuracy that is at least as good. ``energy_ratio``: a training step of
    the case by one of fc. No means where fewer than half of the seeds get there.
    """
    pairs = [
        (int(np.argmax(fc)) + 1, reached)
        for fc, curve in zip(fc_curves, curves, strict=True)
        if (reached := _first_reaching(curve, max(fc))) is not None
    ]
    if 2 * len(pairs) < len(fc_curves) or not pairs:
        return Convergence(len(pairs), None, None, None)
    saved = [100.0 * (1.0 - mine / fcs) for fcs, mine in pairs]
    energy = [100.0 * (1.0 - energy_ratio * mine / fcs) for fcs, mine in pairs]
    return Convergence(
        seeds=len(pairs),
        epochs=round(float(np.mean([mine for _, mine in pairs])), 4),
        faster_percent=round(float(np.mean(saved)), 4),
        less_energy_percent=round(float(np.mean(energy)), 4),
    )


def _first_reaching(curve: Sequence[float], accuracy: float) -> int | None:
    return next((epoch for epoch, value in enumerate(curve, 1) if value >= accuracy), None)


def fxcy_rows(found: Sequence[tuple[Job, Job]]) -> list[FxcyRow]:
    """Rows of the case jobs and their results, in the order in which the cases first come."""
    groups = grouped(found)
    return [_row(key, each, groups.get((*key[:3], FC))) for key, each in groups.items()]


def device_rows(found: Sequence[tuple[Job, Job]]) -> list[DeviceRow]:
    """Rows of the device jobs and their results."""
    rows = []
    for key, each in grouped(found).items():
        results = [result for _, result in each]
        also = _judged([result["tensorflow"] for result in results])
        rows.append(
            DeviceRow(
                **_names(key),
                seeds=[job["seed"] for job, _ in each],
                **_judged(results),
                **{f"tensorflow_{name}": value for name, value in also.items()},
                kept_windows=results[0]["kept_windows"],
                kept_bytes=results[0]["kept_bytes"],
            )
        )
    return rows


def _judged(results: Sequence[Job]) -> dict[str, Any]:
    """What the seeds of a learner reached, as `DeviceRow` has it."""
    name, least = worst([result["subject_accuracy"] for result in results])
    return {
        **_accuracies(results),
        "macro_f1": _mean(results, "macro_f1"),
        "worst_subject": name,
        "worst_subject_accuracy": least,
    }


def grouped(found: Sequence[tuple[Job, Job]]) -> dict[tuple[str, ...], list[tuple[Job, Job]]]:
    """By source, target, backbone and case; the seeds of each sorted."""
    groups: dict[tuple[str, ...], list[tuple[Job, Job]]] = {}
    for job, result in found:
        key = (job["source"], job["target"], job["backbone"], job["case"])
        groups.setdefault(key, []).append((job, result))
    return {key: sorted(each, key=lambda one: one[0]["seed"]) for key, each in groups.items()}


def worst(seeds: Sequence[Mapping[str, float]]) -> tuple[str | None, float | None]:
    """Who has the lowest accuracy, as the mean over seeds; the first by name among equals. None
    where no subject is known."""
    means = {name: float(np.mean([seed[name] for seed in seeds])) for name in seeds[0]}
    means.pop(NOBODY, None)
    if not means:
        return None, None
    name = min(sorted(means), key=lambda each: means[each])
    return name, round(means[name], 6)


def _row(
    key: tuple[str, ...], each: list[tuple[Job, Job]], fc: list[tuple[Job, Job]] | None
) -> FxcyRow:
    results = [result for _, result in each]
    first = results[0]
    reached = Convergence(0, None, None, None)
    if fc is not None:
        reached = convergence(
            [result["accuracy_curve"] for _, result in fc],
            [result["accuracy_curve"] for result in results],
            first["training_energy_nj"] / fc[0][1]["training_energy_nj"],
        )
    name, least = worst([result["subjects"] for result in results])
    return FxcyRow(
        **_names(key),
        seeds=[job["seed"] for job, _ in each],
        **_accuracies(results),
        loss=_mean(results, "loss"),
        macro_f1=_mean(results, "macro_f1"),
        worst_subject=name,
        worst_subject_accuracy=least,
        accuracy_curve=_mean_curve(results, "accuracy_curve"),
        loss_curve=_mean_curve(results, "loss_curve"),
        energy_nj=round(first["energy_nj"], 4),
        training_energy_nj=round(first["training_energy_nj"], 4),
        seeds_to_fc=reached.seeds,
        epochs_to_fc=reached.epochs,
        faster_percent=reached.faster_percent,
        less_energy_percent=reached.less_energy_percent,
        trained_layers=first["trained_layers"],
        trainable_parameters=first["trainable_parameters"],
        device_bytes=first["device_bytes"],
        board_learns=first["board_learns"],
        train_windows=first["train_windows"],
        test_windows=first["test_windows"],
    )


def _names(key: tuple[str, ...]) -> dict[str, Any]:
    return dict(zip(("source", "target", "backbone", "case"), key, strict=True))


def _accuracies(results: Sequence[Job]) -> dict[str, Any]:
    accuracies = [round(result["accuracy"], 6) for result in results]
    return {
        "accuracy": round(float(np.mean(accuracies)), 6),
        "accuracies": accuracies,
        "sd": round(float(np.std(accuracies, ddof=1)), 6) if len(accuracies) > 1 else None,
    }


def _mean(results: Sequence[Job], name: str) -> float:
    return round(float(np.mean([result[name] for result in results])), 6)


def _mean_curve(results: Sequence[Job], name: str) -> list[float]:
    curves = np.asarray([result[name] for result in results])
    return [round(float(value), 6) for value in curves.mean(axis=0)]

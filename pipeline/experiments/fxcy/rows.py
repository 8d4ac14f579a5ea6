"""From the results of jobs to the report's rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.experiments.fxcy.domains import NOBODY
from pipeline.experiments.fxcy.settings import FC
from pipeline.experiments.jobs import Finished
from pipeline.report.fields import Count, Part, Share
from pipeline.training.metrics import mean_by_name, worst_of

Job = dict[str, Any]
_OF_FIRST = (
    *("trained_layers", "trainable_parameters", "device_bytes", "board_learns"),
    *("train_windows", "test_windows"),
)


class FxcyRow(Part):
    """A case: means over ``seeds`` on the target's test subjects, after the last epoch.

    ``worst_subject``: None where subjects are unknown.
    ``case``: last_dense, fc, fxc1, fxc2, ..., whole, scratch. ``sd``: of the accuracy over seeds
    (n - 1; None for one). ``loss``: cross-entropy, nats. ``accuracy_curve``, ``loss_curve``: after
    each epoch. ``energy_nj``: forward MACs of the trained layers, one window, x 3.2 pJ (the
    original's formula); ``training_energy_nj``: counted MACs of one training step on one window x
    3.2 pJ. ``epochs_to_fc``: until the best accuracy of case fc, mean over the ``seeds_to_fc`` that
    reach it; None where fewer than half do, or where fc was not run; ``faster_percent`` of fc's
    epochs are saved by that, ``less_energy_percent`` of fc's training energy. ``trained_layers``:
    of the extractor. ``device_bytes``: RAM that training takes on a device: where ``board_learns``,
    what the firmware's learner of this case takes with the labelled windows that it keeps unless
    stated otherwise; else trained parameters with gradients, and the activations that one backward
    pass needs, float32.
    """

    source: str
    target: str
    backbone: str
    case: str
    seeds: list[int]
    accuracy: Share
    accuracies: list[Share]
    sd: float | None
    loss: float
    macro_f1: Share
    worst_subject: str | None
    worst_subject_accuracy: Share | None
    accuracy_curve: list[Share]
    loss_curve: list[float]
    energy_nj: float
    training_energy_nj: float
    seeds_to_fc: Count
    epochs_to_fc: float | None
    faster_percent: float | None
    less_energy_percent: float | None
    trained_layers: Count
    trainable_parameters: Count
    device_bytes: Count
    board_learns: bool
    train_windows: Count
    test_windows: Count


class DeviceRow(Part):
    """A case learned by the firmware's own learner from the same labelled windows, and by the same
    rule in TensorFlow, in float32: the fields that begin with ``tensorflow``. ``kept_windows``:
    labelled windows that the learner kept to learn from again, and ``kept_bytes`` its RAM with so
    many."""

    source: str
    target: str
    backbone: str
    case: str
    seeds: list[int]
    accuracy: Share
    accuracies: list[Share]
    sd: float | None
    macro_f1: Share
    worst_subject: str
    worst_subject_accuracy: Share
    tensorflow_accuracy: Share
    tensorflow_accuracies: list[Share]
    tensorflow_sd: float | None
    tensorflow_macro_f1: Share
    tensorflow_worst_subject: str
    tensorflow_worst_subject_accuracy: Share
    kept_windows: Count
    kept_bytes: Count


class PairInfo(Part):
    """``source_accuracy``: of the source network on the source's own test subjects, by backbone."""

    source: str
    target: str
    target_split: str
    test_people: Count
    activities: list[str]
    source_accuracy: dict[str, Share]
    weights: dict[str, str]


class FxcyReport(Part):
    """``epochs``: by backbone. ``seconds``: that all jobs took together, one after the other,
    whenever and by whichever worker they were done."""

    command: str
    date: str
    versions: dict[str, str]
    epochs: dict[str, Count]
    seconds: float
    pairs: list[PairInfo]
    rows: list[FxcyRow]
    device_rows: list[DeviceRow]
    notes: list[str]


class Published(NamedTuple):
    """FC against FxC1 as published: images, accuracy 0 to 1, nJ, percent faster."""

    network: str
    pair: str
    accuracy_fc: float
    accuracy_fxc1: float
    energy_fc_nj: float
    energy_fxc1_nj: float
    faster_percent: float


PUBLISHED = (
    Published("small CNN", "CIFAR-100 -> CIFAR-10", 0.695, 0.765, 844.9, 31097.5, 19.98),
    Published("EfficientNetB0", "ImageNet -> CIFAR-100", 0.745, 0.885, 510.0, 64735.2, 56.74),
    Published("EfficientNetB0", "ImageNet -> Intel scenes", 0.869, 0.922, 137.4, 64350.2, 39.38),
    Published("EfficientNetB2", "ImageNet -> CIFAR-100", 0.780, 0.911, 560.9, 78273.5, 60.81),
)


class CaseKey(NamedTuple):
    """What the seeds of a case have in common."""

    source: str
    target: str
    backbone: str
    case: str


def convergence(
    fc_curves: Sequence[Sequence[float]],
    curves: Sequence[Sequence[float]],
    energy_ratio: float,
) -> dict[str, Any]:
    """How much sooner a case is where fc ends up, as `FxcyRow` has it.

    Of each seed, fc's epochs are those until its best accuracy on the test subjects, and the case's
    those until the first accuracy that is at least as good. ``energy_ratio``: a training step of
    the case by one of fc. No means where fewer than half of the seeds get there.
    """
    pairs = [
        (int(np.argmax(fc)) + 1, reached)
        for fc, curve in zip(fc_curves, curves, strict=True)
        if (reached := _first_reaching(curve, max(fc))) is not None
    ]
    enough = bool(pairs) and 2 * len(pairs) >= len(fc_curves)

    def mean(of: Callable[[int, int], float]) -> float | None:
        return round(float(np.mean([of(fcs, mine) for fcs, mine in pairs])), 4) if enough else None

    return {
        "seeds_to_fc": len(pairs),
        "epochs_to_fc": mean(lambda _, mine: mine),
        "faster_percent": mean(lambda fcs, mine: 100 * (1 - mine / fcs)),
        "less_energy_percent": mean(lambda fcs, mine: 100 * (1 - energy_ratio * mine / fcs)),
    }


def _first_reaching(curve: Sequence[float], accuracy: float) -> int | None:
    return next((epoch for epoch, value in enumerate(curve, 1) if value >= accuracy), None)


def fxcy_rows(cases: Mapping[CaseKey, Sequence[Finished]]) -> list[FxcyRow]:
    """Rows of the case jobs; the seeds of each in their order."""
    return [_row(key, each, cases.get(key._replace(case=FC))) for key, each in cases.items()]


def device_rows(cases: Mapping[CaseKey, Sequence[Finished]]) -> list[DeviceRow]:
    """Rows of the device jobs."""
    rows = []
    for key, each in cases.items():
        results = [done.result for done in each]
        also = _judged([result["tensorflow"] for result in results])
        rows.append(
            DeviceRow(
                **key._asdict(),
                seeds=[done.job["seed"] for done in each],
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


def worst(seeds: Sequence[Mapping[str, float]]) -> tuple[str | None, float | None]:
    """Who has the lowest accuracy, as the mean over seeds; the first by name among equals. None
    where no subject is known."""
    means = mean_by_name(seeds)
    means.pop(NOBODY, None)
    if not means:
        return None, None
    name = worst_of(means)
    return name, round(means[name], 6)


def _row(key: CaseKey, each: Sequence[Finished], fc: Sequence[Finished] | None) -> FxcyRow:
    results = [done.result for done in each]
    first = results[0]
    fc_results = [done.result for done in fc or ()]
    ratio = first["training_energy_nj"] / fc_results[0]["training_energy_nj"] if fc_results else 1.0
    curves = [result["accuracy_curve"] for result in (results if fc_results else ())]
    name, least = worst([result["subjects"] for result in results])
    return FxcyRow(
        **key._asdict(),
        **convergence([result["accuracy_curve"] for result in fc_results], curves, ratio),
        **{name: first[name] for name in _OF_FIRST},
        seeds=[done.job["seed"] for done in each],
        **_accuracies(results),
        loss=_mean(results, "loss"),
        macro_f1=_mean(results, "macro_f1"),
        worst_subject=name,
        worst_subject_accuracy=least,
        accuracy_curve=_mean_curve(results, "accuracy_curve"),
        loss_curve=_mean_curve(results, "loss_curve"),
        energy_nj=round(first["energy_nj"], 4),
        training_energy_nj=round(first["training_energy_nj"], 4),
    )


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

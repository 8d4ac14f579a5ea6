"""A plausible `har fxcy`, in numbers: two pairs, five backbones, one of which the board learns."""

from __future__ import annotations

import math
import random
import statistics
from typing import Any

from pipeline.experiments.fxcy.rows import DeviceRow, FxcyReport, FxcyRow, PairInfo

PAIRS = (("hapt", "watch"), ("watch", "hapt"))
SEEDS = [0, 1, 2]
# Accuracy of FC and of the whole network; parameters; MACs; cases between FC and whole.
_NETWORKS: dict[str, tuple[float, float, int, int, tuple[int, ...]]] = {
    "smallcnn": (0.67, 0.86, 549_478, 9_700_000, (1, 2, 3, 4)),
    "efficientnetb0": (0.71, 0.84, 4_057_258, 8_100_000, (1, 2, 4, 6, 10)),
    "efficientnetb2": (0.70, 0.85, 7_777_012, 13_800_000, (1, 2, 4, 6, 10)),
    "mobilenetv2": (0.66, 0.87, 412_774, 1_500_000, (1, 2, 3, 5)),
    "dscnn": (0.55, 0.83, 17_900, 286_000, (1, 2, 3)),
}


def row(case: str = "fc", accuracy: float = 0.8, **changes: Any) -> FxcyRow:
    """One row, all else made to fit."""
    seeds = changes.get("seeds", SEEDS)
    values: dict[str, Any] = {
        "source": "hapt",
        "target": "watch",
        "backbone": "dscnn",
        "case": case,
        "seeds": seeds,
        "accuracy": accuracy,
        "accuracies": [accuracy] * len(seeds),
        "sd": 0.0,
        "loss": 0.5,
        "macro_f1": accuracy,
        "worst_subject": "subject04",
        "worst_subject_accuracy": max(accuracy - 0.2, 0.0),
        "accuracy_curve": [accuracy * 0.5, accuracy * 0.9, accuracy],
        "loss_curve": [1.4, 0.8, 0.5],
        "energy_nj": 100.0,
        "training_energy_nj": 5000.0,
        "seeds_to_fc": len(seeds),
        "epochs_to_fc": 2.0,
        "faster_percent": 0.0,
        "less_energy_percent": 0.0,
        "trained_layers": 0,
        "trainable_parameters": 455,
        "device_bytes": 4096,
        "board_learns": False,
        "train_windows": 600,
        "test_windows": 900,
    }
    return FxcyRow.model_validate(values | changes)


def _curve(last: float, epochs: int, pace: float, noise: random.Random) -> list[float]:
    way = [1 - math.exp(-(epoch + 1) / pace) for epoch in range(epochs)]
    heights = [0.15 + (last - 0.15) * each / way[-1] + noise.gauss(0, 0.006) for each in way]
    return [*(min(max(each, 0.0), 1.0) for each in heights[:-1]), last]


def _rows(source: str, target: str, backbone: str) -> list[FxcyRow]:
    low, high, parameters, macs, layers = _NETWORKS[backbone]
    noise = random.Random(f"{source} {backbone}")
    lift = 0.12 if target == "hapt" else 0.0
    epochs = 30
    cases = (["last_dense"] if backbone == "smallcnn" else []) + ["fc"]
    cases += [f"fxc{y}" for y in layers] + ["whole", "scratch"]
    found: list[FxcyRow] = []
    fc_best, fc_epochs = 1.0, 0
    for place, case in enumerate(cases):
        depth = {"last_dense": 0.0, "whole": 1.0, "scratch": 1.0}.get(case, place / len(cases))
        accuracy = low + (high - low) * (1 - math.exp(-3.2 * depth)) + lift
        accuracy -= 0.05 if case == "last_dense" else 0.025 if case == "scratch" else 0.0
        accuracies = [min(accuracy + noise.gauss(0, 0.012), 1.0) for _ in SEEDS]
        accuracy = statistics.fmean(accuracies)
        curve = _curve(accuracy, epochs, 7.0 - 4.0 * depth, noise)
        if case == "fc":
            fc_best = max(curve)
            fc_epochs = curve.index(fc_best) + 1
        reached = next((e + 1 for e, each in enumerate(curve) if each >= fc_best), None)
        forward = macs * (0.003 if depth == 0 or case == "fc" else depth**2)
        counted = macs + 2 * forward
        # last_dense stands before FC, which sets the aim.
        faster = None if reached is None or not fc_epochs else 100 * (1 - reached / fc_epochs)
        trained = round(parameters * (0.01 + 0.99 * depth**2)) if case != "fc" else 455 + place
        found.append(
            row(
                case,
                accuracy,
                source=source,
                target=target,
                backbone=backbone,
                accuracies=accuracies,
                sd=statistics.stdev(accuracies),
                loss=-math.log(accuracy) * 1.6,
                macro_f1=accuracy - 0.012,
                worst_subject=f"subject{noise.randint(1, 10):02}",
                worst_subject_accuracy=accuracy - 0.17,
                accuracy_curve=curve,
                loss_curve=[-math.log(each) * 1.6 for each in curve],
                energy_nj=forward * 3.2e-3,
                training_energy_nj=counted * 3.2e-3,
                epochs_to_fc=None if faster is None or reached is None else float(reached),
                faster_percent=faster,
                less_energy_percent=None if faster is None else faster - 18.0,
                trained_layers=int(10 * depth),
                trainable_parameters=trained,
                device_bytes=8 * trained + 9000,
                board_learns=backbone == "dscnn" and case in ("fc", "fxc1", "fxc2"),
            )
        )
    return found


def _device(host: FxcyRow, shift: float) -> DeviceRow:
    return DeviceRow(
        source=host.source,
        target=host.target,
        backbone=host.backbone,
        case=host.case,
        seeds=host.seeds,
        accuracy=host.accuracy + shift,
        accuracies=[each + shift for each in host.accuracies],
        sd=host.sd,
        macro_f1=host.macro_f1 + shift,
        worst_subject="subject07",
        worst_subject_accuracy=0.6 + shift,
        tensorflow_accuracy=host.accuracy,
        tensorflow_accuracies=host.accuracies,
        tensorflow_sd=host.sd,
        tensorflow_macro_f1=host.macro_f1,
        tensorflow_worst_subject="subject07",
        tensorflow_worst_subject_accuracy=0.6,
        kept_windows=600,
        kept_bytes=300_000,
    )


def sample(**changes: Any) -> FxcyReport:
    """Two pairs x five backbones x six to nine cases, and the device's learner on dscnn."""
    rows = [each for pair in PAIRS for name in _NETWORKS for each in _rows(*pair, name)]
    able = [each for each in rows if each.board_learns]
    shifts = (0.004, -0.006, -0.041, 0.0, 0.008, 0.003)
    people = {"watch": (4, 7), "hapt": (9, 6)}
    report = FxcyReport(
        command="har fxcy --seeds 3",
        date="2026-11-21",
        versions={"tensorflow": "2.21.0", "numpy": "1.26.4", "python": "3.11.2"},
        epochs=dict.fromkeys(_NETWORKS, 30),
        seconds=8712.0,
        pairs=[
            PairInfo(
                source=source,
                target=target,
                target_split="official" if target == "hapt" else "5-fold/0",
                test_people=people[target][0],
                activities=[f"activity {i}" for i in range(people[target][1])],
                source_accuracy=dict.fromkeys(_NETWORKS, 0.94),
                weights=dict.fromkeys(_NETWORKS, source),
            )
            for source, target in PAIRS
        ],
        rows=rows,
        device_rows=[_device(*each) for each in zip(able, shifts, strict=True)],
        notes=["EfficientNets are scaled to 32 pixels."],
    )
    return report.model_copy(update=changes)

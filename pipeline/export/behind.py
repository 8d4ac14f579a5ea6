"""What the bundle says about everything behind the tail: temperature, unknown, smoother.

Chosen on the validation people alone, with the int8 extractor as it is deployed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.data import Windows
from pipeline.export.bundle import (
    LIMIT_MIN,
    Calibration,
    Interface,
    SmootherConstants,
    Unknown,
)
from pipeline.export.deployed import run_extractor
from pipeline.learn import LIMIT, Novelty, Tail
from pipeline.training import TrainedModel
from pipeline.training.calibration import (
    FALSE_REJECT,
    SMOOTHER_CHANGE,
    SMOOTHER_CHANGE_MOVING,
    WIDEN,
    calibrate,
    fit_novelty,
    known_limit,
)

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class BehindTail:
    """The tail with its temperature folded in, where known windows lie, and what bundle.json says
    of it all."""

    tail: Tail
    novelty: Novelty
    calibration: Calibration
    unknown: Unknown
    smoother: SmootherConstants


def choose_behind_tail(
    trained: TrainedModel,
    extractor: bytes,
    interface: Interface,
    training: Windows,
    validation: Windows,
    *,
    smoothing: bool = True,
    rejecting: bool = True,
) -> BehindTail:
    """Fits where training people's windows lie, and chooses on the validation people's.

    Without ``rejecting`` no window is ever unknown; without ``smoothing`` each stands for itself.
    """
    weights, bias = trained.tail()
    activities = len(trained.card.activities)
    x = interface.dequantize(run_extractor(extractor, interface, validation.x))
    found = calibrate(x.astype(np.float64) @ weights.T + bias, validation.y)
    temperature = np.float32(found.temperature)
    tail = Tail(weights / temperature, bias / temperature)

    first = interface.outputs[0]
    novelty = fit_novelty(
        trained.features(training.x)[:, : first.size], training.y, activities, first.scale
    )
    distances = novelty.distance(x, tail.predict(x).argmax(axis=1))
    limit = max(known_limit(distances), LIMIT_MIN) if rejecting else float(LIMIT)
    return BehindTail(
        tail=tail,
        novelty=novelty,
        calibration=Calibration(
            temperature=found.temperature,
            expected_calibration_error=round(found.error, 6),
            expected_calibration_error_before=round(found.error_before, 6),
            validation_windows=found.windows,
        ),
        unknown=Unknown(
            limit=limit,
            widen=WIDEN,
            false_reject_target=FALSE_REJECT if rejecting else 0.0,
            false_reject=round(float((distances > limit).mean()), 6),
        ),
        smoother=SmootherConstants(
            change=SMOOTHER_CHANGE if smoothing else 1.0,
            change_moving=SMOOTHER_CHANGE_MOVING if smoothing else 1.0,
        ),
    )

"""Everything after the extractor: the factory head, and what the bundle says about it.

The head's features are standardized by the training subjects' windows; temperature, unknown and
smoother are chosen on the validation subjects only, with the int8 extractor as deployed.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.bundle.bundle import (
    LIMIT_MIN,
    Calibration,
    LearningConstants,
    SmootherConstants,
    Unknown,
)
from pipeline.bundle.factory_head import shipped_head, standardization_of
from pipeline.bundle.interface import Interface
from pipeline.bundle.learning import learning_constants
from pipeline.data import Windows
from pipeline.head import LIMIT, Head, Novelty
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


@dataclass(frozen=True)
class BehindCut:
    """The head with its temperature folded in, where known windows lie, and what bundle.json says
    of it all."""

    head: Head
    novelty: Novelty
    learning: LearningConstants
    calibration: Calibration
    unknown: Unknown
    smoother: SmootherConstants


def calibrate_head(
    trained: TrainedModel,
    cut: str,
    rows: int,
    extractor: bytes,
    interface: Interface,
    training: Windows,
    validation: Windows,
    *,
    smoothing: bool = True,
    rejecting: bool = True,
) -> BehindCut:
    """The head after ``cut`` and its thresholds, with room for ``rows`` activities: fitted on
    training subjects' windows, chosen on the validation subjects'.

    Without ``rejecting`` no window is ever unknown; without ``smoothing`` each stands for itself.
    """
    head, outputs = trained.head(cut), interface.outputs
    features = trained.features(training.x)
    standardization = standardization_of(features)
    features = standardization(features)
    vectors = trained.pointwise_inputs(training.x) if head.filters else None

    windows = interface.run(extractor, validation.x)
    x = shipped_head(head, outputs, standardization, 1.0, rows).features(windows)
    plain = x * standardization.std + standardization.mean
    found = calibrate(plain @ head.weights.T + head.bias, validation.y)
    shipped = shipped_head(head, outputs, standardization, found.temperature, rows)

    first = outputs[0]
    steps = first.scale / standardization.std[: first.size]
    activities = len(trained.card.activities)
    novelty = fit_novelty(
        features[:, : first.size], training.y, training.subjects, activities, steps
    )
    distances = novelty.distance(x, shipped.predict(windows).argmax(axis=1))
    limit = max(known_limit(distances), LIMIT_MIN) if rejecting else float(LIMIT)
    return BehindCut(
        head=shipped,
        novelty=novelty,
        learning=learning_constants(features, vectors),
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

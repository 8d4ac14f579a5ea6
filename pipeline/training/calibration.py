"""What follows the head, chosen on validation subjects: its temperature, and how far from
everything known a window is unknown."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline.core.types import Array
from pipeline.head import Novelty
from pipeline.training.metrics import reliability

FALSE_REJECT = 0.05
"""Share of the validation subjects' windows of known activities that may be called unknown."""
WIDEN = 1.25
"""A label reaches this many times as far as its own window."""
SMOOTHER_CHANGE = 0.01
"""Probability that the activity changes between two windows."""
SMOOTHER_CHANGE_MOVING = 0.5
"""The same next to an unknown window."""

_PEOPLE_ENOUGH = 3
"""Fewer say too little on how differently an activity is done."""
_TEMPERATURES = (0.05, 20.0)
_SUREST = 0.25
"""Validation windows without an error would have it ever smaller; then no label moved the head."""


class Calibration(BaseModel):
    """Temperature scaling on the validation subjects (docs/SMOOTHING.md). The factory head is
    divided by ``temperature`` already; the errors are those of the deployed network with and
    without."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    temperature: float = Field(gt=0)
    expected_calibration_error: float = Field(ge=0, le=1)
    expected_calibration_error_before: float = Field(ge=0, le=1)
    validation_windows: int = Field(ge=1)


def calibrate(logits: Array, truth: Array) -> Calibration:
    """Temperature scaling (Guo et al. 2017): logits (N, K) and truth (N,) of subjects whom training
    did not see -> the one temperature, float32, with the least negative log-likelihood.

    Raises ValueError when N is 0.
    """
    if len(truth) == 0:
        raise ValueError("nothing to calibrate on")
    from scipy.optimize import minimize_scalar

    logits = np.asarray(logits, np.float64)
    logits = logits - logits.max(axis=1, keepdims=True)
    right = logits[np.arange(len(truth)), truth]

    def loss(log_temperature: float) -> float:
        t = np.exp(log_temperature)
        return float((np.log(np.exp(logits / t).sum(axis=1)) - right / t).mean())

    bounds = tuple(np.log(_TEMPERATURES))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    temperature = float(np.float32(max(np.exp(found.x), _SUREST)))
    return Calibration(
        temperature=temperature,
        expected_calibration_error=_calibration_error(logits / temperature, truth),
        expected_calibration_error_before=_calibration_error(logits, truth),
        validation_windows=len(truth),
    )


def fit_novelty(
    features: Array, truth: Array, people: Array, activities: int, steps: Array
) -> Novelty:
    """The training subjects' first N features (M, N), activities (M,) and names (M,) -> where the
    activities lie.

    ``steps`` (N,): of the features' quantization; nothing is finer than that, so it is added to
    every variance as step^2. What fewer than three subjects did varies at least as the other
    activities do on average: a board worn a little differently must not make it unknown. Raises
    ValueError for an activity without a window.
    """
    center, variance = np.empty((2, activities, features.shape[1]))
    few = np.empty(activities, bool)
    for k in range(activities):
        mine = np.asarray(features[truth == k], np.float64)
        if len(mine) == 0:
            raise ValueError(f"no window of activity {k}")
        center[k] = mine.mean(axis=0)
        variance[k] = mine.var(axis=0)
        few[k] = len(set(people[truth == k].tolist())) < _PEOPLE_ENOUGH
    if few.any() and not few.all():
        variance[few] = np.maximum(variance[few], variance[~few].mean(axis=0))
    std = np.sqrt(variance + steps * steps)
    return Novelty(center.astype(np.float32), (1.0 / std).astype(np.float32))


def known_limit(distances: Array, false_reject: float = FALSE_REJECT) -> float:
    """The limit, float32, beyond which ``false_reject`` of the distances (N,) lie. Raises
    ValueError when N is 0."""
    if len(distances) == 0:
        raise ValueError("nothing to set a limit by")
    return float(np.float32(np.quantile(distances, 1.0 - false_reject, method="higher")))


def _calibration_error(logits: Array, truth: Array) -> float:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return round(reliability(e / e.sum(axis=1, keepdims=True), truth).calibration_error, 6)

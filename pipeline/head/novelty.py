"""Known or unknown: the NumPy twin of firmware/lib/head/har_novelty.c, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.head.head import LIMIT


@dataclass(frozen=True, eq=False)
class Novelty:
    """Statistics of the training subjects, by activity: the ``center`` (K, N) of the first N
    features of their windows and the inverse of their standard deviation, ``inverse_std`` (K, N),
    both float32.

    Raises InputError for shapes that do not match.
    """

    center: Array
    inverse_std: Array

    def __post_init__(self) -> None:
        if self.center.ndim != 2 or self.center.shape != self.inverse_std.shape:
            raise InputError(
                f"novelty: centers {self.center.shape} and deviations {self.inverse_std.shape} "
                "must both be (K, N)"
            )

    @property
    def features(self) -> int:
        """N: how many features, from the first on, are compared."""
        return int(self.center.shape[1])

    def distance(self, x: Array, activity: Array | int) -> Array:
        """x float32 (..., F), activity (...) -> mean squared distance in standard deviations from
        that activity, float32 (...); 0 from one beyond K, which is not in the training data. The
        sum runs from f = 0 upwards."""
        x = np.asarray(x, np.float32)[..., : self.features]
        known = np.asarray(activity) < len(self.center)
        row = np.where(known, activity, 0)
        z = (x - self.center[row]) * self.inverse_std[row]
        total = np.zeros(x.shape[:-1], np.float32)
        for f in range(self.features):
            total = total + z[..., f] * z[..., f]
        distance = np.where(known, total / np.float32(self.features), np.float32(0.0))
        return np.asarray(distance, np.float32)


class Limits:
    """How far from each activity a window may be and still be known, ``values`` float32 (R,).

    Starts at the factory limit for the K shipped ``activities`` and at LIMIT for the spare rows: an
    activity that was taught is never unknown. A label says: windows like this one, too, are that
    activity; so it never lowers a limit and at least reaches ``widen`` times the distance of its
    window.
    """

    def __init__(
        self, activities: int, limit: float, widen: float, rows: int | None = None
    ) -> None:
        """``rows`` R, K unless given."""
        self._factory_limit, self._widen = np.float32(limit), np.float32(widen)
        self._activities, self._rows = activities, activities if rows is None else rows
        self.reset()

    def reset(self) -> None:
        """Back to the factory limit."""
        self.values = np.full(self._rows, LIMIT, np.float32)
        self.values[: self._activities] = self._factory_limit

    def novelty(self, distance: Array, activity: Array | int) -> Array:
        """Distances (...) to activities (...) as shares of their limits, float32 (...), at most
        LIMIT: above 1 a window is unknown."""
        with np.errstate(over="ignore"):
            share = np.asarray(distance, np.float32) / self.values[activity]
        return np.asarray(np.minimum(share, LIMIT), np.float32)

    def learn(self, label: int, distance: Array) -> None:
        """One labelled window, ``distance`` () away from the activity ``label``."""
        wider = np.minimum(self._widen * np.float32(distance), LIMIT)
        self.values[label] = np.maximum(self.values[label], wider)

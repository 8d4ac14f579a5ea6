"""The constants of learning on the device, all in one place. docs/LEARNING.md says how they were
chosen, and what each does."""

from __future__ import annotations

import numpy as np

from pipeline.bundle.bundle import LearningConstants
from pipeline.core.types import Array

# A step makes this share of the correction that a window of average size asks for.
_RATE = 2.0
_RATE_CONVOLUTION = 0.3
# Of the distance to the factory parameters, what stays at each label.
_KEEP = 0.995
# Gradient steps per label, one in so many of them on a shipped exemplar.
_STEPS = 64
_REPLAY_EVERY = 4
# One in so many labels of an activity is kept to judge by.
_HOLD_EVERY = 6
# Mistakes of the factory head before the learned one may become active.
_EVIDENCE = 2


def learning_constants(features: Array, vectors: Array | None) -> LearningConstants:
    """Standardized features (N, F) of training windows, and what the pointwise convolution reads
    of them, (..., C), where the head has one."""
    return LearningConstants(
        rate=_per_size(_RATE, features),
        rate_convolution=0.0 if vectors is None else _per_size(_RATE_CONVOLUTION, vectors),
        keep=float(np.float32(_KEEP)),
        steps=_STEPS,
        replay_every=_REPLAY_EVERY,
        hold_every=_HOLD_EVERY,
        evidence=_EVIDENCE,
    )


def _per_size(step: float, vectors: Array) -> float:
    """The rate at which a step on a vector of average size, with its bias, changes what is computed
    of it by ``step`` times the gradient."""
    size = np.square(vectors, dtype=np.float64).sum(axis=-1).mean()
    return float(np.float32(step / (1.0 + size)))

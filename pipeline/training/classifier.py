"""The classifier after cut `fc`: multinomial logistic regression on frozen features."""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Array


def fit_head(
    features: Array,
    labels: Array,
    activities: int,
    *,
    shares: Array | None = None,
    prior: Array | None = None,
    l2: float = 1e-2,
    smoothing: float = 0.1,
) -> tuple[Array, Array]:
    """Features (N, F) and labels (N,) -> weights (K, F) and bias (K,), float32.

    Minimizes the mean softmax cross-entropy against smoothed labels plus l2/2 |w|^2 with L-BFGS
    (Liu & Nocedal 1989) in float64: convex, so the result is one and has no seed.
    Features are scaled to unit variance for the optimizer and the scale is folded back. ``shares``
    (N,): how much each window counts of the mean, 1 together; all the same without. ``prior``
    (K, F): weights to stay close to, in place of zero.
    """
    from scipy.optimize import minimize

    n, f = features.shape
    share = np.full(n, 1.0 / n) if shares is None else np.asarray(shares, np.float64)
    mean = share @ features.astype(np.float64)
    scale = np.maximum(np.sqrt(share @ np.square(features - mean)), 1e-6)
    x = (features - mean) / scale
    anchor = np.zeros((activities, f)) if prior is None else prior * scale
    target = np.eye(activities)[labels] * (1.0 - smoothing) + smoothing / activities

    def loss(parameters: Array) -> tuple[float, Array]:
        w = parameters[: activities * f].reshape(activities, f)
        logits = x @ w.T + parameters[activities * f :]
        logits -= logits.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(logits).sum(axis=1, keepdims=True))
        value = (
            -(share @ (target * (logits - log_sum))).sum() + 0.5 * l2 * np.square(w - anchor).sum()
        )
        slope = (np.exp(logits - log_sum) - target) * share[:, None]
        return float(value), np.concatenate(
            [(slope.T @ x + l2 * (w - anchor)).ravel(), slope.sum(axis=0)]
        )

    start = np.concatenate([anchor.ravel(), np.zeros(activities)])
    best = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    weights = best[: activities * f].reshape(activities, f) / scale
    bias = best[activities * f :] - weights @ mean
    return weights.astype(np.float32), bias.astype(np.float32)

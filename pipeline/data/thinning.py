"""Fewer windows that still show every subject and activity."""

from __future__ import annotations

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array


def thin(subjects: Array, y: Array, count: int | None) -> Array:
    """Choose at most ``count`` of the windows of ``subjects`` (N,) and activities ``y`` (N,).

    Returns sorted indices: of each subject and activity as many as there are, or equally many,
    evenly spread over those there are. All of them for None. Raises InputError for a count below 1.
    """
    if count is None or count >= len(y):
        return np.arange(len(y))
    if count < 1:
        raise InputError(f"{count} examples: give at least 1")
    who = np.unique(subjects, return_inverse=True)[1]
    _, cell = np.unique(np.stack([who, y]), axis=1, return_inverse=True)
    cell = cell.ravel()
    taken = []
    for number, quota in enumerate(_quotas(np.bincount(cell), count)):
        mine = np.flatnonzero(cell == number)
        taken.append(mine[(np.arange(quota) * 2 + 1) * len(mine) // max(2 * quota, 1)])
    return np.sort(np.concatenate(taken))


def _quotas(sizes: Array, count: int) -> Array:
    """How many of each cell, ``count`` together and as equal as the sizes allow; what is left over
    goes to cells spread over all of them."""
    level = int(np.searchsorted(_filled(sizes), count, side="right")) - 1
    quotas = np.minimum(sizes, level)
    deeper = np.flatnonzero(sizes > level)
    left = count - int(quotas.sum())
    quotas[deeper[np.arange(left) * len(deeper) // max(left, 1)]] += 1
    return np.asarray(quotas)


def _filled(sizes: Array) -> Array:
    """How many examples there are with at most 0, 1, 2, ... of each cell."""
    return np.asarray([np.minimum(sizes, level).sum() for level in range(int(sizes.max()) + 1)])

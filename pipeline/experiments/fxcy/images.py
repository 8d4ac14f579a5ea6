"""Images of any size as a network takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array

# Luma of ITU-R BT.601.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_STD_LEAST = 1e-3


@dataclass(frozen=True)
class PhotoInput:
    """Images (N, H, W, planes) 0 to 1 -> network inputs float32 (N, pixels, pixels, planes of the
    network): another size, gray or colour, and by plane (x - mean) / std."""

    pixels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, x: Array) -> Array:
        fitted = resize(planes_of(x, len(self.mean)), self.pixels)
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        return np.asarray((fitted - mean) / std)


def fit_photo_input(x: Array, pixels: int, planes: int) -> PhotoInput:
    """For a network of so many pixels and planes; means and deviations are those of the training
    images (N, H, W, planes)."""
    fitted = planes_of(x, planes)
    mean = fitted.mean(axis=(0, 1, 2), dtype=np.float64)
    std = np.maximum(fitted.std(axis=(0, 1, 2), dtype=np.float64), _STD_LEAST)
    return PhotoInput(pixels, tuple(map(float, mean)), tuple(map(float, std)))


def planes_of(x: Array, planes: int) -> Array:
    """(N, H, W, 1 or 3) -> (N, H, W, planes): colour from gray by repetition, gray from colour by
    its luma. InputError for other counts."""
    if x.shape[-1] == planes:
        return x
    if (x.shape[-1], planes) == (1, 3):
        return np.repeat(x, 3, axis=-1)
    if (x.shape[-1], planes) == (3, 1):
        return np.asarray((x @ _LUMA)[..., None])
    raise InputError(f"images of {x.shape[-1]} planes for a network of {planes}: there are 1 and 3")


def resize(x: Array, pixels: int) -> Array:
    """(N, H, W, planes) -> (N, pixels, pixels, planes) float32, bilinear, the pixels' centres in
    between; enlarged only: a smaller network would see every other pixel."""
    rows, columns = (_weights(size, pixels) for size in x.shape[1:3])
    if x.shape[1:3] == (pixels, pixels):
        return x
    enlarged = np.einsum("ih,jw,nhwp->nijp", rows, columns, x, optimize=True)
    return np.asarray(enlarged, np.float32)


def _weights(size: int, pixels: int) -> Array:
    """(pixels, size): each row blends the two nearest of ``size`` pixels."""
    if pixels < size:
        raise InputError(
            f"images of {size} pixels for a network of {pixels}; choose one of at least {size} "
            "(@PIXELS after its name)"
        )
    at = np.clip((np.arange(pixels) + 0.5) * size / pixels - 0.5, 0, size - 1)
    left = np.minimum(at.astype(int), max(size - 2, 0))
    weights = np.zeros((pixels, size), np.float32)
    share = at - left
    weights[np.arange(pixels), left] = 1 - share
    weights[np.arange(pixels), np.minimum(left + 1, size - 1)] += share
    return weights

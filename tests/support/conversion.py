"""Conversion to .tflite takes most of the time of `quantize`: what was converted before is looked
up. Equal weights and, where scales are made, equal windows to make them of give equal files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pipeline.bundle import quantize as quantization
from pipeline.core.types import Array
from pipeline.models.weights import model_arrays

_CONVERTED: dict[object, bytes] = {}


@contextmanager
def remembered_conversions() -> Iterator[None]:
    """Inside it, `quantize` converts anew only what is new."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("to_float", "to_int8"):
            patch.setattr(quantization, name, _remembering(getattr(quantization, name)))
        yield


def _remembering(convert: Callable[..., bytes]) -> Callable[..., bytes]:
    def converted(model: Any, *representative: Array) -> bytes:
        weights = tuple((name, a.tobytes()) for name, a in sorted(model_arrays(model).items()))
        shapes = tuple(tuple(output.shape) for output in model.outputs)
        key = (convert, weights, shapes, *(x.tobytes() for x in representative))
        if key not in _CONVERTED:
            _CONVERTED[key] = convert(model, *representative)
        return _CONVERTED[key]

    return converted

"""The network as it is deployed: the int8 extractor in TFLite-Micro, the float32 head in NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.bundle.bundle import EXTRACTOR, Bundle
from pipeline.bundle.interface import Interface
from pipeline.compiler import run_tflm
from pipeline.core.types import Array
from pipeline.data import Windows
from pipeline.head import Head
from pipeline.training import Scores, score


def run_extractor(extractor: bytes, interface: Interface, x: Array) -> Array:
    """Raw windows (N, T, 6) -> windows at the cut, int8 (N, B)."""
    if len(x) == 0:
        return np.zeros((0, interface.cut_bytes), np.int8)
    outputs = run_tflm(extractor, interface.engine_input(x)).outputs
    return np.concatenate([output.reshape(len(x), -1) for output in outputs], axis=1)


def deployed_scores(extractor: bytes, interface: Interface, head: Head, windows: Windows) -> Scores:
    """Scores of extractor and head on windows."""
    predicted = head.predict(run_extractor(extractor, interface, windows.x)).argmax(axis=1)
    return score(windows.y, predicted, windows.subjects, len(windows.activities))


def bundle_scores(bundle: Bundle, directory: Path, windows: Windows) -> Scores:
    """Scores of the bundle in ``directory`` with its shipped head, as `Metrics` has them."""
    extractor = (directory / EXTRACTOR).read_bytes()
    return deployed_scores(extractor, bundle, bundle.new_head(directory), windows)

"""The network as it is deployed: the int8 extractor in TFLite-Micro, the float32 head in NumPy."""

from __future__ import annotations

from pipeline.bundle.interface import Interface
from pipeline.data import Windows
from pipeline.head import Head
from pipeline.training import Scores, score


def deployed_scores(extractor: bytes, interface: Interface, head: Head, windows: Windows) -> Scores:
    """Score extractor and head on ``windows``."""
    predicted = head.predict(interface.run(extractor, windows.x)).argmax(axis=1)
    return score(windows.y, predicted, windows.subjects, len(windows.activities))

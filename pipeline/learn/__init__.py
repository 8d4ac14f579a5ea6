"""What the board computes on its own, computed a second time: window, tail, known or
unknown, smoother, stored payload.

Every function here gives the very bits of its C twin in firmware/lib (docs/LEARNING.md).
"""

from __future__ import annotations

from pipeline.learn.mathematics import exp32, softmax
from pipeline.learn.novelty import Limits, Novelty
from pipeline.learn.payload import LearnedTail, pack, payload_bytes, unpack, weights_offset
from pipeline.learn.smoother import Smoother
from pipeline.learn.tail import LIMIT, Learning, Tail, dequantize
from pipeline.learn.window import (
    SampleQuantization,
    WindowReference,
    compand,
    quantize_samples,
)

__all__ = [
    "LIMIT",
    "LearnedTail",
    "Learning",
    "Limits",
    "Novelty",
    "SampleQuantization",
    "Smoother",
    "Tail",
    "WindowReference",
    "compand",
    "dequantize",
    "exp32",
    "pack",
    "payload_bytes",
    "quantize_samples",
    "softmax",
    "unpack",
    "weights_offset",
]

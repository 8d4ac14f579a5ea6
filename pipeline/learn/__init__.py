"""What the board computes on its own, computed a second time: window, spectrogram, tail, replay,
learner, known or unknown, smoother, stored payload.

Every function here gives the very bits of its C twin in firmware/lib (docs/LEARNING.md).
"""

from __future__ import annotations

from pipeline.learn.learner import Guard, Learner, Learning, Outcome
from pipeline.learn.mathematics import exp32, softmax
from pipeline.learn.novelty import Limits, Novelty
from pipeline.learn.payload import (
    HEAD_START_BYTES,
    LearnedHead,
    check_name,
    head_bytes,
    head_size,
    pack,
    record_bytes,
    unpack,
    values_offset,
)
from pipeline.learn.replay import Replay
from pipeline.learn.smoother import Smoother
from pipeline.learn.spectrogram import (
    SpectrogramQuantization,
    SpectrogramShape,
    levels,
    picture,
    quantize_spectrogram,
)
from pipeline.learn.tail import (
    LIMIT,
    CutScales,
    Tail,
    TailShape,
    check_parameters,
    without_denormals,
)
from pipeline.learn.window import (
    SampleQuantization,
    WindowReference,
    compand,
    quantize_samples,
)

__all__ = [
    "HEAD_START_BYTES",
    "LIMIT",
    "CutScales",
    "Guard",
    "LearnedHead",
    "Learner",
    "Learning",
    "Limits",
    "Novelty",
    "Outcome",
    "Replay",
    "SampleQuantization",
    "Smoother",
    "SpectrogramQuantization",
    "SpectrogramShape",
    "Tail",
    "TailShape",
    "WindowReference",
    "check_name",
    "check_parameters",
    "compand",
    "exp32",
    "head_bytes",
    "head_size",
    "levels",
    "pack",
    "picture",
    "quantize_samples",
    "quantize_spectrogram",
    "record_bytes",
    "softmax",
    "unpack",
    "values_offset",
    "without_denormals",
]

"""What the board computes on its own, computed a second time: window, spectrogram, head, replay,
learner, known or unknown, smoother, stored payload.

Every function here gives the very bits of its C twin in firmware/lib (docs/LEARNING.md).
"""

from __future__ import annotations

from pipeline.head.board_twin import BoardTwin, Seen
from pipeline.head.head import (
    LIMIT,
    CutScales,
    Head,
    HeadShape,
    check_parameters,
    without_denormals,
)
from pipeline.head.learner import Guard, Learner, Learning, Outcome
from pipeline.head.mathematics import exp32, softmax
from pipeline.head.novelty import Limits, Novelty
from pipeline.head.payload import (
    HEAD_START_BYTES,
    LearnedHead,
    head_bytes,
    head_size,
    pack,
    record_bytes,
    unpack,
    values_offset,
)
from pipeline.head.replay import Replay
from pipeline.head.smoother import Smoother
from pipeline.head.spectrogram import (
    SpectrogramQuantization,
    SpectrogramShape,
    levels,
    picture,
    quantize_spectrogram,
)
from pipeline.head.window import SampleQuantization, compand, quantize_samples

__all__ = [
    "HEAD_START_BYTES",
    "LIMIT",
    "BoardTwin",
    "CutScales",
    "Guard",
    "Head",
    "HeadShape",
    "LearnedHead",
    "Learner",
    "Learning",
    "Limits",
    "Novelty",
    "Outcome",
    "Replay",
    "SampleQuantization",
    "Seen",
    "Smoother",
    "SpectrogramQuantization",
    "SpectrogramShape",
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

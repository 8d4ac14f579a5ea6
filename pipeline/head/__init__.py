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
from pipeline.head.mathematics import softmax
from pipeline.head.novelty import Limits, Novelty
from pipeline.head.payload import HEAD_START_BYTES, head_size, unpack, values_offset
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
    "head_size",
    "levels",
    "picture",
    "quantize_samples",
    "quantize_spectrogram",
    "softmax",
    "unpack",
    "values_offset",
    "without_denormals",
]

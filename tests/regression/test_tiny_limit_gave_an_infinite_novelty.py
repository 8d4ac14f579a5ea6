"""A head with a tiny limit, which every check takes, made the novelty of each window infinite: the
host took the PREDICTION for one of another firmware, and no window could be streamed."""

from __future__ import annotations

import numpy as np

from pipeline.device.messages import Prediction
from pipeline.learn import LIMIT, Limits, pack
from tests.firmware.support.app_board import Board
from tests.firmware.test_app import BIAS, WEIGHTS, K, T, head_state, push, raw_samples, stream

TINY = np.float32(1e-40)


def test_novelty_stays_finite_and_equals_the_twin(board: Board) -> None:
    limits = np.full(K, TINY, np.float32)
    assert head_state(push(board, pack(WEIGHTS, BIAS, 0, (0,) * K, limits)))["source"] == 1
    (frame,) = stream(board, raw_samples(T, 1))
    prediction = Prediction.decode(frame.payload)
    assert prediction.unknown
    assert prediction.novelty == float(LIMIT)
    assert Limits(K, float(TINY), 1.25).novelty(np.float32(3.0), 0) == LIMIT

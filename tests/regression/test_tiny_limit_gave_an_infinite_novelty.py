"""A head with a tiny limit, which every check takes, made the novelty of each window infinite: the
host took the PREDICTION for one of another firmware, and no window could be streamed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.head import LIMIT, Limits, unpack
from pipeline.head.payload import pack
from pipeline.protocol.messages import Prediction
from tests.firmware.support.app_board import Board, head_state
from tests.firmware.support.app_session import push, stream
from tests.firmware.support.app_twin import T, Twin, raw_samples

TINY = np.finfo(np.float32).tiny


def test_novelty_stays_finite_and_equals_the_twin(board: Board) -> None:
    head = unpack(Twin().payload())
    head = replace(head, limits=np.full(head.rows, TINY, np.float32))
    assert head_state(push(board, pack(head)))["source"] == 1
    (frame,) = stream(board, raw_samples(T, 1))
    prediction = Prediction.decode(frame.payload)
    assert prediction.unknown
    assert prediction.novelty == float(LIMIT)
    assert Limits(3, float(TINY), 1.25).novelty(np.float32(3.0), 0) == LIMIT

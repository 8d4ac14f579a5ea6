"""The oracle runs in a process of its own: whatever happens there is one clear error here."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.compiler import run_tflm
from pipeline.core.errors import CheckFailed, InputError
from tests.support.tflite_builder import Net


def test_outputs_come_without_the_batch_axis_and_with_the_arena() -> None:
    net = Net(3, (1, 4, 5, 2))
    y = net.pool(net.input, "MAX", (1, 1))
    model = net.build(y, net.reshape(y, (8, 5)))
    inputs = np.random.default_rng(1).integers(-128, 128, (3, 1, 4, 5, 2)).astype(np.int8)
    result = run_tflm(model, inputs)
    np.testing.assert_array_equal(result.outputs[0], inputs[:, 0])
    assert result.outputs[1].shape == (3, 8, 5)
    assert result.arena_bytes > 80
    np.testing.assert_array_equal(run_tflm(model, inputs[:, 0]).outputs[0], inputs[:, 0])


def test_a_refusal_of_tflm_is_passed_on_in_one_line() -> None:
    net = Net(3, (1, 8))
    y = net.softmax(net.input)
    net.model.graph.tensors[y.index].quantization.zeroPoint = [0]
    with pytest.raises(CheckFailed, match=r"refuses this model: .*SOFTMAX") as caught:
        run_tflm(net.build(y), np.zeros((1, 8), np.int8))
    assert "\n" not in str(caught.value)


def test_an_abort_of_tflm_is_an_error_and_not_the_end_of_this_process() -> None:
    net = Net(3, (1, 600), scale=0.001)  # the sum of 600 equal terms overflows its exponent check
    with pytest.raises(CheckFailed, match="aborted"):
        run_tflm(net.build(net.softmax(net.input)), np.zeros((1, 600), np.int8))


def test_inputs_of_another_size_or_type_are_refused() -> None:
    net = Net(3, (1, 8))
    model = net.build(net.unary("RELU", net.input))
    with pytest.raises(InputError, match=r"\(9,\) for a model of"):
        run_tflm(model, np.zeros((1, 9), np.int8))
    with pytest.raises(InputError, match="int8"):
        run_tflm(model, np.zeros((1, 8), np.float32))
    with pytest.raises(InputError, match="int8"):
        run_tflm(model, np.zeros((0, 8), np.int8))

"""What converters write around layers is folded away, and what cannot be is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.compiler import UnsupportedModel, compile_model, for_tflm, run_tflm
from pipeline.compiler.reader import read_model
from pipeline.core.errors import CheckFailed
from tests.support.host_net import HostNet, random_inputs
from tests.support.tflite_builder import SAME, VALID, Net, Value

BLOCK, PADS = (2, 3), [(2, 4), (3, 3)]


def steps(model: bytes) -> list[str]:
    return [layer.operator for layer in compile_model(model).layers]


def dilated(padded_before: bool) -> bytes:
    """The same numbers, padded by SPACE_TO_BATCH_ND, or by PAD in front of it."""
    net = Net(3, (1, 10, 9, 2))
    x = net.pad(net.input, [(0, 0), *PADS, (0, 0)]) if padded_before else net.input
    y = net.to_batches(x, BLOCK, [(0, 0), (0, 0)] if padded_before else PADS)
    y = net.conv(y, 5, (2, 2), padding=VALID)
    return net.build(net.from_batches(y, BLOCK, [(0, 0), (0, 0)]))


def test_what_space_to_batch_pads_is_padded_with_zero_as_pad_does(tmp_path: Path) -> None:
    inputs = random_inputs((1, 10, 9, 2), 20, seed=1)
    assert steps(dilated(True)) == steps(dilated(False)) == ["CONV_2D"]
    (found,) = HostNet(compile_model(dilated(False)), tmp_path).run(inputs)
    (expected,) = run_tflm(dilated(True), inputs).outputs
    np.testing.assert_array_equal(found, expected.reshape(len(inputs), -1))


def test_where_tflm_pads_with_what_it_never_set_there_is_no_oracle() -> None:
    with pytest.raises(CheckFailed, match=r"SPACE_TO_BATCH_ND \(operator 0\) pads.*causal"):
        run_tflm(dilated(False), random_inputs((1, 10, 9, 2), 4, seed=1))


def test_batches_that_the_file_leaves_out_are_put_in_for_tflm() -> None:
    net = Net(4, (1, 12, 1, 2))
    y = net.conv(net.to_batches(net.input, (2, 1), [(0, 0), (0, 0)]), 3, (3, 1), padding=VALID)
    model = net.build(net.from_batches(y, (2, 1), [(0, 0), (0, 0)]))
    assert for_tflm(model) == model
    free = Net(4, (1, 12, 1, 2))
    y = free.to_batches(free.input, (2, 1), [(0, 0), (0, 0)], batch=1)
    y = free.conv(y, 3, (3, 1), padding=VALID)
    free_model = free.build(free.from_batches(y, (2, 1), [(0, 0), (0, 0)]))
    shapes = [tensor.shape for tensor in read_model(for_tflm(free_model)).tensors]
    assert shapes == [tensor.shape for tensor in read_model(model).tensors]
    inputs = random_inputs((1, 12, 1, 2), 9, seed=2)
    np.testing.assert_array_equal(
        run_tflm(free_model, inputs).outputs[0], run_tflm(model, inputs).outputs[0]
    )


def test_pads_become_the_convolution_s_own_where_it_alone_reads_them() -> None:
    net = Net(5, (1, 12, 12, 4))
    x = net.pad(net.input, [(0, 0), (1, 2), (0, 3), (0, 0)])
    assert steps(net.build(net.conv(x, 3, (3, 3), padding=VALID))) == ["CONV_2D"]
    net = Net(5, (1, 12, 12, 4))
    x = net.pad(net.input, [(0, 0), (1, 2), (0, 3), (0, 0)])
    a, b = (net.conv(x, 3, (3, 3), padding=VALID) for _ in range(2))
    assert sorted(steps(net.build(a, b))) == ["CONV_2D", "CONV_2D", "PAD"]
    net = Net(5, (1, 12, 12, 4))
    x = net.pad(net.input, [(0, 0), (1, 1), (1, 1), (0, 0)])
    assert steps(net.build(net.conv(x, 3, (3, 3), padding=SAME))) == ["PAD", "CONV_2D"]
    net = Net(5, (1, 12, 12, 4))
    x = net.pad(net.input, [(0, 0), (1, 1), (1, 1), (0, 1)])
    assert steps(net.build(net.conv(x, 3, (3, 3), padding=VALID))) == ["PAD", "CONV_2D"]


def free_batch(net: Net, x: Value) -> Value:
    """RESHAPE to a shape that is computed, as Keras writes Flatten."""
    shape = net.model.tensor((len(x.shape),), kind="INT32")
    net.model.operator("SHAPE", [x.index], [shape], "ShapeOptions")
    batch = net.model.tensor((), kind="INT32")
    ends = [net.integers((end,)) for end in (0, 1, 1)]
    net.model.operator(
        "STRIDED_SLICE", [shape, *ends], [batch], "StridedSliceOptions", shrinkAxisMask=1
    )
    rest = net.model.tensor((), kind="INT32", data=np.array(int(np.prod(x.shape)), np.int32))
    packed = net.model.tensor((2,), kind="INT32")
    net.model.operator("PACK", [batch, rest], [packed], "PackOptions", valuesCount=2)
    return net.reshape(x, (1, int(np.prod(x.shape))), packed)


def test_shape_arithmetic_of_a_free_batch_costs_nothing(tmp_path: Path) -> None:
    net = Net(6, (1, 12, 12, 4))
    model = net.build(net.fully_connected(free_batch(net, net.conv(net.input, 3)), 4))
    assert steps(model) == ["CONV_2D", "FULLY_CONNECTED"]
    assert compile_model(model).operators == (
        *("CONV_2D", "SHAPE", "STRIDED_SLICE", "PACK", "RESHAPE", "FULLY_CONNECTED"),
    )
    inputs = random_inputs((1, 12, 12, 4), 20, seed=3)
    (found,) = HostNet(compile_model(model), tmp_path).run(inputs)
    np.testing.assert_array_equal(found, run_tflm(model, inputs).outputs[0].reshape(20, -1))


@pytest.mark.parametrize("broken", ["stride", "crop", "read twice", "block"])
def test_what_is_no_dilated_convolution_is_refused_by_name(broken: str) -> None:
    net = Net(7, (1, 12, 12, 4))
    y = net.to_batches(net.input, (2, 2), [(0, 0), (0, 0)])
    y = net.conv(y, 3, (2, 2), (2, 2) if broken == "stride" else (1, 1), VALID)
    back = (2, 1) if broken == "block" else (2, 2)
    ends = net.from_batches(y, back, [(1 if broken == "crop" else 0, 0), (0, 0)])
    outputs = [ends, net.unary("RELU", y)] if broken == "read twice" else [ends]
    with pytest.raises(UnsupportedModel, match="SPACE_TO_BATCH_ND: only the start of a dilated"):
        compile_model(net.build(*outputs))

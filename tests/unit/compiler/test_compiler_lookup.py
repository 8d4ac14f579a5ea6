"""Tables of single elements: each of the 256 inputs gives what TFLite-Micro computes."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.compiler import run_tflm
from pipeline.compiler.graph import KernelCall
from pipeline.compiler.lower import lower
from pipeline.compiler.reader import read_model
from tests.support.tflite_builder import Net

NAMES = ("QUANTIZE", "RELU", "RELU6", "LEAKY_RELU", "LOGISTIC", "TANH", "HARD_SWISH")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [0.0007, 0.004, 0.02, 0.09, 0.4, 1.7])
def test_every_input_gives_the_output_of_tflm(name: str, scale: float) -> None:
    net = Net(int(scale * 1e4), (1, 256), scale)
    alphas = net.rng.uniform(-1.0, 1.5, 8)
    fields = [{"alpha": float(each)} if name == "LEAKY_RELU" else {} for each in alphas]
    model = net.build(*(net.unary(name, net.input, **each) for each in fields))
    every = np.arange(-128, 128).astype(np.int8).reshape(1, 256)
    expected = run_tflm(model, every).outputs
    for step, theirs in zip(lower(read_model(model)).steps, expected, strict=True):
        assert isinstance(step, KernelCall)
        np.testing.assert_array_equal(step.arrays[0].values, theirs.reshape(-1))

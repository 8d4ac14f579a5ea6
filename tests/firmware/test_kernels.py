"""Every int8 kernel equals TFLite-Micro byte for byte, on random shapes, scales and inputs.

Each case is a .tflite with ten variants of one operator, compiled to C, built for this machine, and
run on noise and on saturating extremes beside the tflite_micro interpreter.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.compiler import compile_model, run_tflm
from tests.support.host_net import (
    HostNet,
    random_inputs,
    run_sanitized,
)
from tests.support.tflite_builder import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, VALID, Net, Value

VARIANTS = 10
ELEMENTS = 720  # of each model's input, seen as many shapes

Branch = Callable[[Net, Value, np.random.Generator], Value]
CASES: dict[str, Branch] = {}


def case(function: Branch) -> Branch:
    CASES[function.__name__] = function
    return function


def _model(name: str, seed: int) -> bytes:
    """One flat input; each variant reshapes it to an image of its own and is one output."""
    rng = np.random.default_rng(seed)
    scale = 0.12 if name == "softmax" else None
    net = Net(seed, (1, ELEMENTS), scale)
    outputs = []
    for _ in range(VARIANTS):
        channels = int(rng.choice([1, 2, 3, 4, 5, 8]))
        height = int(rng.choice([h for h in (5, 6, 9, 10, 12) if ELEMENTS % (h * channels) == 0]))
        shape = (1, height, ELEMENTS // height // channels, channels)
        outputs.append(CASES[name](net, net.reshape(net.input, shape), rng))
    return net.build(*outputs)


def _window(rng: np.random.Generator, dilated: bool = True) -> dict[str, Any]:
    window: dict[str, Any] = {
        "kernel": tuple(rng.integers(1, 5, 2).tolist()),
        "stride": tuple(rng.integers(1, 4, 2).tolist()),
        "padding": int(rng.choice([SAME, VALID])),
        "activation": int(rng.choice([NONE, RELU, RELU6, RELU_N1_TO_1])),
    }
    if dilated and rng.random() < 0.3:
        window["dilation"] = (1, int(rng.integers(2, 4)))
    return window


def _layer(rng: np.random.Generator) -> dict[str, bool]:
    return {"per_channel": bool(rng.random() < 0.7), "bias": bool(rng.random() < 0.8)}


@case
def conv_2d(net: Net, x: Value, rng: np.random.Generator) -> Value:
    return net.conv(x, int(rng.integers(1, 10)), **_window(rng), **_layer(rng))


@case
def conv_2d_with_factors_above_one(net: Net, x: Value, rng: np.random.Generator) -> Value:
    # The accumulator is multiplied up, and nearly all outputs saturate.
    return net.conv(x, 4, kernel=(2, 2), output=(x.scale * 1e-3, int(rng.integers(-90, 90))))


@case
def depthwise_conv_2d(net: Net, x: Value, rng: np.random.Generator) -> Value:
    return net.depthwise(x, int(rng.integers(1, 4)), **_window(rng), **_layer(rng))


@case
def fully_connected(net: Net, x: Value, rng: np.random.Generator) -> Value:
    return net.fully_connected(
        x,
        int(rng.integers(2, 20)),
        int(rng.choice([NONE, RELU, RELU6, RELU_N1_TO_1])),
        keep_dims=bool(rng.random() < 0.5),
        **_layer(rng),
    )


@case
def average_pool_2d(net: Net, x: Value, rng: np.random.Generator) -> Value:
    return net.pool(x, "AVERAGE", **_window(rng, dilated=False))


@case
def max_pool_2d(net: Net, x: Value, rng: np.random.Generator) -> Value:
    return net.pool(x, "MAX", **_window(rng, dilated=False))


@case
def mean(net: Net, x: Value, rng: np.random.Generator) -> Value:
    axes = [(1, 2), (2, 1), (-3, -2), (1,), (2,), (3,), (1, 2, 3)][int(rng.integers(0, 7))]
    return net.mean(x, axes, keep_dims=bool(rng.random() < 0.5))


@case
def add(net: Net, x: Value, rng: np.random.Generator) -> Value:
    other = net.unary("QUANTIZE", x)
    a, b = (x, other) if rng.random() < 0.7 else (other, other)
    return net.add(a, b, activation=int(rng.choice([NONE, RELU, RELU6, RELU_N1_TO_1])))


def _pair(net: Net, x: Value, rng: np.random.Generator, name: str) -> Value:
    """With a constant or an activation, of the same or a smaller shape, first or second."""
    chooses = name in ("MINIMUM", "MAXIMUM")
    fixed = [x.shape, x.shape[3:], (1, 1, x.shape[2], 1), (1,), ()][int(rng.integers(0, 5))]
    other = net.constant(fixed, x if chooses else None)
    if rng.random() < 0.5:
        other = net.pool(x, "MAX", (int(x.shape[1]), 1)) if rng.random() < 0.5 else x
        other = other if chooses else net.unary("QUANTIZE", other)
    a, b = (x, other) if rng.random() < 0.5 else (other, x)
    return net.pair(name, a, b, int(rng.choice([NONE, RELU, RELU6, RELU_N1_TO_1])))


@case
def add_of_any_operands(net: Net, x: Value, rng: np.random.Generator) -> Value:
    return _pair(net, x, rng, "ADD")


@case
def sub(net: Net, x: Value, rng: np.random.Generator) -> Value:
    return _pair(net, x, rng, "SUB")


@case
def mul(net: Net, x: Value, rng: np.random.Generator) -> Value:
    return _pair(net, x, rng, "MUL")


@case
def minimum(net: Net, x: Value, rng: np.random.Generator) -> Value:
    return _pair(net, x, rng, "MINIMUM")


@case
def maximum(net: Net, x: Value, rng: np.random.Generator) -> Value:
    return _pair(net, x, rng, "MAXIMUM")


@case
def pad(net: Net, x: Value, rng: np.random.Generator) -> Value:
    x = net.reshape(x, [x.shape, x.shape[1:], (ELEMENTS,)][int(rng.integers(0, 3))])
    paddings = [(int(a), int(b)) for a, b in rng.integers(0, 3, (len(x.shape), 2))]
    return net.pad(x, paddings, int(rng.integers(-128, 128)) if rng.random() < 0.5 else None)


@case
def concatenation(net: Net, x: Value, rng: np.random.Generator) -> Value:
    axis = int(rng.choice([-1, 1, 2, 3]))
    parts = [x]
    for _ in range(int(rng.integers(1, 4))):
        paddings = [(0, 0)] * 4
        paddings[axis] = (0, int(rng.integers(1, 4)))
        parts.append(net.pad(x, paddings))
    return net.concatenate(parts, axis)


@case
def reshape(net: Net, x: Value, _: np.random.Generator) -> Value:
    y = net.conv(x, 4)
    pixels = y.shape[1] * y.shape[2]
    return net.reshape(net.reshape(y, (2, pixels, 2)), (4 * pixels,))


@case
def softmax(net: Net, x: Value, rng: np.random.Generator) -> Value:
    depth = int(rng.choice([1, 2, 6, 40, 360]))
    x = net.reshape(x, (ELEMENTS // depth, depth))
    return net.softmax(x, beta=float(rng.choice([1.0, 0.5, 3.0])))


@case
def quantize(net: Net, x: Value, _: np.random.Generator) -> Value:
    return net.unary("QUANTIZE", x)


@case
def relu(net: Net, x: Value, _: np.random.Generator) -> Value:
    return net.unary("RELU", x)


@case
def relu6(net: Net, x: Value, _: np.random.Generator) -> Value:
    return net.unary("RELU6", net.unary("QUANTIZE", x))


@case
def logistic(net: Net, x: Value, _: np.random.Generator) -> Value:
    return net.unary("LOGISTIC", net.unary("QUANTIZE", x))


@case
def tanh(net: Net, x: Value, _: np.random.Generator) -> Value:
    return net.unary("TANH", net.unary("QUANTIZE", x))


@case
def hard_swish(net: Net, x: Value, _: np.random.Generator) -> Value:
    return net.unary("HARD_SWISH", net.unary("QUANTIZE", x))


@case
def leaky_relu(net: Net, x: Value, rng: np.random.Generator) -> Value:
    return net.unary("LEAKY_RELU", x, alpha=float(rng.uniform(-0.5, 1.2)))


@case
def reduce_max(net: Net, x: Value, rng: np.random.Generator) -> Value:
    axes = [(1, 2), (1,), (2,), (3,), (2, 3), (-1,), (1, 2, 3)][int(rng.integers(0, 7))]
    return net.most(x, axes, keep_dims=bool(rng.random() < 0.5))


@case
def prelu(net: Net, x: Value, rng: np.random.Generator) -> Value:
    shape = [x.shape[1:], x.shape[3:], (1, *x.shape[2:])][int(rng.integers(0, 3))]
    return net.prelu(x, net.constant(shape))


@case
def transpose(net: Net, x: Value, rng: np.random.Generator) -> Value:
    x = net.reshape(x, [x.shape, x.shape[1:], (2, 3, 5, 24)][int(rng.integers(0, 3))])
    return net.transpose(x, tuple(rng.permutation(len(x.shape)).tolist()))


@case
def strided_slice(net: Net, x: Value, rng: np.random.Generator) -> Value:
    x = net.reshape(x, [(10, 8, 9), (2, 3, 5, 24), (12, 60)][int(rng.integers(0, 3))])
    rank = len(x.shape)
    shrink = int(rng.integers(0, 1 << rank)) & ~1
    begin, end, strides = [], [], []
    for axis, size in enumerate(x.shape):
        first, last = sorted(rng.choice(size + 1, 2, replace=False).tolist())
        step = int(rng.choice([1, 1, 2, 3]))
        if rng.random() < 0.3 and not shrink >> axis & 1:
            first, last, step = last - 1, first - 1 if first else -size - 1, -step
        elif rng.random() < 0.3:
            first -= size
        begin.append(min(first, size - 1))
        end.append(last)
        strides.append(1 if shrink >> axis & 1 else step)
    masks = {"beginMask": int(rng.integers(0, 1 << rank)), "endMask": int(rng.integers(0, 8))}
    return net.strided_slice(
        x, tuple(begin), tuple(end), tuple(strides), shrinkAxisMask=shrink, **masks
    )


@case
def split(net: Net, x: Value, rng: np.random.Generator) -> Value:
    x = net.reshape(x, (4, 6, 30))
    axis = int(rng.integers(0, 3))
    size = x.shape[axis]
    sizes = [size // 2] * 2 if rng.random() < 0.5 else [1, size - 1]
    parts = net.split(x, axis - 3 * int(rng.random() < 0.3), sizes)
    return net.concatenate([net.reshape(part, (1, prod(part.shape))) for part in parts[::-1]], 1)


@case
def unpack(net: Net, x: Value, rng: np.random.Generator) -> Value:
    x = net.reshape(x, (4, 6, 30))
    parts = net.unpack(x, int(rng.integers(0, 2)))
    return net.concatenate([net.reshape(part, (1, prod(part.shape))) for part in parts[::-1]], 1)


@case
def dilated_by_batches(net: Net, x: Value, rng: np.random.Generator) -> Value:
    """As Keras' dilated convolutions arrive, in one axis or two."""
    block = tuple(rng.integers(1, 4, 2).tolist())
    kernel = tuple(rng.integers(1, 3, 2).tolist())
    ends = [(0, -size % times) for size, times in zip(x.shape[1:3], block, strict=True)]
    pads, crops = ends, ends
    y = net.to_batches(x, block, pads)
    y = (
        net.conv(y, 3, kernel, padding=VALID)
        if rng.random() < 0.5
        else net.depthwise(y, 1, kernel, padding=VALID)
    )
    return net.from_batches(y, block, crops)


@case
def dilated_and_causal_along_time(net: Net, x: Value, rng: np.random.Generator) -> Value:
    block, taps = int(rng.integers(2, 5)), int(rng.integers(2, 4))
    x = net.reshape(x, (1, 120, 6))
    x = net.pad(x, [(0, 0), (block * (taps - 1), 0), (0, 0)])
    end = -x.shape[1] % block
    y = net.to_batches(x, (block,), [(0, end)])
    y = net.reshape(y, (block, 1, *y.shape[1:]))
    y = net.conv(y, 5, (1, taps), padding=VALID)
    return net.from_batches(net.reshape(y, (block, *y.shape[2:])), (block,), [(0, end)])


@case
def padded_convolution(net: Net, x: Value, rng: np.random.Generator) -> Value:
    pads = [(0, 0), *((int(a), int(b)) for a, b in rng.integers(0, 4, (2, 2))), (0, 0)]
    window = _window(rng) | {"padding": VALID, "kernel": (2, 3)}
    return net.conv(net.pad(x, pads), 4, **window, **_layer(rng))


@case
def lstm(net: Net, x: Value, rng: np.random.Generator) -> Value:
    steps = int(rng.choice([1, 12, 60]))
    shape = (1, steps, ELEMENTS // steps)
    first = bool(rng.random() < 0.3)
    y = net.reshape(x, (shape[1], 1, shape[2]) if first else shape)
    clip = float(rng.choice([0.0, 0.5]))
    return net.lstm(y, int(rng.integers(1, 9)), time_major=first, cell_clip=clip)


@case
def svdf(net: Net, x: Value, rng: np.random.Generator) -> Value:
    x = net.reshape(x, (1, ELEMENTS))
    units, rank, memory = (int(n) for n in rng.integers(1, 6, 3))
    return net.svdf(x, units, rank, memory, str(rng.choice(["INT8", "INT16"])))


@pytest.mark.parametrize("name", CASES)
def test_kernel_equals_tflm_on_noise_and_extremes(name: str, tmp_path: Path) -> None:
    model = _model(name, seed=7)
    compiled = compile_model(model)
    inputs = random_inputs(compiled.inputs[0].shape, 24, seed=1)
    expected = run_tflm(model, inputs).outputs
    got = HostNet(compiled, tmp_path).run(inputs)
    assert len(got) == VARIANTS
    assert len({mine.tobytes() for mine in got[0]}) > 2
    for mine, theirs in zip(got, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs.reshape(len(inputs), -1))


@pytest.mark.parametrize("name", CASES)
def test_kernel_is_clean_under_address_and_undefined_behaviour_sanitizers(
    name: str, tmp_path: Path
) -> None:
    compiled = compile_model(_model(name, seed=77))
    inputs = random_inputs(compiled.inputs[0].shape, 6, seed=5)
    sanitized = run_sanitized(compiled, tmp_path / "asan", inputs)
    plain = HostNet(compiled, tmp_path / "plain").run(inputs)
    assert sanitized == np.concatenate(plain, axis=1).tobytes()

"""Networks on the packed kernels equal TFLite-Micro byte for byte: odd shapes, edges, extremes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.compiler import compile_model, run_tflm
from tests.support.host_net import HostNet, random_inputs, run_sanitized
from tests.support.tflite_builder import NONE, RELU, SAME, VALID, Net, Value

INPUTS = 24


def equal_to_tflm(model: bytes, folder: Path, *wanted: str, sanitized: bool = False) -> str:
    """Compares all outputs; each of ``wanted`` must stand in the generated C, which is returned."""
    compiled = compile_model(model)
    source = compiled.sources["har_net.c"]
    for name in wanted:
        assert name in source
    inputs = random_inputs(compiled.inputs[0].shape, INPUTS, seed=3)
    expected = [out.reshape(INPUTS, -1) for out in run_tflm(model, inputs).outputs]
    for mine, theirs in zip(HostNet(compiled, folder).run(inputs), expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    if sanitized:
        got = run_sanitized(compiled, folder / "asan", inputs)
        assert got == np.concatenate(expected, axis=1).tobytes()
    return source


def trained(seed: int, shape: tuple[int, ...]) -> Net:
    return Net(seed, shape, scale=0.02, trained_like=True)


def pooled(net: Net, x: Value, kind: int) -> Value:
    if kind % 2:
        return net.mean(x, keep_dims=False)
    return net.reshape(net.pool(x, "AVERAGE", x.shape[1:3]), (1, x.shape[3]))


@pytest.mark.parametrize("seed", range(12))
def test_depthwise_separable_networks_over_time(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    taps, padding = int(rng.choice([3, 5, 7, 4])), int(rng.choice([SAME, VALID]))
    along = bool(seed % 3 == 0)  # time along the width

    def line(size: int) -> tuple[int, int]:
        return (1, size) if along else (size, 1)

    length = int(rng.integers(45, 70))
    net = trained(seed, (1, *line(length), int(rng.integers(1, 8))))
    x = net.conv(net.input, int(rng.integers(2, 18)), line(taps), line(2), padding, RELU)
    outputs = [pooled(net, x, seed)]
    for stride in rng.integers(1, 4, 3):
        if max(x.shape[1:3]) < taps + 2:
            break
        y = net.depthwise(x, 1, line(taps), (int(stride), int(stride)), padding, RELU)
        x = net.conv(y, int(rng.integers(2, 18)), activation=RELU)
        outputs.append(pooled(net, x, seed + 1))
    outputs.append(net.fully_connected(outputs[-1], 5))
    source = equal_to_tflm(net.build(*outputs), tmp_path, "har_matrix_run", sanitized=seed % 4 == 0)
    assert "har_conv2d_s8" not in source
    assert "har_depthwise_conv2d_s8" not in source


@pytest.mark.parametrize("length", range(1, 10))
def test_every_number_of_pixels_in_a_map(length: int, tmp_path: Path) -> None:
    net = trained(length, (1, length + 4, 1, 3))
    x = net.conv(net.input, 6, (5, 1), (1, 1), VALID, RELU)
    assert x.shape[1] == length
    y = net.conv(net.depthwise(x, 1, (5, 1), (1, 1), SAME, RELU), 7, activation=RELU)
    z = net.conv(net.depthwise(y, 1, (3, 1), (1, 1), SAME, RELU), 3)
    source = equal_to_tflm(net.build(pooled(net, y, 0), z), tmp_path)
    assert source.count("har_matrix_run(") == 3


@pytest.mark.parametrize("seed", range(8))
def test_images_with_margins_strides_and_shortcuts(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(100 + seed)
    size = int(rng.integers(5, 15)), int(rng.integers(5, 15))
    net = trained(seed, (1, *size, int(rng.integers(1, 5))))
    x = net.conv(net.input, int(rng.integers(2, 9)), (3, 3), (1, 2), SAME, RELU)
    kernel = [(3, 3), (5, 5), (3, 1), (2, 4)][seed % 4]
    y = net.depthwise(x, 1, kernel, (1 + seed % 2,) * 2, SAME, RELU)
    y = net.conv(y, 6)  # linear
    z = net.conv(y, 10, activation=RELU)
    z = net.conv(net.depthwise(z, 1, (3, 3), (1, 1), SAME, RELU), 6)
    z = net.add(y, z)
    last = net.conv(z, 9, activation=RELU)
    outputs = pooled(net, last, seed), net.mean(z, keep_dims=False)
    source = equal_to_tflm(net.build(*outputs), tmp_path, sanitized=seed % 4 == 0)
    assert "har_conv2d_s8" not in source
    assert "har_depthwise_conv2d_s8" not in source


def test_convolutions_with_padding_dilation_and_many_rows(tmp_path: Path) -> None:
    net = trained(5, (1, 21, 9, 3))
    a = net.conv(net.input, 5, (3, 3), (2, 2), SAME, RELU, (1, 1))
    b = net.conv(net.input, 4, (3, 2), (1, 1), SAME, NONE, (2, 3))
    c = net.conv(net.input, 3, (10, 4), (2, 2), SAME, RELU)
    d = net.conv(net.input, 2, (21, 9), (1, 1), VALID)
    source = equal_to_tflm(net.build(a, b, c, d), tmp_path, "har_fill_patches", sanitized=True)
    assert "har_conv2d_s8" not in source


Change = Callable[[np.ndarray], np.ndarray]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda w: np.full_like(w, 127), id="largest"),
        pytest.param(lambda w: np.full_like(w, -128), id="least"),
        pytest.param(np.zeros_like, id="zero"),
        pytest.param(
            lambda w: np.where(np.arange(w.size).reshape(w.shape) % 2, 127, -128), id="alternating"
        ),
    ],
)
def test_extreme_weights(change: Change, tmp_path: Path) -> None:
    class Extreme(Net):
        def _weights(self, shape: tuple[int, ...]) -> np.ndarray:
            return change(super()._weights(shape)).astype(np.int8)

    net = Extreme(9, (1, 30, 1, 5), scale=0.02, trained_like=True)
    x = net.conv(net.input, 8, (5, 1), (2, 1), VALID, RELU)
    x = net.conv(net.depthwise(x, 1, (5, 1), (1, 1), SAME, RELU), 6, activation=RELU)
    equal_to_tflm(net.build(pooled(net, x, 1), pooled(net, x, 0)), tmp_path, "har_matrix_run")


def test_channels_whose_factor_is_nearly_or_fully_zero(tmp_path: Path) -> None:
    class Dead(Net):
        def _weight_scales(self, count: int, x: Value, taps: int, activation: int) -> list[float]:
            scales = super()._weight_scales(count, x, taps, activation)
            return [1e-30 if i == 1 else 1e-9 if i == 2 else s for i, s in enumerate(scales)]

        def _bias(self, *_: object) -> list[int]:
            return []

    net = Dead(4, (1, 30, 1, 5), scale=0.02, trained_like=True)
    x = net.conv(net.input, 8, (5, 1), (2, 1), VALID, RELU)
    x = net.conv(net.depthwise(x, 1, (5, 1), (1, 1), SAME, RELU), 6, activation=RELU)
    y = net.conv(x, 5)
    equal_to_tflm(net.build(pooled(net, x, 0), y), tmp_path)


def test_an_activation_that_clamps_otherwise_keeps_its_plain_kernel(tmp_path: Path) -> None:
    net = trained(3, (1, 20, 1, 4))
    x = net.conv(net.input, 6, (3, 1), (1, 1), VALID, RELU, output=(0.03, -20))
    y = net.conv(net.depthwise(x, 1, (3, 1), (1, 1), VALID, RELU), 4, activation=RELU)
    equal_to_tflm(net.build(y), tmp_path, "har_conv2d_s8", "har_depthwise_conv2d_s8")


def test_a_map_that_an_addition_reads_too_stays_in_the_usual_order(tmp_path: Path) -> None:
    net = trained(3, (1, 12, 12, 4))
    x = net.conv(net.input, 6, activation=RELU)
    y = net.conv(net.depthwise(x, 1, (3, 3), (1, 1), SAME, RELU), 6)
    equal_to_tflm(net.build(net.add(x, y)), tmp_path, "har_depthwise_conv2d_s8")


@pytest.mark.parametrize("seed", range(3))
def test_one_map_that_depthwise_kernels_of_many_reaches_read(seed: int, tmp_path: Path) -> None:
    net = trained(seed, (1, 40, 1, 3))
    x = net.conv(net.input, 7, (5, 1), (1, 1), VALID, RELU)
    dilated = net.depthwise(x, 1, (3, 1), (1, 1), SAME, RELU, (2, 1))
    padded = net.depthwise(x, 1, (5, 1), (1, 1), SAME, RELU)
    inside = net.depthwise(x, 1, (5, 1), (2, 2), VALID, RELU)
    a, b, c = (net.conv(each, 5, activation=RELU) for each in (dilated, padded, inside))
    outputs = pooled(net, a, 0), pooled(net, b, 1), pooled(net, c, 0), pooled(net, x, 1)
    source = equal_to_tflm(net.build(*outputs), tmp_path)
    assert "har_depthwise_conv2d_s8" not in source


def test_an_image_that_a_pool_and_two_depthwise_kernels_read(tmp_path: Path) -> None:
    net = trained(2, (1, 11, 9, 3))
    x = net.conv(net.input, 6, (3, 3), (1, 1), SAME, RELU)
    a = net.conv(net.depthwise(x, 1, (3, 3), (1, 1), SAME, RELU, (2, 2)), 5, activation=RELU)
    b = net.conv(net.depthwise(x, 1, (3, 3), (2, 2), SAME, RELU), 6, activation=RELU)
    outputs = pooled(net, a, 0), pooled(net, b, 1), pooled(net, x, 0)
    source = equal_to_tflm(net.build(*outputs), tmp_path, sanitized=True)
    assert "har_depthwise_conv2d_s8" not in source

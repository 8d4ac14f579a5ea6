"""Float32 borders and several inputs: every byte equals TFLite-Micro's, fed the same values."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pipeline.compiler import compile_model, run_tflm
from pipeline.core.types import Array
from pipeline.sim.parity import network_inputs, run_parity
from tests.support.host_net import FIRMWARE, SANITIZE, WARNINGS, HostNet, run_sanitized
from tests.support.tflite_builder import RELU, VALID, Net

INPUTS = 40


def one_input(*, float_in: bool, float_out: bool) -> bytes:
    """Two outputs, of which the borders may make one float32."""
    net = Net(4, (1, 32, 1, 6), scale=0.02, trained_like=True)
    if float_in:
        net.float_input(net.input)
    x = net.conv(net.input, 8, (5, 1), (2, 1), VALID, RELU)
    features = net.reshape(net.pool(x, "AVERAGE", x.shape[1:3]), (1, 8))
    y = net.fully_connected(features, 5)
    return net.build(features, net.dequantize(y) if float_out else y)


def two_branches(*, floats: tuple[bool, ...]) -> bytes:
    """An accelerometer at one rate and a gyroscope at another, and a third input that is small."""
    net = Net(6, (1, 32, 1, 3), scale=0.02, trained_like=True)
    gyroscope = net.add_input((1, 20, 1, 3), like=net.input)
    age = net.add_input((1, 5))
    for x, is_float in zip((net.input, gyroscope, age), floats, strict=True):
        if is_float:
            net.float_input(x)
    features = []
    for x in (net.input, gyroscope):
        y = net.conv(x, 8, (5, 1), (2, 1), VALID, RELU)
        features.append(net.reshape(net.pool(y, "MAX", y.shape[1:3]), (1, 8)))
        features[-1] = net.fully_connected(features[-1], 8)
    features = [net.add(*features), net.fully_connected(age, 8)]
    y = net.fully_connected(net.add(*features), 5)
    return net.build(net.dequantize(y), y) if any(floats) else net.build(y)


MODELS = {
    "float in and out": one_input(float_in=True, float_out=True),
    "float in": one_input(float_in=True, float_out=False),
    "float out": one_input(float_in=False, float_out=True),
    "three inputs": two_branches(floats=(False, False, False)),
    "three float inputs": two_branches(floats=(True, True, True)),
    "inputs of both kinds": two_branches(floats=(False, True, True)),
}


def bits(arrays: list[Array]) -> list[bytes]:
    return [np.ascontiguousarray(array).tobytes() for array in arrays]


@pytest.mark.parametrize("name", MODELS)
def test_every_byte_of_every_output_is_the_oracles(name: str, tmp_path: Path) -> None:
    compiled = compile_model(MODELS[name])
    inputs = network_inputs(compiled, INPUTS, seed=2)
    expected = run_tflm(MODELS[name], *inputs).outputs
    got = HostNet(compiled, tmp_path).run(*inputs)
    assert [out.dtype for out in got] == [out.dtype for out in expected]
    assert len(np.unique(got[-1], axis=0)) > INPUTS / 2, "a net with few answers proves little"
    assert bits(got) == bits(expected)


@pytest.mark.parametrize("name", MODELS)
def test_clean_under_sanitizers_with_values_that_are_not_numbers(name: str, tmp_path: Path) -> None:
    compiled = compile_model(MODELS[name])
    inputs = network_inputs(compiled, 6, seed=3)
    for rows in inputs:
        if rows.dtype == np.float32:
            rows.reshape(6, -1)[0, :5] = [np.nan, np.inf, -np.inf, 3e38, -3e38]
    outputs = HostNet(compiled, tmp_path / "plain").run(*inputs)
    plain = b"".join(row.tobytes() for each in zip(*outputs, strict=True) for row in each)
    assert run_sanitized(compiled, tmp_path / "sanitized", *inputs) == plain


@pytest.mark.parametrize("name", MODELS)
def test_parity_feeds_both_engines_the_same(name: str, tmp_path: Path) -> None:
    model = tmp_path / "net.tflite"
    model.write_bytes(MODELS[name])
    report = run_parity(model, 20, 1, "host")
    assert (report.compared, report.mismatches) == (20, 0)
    assert report.distinct_outputs > 10


def test_a_network_of_one_int8_input_has_nothing_of_it() -> None:
    header = compile_model(one_input(float_in=False, float_out=False)).sources["har_net.h"]
    assert "int8_t *har_net_input(void);" in header
    for word in ("HAR_NET_INPUTS", "FLOAT", "quantize"):
        assert word not in header


def test_the_header_says_what_is_float_and_the_arena_stays_int8() -> None:
    compiled = compile_model(MODELS["inputs of both kinds"])
    header = compiled.sources["har_net.h"]
    assert "#define HAR_NET_FLOAT_INPUTS 0x6ull" in header
    assert "#define HAR_NET_FLOAT_OUTPUTS 0x1ull" in header
    assert " * input 0   t0: (1, 32, 1, 3) scale" in header
    assert ": (1, 20, 1, 3) float32, here int8 of scale" in header
    assert max(map(len, header.split("\n"))) <= 100
    assert [info.is_float for info in compiled.inputs] == [False, True, True]
    plain = compile_model(MODELS["three inputs"])
    assert compiled.arena_bytes == plain.arena_bytes
    assert [layer.operator for layer in compiled.layers if layer not in plain.layers] == [
        *("QUANTIZE", "QUANTIZE", "DEQUANTIZE"),
    ]


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    library = tmp_path_factory.mktemp("kernels") / "borders.so"
    names = ("har_quantize_f32_s8.c", "har_dequantize_s8_f32.c")
    sanitize = [*SANITIZE[:2], "-fsanitize=undefined,float-cast-overflow"]
    sanitize.append("-fsanitize-undefined-trap-on-error")
    subprocess.run(
        ["gcc", *WARNINGS, *sanitize, "-fPIC", "-shared", f"-I{FIRMWARE}"]
        + [str(FIRMWARE / "lib/nn" / name) for name in names]
        + ["-o", str(library)],
        check=True,
    )
    return ctypes.CDLL(str(library))


def quantized(kernels: ctypes.CDLL, values: Array, scale: float, zero_point: int) -> Array:
    output = np.empty(values.size, np.int8)
    kernels.har_quantize_f32_s8(
        ctypes.c_void_p(values.ctypes.data), values.size, ctypes.c_float(scale), zero_point,
        ctypes.c_void_p(output.ctypes.data),
    )  # fmt: skip
    return output


@pytest.mark.parametrize("zero_point", [-128, -1, 0, 77, 127])
def test_any_float32_is_rounded_halves_away_from_zero_and_saturated(
    kernels: ctypes.CDLL, zero_point: int
) -> None:
    rng = np.random.default_rng(zero_point + 128)
    every = rng.integers(0, 1 << 32, 200_000, dtype=np.uint32).view(np.float32)  # NaN among them
    halves = np.arange(-600, 600, dtype=np.float32) / 2
    near = np.concatenate([np.nextafter(halves, np.float32(to)) for to in (-np.inf, np.inf)])
    values = np.concatenate([every, halves, near, np.float32([0.0, -0.0, np.inf, -np.inf])])
    for scale in (1.0, 0.0235, 1e-9):
        with np.errstate(all="ignore"):
            steps = np.nan_to_num((values / np.float32(scale)).astype(np.float64), nan=0.0)
        rounded = np.sign(steps) * np.floor(np.abs(steps) + 0.5)
        expected = np.clip(rounded + zero_point, -128, 127).astype(np.int8)
        np.testing.assert_array_equal(quantized(kernels, values, scale, zero_point), expected)


def test_every_int8_becomes_its_real_value_rounded_once(kernels: ctypes.CDLL) -> None:
    every = np.arange(-128, 128).astype(np.int8)
    got = np.empty(256, np.float32)
    for scale, zero_point in ((0.0235, -7), (1 / 256, -128), (3e-39, 127), (1e36, 0)):
        kernels.har_dequantize_s8_f32(
            ctypes.c_void_p(every.ctypes.data), 256, ctypes.c_float(scale), zero_point,
            ctypes.c_void_p(got.ctypes.data),
        )  # fmt: skip
        expected = np.float64(np.float32(scale)) * (every.astype(np.int64) - zero_point)
        np.testing.assert_array_equal(got, expected.astype(np.float32))

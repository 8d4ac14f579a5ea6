"""The compiled engine gives TFLite-Micro's bytes on the Cortex-M4F and as a host process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.compiler import UnsupportedModel, compile_model
from pipeline.core.errors import CheckFailed, InputError
from pipeline.sim.build import build_image
from pipeline.sim.emulator import Target
from pipeline.sim.parity import (
    ParityReport,
    parity_inputs,
    run_parity,
    run_streaming_parity,
)
from tests.support.tflite_builder import RELU, VALID, Net

pytestmark = pytest.mark.emulated

INPUTS = 40
SEED = 5


def two_outputs(seed: int) -> bytes:
    net = Net(seed, (1, 32, 1, 6), scale=0.02, trained_like=True)
    x = net.conv(net.input, 8, (5, 1), (2, 1), VALID, RELU)
    x = net.depthwise(x, 1, (3, 1), (1, 1), VALID, RELU)
    x = net.conv(x, 12, padding=VALID, activation=RELU)
    x = net.reshape(net.pool(x, "AVERAGE", x.shape[1:3]), (1, 12))
    return net.build(x, net.softmax(net.fully_connected(x, 6)))


def parity(tmp_path: Path, target: Target, inputs: int = INPUTS) -> ParityReport:
    model = tmp_path / "net.tflite"
    model.write_bytes(two_outputs(1))
    return run_parity(model, inputs, SEED, target)


def test_the_cortex_m4f_gives_the_oracles_bytes_and_equal_counts_in_two_runs(
    tmp_path: Path,
) -> None:
    report = parity(tmp_path, "mps2")
    assert (report.compared, report.mismatches) == (INPUTS, 0)
    assert report.distinct_outputs > INPUTS / 2, "a net with few answers proves little"
    assert report.instructions is not None
    assert report.instructions > report.macs > 0
    assert parity(tmp_path, "mps2") == report


def test_the_cortex_m4f_converts_the_floats_of_several_inputs_as_the_oracle_does(
    tmp_path: Path,
) -> None:
    net = Net(6, (1, 32, 1, 3), scale=0.02, trained_like=True)
    other = net.add_input((1, 5))
    net.float_input(net.input)
    x = net.conv(net.input, 8, (5, 1), (2, 1), VALID, RELU)
    x = net.reshape(net.pool(x, "MAX", x.shape[1:3]), (1, 8))
    y = net.add(net.fully_connected(x, 5), net.fully_connected(other, 5))
    model = tmp_path / "net.tflite"
    model.write_bytes(net.build(net.dequantize(y), y))
    report = run_parity(model, INPUTS, SEED, "mps2")
    assert (report.compared, report.mismatches) == (INPUTS, 0)
    assert report.distinct_outputs > INPUTS / 2


def test_the_host_process_gives_the_oracles_bytes_and_counts_no_instructions(
    tmp_path: Path,
) -> None:
    report = parity(tmp_path, "host", 7)
    assert (report.compared, report.mismatches, report.instructions) == (7, 0, None)


def test_one_wrong_output_byte_is_a_mismatch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.compiler import oracle

    honest = oracle.run_tflm

    def off_by_one(model: bytes, inputs: np.ndarray) -> oracle.OracleResult:
        result = honest(model, inputs)
        result.outputs[1].reshape(len(inputs), -1)[3, 0] ^= 1
        return result

    monkeypatch.setattr(oracle, "run_tflm", off_by_one)
    assert parity(tmp_path, "host", 9).mismatches == 1


def test_what_cannot_be_compiled_is_refused_by_name(tmp_path: Path) -> None:
    net = Net(1, (1, 8, 1, 4))
    model = tmp_path / "abs.tflite"
    model.write_bytes(net.build(net.unary("ABS", net.input)))
    with pytest.raises(UnsupportedModel, match="ABS"):
        run_parity(model, 1, 0, "mps2")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        run_parity(tmp_path / "none.tflite", 1, 0, "host")
    (tmp_path / "text.tflite").write_text("no model")
    with pytest.raises(InputError):
        run_parity(tmp_path / "text.tflite", 1, 0, "host")


def test_weights_in_the_map_are_the_weights_of_the_compiler(tmp_path: Path) -> None:
    compiled = compile_model(two_outputs(1))
    for name, text in compiled.sources.items():
        (tmp_path / name).write_text(text)
    sizes = build_image("har_parity", "mps2", tmp_path / "build", tmp_path).sizes
    # The map also has the parameter blocks of the operators.
    assert compiled.weights_bytes <= sizes.weights_bytes <= compiled.weights_bytes + 2048
    assert sizes.flash_bytes == sizes.weights_bytes + sizes.runtime_flash_bytes


def test_what_is_larger_than_the_memory_does_not_link(tmp_path: Path) -> None:
    compiled = compile_model(two_outputs(1))
    for name, text in compiled.sources.items():
        (tmp_path / name).write_text(text)
    with (tmp_path / "har_net.c").open("a") as file:
        # A section that the linker script keeps, so that it is not collected as unused.
        file.write('__attribute__((section(".vectors"))) const char too_much[5 << 20] = {1};\n')
    with pytest.raises(CheckFailed, match="bytes too much FLASH"):
        build_image("har_parity", "mps2", tmp_path / "build", tmp_path)


@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_inputs_are_seeded_and_mix_extremes_with_signals(count: int) -> None:
    one = parity_inputs(count, (32, 1, 6), -3, 9)
    assert one.shape == (count, 32, 1, 6)
    assert one.dtype == np.int8
    assert np.array_equal(one, parity_inputs(count, (32, 1, 6), -3, 9))
    assert not np.array_equal(one, parity_inputs(count, (32, 1, 6), -3, 10))
    if count >= 5:
        assert (one[0] == -128).all()
        assert (one[1] == 127).all()


@pytest.mark.parametrize("target", ["host", "mps2"])
@pytest.mark.parametrize("floats", [False, True])
def test_a_streaming_network_equals_the_oracle_at_each_hop(
    tmp_path: Path, target: Target, floats: bool
) -> None:
    net = Net(2, (1, 64, 1, 6), scale=0.02, trained_like=True)
    if floats:
        net.float_input(net.input)
    x = net.conv(net.input, 8, (5, 1), (2, 1), VALID, RELU)
    y = net.conv(net.depthwise(x, 1, (5, 1), (1, 1), VALID, RELU), 12, activation=RELU)
    model = tmp_path / "net.tflite"
    model.write_bytes(net.build(net.mean(x, keep_dims=False), net.mean(y, keep_dims=False)))
    report = run_streaming_parity(model, 8, 60, SEED, target)
    assert (report.hop, report.compared, report.mismatches) == (8, 60, 0)
    assert report.restarts > 1 and report.distinct_outputs > 30
    assert (report.instructions is None) == (target == "host")
    assert run_streaming_parity(model, None, 5, SEED, target).hop == 8


@pytest.mark.slow("compiles five million weights")
def test_a_network_larger_than_the_machine_s_flash_runs(tmp_path: Path) -> None:
    net = Net(2, (1, 2200), scale=0.02, trained_like=True)
    model = tmp_path / "large.tflite"
    model.write_bytes(net.build(net.fully_connected(net.input, 2200)))
    report = run_parity(model, 2, SEED, "mps2")
    assert (report.compared, report.mismatches) == (2, 0)
    assert report.flash_bytes > 4 << 20

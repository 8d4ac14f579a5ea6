"""Whole networks, compiled, equal TFLite-Micro byte for byte: one small net of each family."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pipeline.compiler import compile_model, run_tflm
from tests.support.host_net import (
    FIRMWARE,
    WARNINGS,
    HostNet,
    random_inputs,
    run_sanitized,
    write_sources,
)
from tests.support.tflite_builder import RELU, RELU6, SAME, VALID, Net

CORTEX_M4F = ["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "-O2"]


def dscnn(seed: int) -> bytes:
    """Depthwise-separable over time, valid padding; two outputs, at the cut and behind it."""
    net = Net(seed, (1, 128, 1, 6), scale=0.02, trained_like=True)
    x = net.conv(net.input, 12, (5, 1), (2, 1), VALID, RELU)
    for channels, stride in ((16, 2), (24, 1)):
        x = net.depthwise(x, 1, (3, 1), (stride, 1), VALID, RELU)
        x = net.conv(x, channels, padding=VALID, activation=RELU)
    x = net.pool(x, "AVERAGE", x.shape[1:3])
    features = net.reshape(x, (1, 24))
    return net.build(features, net.softmax(net.fully_connected(features, 6)))


def inverted_residual(seed: int) -> bytes:
    """MobileNetV2's block, with and without the shortcut, MEAN at the end."""
    net = Net(seed, (1, 16, 16, 3), scale=0.02, trained_like=True)
    x = net.conv(net.input, 8, (3, 3), (2, 2), SAME, RELU6)
    for stride in (1, 2, 1):
        y = net.conv(x, 24, activation=RELU6)
        if stride == 2:
            y = net.pad(y, [(0, 0), (0, 1), (0, 1), (0, 0)])
        y = net.depthwise(y, 1, (3, 3), (stride, stride), VALID if stride == 2 else SAME, RELU6)
        y = net.conv(y, 8)
        x = net.add(x, y) if stride == 1 else y
    x = net.mean(x, keep_dims=False)
    return net.build(net.fully_connected(x, 10, per_channel=True))


def fire(seed: int) -> bytes:
    """SqueezeNet's block: squeeze, two expansions to one scale, concatenation, MAX_POOL_2D."""
    net = Net(seed, (1, 20, 18, 4), scale=0.02, trained_like=True)
    x = net.conv(net.input, 8, (3, 3), (2, 2), VALID, RELU)
    x = net.pool(x, "MAX", (3, 3), (2, 2))
    for squeeze, expand in ((4, 8), (6, 12)):
        s = net.conv(x, squeeze, activation=RELU)
        left = net.conv(s, expand, activation=RELU)
        common = (left.scale, left.zero_point)
        right = net.conv(s, expand, (3, 3), activation=RELU, output=common)
        x = net.concatenate([left, right])
    x = net.unary("RELU6", net.unary("QUANTIZE", net.conv(x, 5)))
    return net.build(net.softmax(net.reshape(net.pool(x, "AVERAGE", x.shape[1:3]), (1, 5))))


NETWORKS = [dscnn, inverted_residual, fire]


@pytest.mark.parametrize("network", NETWORKS)
def test_network_equals_tflm_and_is_clean_under_sanitizers(network, tmp_path: Path) -> None:
    model = network(3)
    compiled = compile_model(model)
    inputs = random_inputs(compiled.inputs[0].shape, 40, seed=2)
    expected = [out.reshape(40, -1) for out in run_tflm(model, inputs).outputs]

    plain = HostNet(compiled, tmp_path / "plain")
    got = plain.run(inputs)
    assert len({row.tobytes() for row in got[0]}) > 20
    for mine, theirs in zip(got, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)

    sanitized = run_sanitized(compiled, tmp_path / "asan", inputs)
    assert sanitized == np.concatenate(expected, axis=1).tobytes()


def test_a_run_leaves_nothing_behind_that_changes_the_next(tmp_path: Path) -> None:
    compiled = compile_model(dscnn(4))
    net = HostNet(compiled, tmp_path)
    inputs = random_inputs(compiled.inputs[0].shape, 6, seed=9)
    forward, backward = net.run(inputs)[1], net.run(inputs[::-1])[1]
    np.testing.assert_array_equal(forward, backward[::-1])


def test_two_networks_live_in_one_program_under_their_own_names(tmp_path: Path) -> None:
    sources = []
    for name in ("first", "second"):
        sources += write_sources(compile_model(dscnn(len(name)), name=name), tmp_path)
    main = tmp_path / "main.c"
    main.write_text(
        '#include "first.h"\n#include "second.h"\n'
        "int main(void) {\n    first_run();\n    second_run();\n"
        "    return first_output(0) == second_output(0) || first_output(FIRST_OUTPUTS) != 0;\n}\n"
    )
    program = tmp_path / "program"
    files = [str(path) for path in (main, *sources, *sorted(FIRMWARE.glob("lib/nn/*.c")))]
    command = ["gcc", *WARNINGS, "-O1", f"-I{FIRMWARE}", f"-I{tmp_path}", *files]
    subprocess.run([*command, "-o", str(program)], check=True)
    assert subprocess.run([str(program)]).returncode == 0


def test_kernels_and_generated_code_build_for_the_cortex_m4f_without_warnings(
    tmp_path: Path,
) -> None:
    compiler = "arm-none-eabi-gcc"
    if not any(Path(folder, compiler).exists() for folder in os.environ.get("PATH", "").split(":")):
        pytest.skip(f"{compiler} is not installed")
    sources = write_sources(compile_model(inverted_residual(1)), tmp_path)
    files = [str(path) for path in (*sources, *sorted(FIRMWARE.glob("lib/nn/*.c")))]
    flags = [*WARNINGS, *CORTEX_M4F, "-fno-exceptions", "-Wstack-usage=512", f"-I{FIRMWARE}"]
    subprocess.run([compiler, *flags, f"-I{tmp_path}", "-c", *files], cwd=tmp_path, check=True)

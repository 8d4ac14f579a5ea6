"""The generated C: the same for the same model, readable, and as large as it says."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from pipeline.compiler import OPERATORS, c_float, compile_model
from tests.support.tflite_builder import RELU, VALID, Net


def _model() -> bytes:
    net = Net(2, (1, 20, 1, 6), scale=0.02, trained_like=True)
    x = net.conv(net.input, 8, (5, 1), (2, 1), VALID, RELU)
    x = net.pool(net.depthwise(x, 1, (3, 1), (1, 1), VALID), "AVERAGE", (6, 1))
    features = net.reshape(x, (1, 8))
    return net.build(features, net.fully_connected(features, 3))


def test_the_same_model_gives_the_same_text() -> None:
    assert compile_model(_model()).sources == compile_model(_model()).sources


def test_macs_are_counted_per_layer() -> None:
    compiled = compile_model(_model())
    assert {layer.operator: layer.macs for layer in compiled.layers} == {
        "CONV_2D": 8 * 8 * 5 * 6,
        "DEPTHWISE_CONV_2D": 6 * 8 * 3,
        "AVERAGE_POOL_2D": 0,
        "FULLY_CONNECTED": 8 * 3,
    }
    assert compiled.operators[3] == "RESHAPE"
    assert compiled.macs == sum(layer.macs for layer in compiled.layers)


def test_sizes_in_the_result_are_those_in_the_text() -> None:
    compiled = compile_model(_model(), name="tiny")
    header, source = compiled.sources["tiny.h"], compiled.sources["tiny.c"]
    assert f"#define TINY_ARENA_BYTES {compiled.arena_bytes}\n" in header
    assert "#define TINY_INPUT_BYTES 120\n" in header
    assert "#define TINY_OUTPUTS 2\n" in header
    assert "tiny_output_bytes[TINY_OUTPUTS] = {8, 3};" in source
    arrays = re.findall(r"static const (int8_t|int32_t) op\w+\[(\d+)\] =", source)
    assert compiled.weights_bytes == sum(
        int(count) * (4 if kind == "int32_t" else 1) for kind, count in arrays
    )
    assert source.count("_Alignas(16) static int8_t arena[TINY_ARENA_BYTES];") == 1


def test_every_call_carries_its_shapes_and_every_line_fits() -> None:
    compiled = compile_model(_model())
    source = compiled.sources["har_net.c"]
    run = source[source.index("void har_net_run") :]
    assert "/* 0 CONV_2D: (1, 20, 1, 6) -> (1, 8, 1, 8), 1,920 MACs */\n    har_matrix_run(" in run
    assert "/* 3 RESHAPE: (1, 1, 1, 8) -> (1, 8), the same bytes */\n    /* 4" in run
    assert max(len(line) for text in compiled.sources.values() for line in text.split("\n")) <= 100


def test_tensors_are_described_with_their_quantization() -> None:
    net = Net(2, (1, 8))
    y = net.unary("RELU", net.input)
    compiled = compile_model(net.build(y))
    (out,) = compiled.outputs
    assert (out.shape, out.scale, out.zero_point) == (y.shape, y.scale, y.zero_point)
    assert f"scale {y.scale!r} zero point {y.zero_point}" in compiled.sources["har_net.h"]
    source = compiled.sources["har_net.c"]
    assert f"har_net_output_scales[HAR_NET_OUTPUTS] = {{{c_float(y.scale)}}};" in source
    assert f"har_net_output_zero_points[HAR_NET_OUTPUTS] = {{{y.zero_point}}};" in source


def test_equal_arrays_are_stored_once() -> None:
    def twin(shared: bool) -> int:
        net = Net(2, (1, 6, 6, 4))
        x = net.depthwise(net.input)
        y = net.depthwise(net.input)
        if shared:
            net.model.graph.tensors[net.model.graph.operators[1].inputs[1]] = (
                net.model.graph.tensors[net.model.graph.operators[0].inputs[1]]
            )
        return compile_model(net.build(x, y)).weights_bytes

    assert twin(shared=True) <= twin(shared=False) - 16


def test_importing_the_package_brings_no_heavy_module() -> None:
    script = (
        "import sys, pipeline.compiler\n"
        "print([m for m in ('tensorflow', 'ai_edge_litert', 'tflite_micro') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout == "[]\n", result.stderr


def test_the_public_names_stay() -> None:
    import pipeline.compiler as face

    assert set(face.__all__) == {
        "OPERATORS",
        "CompiledModel",
        "TensorInfo",
        "UnsupportedModel",
        "c_float",
        "compile_model",
        "for_tflm",
        "possible_hops",
        "run_tflm",
    }
    assert {"CONV_2D", "MEAN", "PADV2", "SOFTMAX"} <= set(OPERATORS)


@pytest.mark.parametrize("position", [0, 1])
def test_a_tensor_name_cannot_leave_its_comment(position: int) -> None:
    net = Net(2, (1, 8))
    y = net.unary("RELU", net.input)
    net.model.graph.tensors[position].name = '*/ int x; /* "\n\\'
    for text in compile_model(net.build(y)).sources.values():
        assert "int x" not in text

"""What the engine does not take is refused by name, place and reason: never a silent fallback."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.compiler import UnsupportedModel, compile_model
from pipeline.core.errors import CheckFailed, InputError
from tests.support.tflite_builder import SAME, Model, Net, Value

Spoil = Callable[[Net], Value]
CASES: dict[str, tuple[str, Spoil]] = {}


def case(reason: str) -> Callable[[Spoil], Spoil]:
    def register(function: Spoil) -> Spoil:
        CASES[function.__name__] = (reason, function)
        return function

    return register


def _tensor_of(net: Net, value: Value):
    return net.model.graph.tensors[value.index]


@case(r"operator 0 FLOOR: this operator is not supported")
def unknown_operator(net: Net) -> Value:
    return net.unary("FLOOR", net.input)


@case(r"operator 0 CUSTOM Mystery: this operator is not supported")
def custom_operator(net: Net) -> Value:
    return net.unary("CUSTOM", net.input)


@case(r"operator 0 RELU_N1_TO_1: this operator is not supported")
def operator_that_tflm_lacks(net: Net) -> Value:
    return net.unary("RELU_N1_TO_1", net.input)


@case(r"operator 0 RELU: version 9; known up to 3")
def future_version(net: Net) -> Value:
    y = net.unary("RELU", net.input)
    net.model.set_version(0, 9)
    return y


@case(r"the output: tensor \d+ 't\d+' is FLOAT32, not INT8")
def float_output(net: Net) -> Value:
    y = net.conv(net.input, 3)
    _tensor_of(net, y).type = 0
    return y


@case(r"operator 0 SOFTMAX: tensor \d+ 't\d+' is INT16")
def softmax_to_int16(net: Net) -> Value:
    y = net.softmax(net.input)
    _tensor_of(net, y).type = 7
    return net.unary("RELU", y)


@case(r"operator 0 SOFTMAX: output scale 0.0078125 and zero point -128, not 1/256")
def softmax_of_another_scale(net: Net) -> Value:
    y = net.softmax(net.input)
    _tensor_of(net, y).quantization.scale = [1 / 128]
    return y


@case(r"operator 1 SOFTMAX: 576 classes; at most 511")
def softmax_too_deep(net: Net) -> Value:
    return net.softmax(net.reshape(net.input, (1, 576)))


@case(r"operator 1 ADD: shapes \(1, 12, 12, 4\) and \(1, 11, 12, 4\) to \(1, 12, 12, 4\)")
def add_of_shapes_that_do_not_match(net: Net) -> Value:
    return net.add(net.input, net.pool(net.input, "MAX", (2, 1)))


@case(r"operator 1 CONCATENATION: input 1 differs from the output in scale or zero point")
def concatenation_that_requantizes(net: Net) -> Value:
    return net.concatenate([net.input, net.unary("QUANTIZE", net.input)])


@case(r"operator 0 MAX_POOL_2D: input and output differ in scale or zero point")
def pool_that_requantizes(net: Net) -> Value:
    y = net.pool(net.input, "MAX", (2, 2))
    _tensor_of(net, y).quantization.zeroPoint = [net.input.zero_point - 1]
    return y


@case(r"operator 0 CONV_2D: output of shape \(1, 11, 12, 3\): its height should be 12")
def wrong_output_shape(net: Net) -> Value:
    y = net.conv(net.input, 3)
    _tensor_of(net, y).shape = [1, 11, 12, 3]
    return y


@case(r"operator 0 CONV_2D: weights of depth 2 for 4 channels \(groups\)")
def grouped_convolution(net: Net) -> Value:
    y = net.conv(net.input, 3)
    weights = net.model.graph.tensors[net.model.graph.operators[0].inputs[1]]
    weights.shape = [3, 1, 2, 2]
    return y


@case(r"operator 0 CONV_2D: tensor 1 't1' of shape \(3, 1, 1, 40\) has 12 bytes, not 120")
def weights_shorter_than_their_shape(net: Net) -> Value:
    y = net.conv(net.input, 3)
    net.model.graph.tensors[1].shape = [3, 1, 1, 40]
    return y


@case(r"operator 0 CONV_2D: 2 weight scales for 3 channels")
def wrong_number_of_weight_scales(net: Net) -> Value:
    y = net.conv(net.input, 3)
    net.model.graph.tensors[1].quantization.scale = [0.1, 0.1]
    return y


@case(r"operator 0 CONV_2D: weights with a zero point other than 0")
def asymmetric_weights(net: Net) -> Value:
    y = net.conv(net.input, 3)
    net.model.graph.tensors[1].quantization.zeroPoint = [0, 1, 0]
    return y


@case(r"operator 0 CONV_2D: the accumulator of channel 1 can pass int32")
def accumulator_overflow(net: Net) -> Value:
    y = net.conv(net.input, 3, bias=False)
    bias = np.array([0, 2**31 - 1, 0], np.int32)
    net.model.graph.operators[0].inputs.append(net.model.tensor((3,), 1.0, kind="INT32", data=bias))
    return y


@case(r"operator 0 DEPTHWISE_CONV_2D: weights of shape .* multiplier 2")
def wrong_depth_multiplier(net: Net) -> Value:
    y = net.depthwise(net.input)
    net.model.graph.operators[0].builtinOptions.depthMultiplier = 2
    return y


@case(r"operator 0 FULLY_CONNECTED: weights quantized along axis 1, not 0")
def fully_connected_per_input(net: Net) -> Value:
    y = net.fully_connected(net.input, 576, per_channel=True)
    net.model.graph.tensors[1].quantization.quantizedDimension = 1
    return y


@case(r"operator 0 FULLY_CONNECTED: a bias of scale 1000, not input scale \* weight scale")
def fully_connected_bias_scale(net: Net) -> Value:
    y = net.fully_connected(net.input, 2)
    net.model.graph.tensors[2].quantization.scale = [1000.0]
    return y


@case(r"operator 0 MEAN: axes \[1, 3\] do not follow each other")
def mean_over_scattered_axes(net: Net) -> Value:
    return net.mean(net.input, (1, 3))


@case(r"operator 0 PAD: paddings \[\[0, 0\], \[-1, 0\], \[0, 0\], \[0, 0\]\]")
def negative_padding(net: Net) -> Value:
    return net.pad(net.input, [(0, 0), (-1, 0), (0, 0), (0, 0)])


@case(r"operator 0 CONV_2D: its options are missing")
def missing_options(net: Net) -> Value:
    y = net.conv(net.input, 3)
    net.model.graph.operators[0].builtinOptions = None
    net.model.graph.operators[0].builtinOptionsType = 0
    return y


@case(r"operator 0 CONV_2D: fused activation 5 is not supported")
def fused_activation_that_does_not_exist_in_int8(net: Net) -> Value:
    return net.conv(net.input, 3, padding=SAME, activation=5)


@case(r"operator 0 ADD: two constants")
def constant_operands(net: Net) -> Value:
    return net.pair("ADD", net.constant((4,)), net.constant((4,)))


@case(r"operator 0 SOFTMAX: tensor \d+ 't\d+' is a constant where an activation is needed")
def constant_input(net: Net) -> Value:
    return net.softmax(net.constant((1, 4)))


@case(r"tensor 1 is read before it is written")
def operators_out_of_order(net: Net) -> Value:
    y = net.unary("RELU", net.unary("QUANTIZE", net.input))
    net.model.graph.operators.reverse()
    return y


# ---- float32 is taken at the borders, and only there ---------------------------------------------


@case(r"operator 2 QUANTIZE: float32 inside of the network; .* only as the network's input")
def quantize_inside(net: Net) -> Value:
    y = net.dequantize(net.unary("RELU", net.input))
    return net.unary("QUANTIZE", y)


@case(r"operator 1 DEQUANTIZE: float32 inside of the network; it is taken only as .* output")
def dequantize_inside(net: Net) -> Value:
    return net.unary("LOGISTIC", net.dequantize(net.unary("RELU", net.input)))


@case(r"operator 1 RELU: tensor \d+ 't\d+' is FLOAT32, not INT8")
def float_layer_at_the_end(net: Net) -> Value:
    y = net.unary("RELU", net.dequantize(net.input))
    _tensor_of(net, y).type = 0
    return y


@case(r"operator 1 QUANTIZE: tensor 1 is converted twice")
def float_input_quantized_twice(net: Net) -> Value:
    net.float_input(net.input)
    other = net.unary("RELU", net.input)
    net.model.operator("QUANTIZE", [net.given[0]], [other.index], "QuantizeOptions")
    net.model.graph.operators.pop(1)
    return other


@case(r"operator 0 QUANTIZE: shape \(1, 12, 12, 4\) to \(1, 576\)")
def quantize_that_reshapes(net: Net) -> Value:
    net.float_input(net.input)
    _tensor_of(net, net.input).shape = [1, 576]
    return net.unary("RELU", net.input)


@case(r"operator 1 DEQUANTIZE: tensor \d+ 't\d+' is INT16, not INT8")
def dequantize_of_int16(net: Net) -> Value:
    y = net.unary("RELU", net.input)
    _tensor_of(net, y).type = 7
    return net.dequantize(y)


@case(r"operator 0 DEQUANTIZE: tensor 1 is read before it is written")
def dequantize_before_what_it_converts(net: Net) -> Value:
    y = net.dequantize(net.unary("RELU", net.input))
    net.model.graph.operators.reverse()
    return y


@case(r"operator 0 RELU: tensor 0 is read before it is written")
def quantize_after_what_reads_it(net: Net) -> Value:
    net.float_input(net.input)
    y = net.unary("RELU", net.input)
    net.model.graph.operators.reverse()
    return y


@case(r"no operators between its inputs and outputs")
def nothing_but_borders(net: Net) -> Value:
    net.float_input(net.input)
    return net.dequantize(net.input)


@pytest.mark.parametrize("name", CASES)
def test_refused_by_name_place_and_reason(name: str) -> None:
    reason, spoil = CASES[name]
    net = Net(5, (1, 12, 12, 4))
    with pytest.raises(UnsupportedModel, match=reason) as caught:
        compile_model(net.build(spoil(net)))
    assert caught.value.exit_code == CheckFailed.exit_code == 1
    assert "\n" not in str(caught.value)


def test_every_offending_operator_is_named_once_and_every_place_is_listed() -> None:
    net = Net(5, (1, 8))
    x = net.input
    for name in ("FLOOR", "RELU", "CEIL", "FLOOR"):
        x = net.unary(name, x)
    with pytest.raises(UnsupportedModel) as caught:
        compile_model(net.build(x))
    assert caught.value.operators == ("FLOOR", "CEIL")
    assert [reason.split(":")[0] for reason in caught.value.reasons] == [
        "operator 0 FLOOR",
        "operator 2 CEIL",
        "operator 3 FLOOR",
    ]


def test_a_float_model_is_refused_with_what_to_do() -> None:
    model = Model()
    x, y = model.tensor((1, 8), kind="FLOAT32"), model.tensor((1, 8), kind="FLOAT32")
    model.operator("RELU", [x], [y])
    with pytest.raises(UnsupportedModel, match=r"the input: .* FLOAT32, .* Quantize all of it: "):
        compile_model(model.pack([x], [y]))


def test_an_activation_beyond_any_board_is_refused() -> None:
    net = Net(5, (1, 4096, 1025))
    with pytest.raises(UnsupportedModel, match="is larger than 4194304 bytes"):
        compile_model(net.build(net.unary("RELU", net.input)))


def test_one_tensor_for_two_inputs_and_no_input_are_refused() -> None:
    net = Net(5, (1, 8))
    y = net.unary("RELU", net.input)
    with pytest.raises(UnsupportedModel, match="an input twice: tensors 0, 0"):
        compile_model(net.model.pack([net.input.index] * 2, [y.index]))
    with pytest.raises(UnsupportedModel, match="no inputs"):
        compile_model(net.model.pack([], [y.index]))


def test_a_network_of_two_inputs_does_not_stream() -> None:
    net = Net(5, (1, 32, 1, 3))
    gyroscope = net.add_input((1, 32, 1, 3))
    y = net.mean(net.conv(net.add(net.input, gyroscope), 4))
    with pytest.raises(UnsupportedModel, match=r"of several inputs \(t0, t1\) cannot stream"):
        compile_model(net.build(y), hop=8)


def test_an_output_that_nothing_computes_is_refused() -> None:
    net = Net(5, (1, 8))
    net.unary("RELU", net.input)
    with pytest.raises(UnsupportedModel, match="which no operator writes"):
        compile_model(net.build(net.input))


@pytest.mark.parametrize("name", ["", "2net", "har-net", "Har", "a b", "../x"])
def test_a_name_that_is_no_identifier_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="identifier"):
        compile_model(b"", name=name)


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("FLOAT32", r"\. Quantize all of it: .*representative_dataset$"),
        ("INT16", r"\. Int16 activations are not taken: leave 16x8 out of"),
        ("UINT8", r"\. Convert it with TensorFlow 2"),
    ],
)
def test_a_model_of_another_type_is_refused_once_with_how_to_convert_it(
    kind: str, remedy: str
) -> None:
    model = Model()
    x, y, z = (model.tensor((1, 8), 0.1, kind=kind) for _ in range(3))
    model.operator("RELU", [x], [y])
    model.operator("RELU", [y], [z])
    with pytest.raises(UnsupportedModel, match=remedy) as raised:
        compile_model(model.pack([x], [z]))
    assert str(raised.value).count(". ") == 1


def test_a_dense_layer_on_a_sequence_is_refused_with_what_to_use_instead() -> None:
    net = Net(3, (1, 8))
    y = net._value((1, 8), 0.1)
    net.model.operator("REDUCE_PROD", [net.input.index, net.integers((1,))], [y.index])
    with pytest.raises(UnsupportedModel, match=r"use Conv1D\(units, 1\)$"):
        compile_model(net.build(y))

"""int8 files from a float32 file and known scales: equal to what TensorFlow's converter writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pipeline.bundle.convert import to_float, to_int8
from pipeline.bundle.int8 import activation_scales, quantized
from pipeline.bundle.interface import Quantization
from pipeline.compiler import compile_model, run_tflm
from pipeline.compiler.reader import RawTensor, read_model
from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.models import backbone
from pipeline.models.dscnn import folded
from pipeline.models.weights import model_arrays, set_model_arrays
from tests.support.tflite_builder import Model, Net

_NAME = "dscnn:k3:6s2-6s1-10s2"
_LENGTH = 40
_TYPES = {"INT8": np.int8, "INT32": np.int32}


def _random() -> Any:
    """Seeded weights, batch norms that scale and shift."""
    rng = np.random.default_rng(5)
    network = backbone(_NAME).build(_LENGTH, 6, 4, 0.0)
    for layer in network.layers:
        values = layer.get_weights()
        if len(values) == 4:
            n = len(values[0])
            gamma, beta = rng.uniform(0.5, 1.5, n), rng.normal(0, 0.3, n)
            layer.set_weights([gamma, beta, rng.normal(0, 0.5, n), rng.uniform(0.3, 2, n)])
        elif values:
            layer.set_weights([rng.normal(0, 0.3, value.shape) for value in values])
    return network


def _silent_channels() -> Any:
    """Channels whose batch norm lets nothing or next to nothing through, but adds a bias: the
    weights get the scale that the bias needs."""
    network = _random()
    for layer in network.layers:
        values = layer.get_weights()
        if len(values) == 4:
            values[0][:3] = 0, 1e-9, 0
            values[1][:3] = 1.5, -0.7, 0
            layer.set_weights(values)
    return network


def _half_steps() -> Any:
    """Weights that lie exactly between two int8 values."""
    network = _random()
    rng = np.random.default_rng(6)
    arrays = folded(model_arrays(network))
    for name, values in arrays.items():
        if name.endswith("kernel"):
            steps = rng.integers(-253, 254, values.shape) / 2
            steps[0] = 127
            arrays[name] = np.asarray(steps / 64, np.float32)
    set_model_arrays(network, arrays, "test")
    return network


@dataclass(frozen=True)
class Case:
    float32: bytes
    by_tensorflow: bytes
    ours: bytes
    windows: Array


@pytest.fixture(
    scope="module",
    params=[
        (_random, ""),
        (_random, "fc"),
        (_random, "fxc2"),
        (_silent_channels, ""),
        (_half_steps, ""),
    ],
    ids=lambda param: "-".join(filter(None, (param[0].__name__.strip("_"), param[1]))),
)
def case(request: pytest.FixtureRequest) -> Case:
    make, cut = request.param
    network = make()
    if cut:
        network = backbone(_NAME).extractor(network, cut)
    windows = np.random.default_rng(7).normal(0, 1, (30, _LENGTH, 1, 6)).astype(np.float32)
    float32, by_tensorflow = to_float(network), to_int8(network, windows)
    ours = quantized(float32, activation_scales(by_tensorflow))
    return Case(float32, by_tensorflow, ours, windows)


@pytest.fixture(scope="module")
def whole() -> tuple[bytes, list[Quantization]]:
    """A whole network in float32, and scales for it."""
    float32 = to_float(_random())
    count = 1 + len(read_model(float32).operators)
    return float32, [Quantization(scale=0.05, zero_point=-3)] * count


def _said(tensor: RawTensor) -> tuple[Any, ...]:
    values = None if tensor.data is None else tensor.data.view(_TYPES[tensor.type]).tolist()
    scales = tensor.scales.tolist(), tensor.zero_points.tolist(), tensor.quantized_axis
    return tensor.type, tensor.shape, scales, values


def test_every_operator_weight_bias_scale_and_zero_point_is_tensorflows(case: Case) -> None:
    expected, got = read_model(case.by_tensorflow), read_model(case.ours)
    assert len(got.operators) == len(expected.operators)
    for theirs, ours in zip(expected.operators, got.operators, strict=True):
        assert (ours.name, ours.version, ours.options) == (
            theirs.name,
            theirs.version,
            theirs.options,
        )
        pairs = zip((*theirs.inputs, *theirs.outputs), (*ours.inputs, *ours.outputs), strict=True)
        for their_index, our_index in pairs:
            assert (their_index < 0) == (our_index < 0)
            if our_index >= 0:
                assert _said(got.tensors[our_index]) == _said(expected.tensors[their_index])
    for edge in ("inputs", "outputs"):
        said = [
            [_said(model.tensors[index]) for index in getattr(model, edge)]
            for model in (expected, got)
        ]
        assert said[0] == said[1]


def test_tflm_answers_as_with_tensorflows_file(case: Case) -> None:
    compiled = compile_model(case.ours)
    source = compiled.inputs[0]
    q = np.clip(np.round(case.windows / source.scale) + source.zero_point, -128, 127)
    ours, theirs = (
        run_tflm(model, q.astype(np.int8)).outputs for model in (case.ours, case.by_tensorflow)
    )
    assert len(ours) == len(theirs) == len(compiled.outputs)
    assert max(len(np.unique(output)) for output in ours) > 10
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_scales_survive_the_round_trip_through_json_and_file(case: Case) -> None:
    scales = activation_scales(case.by_tensorflow)
    read = [Quantization.model_validate_json(scale.model_dump_json()) for scale in scales]
    assert read == scales == activation_scales(case.ours)
    assert quantized(case.float32, read) == case.ours


def test_the_file_depends_on_values_alone_and_not_on_names(case: Case) -> None:
    """Another name of every tensor, another signature: the same bytes."""
    renamed = case.float32
    for name in (b"serving_default", b"StatefulPartitionedCall", b"relu/Relu", b"Conv2D"):
        assert name in renamed
        renamed = renamed.replace(name, b"z" * len(name))
    assert quantized(renamed, activation_scales(case.by_tensorflow)) == case.ours
    assert b"relu" not in case.ours
    assert len(case.ours) < len(case.by_tensorflow)


def test_constants_lie_on_16_bytes(case: Case) -> None:
    base = np.frombuffer(case.ours, np.uint8).ctypes.data
    held = [t.data for t in read_model(case.ours).tensors if t.data is not None]
    assert held
    # The reader copies nothing out of immutable bytes.
    offsets = [data.ctypes.data - base for data in held]
    assert all(offset % 16 == 0 for offset in offsets)


# ---- refusals ------------------------------------------------------------------------------------


def test_scales_of_another_number_of_activations_are_refused(
    whole: tuple[bytes, list[Quantization]],
) -> None:
    float32, scales = whole
    for wrong in ([], scales[:-1], [*scales, scales[0]]):
        with pytest.raises(InputError, match=f"scales of {len(wrong)} activations, but"):
            quantized(float32, wrong)


def test_pooling_to_another_scale_is_refused(whole: tuple[bytes, list[Quantization]]) -> None:
    float32, scales = whole
    operators = read_model(float32).operators
    pool = next(op.index for op in operators if op.name == "AVERAGE_POOL_2D")
    changed = list(scales)
    changed[1 + pool] = Quantization(scale=0.06, zero_point=-3)
    with pytest.raises(InputError, match=f"operator {pool} AVERAGE_POOL_2D: its output is on"):
        quantized(float32, changed)


@pytest.mark.parametrize("scale", [1e-60, 1e-10, 1e10, 1e60])
def test_a_scale_that_no_activation_has_is_refused(
    scale: float, whole: tuple[bytes, list[Quantization]]
) -> None:
    float32, scales = whole
    with pytest.raises(InputError, match="a scale from 1e-09 to 1e\\+09"):
        quantized(float32, [Quantization(scale=scale, zero_point=0)] * len(scales))


def test_operators_that_are_not_known_are_refused() -> None:
    net = Net(0, (1, 8))
    model = net.build(net.softmax(net.input))
    for call in (activation_scales, lambda content: quantized(content, [])):
        with pytest.raises(InputError, match="operator 0 SOFTMAX: only ADD, AVERAGE_POOL_2D"):
            call(model)


def _edited(name: str) -> bytes:
    """A dense layer of which one operand is not as it must be."""
    model = Model()
    source, output, other = (model.tensor((1, 2), kind="FLOAT32") for _ in range(3))
    weights = model.tensor((2, 2), kind="FLOAT32", data=np.ones((2, 2), np.float32))
    cube = model.tensor((2, 1, 2), kind="FLOAT32", data=np.ones((2, 1, 2), np.float32))
    bias = model.tensor((3,), kind="FLOAT32", data=np.ones(3, np.float32))
    short = model.tensor((2,), kind="FLOAT32", data=np.ones(1, np.float32))
    operands = {
        "later": [other, weights, -1],
        "few": [source, weights],
        "absent": [source, -1, bias],
        "computed": [source, source, -1],
        "axes": [source, cube, -1],
        "biases": [source, weights, bias],
        "bytes": [source, weights, short],
    }
    operands["unread"] = operands["inputs"] = [source, weights, -1]
    options = {} if name == "options" else {"options": "FullyConnectedOptions"}
    model.operator("FULLY_CONNECTED", operands.get(name, operands["unread"]), [output], **options)
    inputs = [source, other] if name == "inputs" else [source]
    return model.pack(inputs, [other] if name == "unread" else [output])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("later", "reads a constant or what is not computed yet"),
        ("few", "1 constants, but it needs 2"),
        ("absent", "1 constants, but it needs 2"),
        ("computed", "computes its weights"),
        ("axes", "weights with 3 axes, not 2"),
        ("biases", "3 biases for 2 outputs"),
        ("bytes", "has 4 bytes"),
        ("options", "no options"),
        ("unread", "has an output that no operator computes"),
        ("inputs", "has 2 inputs; one is needed"),
    ],
)
def test_operands_that_the_quantizer_does_not_know_are_refused(name: str, message: str) -> None:
    scales = [Quantization(scale=0.01, zero_point=0)] * 2
    with pytest.raises(InputError, match=message):
        quantized(_edited(name), scales)


def test_a_file_of_the_other_type_is_refused(whole: tuple[bytes, list[Quantization]]) -> None:
    float32, scales = whole
    with pytest.raises(InputError, match="is not int8 on one scale"):
        activation_scales(float32)
    with pytest.raises(InputError, match="FLOAT32"):
        quantized(quantized(float32, scales), scales)


def _dense(weight: float, bias: float) -> bytes:
    model = Model()
    source, output = (model.tensor((1, 2), kind="FLOAT32") for _ in range(2))
    constants = [
        model.tensor(values.shape, kind="FLOAT32", data=values)
        for values in (np.full((2, 2), weight, np.float32), np.full(2, bias, np.float32))
    ]
    model.operator("FULLY_CONNECTED", [source, *constants], [output], "FullyConnectedOptions")
    return model.pack([source], [output])


@pytest.mark.parametrize(
    ("weight", "bias", "message"),
    [
        (1e-7, 0.0, "weights of at most 1e-07 are too small"),
        (0.0, 3.0, "too small for so large a bias"),
        (np.nan, 0.0, "not all numbers"),
        (0.5, 1e30, "not all numbers"),
    ],
)
def test_a_dense_layer_that_int8_cannot_hold_is_refused(
    weight: float, bias: float, message: str
) -> None:
    scales = [Quantization(scale=0.01, zero_point=0)] * 2
    with pytest.raises(InputError, match=message):
        quantized(_dense(weight, bias), scales)
    quantized(_dense(0.5, 0.1), scales)


def test_a_layer_that_keeps_its_axes_still_does() -> None:
    """The options that the network has none of are kept too."""
    model = Model()
    source, output = (model.tensor((1, 3, 2), kind="FLOAT32") for _ in range(2))
    weights = model.tensor((2, 2), kind="FLOAT32", data=np.ones((2, 2), np.float32))
    model.operator(
        "FULLY_CONNECTED",
        [source, weights, -1],
        [output],
        "FullyConnectedOptions",
        keepNumDims=True,
    )
    scales = [Quantization(scale=0.01, zero_point=0)] * 2
    (operator,) = read_model(quantized(model.pack([source], [output]), scales)).operators
    assert operator.options == {"activation": 0, "weights_format": 0, "keep_axes": True}


def test_damaged_files_are_refused_in_one_way(whole: tuple[bytes, list[Quantization]]) -> None:
    """Cut anywhere, or with bytes that are another number: InputError or a file, nothing else."""
    float32, scales = whole
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(float32)
        for at in rng.integers(0, len(damaged), 3):
            damaged[at] = rng.integers(256)
        cut = int(rng.integers(8, len(damaged))) if rng.random() < 0.5 else len(damaged)
        try:
            quantized(bytes(damaged[:cut]), scales)
        except InputError:
            refused += 1
    assert refused > 100

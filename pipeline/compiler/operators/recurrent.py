"""UNIDIRECTIONAL_SEQUENCE_LSTM and SVDF: what is computed depends on a state that stays from run to
run, as in TFLite-Micro."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.compiler.errors import Refusal
from pipeline.compiler.fixedpoint import quantize_multiplier
from pipeline.compiler.graph import Constant, KernelCall
from pipeline.compiler.operands import Operands, require
from pipeline.compiler.operators.operator import Operator
from pipeline.compiler.reader import RawTensor

_TANH = 4  # fused activation
_GATE_SCALE = 2.0**-12
_UNIT_SCALE = 2.0**-15  # of what comes out of gates and tanh
# Where the LSTM's inputs are, by gate in the kernel's order: forget, input, cell, output.
_WEIGHTS, _RECURRENT, _BIAS = (2, 1, 3, 4), (6, 5, 7, 8), (13, 12, 14, 15)
_HIDDEN, _CELL = 18, 19
_NONE = {
    "peepholes": (9, 10, 11),
    "a projection": (16, 17),
    "layer normalization": (20, 21, 22, 23),
}
_INT16_MOST = (1 << 15) - 1
# As its TANH of int16 shows, output by output.
_ROUNDED_UP = 0x800000000000000000000000000000800011009020440005C0467BAEFA7BD110


def lower_lstm(op: Operands) -> KernelCall:
    op.require_count(24)
    for what, positions in _NONE.items():
        require(all(op.absent(position) for position in positions), what)
    require(not op.absent(_WEIGHTS[1]), "coupled input and forget gates")
    activation, time_major = op.options("activation", "time_major")
    require(activation == _TANH, f"fused activation {activation}, not tanh")
    source, target = op.activation(0, rank=3), op.output(rank=3)
    steps = source.shape[0] if time_major else source.shape[1]
    batch = source.shape[1] if time_major else source.shape[0]
    inputs, units = source.shape[2], target.shape[2]
    require(batch == 1, f"batch of {batch}, not 1")
    require(target.shape == (*source.shape[:2], units), f"output of shape {target.shape}")

    hidden, cell = _state(op, _HIDDEN, "INT8", units), _state(op, _CELL, "INT16", units)
    require(
        float(hidden.scales[0]) == target.scale and int(hidden.zero_points[0]) == target.zero_point,
        "its output and its output state differ in scale or zero point",
    )
    cell_scale = float(cell.scales[0])
    power = round(math.log2(cell_scale))
    require(
        2.0**power == cell_scale and -30 <= power <= 0 and int(cell.zero_points[0]) == 0,
        f"a cell state of scale {cell_scale:g}, not a power of 2 up to 1",
    )
    weights, input_scales = _matrices(op, _WEIGHTS, (units, inputs))
    recurrent, hidden_scales = _matrices(op, _RECURRENT, (units, units))
    bias = np.stack([_vector(op, position, units) for position in _BIAS])
    folded = bias - source.zero_point * weights.astype(np.int64).sum(axis=2)
    largest = np.abs(folded) + 128 * np.abs(weights.astype(np.int64)).sum(axis=2)
    require(bool((largest < 1 << 31).all()), "sums that can leave int32")

    shift = power + 12
    clip = op.real("cell_clip") / cell_scale
    call = op.call(
        "har_lstm_s8",
        {
            "steps": steps,
            "inputs": inputs,
            "units": units,
            "gates": tuple(
                (
                    quantize_multiplier(source.scale * a / _GATE_SCALE),
                    quantize_multiplier(target.scale * b / _GATE_SCALE),
                )
                for a, b in zip(input_scales, hidden_scales, strict=True)
            ),
            "forget": quantize_multiplier(_UNIT_SCALE),
            "add": quantize_multiplier(_UNIT_SCALE * _UNIT_SCALE / cell_scale),
            "output": quantize_multiplier(_UNIT_SCALE * _UNIT_SCALE / target.scale),
            "cell_clip": int(min(max(clip, 0.0), float(_INT16_MOST))),
            "tanh_multiplier": 3 << max(shift, 0),
            "tanh_shift": max(-shift, 0),
            "output_zero_point": target.zero_point,
        },
        arrays=(
            Constant("weights", weights),
            Constant("recurrent", recurrent),
            Constant("bias", folded.astype(np.int32)),
            Constant("sigmoid", _sigmoid_table()),
        ),
        macs=steps * 4 * units * (inputs + units),
    )
    return replace(call, scratch_bytes=2 * 4 * units, state_bytes=2 * 2 * units)


def lower_svdf(op: Operands) -> KernelCall:
    op.require_count(5)
    (rank,) = op.options("rank")
    source, target = op.activation(0, rank=2), op.output(rank=2)
    tensor, features = op.constant(1, "INT8")
    require(features.ndim == 2 and rank >= 1, f"features of shape {tensor.shape}, rank {rank}")
    filters, inputs = features.shape
    units = filters // rank
    require(
        source.shape == (1, inputs) and target.shape == (1, units) and filters == units * rank,
        f"features of shape {tensor.shape} for {source.shape} to {target.shape}",
    )
    kind = op.tensors[op.input_index(2)].type
    require(kind in ("INT8", "INT16"), f"weights in time of type {kind}")
    time_tensor, time = op.constant(2, kind)
    require(time.ndim == 2 and len(time) == filters, f"weights in time of {time_tensor.shape}")
    memory = time.shape[1]
    state = _state(op, 4, kind, filters * memory)
    bias = _vector(op, 3, units)
    # As TFLM: in float32.
    scale, features_scale, state_scale, time_scale, target_scale = (
        np.float32(value)
        for value in (
            source.scale,
            _one_scale(tensor),
            float(state.scales[0]),
            _one_scale(time_tensor),
            target.scale,
        )
    )
    return replace(
        op.call(
            "har_svdf_s8",
            {
                "inputs": inputs,
                "units": units,
                "rank": rank,
                "memory": memory,
                "input_zero_point": source.zero_point,
                "state": quantize_multiplier(float(scale * features_scale / state_scale)),
                "state_is_s8": int(kind == "INT8"),
                "state_zero_point": int(state.zero_points[0]),
                "output": quantize_multiplier(float(state_scale * time_scale / target_scale)),
                "output_zero_point": target.zero_point,
            },
            arrays=(
                Constant("features", features),
                Constant("time", time.astype(np.int16)),
                Constant("bias", bias.astype(np.int32)),
            ),
            macs=filters * (inputs + memory),
        ),
        state_bytes=2 * filters * memory,
    )


def _state(op: Operands, position: int, kind: str, size: int) -> RawTensor:
    """A state of one scale."""
    tensor = op.tensors[op.input_index(position)]
    what = f"state {tensor.index} {tensor.name!r}"
    require(tensor.variable and tensor.type == kind, f"{what} is no variable of {kind}")
    require(math.prod(tensor.shape) == size, f"{what} has shape {tensor.shape}")
    scale = _one_scale(tensor)
    require(math.isfinite(scale) and scale > 0.0, f"{what} has scale {scale}")
    return tensor


def _one_scale(tensor: RawTensor) -> float:
    if len(tensor.scales) != 1 or len(tensor.zero_points) != 1:
        raise Refusal(f"tensor {tensor.index} {tensor.name!r} has {len(tensor.scales)} scales")
    return float(tensor.scales[0])


def _matrices(
    op: Operands, positions: tuple[int, ...], shape: tuple[int, int]
) -> tuple[npt.NDArray[Any], list[float]]:
    """The weights of four gates (4, *shape) and their scales."""
    found, scales = [], []
    for position in positions:
        tensor, values = op.constant(position, "INT8")
        require(values.shape == shape, f"weights of shape {tensor.shape}, not {shape}")
        scales.append(_one_scale(tensor))
        require(int(tensor.zero_points[0]) == 0, "weights with a zero point")
        found.append(values)
    return np.stack(found), scales


def _vector(op: Operands, position: int, size: int) -> npt.NDArray[Any]:
    tensor, values = op.constant(position, "INT32")
    require(values.shape == (size,), f"bias of shape {tensor.shape}")
    return values.astype(np.int64)


def _sigmoid_table() -> npt.NDArray[Any]:
    """TFLite-Micro's sigmoid(i / 24) in Q0.16: rounded, or 1 more (`_ROUNDED_UP`)."""
    exact = np.round(65536 / (1 + np.exp(-np.arange(256) / 24)))
    more = [_ROUNDED_UP >> i & 1 for i in range(256)]
    return np.asarray(exact + more, np.uint16)


OPERATORS = {
    "SVDF": Operator(
        "Svdf", 4, lower_svdf, "int8 or int16 state and weights in time; any rank", "no bias"
    ),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Operator(
        "UnidirectionalSequenceLSTM",
        4,
        lower_lstm,
        "int8 weights, int16 cell; batch or time first",
        "peepholes, a projection, layer normalization, coupled gates",
    ),
}

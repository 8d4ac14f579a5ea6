"""A network that answers every few samples for a part of a window's work.

Windows that begin ``hop`` samples apart share nearly all columns (steps of time) of every layer.
So a hop computes only the columns that its samples add, keeps of each tensor the columns that the
next hop's kernels reach back to, and moves pools on by sums. The outputs are those of the whole
window, byte for byte: a column depends on the samples under it alone, where nothing is padded.

Columns are counted from the end of the window: what a hop computes are the last ones of the window
that ends with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pipeline.compiler.convolution import convolution_of, mean_of
from pipeline.compiler.errors import UnsupportedModel
from pipeline.compiler.graph import Graph, KernelCall, Step
from pipeline.compiler.schedule import schedule

_KERNELS = ("har_matrix_run", "har_pool_stream")
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_MOST_COLUMNS = 257  # of a window: their sum fits 16 bits


@dataclass(frozen=True)
class Time:
    """A tensor along time: ``length`` columns of a window, of which a hop adds ``new``."""

    length: int
    new: int


def stream(graph: Graph, hop: int) -> Graph:
    """The scheduled graph of one hop of ``hop`` samples; `Graph.kept` says what it keeps of each
    tensor.

    Raises UnsupportedModel, which names the operator that cannot stream, or the hops that the
    strides allow.
    """
    scheduled = schedule(_Streamer(graph).run(hop))
    for step in scheduled.steps:
        packed = isinstance(step, KernelCall) and step.kernel in _KERNELS
        if not packed and any(tensor in scheduled.lengths for tensor in step.inputs):
            raise _refusal(step, "reads a map that no packed kernel stores for it alone")
    return scheduled


def stream_hops(graph: Graph) -> tuple[int, ...]:
    """Hops up to half a window that the strides allow. Raises UnsupportedModel for a network that
    cannot stream."""
    streamer = _Streamer(graph)
    step = streamer.total_stride()
    hops = tuple(range(step, streamer.window // 2 + 1, step))
    for hop in hops[:1]:
        stream(graph, hop)
    return hops


class _Streamer:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        if len(graph.inputs) != 1:
            names = ", ".join(graph.tensors[tensor].name for tensor in graph.inputs)
            raise UnsupportedModel([f"a network of several inputs ({names}) cannot stream"])
        (self._input,) = graph.inputs
        shape = graph.tensors[self._input].shape
        long = [size for size in shape[1:-1] if size > 1]
        if len(shape) not in (3, 4) or len(long) != 1:
            raise UnsupportedModel([f"the input of shape {shape} is no window of samples"])
        self.window = long[0]

    def total_stride(self) -> int:
        """Samples from one column of the last layer to the next."""
        strides = {self._input: 1}
        for step in self._graph.steps:
            source = step.inputs[0]
            if source in strides and isinstance(step, KernelCall) and self._in_time(step):
                strides[step.output] = strides[source] * _along(step, "stride")
        return max(strides.values())

    def run(self, hop: int) -> Graph:
        step_samples = self.total_stride()
        if not (0 < hop <= self.window // 2) or hop % step_samples:
            most = self.window // 2
            hops = ", ".join(map(str, range(step_samples, most + 1, step_samples))) or "none"
            raise UnsupportedModel([f"a hop of {hop} samples; the strides allow {hops}"])
        times = {self._input: Time(self.window, hop)}
        kept: dict[int, int] = {}
        steps: list[Step] = []
        for step in self._graph.steps:
            if not any(tensor in times for tensor in step.inputs):
                steps.append(step)
            elif isinstance(step, KernelCall) and self._in_time(step):
                source = times[step.inputs[0]]
                made, keeps = self._convolution(step, source)
                times[step.output] = made
                kept[step.inputs[0]] = max(kept.get(step.inputs[0], 0), keeps)
                steps.append(self._narrowed(step, source, made, keeps))
            elif isinstance(step, KernelCall) and mean_of(step) is not None:
                steps.append(step)
            else:
                raise _refusal(step, "is no convolution and no mean over all of a window")
        if late := [index for index in self._graph.outputs if index in times]:
            raise UnsupportedModel([f"output {late[0]} has steps of time: pool it first"])
        tensors = dict(self._graph.tensors)
        for tensor, time in times.items():
            shape = list(tensors[tensor].shape)
            shape[shape.index(time.length, 1)] = time.new
            tensors[tensor] = replace(tensors[tensor], shape=tuple(shape))
        return replace(
            self._graph,
            tensors=tensors,
            steps=tuple(steps),
            kept={tensor: columns for tensor, columns in kept.items() if columns},
            lengths={tensor: time.length for tensor, time in times.items()},
        )

    def _in_time(self, step: KernelCall) -> bool:
        return step.operator in _CONVOLUTIONS and convolution_of(step) is not None

    def _convolution(self, step: KernelCall, source: Time) -> tuple[Time, int]:
        """What it makes of time, and how many columns before the new ones a hop reads."""
        if step.params["pad_top"] or step.params["pad_left"]:
            raise _refusal(step, "pads (SAME); use VALID")
        kernel, stride = _along(step, "kernel"), _along(step, "stride")
        reach = (kernel - 1) * _along(step, "dilation") + 1
        length = _along(step, "output")
        if (source.length - reach) // stride + 1 != length:
            raise _refusal(step, "pads (SAME); use VALID")
        keeps = source.length - length * stride
        made = Time(length, source.new // stride)
        if keeps < 0:
            raise _refusal(step, f"skips columns (kernel {kernel}, stride {stride})")
        if length > _MOST_COLUMNS:
            raise _refusal(step, f"has {length} columns; at most {_MOST_COLUMNS}")
        return made, keeps

    def _narrowed(self, step: KernelCall, source: Time, made: Time, keeps: int) -> KernelCall:
        """The same over the columns that a hop adds; those that were kept lie in front of them."""
        along, pad = _time_of(step)
        params: dict[str, Any] = {
            **step.params,
            f"input_{along}": source.new,
            f"output_{along}": made.new,
            pad: keeps,
        }
        macs = step.macs * made.new // made.length
        return replace(step, params=params, macs=macs)


def _time_of(step: KernelCall) -> tuple[str, str]:
    """Which way time runs in a convolution, and its padding there."""
    down = step.params["input_width"] == 1 and step.params["output_width"] == 1
    return ("height", "pad_top") if down else ("width", "pad_left")


def _along(step: KernelCall, what: str) -> int:
    value = step.params[f"{what}_{_time_of(step)[0]}"]
    if not isinstance(value, int):
        raise AssertionError(f"{what} of {step.operator} is {value}")
    return value


def _refusal(step: Step, why: str) -> UnsupportedModel:
    return UnsupportedModel(
        [f"operator {step.index} {step.operator} cannot stream: it {why}"], [step.operator]
    )

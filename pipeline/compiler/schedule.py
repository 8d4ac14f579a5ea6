"""Chooses how the graph runs: which layers form a group on the packed kernels, in which layout each
tensor lies between them, in what blocks a group works, and in what order.

A layer that the packed kernels do not take, or whose requantization has no exact line, keeps its
plain kernel: the result is the same to the byte.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from pipeline.compiler import pack
from pipeline.compiler.blocks import Blocks, Image, Work, runs_of
from pipeline.compiler.convolution import Convolution, Mean, Window, convolution_of, mean_of
from pipeline.compiler.graph import (
    Constant,
    Graph,
    KernelCall,
    Name,
    Param,
    Stay,
    Step,
    View,
)
from pipeline.compiler.layout import Planes, whole_words

_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "REDUCE_MAX")
_FUSED = "DEPTHWISE_CONV_2D + {}"
_DEPTHWISE_SHAPES = ((1, 3), (1, 5), (3, 3))  # of which there are kernels, at strides 1 and 2


def schedule(graph: Graph) -> Graph:
    """The same network in groups, ordered so that pools run right after what they read."""
    return _Scheduler(graph).run()


def pools_first(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Moves each pool, and each view, right behind the step that computes its input: what it reads
    is then not kept."""
    waiting = list(steps)
    ordered: list[Step] = []
    made: set[int] = set()  # by the last step that is no pool, and the pools behind it
    while waiting:
        pools = (step for step in waiting if _is_pool(step) and set(step.inputs) <= made)
        chosen = next(pools, None)
        if chosen is None:
            chosen = waiting[0]
            made = set()
        waiting.remove(chosen)
        made.add(chosen.output)
        ordered.append(chosen)
    return tuple(ordered)


def _is_pool(step: Step) -> bool:
    return isinstance(step, View) or step.operator in _POOLS


class _Scheduler:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._readers: dict[int, list[Step]] = {}
        for step in graph.steps:
            for tensor in step.inputs:
                self._readers.setdefault(tensor, []).append(step)
        found = [convolution_of(step) for step in graph.steps if isinstance(step, KernelCall)]
        self._convolutions = {each.output: each for each in found if each is not None}
        self._planes = {
            tensor: self._layout(each)
            for tensor, each in self._convolutions.items()
            if self._lies_in_planes(each)
        }
        # Depthwise convolutions inside of a group, by their output.
        self._inside = {
            tensor: each
            for tensor, each in self._convolutions.items()
            if each.is_depthwise and each.input in self._planes
        }

    def run(self) -> Graph:
        steps = [self._group(step) for step in self._graph.steps if step.output not in self._inside]
        storage = {tensor: planes.size_bytes for tensor, planes in self._planes.items()}
        for tensor, columns in self._graph.kept.items():
            if tensor not in storage:
                info = self._graph.tensors[tensor]
                storage[tensor] = info.size_bytes + columns * info.shape[-1]
        return replace(
            self._graph,
            steps=pools_first(tuple(steps)),
            storage_bytes=storage,
            stays=tuple(
                self._stay(tensor, columns) for tensor, columns in self._graph.kept.items()
            ),
        )

    def _stay(self, tensor: int, columns: int) -> Stay:
        """How the last ``columns`` of a tensor come to its front after a hop."""
        planes, info = self._planes.get(tensor), self._graph.tensors[tensor]
        if planes is not None:
            return Stay(tensor, planes.channels, planes.plane_bytes, planes.width, columns)
        return Stay(tensor, 1, 0, info.size_bytes, columns * info.shape[-1])

    # ---- layouts ---------------------------------------------------------------------------------

    def _lies_in_planes(self, made: Convolution) -> bool:
        """Whether one exact line stores the tensor, and only depthwise convolutions that can be in
        a group, and pools of whole planes, read it."""
        readers = self._readers.get(made.output, [])
        return (
            made.is_matrix
            and made.output not in self._graph.outputs
            and bool(readers)
            and all(self._reads_planes(reader, made.window) for reader in readers)
            and made.lines is not None
        )

    def _reads_planes(self, reader: Step, made: Window) -> bool:
        if isinstance(reader, KernelCall) and mean_of(reader) is not None:
            return True
        depthwise = self._convolutions.get(reader.output)
        if depthwise is None or not depthwise.is_depthwise:
            return False
        read = depthwise.window
        if (made.output_height, made.output_width) != (read.input_height, read.input_width):
            return False  # one of them is turned
        output = depthwise.output
        readers = self._readers.get(output, [])
        if output in self._graph.outputs or len(readers) != 1:
            return False
        pointwise = self._convolutions.get(readers[0].output)
        return (
            pointwise is not None
            and pointwise.is_matrix
            and pointwise.window.is_pointwise
            and depthwise.lines is not None
        )

    def _layout(self, made: Convolution) -> Planes:
        windows = [
            self._convolutions[reader.output].window
            for reader in self._readers[made.output]
            if reader.output in self._convolutions
        ]
        ends = [window.end_margins for window in windows]
        return Planes(
            channels=made.window.output_channels,
            height=made.window.output_height,
            width=made.window.output_width,
            top=max((window.pad_top for window in windows), default=0),
            left=max((window.pad_left for window in windows), default=0),
            bottom=max((rows for rows, _ in ends), default=0),
            right=max((columns for _, columns in ends), default=0),
            dense=not windows,
            kept=made.output in self._graph.kept,
        )

    # ---- groups ----------------------------------------------------------------------------------

    def _group(self, step: Step) -> Step:
        """The step on packed kernels, with the depthwise convolution in front of it, if any; or the
        step itself."""
        if not isinstance(step, KernelCall):
            return step
        mean = mean_of(step) if step.inputs[0] in self._planes else None
        if mean is not None:
            return self._pool(step, mean)
        made = self._convolutions.get(step.output)
        if made is None or not made.is_matrix:
            return step
        front = self._inside.get(made.input)
        source = self._patches(made) if front is None else self._depthwise(front, made)
        target = self._target(made, source)
        return KernelCall(
            index=step.index if front is None else front.step.index,
            operator=step.operator if front is None else _FUSED.format(step.operator),
            kernel="har_matrix_run",
            struct="har_matrix_params",
            params={**source.params, **target.params},
            inputs=(made.input if front is None else front.input,),
            output=made.output,
            arrays=(*source.arrays, target.weights),
            macs=step.macs + (0 if front is None else front.step.macs),
            scratch_bytes=4 * len(source.pairs) * target.most_pixels + source.scratch_bytes,
        )

    def _patches(self, made: Convolution) -> _Source:
        kept = self._graph.kept.get(made.input, 0)
        unused = (kept - made.window.pad_left) * made.window.input_channels if kept else 0
        window = made.window.with_kept_columns if kept else made.window
        taps = window.kernel_height * window.kernel_width * window.input_channels
        pairs = pack.pairs_of_patch(taps)
        runs = window.is_within_rows
        return _Source(
            params={
                "fill": Name("har_fill_runs" if runs else "har_fill_patches"),
                **_geometry(window),
                "input_zero_point": self._graph.tensors[made.input].zero_point,
                "input_offset": unused,
            },
            pairs=pairs,
            bias=made.layer.bias,
            scratch_bytes=0 if runs else 2 * len(pairs) + 4,
        )

    def _depthwise(self, front: Convolution, made: Convolution) -> _Source:
        window, planes, lines = front.window, self._planes[front.input], front.lines
        if lines is None:
            raise AssertionError("a depthwise convolution in a group has exact lines")
        shape = (window.kernel_height, window.kernel_width)
        taps = front.layer.weights.reshape(-1, *shape)
        scales = pack.exact_scales(lines, front.layer.bias_of_planes())
        kernel = _depthwise_kernel(window, lines.k)
        packed = (
            pack.pack_depthwise_any(taps, scales)
            if kernel is None
            else pack.pack_depthwise(taps, scales)
        )
        params: dict[str, Param] = {
            "fill": Name("har_fill_depthwise" if kernel else "har_fill_depthwise_any"),
            **_geometry(window),
            "input_offset": planes.offset - window.pad_top * planes.row_bytes - window.pad_left,
            "input_plane_bytes": planes.plane_bytes,
            "input_row_bytes": planes.row_bytes,
            "depthwise_weights": Name("depthwise"),
            "depthwise_words": packed.shape[1],
            "depthwise_shift": lines.k,
        }
        return _Source(
            params=params,
            pairs=pack.pairs_of_planes(window.input_channels),
            bias=made.layer.bias_of_planes(),
            depthwise=kernel,
            arrays=(Constant("depthwise", packed),),
        )

    def _pool(self, step: KernelCall, mean: Mean) -> KernelCall:
        planes, length = self._planes[step.inputs[0]], self._graph.lengths.get(step.inputs[0])
        if length is not None:
            hops, rest = divmod(length, planes.width)
            return replace(
                step,
                kernel="har_pool_stream",
                struct="har_pool_stream_params",
                params={
                    "channels": planes.channels,
                    "offset": planes.offset,
                    "plane_bytes": planes.plane_bytes,
                    "hops": hops,
                    "all": _bytes_run(planes.width),
                    "head": _bytes_run(planes.width - rest),
                    "k": mean.k,
                    "scale": mean.scale,
                },
                state_bytes=whole_words(2 * (2 + planes.channels * (hops + 3))),
            )
        return replace(
            step,
            kernel="har_pool_planes",
            struct="har_pool_planes_params",
            params={
                "channels": planes.channels,
                "height": 1 if planes.dense else planes.height,
                "width": planes.height * planes.width if planes.dense else planes.width,
                "offset": planes.offset,
                "plane_bytes": planes.plane_bytes,
                "row_bytes": planes.row_bytes,
                "k": mean.k,
                "scale": mean.scale,
            },
        )

    def _target(self, made: Convolution, source: _Source) -> _Target:
        """Blocks, kernels, and weights for them."""
        window, planes = made.window, self._planes.get(made.output)
        channels, image = window.output_channels, Image(window.output_height, window.output_width)
        own_kernel = planes is not None and not planes.dense  # of blocks across rows
        work = Work(len(source.pairs), channels, source.depthwise is not None, own_kernel)
        if planes is None:
            best = Blocks(image, 1, (1, 2, 3, 4)).best(work)
            kernel, scales = "linear", pack.linear_scales(made.layer, made.zero_point, source.bias)
            strides = {
                "output_offset": self._graph.kept.get(made.output, 0) * channels,
                "channel_stride": 1,
                "row_stride": window.output_width * channels,
                "pixel_stride": channels,
            }
        else:
            if made.lines is None:
                raise AssertionError("what lies in planes has exact lines")
            sizes = (1, 2, 3, 4) if planes.takes_a_byte_after_rows else (1, 2, 4)
            ways = [Blocks(image, spans, sizes).best(work) for spans in (image.height, 1)]
            best = min(ways, key=lambda choice: choice.cost)
            kernel, scales = f"k{made.lines.k}", pack.exact_scales(made.lines, source.bias)
            strides = {
                "output_offset": planes.offset,
                "channel_stride": planes.plane_bytes,
                "row_stride": planes.row_bytes,
                "pixel_stride": 1,
                "margin_bytes": planes.channels * planes.plane_bytes if planes.has_margin else 0,
            }
        within = [size for size, crosses in best.used if not crosses or planes is None]
        across = [size for size, crosses in best.used if crosses]
        suffix = "_scattered" if own_kernel else ""
        params: dict[str, Param] = {
            "pairs": len(source.pairs),
            "weights": Name("weights"),
            "channel_pair_bytes": 4 * (len(source.pairs) + 2 * scales.shape[1]),
            "output_width": window.output_width,
            "output_channels": channels,
            "spans": best.spans,
            "blocks": best.counts,
            "kernels": _by_size(f"har_matrix_p{{}}_{kernel}", within),
            "scattered": _by_size(f"har_matrix_p{{}}_{kernel}{suffix}", across),
            **strides,
        }
        if source.depthwise is not None:
            runs = {run for size, x in best.places for run in runs_of(size, x, image.width)}
            params["depthwise"] = _by_size(source.depthwise, sorted(runs))
        weights = pack.pack_matrix(made.layer.weights, source.pairs, scales)
        return _Target(params, Constant("weights", weights), max(size for size, _ in best.used))


@dataclass(frozen=True, eq=False)
class _Source:
    """What fills a group's blocks. ``bias``: of the matrix's channels for these inputs;
    ``scratch_bytes``: beyond the block; ``depthwise``: its kernels' name, by the outputs in a row.
    """

    params: dict[str, Param]
    pairs: npt.NDArray[np.int64]
    bias: npt.NDArray[np.int64]
    scratch_bytes: int = 0
    depthwise: str | None = None
    arrays: tuple[Constant, ...] = field(default=())


@dataclass(frozen=True, eq=False)
class _Target:
    params: dict[str, Param]
    weights: Constant
    most_pixels: int


def _bytes_run(count: int) -> tuple[int, int]:
    """har_bytes_run of so many bytes, at least 1."""
    words, last = divmod(count - 1, 4)
    return words, 24 - 8 * last


def _by_size(pattern: str, sizes: list[int]) -> tuple[int | Name, ...]:
    """The kernels for 1 to 4 pixels, those of other ``sizes`` 0."""
    return tuple(Name(pattern.format(size)) if size in sizes else 0 for size in (1, 2, 3, 4))


def _geometry(window: Window) -> dict[str, Param]:
    names = (
        "input_height", "input_width", "input_channels", "kernel_height", "kernel_width",
        "stride_height", "stride_width", "dilation_height", "dilation_width", "pad_top", "pad_left",
    )  # fmt: skip
    return {name: getattr(window, name) for name in names}


def _depthwise_kernel(window: Window, k: int) -> str | None:
    """The name of the kernels for this window, by the number of outputs; None where there are
    none."""
    shape = window.kernel_height, window.kernel_width
    strides = {window.stride_width} | (
        {window.stride_height} if window.output_height > 1 else set()
    )
    if (
        shape not in _DEPTHWISE_SHAPES
        or window.stride_width > 2
        or len(strides) > 1
        or (window.dilation_height, window.dilation_width) != (1, 1)
    ):
        return None
    return f"har_depthwise_{shape[0]}x{shape[1]}_s{window.stride_width}_n{{}}_k{k}"

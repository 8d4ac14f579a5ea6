"""Chooses how the graph runs: which layers form a group on the packed kernels, in which layout each
tensor lies between them, in what blocks a group works, and in what order.

A layer that the packed kernels do not take, or whose requantization has no exact line, keeps its
plain kernel: the result is the same to the byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.compiler import pack
from pipeline.compiler.fixedpoint import INT8_MAX, INT8_MIN
from pipeline.compiler.graph import Constant, Graph, KernelCall, Name, Param, Stay, Step
from pipeline.compiler.requant import Lines, average_levels, exact_lines, staircases, tabulated

_SLACK_BYTES = 4  # a matrix kernel of 3 pixels stores a fourth byte
_ZERO_POINT = INT8_MIN  # of what lies in planes
_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "REDUCE_MAX", "RESHAPE")
_POOL_SHIFTS = tuple(range(14, 21)) + tuple(range(13, 5, -1))
_MOST_POOLED = 1 << 14  # pixels
_STEEPER = 2.0**-18  # halves round away from zero: down below it, up above, as a steeper line does
_FUSED = "DEPTHWISE_CONV_2D + {}"
_DEPTHWISE_SHAPES = ((1, 3), (1, 5), (3, 3))  # of which there are kernels, at strides 1 and 2

# Instructions, for choosing among block sizes: of one pair of inputs by two channels, of the end of
# a pair of channels by pixel, of a block.
_STEP = {1: 4.5, 2: 7, 3: 11, 4: 13}
_END, _END_PIXEL, _SCATTERED_PIXEL, _BLOCK = 14, 7, 4, 80
_DEPTHWISE_CALL, _DEPTHWISE_PIXEL = 12, 9  # of a channel


@dataclass(frozen=True)
class Window:
    """A convolution's geometry. Images of width 1 are turned to height 1: time runs along rows."""

    input_height: int
    input_width: int
    input_channels: int
    kernel_height: int
    kernel_width: int
    stride_height: int
    stride_width: int
    dilation_height: int
    dilation_width: int
    pad_top: int
    pad_left: int
    output_height: int
    output_width: int
    output_channels: int

    @property
    def end_margins(self) -> tuple[int, int]:
        """Rows below and columns right of the image that the window reaches."""
        rows = (self.output_height - 1) * self.stride_height - self.pad_top
        rows += (self.kernel_height - 1) * self.dilation_height + 1 - self.input_height
        columns = (self.output_width - 1) * self.stride_width - self.pad_left
        columns += (self.kernel_width - 1) * self.dilation_width + 1 - self.input_width
        return max(rows, 0), max(columns, 0)

    @property
    def with_kept_columns(self) -> Window:
        """Of a hop: what is kept lies where padding would, and is part of the image."""
        return replace(self, input_width=self.input_width + self.pad_left, pad_left=0)

    @property
    def is_within_rows(self) -> bool:
        """Whether the kernel is a run of neighbours in a row, nowhere outside of the image."""
        run = self.kernel_height == 1 and (self.dilation_width == 1 or self.kernel_width == 1)
        return run and (self.pad_top, self.pad_left, *self.end_margins) == (0, 0, 0, 0)

    @property
    def is_pointwise(self) -> bool:
        """Whether each output pixel is of the one input pixel in the same place."""
        return (self.kernel_height, self.kernel_width, self.stride_height, self.stride_width) == (
            1,
            1,
            1,
            1,
        )


@dataclass(frozen=True)
class Planes:
    """Where a tensor lies as planes: margins around an image of ``height`` x ``width``. ``dense``:
    rows follow each other without a gap, for pools, which then see one row. ``kept``: ``left`` is
    no margin but columns that stay from hop to hop."""

    channels: int
    height: int
    width: int
    top: int
    left: int
    bottom: int
    right: int
    dense: bool
    kept: bool

    @property
    def row_bytes(self) -> int:
        return self.width if self.dense else _whole_words(self.left + self.width + self.right)

    @property
    def plane_bytes(self) -> int:
        return _whole_words((self.top + self.height + self.bottom) * self.row_bytes)

    @property
    def size_bytes(self) -> int:
        return self.channels * self.plane_bytes + _SLACK_BYTES

    @property
    def offset(self) -> int:
        """Of pixel (0, 0)."""
        return self.top * self.row_bytes + self.left

    @property
    def has_margin(self) -> bool:
        return not self.kept and any((self.top, self.left, self.bottom, self.right))

    @property
    def takes_a_byte_after_rows(self) -> bool:
        """Whether the byte after the image's row is a margin or undefined, in each row, or, where
        they are dense, in the last."""
        if self.dense:
            return self.plane_bytes > self.height * self.width
        return self.has_margin or self.row_bytes > self.left + self.width


def _bytes_run(count: int) -> tuple[int, int]:
    """har_bytes_run of so many bytes, at least 1."""
    words, last = divmod(count - 1, 4)
    return words, 24 - 8 * last


def _whole_words(size: int) -> int:
    return -(-size // 4) * 4


def schedule(graph: Graph) -> Graph:
    """The same network in groups, ordered so that pools run right after what they read."""
    return _Scheduler(graph).run()


def planes_bytes(channels: int, length: int) -> int:
    """Of one row of ``length`` pixels without a margin."""
    return Planes(channels, 1, length, 0, 0, 0, 0, dense=False, kept=False).size_bytes


def block_bytes(inputs: int, pixels: int = 4) -> int:
    """Of a block of ``pixels`` that have so many inputs each."""
    return 4 * len(pack.pairs_of_planes(inputs)) * pixels


def pools_first(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Moves each pool, and each view, right behind the step that computes its input: what it reads
    is then not kept."""
    waiting = list(steps)
    ordered: list[Step] = []
    made: set[int] = set()  # by the last step that is no pool, and the pools behind it
    while waiting:
        pools = (step for step in waiting if step.operator in _POOLS and set(step.inputs) <= made)
        chosen = next(pools, None)
        if chosen is None:
            chosen = waiting[0]
            made = set()
        waiting.remove(chosen)
        made.add(chosen.output)
        ordered.append(chosen)
    return tuple(ordered)


@dataclass(frozen=True, eq=False)
class Convolution:
    """A step that the packed kernels could take. ``layer``: weights (C, taps) in the order of the
    window's kernel: rows, columns, channels."""

    step: KernelCall
    window: Window
    layer: pack.Layer
    zero_point: int

    @property
    def output(self) -> int:
        return self.step.output

    @property
    def input(self) -> int:
        return self.step.inputs[0]

    @property
    def is_depthwise(self) -> bool:
        return self.step.operator == "DEPTHWISE_CONV_2D"

    @cached_property
    def lines(self) -> Lines | None:
        """The exact lines of its channels, where it stores q + 128 and has such."""
        if self.zero_point != _ZERO_POINT:
            return None
        shifts = pack.DEPTHWISE_SHIFTS if self.is_depthwise else pack.MATRIX_SHIFTS
        stairs = staircases(self.layer.channels())
        return None if stairs is None else exact_lines(stairs, shifts)

    @cached_property
    def is_matrix(self) -> bool:
        """Whether a matrix kernel can compute it."""
        return (
            not self.is_depthwise
            and self.window.output_channels >= 2
            and pack.takes_linear(self.layer)
        )


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
            in_rows=True,
            arrays=(Constant("depthwise", packed),),
        )

    def _pool(self, step: KernelCall, mean: _Mean) -> KernelCall:
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
                state_bytes=_whole_words(2 * (2 + planes.channels * (hops + 3))),
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
        channels, image = window.output_channels, _Image(window.output_height, window.output_width)
        if planes is None:
            plan = _Blocks(image, [image.pixels], (1, 2, 3, 4))
            best = plan.best(source, channels, scattered=False)
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
            rows = _Blocks(image, [image.width] * image.height, sizes)
            whole = _Blocks(image, [image.pixels], sizes)
            best = min(
                (each.best(source, channels, scattered=not planes.dense) for each in (rows, whole)),
                key=lambda choice: choice.cost,
            )
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
        suffix = "" if planes is None or planes.dense else "_scattered"
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
            runs = {run for size, x in best.places for run in _runs(size, x, image.width)}
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
    in_rows: bool = False
    arrays: tuple[Constant, ...] = field(default=())


@dataclass(frozen=True, eq=False)
class _Target:
    params: dict[str, Param]
    weights: Constant
    most_pixels: int


# ---- blocks --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Image:
    height: int
    width: int

    @property
    def pixels(self) -> int:
        return self.height * self.width


@dataclass(frozen=True)
class _Choice:
    """``counts`` of blocks of 4, 3, 2 and 1 pixels in each of ``spans`` equal spans; ``places``:
    each block's size and column."""

    cost: float
    spans: int
    counts: tuple[int, int, int, int]
    places: tuple[tuple[int, int], ...]
    used: tuple[tuple[int, bool], ...]  # (size, whether it lies in more than one row)


@dataclass(frozen=True)
class _Blocks:
    """Ways to divide equal spans of an image into blocks of the allowed ``sizes``."""

    image: _Image
    spans: list[int]
    sizes: tuple[int, ...]

    def best(self, source: _Source, channels: int, *, scattered: bool) -> _Choice:
        """The cheapest. ``scattered``: blocks across rows take a kernel of their own."""
        choices = (
            self._choice(counts, source, channels, scattered) for counts in self._divisions()
        )
        return min(choices, key=lambda choice: choice.cost)

    def _divisions(self) -> Iterator[tuple[int, int, int, int]]:
        """Counts of 4, 3, 2, 1: few small blocks, for all else is dearer."""
        length = self.spans[0]
        for threes in range(4 if 3 in self.sizes else 1):
            for twos in range(2):
                for ones in range(2):
                    rest = length - 3 * threes - 2 * twos - ones
                    if rest >= 0 and rest % 4 == 0:
                        yield rest // 4, threes, twos, ones

    def _choice(
        self, counts: tuple[int, int, int, int], source: _Source, channels: int, scattered: bool
    ) -> _Choice:
        width, at = self.image.width, 0
        places: list[tuple[int, int]] = []
        for size, count in zip((4, 3, 2, 1), counts, strict=True):
            for _ in range(count):
                places.append((size, at % width))
                at += size
        pairs, halves = len(source.pairs), -(-channels // 2)
        cost = 0.0
        for size, x in places:
            crosses = x + size > width
            end = _END + size * (_END_PIXEL + _SCATTERED_PIXEL * (crosses and scattered))
            cost += _BLOCK + halves * (pairs * _STEP[size] + 3 * pairs // 4 + end)
            if source.in_rows:
                runs = _runs(size, x, width)
                cost += 2 * pairs * sum(_DEPTHWISE_CALL + run * _DEPTHWISE_PIXEL for run in runs)
        return _Choice(
            cost=cost * len(self.spans),
            spans=len(self.spans),
            counts=counts,
            places=tuple(places),
            used=tuple(sorted({(size, x + size > width) for size, x in places})),
        )


def _runs(size: int, x: int, width: int) -> Iterator[int]:
    """The pixels of a block that begins at column ``x``, row by row."""
    while size > 0:
        run = min(size, width - x)
        yield run
        size, x = size - run, 0


def _by_size(pattern: str, sizes: list[int]) -> tuple[int | Name, ...]:
    """The kernels for 1 to 4 pixels, those of other ``sizes`` 0."""
    return tuple(Name(pattern.format(size)) if size in sizes else 0 for size in (1, 2, 3, 4))


# ---- steps as convolutions -----------------------------------------------------------------------


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


@dataclass(frozen=True)
class _Mean:
    """From the sum of a plane to its mean, as har_pool_planes takes it."""

    k: int
    scale: tuple[int, ...]


def mean_of(step: KernelCall) -> _Mean | None:
    """Of a step that is the mean over all pixels of each channel, where it can be exact."""
    params: dict[str, Any] = dict(step.params)
    if step.operator == "MEAN":
        shift, sums = -params["shift"], params["input_zero_point_sum"]
        if params["outer"] != 1 or sums != _ZERO_POINT * params["count"]:
            return None
        if not 1 <= shift <= pack.LINEAR_MOST_SHIFT:
            return None
        rounding = (1 << (shift - 1)) + (params["output_zero_point"] << shift)
        return _Mean(0, (0, params["multiplier"], rounding, shift))
    if step.operator != "AVERAGE_POOL_2D":
        return None
    count = params["input_height"] * params["input_width"]
    if (
        count > _MOST_POOLED
        or (params["output_height"], params["output_width"]) != (1, 1)
        or (params["pad_top"], params["pad_left"]) != (0, 0)
        or params["kernel_height"] * params["kernel_width"] != count
        or (params["activation_min"], params["activation_max"]) != (INT8_MIN, INT8_MAX)
    ):
        return None
    lines = exact_lines(tabulated(average_levels(count), (1 + _STEEPER) / count), _POOL_SHIFTS)
    return None if lines is None else _Mean(lines.k, (int(lines.b[0]), int(lines.m[0])))


def convolution_of(step: KernelCall) -> Convolution | None:
    """The step as a convolution, if it is one of a kind that packed kernels may take."""
    params: dict[str, Any] = dict(step.params)
    if step.operator not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return None
    if (params["activation_min"], params["activation_max"]) != (INT8_MIN, INT8_MAX):
        return None
    arrays = {constant.role: constant.values for constant in step.arrays}
    weights = arrays["weights"]
    if step.operator == "FULLY_CONNECTED":
        window = Window(1, params["rows"], params["input_size"], *(1,) * 6, 0, 0, 1,
                        params["rows"], params["output_size"])  # fmt: skip
    else:
        depthwise = step.operator == "DEPTHWISE_CONV_2D"
        if depthwise and params["input_channels"] != params["output_channels"]:
            return None
        names = list(Window.__dataclass_fields__)
        if params["input_width"] == 1 and params["output_width"] == 1:
            window = Window(**{name: params[_turned(name)] for name in names})
            rows, columns = (0, 1) if depthwise else (1, 2)
            weights = weights.reshape(weights.shape[1:]) if depthwise else weights
            weights = np.swapaxes(weights, rows, columns)
        else:
            window = Window(**{name: params[name] for name in names})
        if depthwise:
            weights = weights.reshape(-1, window.output_channels).T
    channels = window.output_channels
    layer = pack.Layer(
        weights=np.ascontiguousarray(weights.reshape(channels, -1)),
        bias=arrays["bias"].astype(np.int64),
        multiplier=np.broadcast_to(arrays["multiplier"], channels).astype(np.int64),
        shift=np.broadcast_to(arrays["shift"], channels).astype(np.int64),
    )
    return Convolution(step, window, layer, params["output_zero_point"])


def _turned(name: str) -> str:
    """The name of the same size along the other axis."""
    for one, other in (("height", "width"), ("width", "height"), ("top", "left"), ("left", "top")):
        if name.endswith(one):
            return name.removesuffix(one) + other
    return name

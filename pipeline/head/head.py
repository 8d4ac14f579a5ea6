"""The head, the trainable part after the cut: the NumPy twin of firmware/lib/head/har_head.c, bit
for bit.

Every formula stands in docs/LEARNING.md. Sums run from the first index upwards; what NumPy may
reorder (sum, dot, matmul) is not used.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.head.mathematics import softmax

LIMIT = np.float32(2.0**20)
"""No parameter may be larger in size (HAR_HEAD_LIMIT)."""

_SMALLEST = np.finfo(np.float32).tiny
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_MANY = 512


@dataclass(frozen=True)
class HeadShape:
    """Sizes of a head (struct har_head_shape): ``features`` F = frozen + filters, ``rows`` R.

    The window at the cut is int8: ``frozen`` activations, then, unless ``map_length`` is 0 (cut
    fc), a map (map_length, channels). ``kernel`` 0: no depthwise convolution (cut fxc1). Raises
    InputError for sizes that do not belong together.
    """

    features: int
    rows: int
    frozen: int
    map_length: int = 0
    channels: int = 0
    filters: int = 0
    kernel: int = 0
    stride: int = 1

    def __post_init__(self) -> None:
        map_sizes = (self.map_length, self.channels, self.filters)
        whole = (all(map_sizes) or not any(map_sizes)) and min(*map_sizes, self.frozen) >= 0
        kernel_fits = 0 <= self.kernel <= self.map_length and self.stride >= 1
        if not (whole and kernel_fits and self.features == self.frozen + self.filters > 0):
            raise InputError(f"head: {self} is not a valid shape of a head")
        if not 1 <= self.rows <= 127:
            raise InputError(f"head: {self.rows} rows where 1 to 127 fit")

    @property
    def positions(self) -> int:
        """T': positions of the map after the depthwise convolution; 0 for cut fc."""
        return (
            (self.map_length - self.kernel) // self.stride + 1 if self.kernel else self.map_length
        )

    @property
    def window_bytes(self) -> int:
        """B: bytes of one window at the cut."""
        return self.frozen + self.map_length * self.channels

    @property
    def layers(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the arrays that the parameters are, in their order: depthwise (J, C), its bias
        (C,), pointwise (M, C), its bias (M,), dense (R, F), its bias (R,)."""
        depthwise = (self.kernel, self.channels), (self.channels if self.kernel else 0,)
        pointwise = (self.filters, self.channels), (self.filters,)
        return (*depthwise, *pointwise, (self.rows, self.features), (self.rows,))

    @property
    def parameters(self) -> int:
        """P: float32 parameters in all."""
        return sum(math.prod(layer) for layer in self.layers)


@dataclass(frozen=True, eq=False)
class CutScales:
    """How int8 at the cut becomes what the head computes with.

    x = v * ``scale`` + ``offset``, float32 (F,), v an int8 activation or a learned mean; a value
    of the map is (q - ``map_zero_point``) * ``map_scale``.
    """

    scale: Array
    offset: Array
    map_scale: float = 1.0
    map_zero_point: int = 0


@dataclass(frozen=True, eq=False)
class _Layers:
    """Views into one array of parameters (P,), as `HeadShape.layers` has them."""

    depthwise: Array
    depthwise_bias: Array
    pointwise: Array
    pointwise_bias: Array
    dense: Array
    dense_bias: Array


@dataclass(frozen=True, eq=False)
class _Pass:
    """Intermediate values of a forward pass over windows (...), for the gradient step."""

    x: Array  # (..., F)
    map: Array  # (..., T, C)
    depthwise: Array  # (..., T', C) after the depthwise convolution and ReLU; the map without it
    hidden: Array  # (..., T', M) after the pointwise convolution and ReLU


def _split(shape: HeadShape, parameters: Array) -> _Layers:
    """Parameters (P,) -> their layers, as views."""
    ends = np.cumsum([math.prod(layer) for layer in shape.layers])[:-1]
    parts = zip(np.split(parameters, ends), shape.layers, strict=True)
    return _Layers(*(part.reshape(layer) for part, layer in parts))


def without_denormals(values: Array) -> Array:
    """float32 of any shape with denormals, and -0, as 0: what a head may be made of."""
    values = np.asarray(values, np.float32)
    return np.where(np.abs(values) < _SMALLEST, _ZERO, values)


def check_parameters(values: Array, what: str) -> None:
    """Raises InputError, naming ``what``, where the board refuses (har_head_check): a value that is
    NaN, infinite, denormal or beyond LIMIT."""
    size = np.abs(np.asarray(values, np.float32))
    if not bool(np.all(size <= LIMIT)):  # False for NaN as well
        raise InputError(f"{what}: a value is not finite or larger than {LIMIT:.0f}")
    if bool(np.any((size > 0) & (size < _SMALLEST))):
        raise InputError(f"{what}: a value is denormal, smaller than {_SMALLEST:.3g} but not 0")


class Head:
    """Dense layer with softmax, after up to two convolutions, that learns in place.

    It starts as a copy of the factory head, ``anchor`` (P,) float32, whose first
    ``factory_activities`` (K) rows of the dense layer are activities. ``parameters`` (P,) and
    ``activities`` (A) are its state.
    """

    def __init__(
        self, shape: HeadShape, scales: CutScales, anchor: Array, factory_activities: int
    ) -> None:
        """Raises InputError for sizes that do not match and for values that the board refuses."""
        self.shape, self.factory_activities = shape, factory_activities
        self.scales = CutScales(
            np.array(scales.scale, np.float32),
            np.array(scales.offset, np.float32),
            scales.map_scale,
            scales.map_zero_point,
        )
        self.anchor = np.array(anchor, np.float32)
        if self.anchor.shape != (shape.parameters,):
            raise InputError(
                f"head: parameters {self.anchor.shape} where ({shape.parameters},) belong"
            )
        if not self.scales.scale.shape == self.scales.offset.shape == (shape.features,):
            raise InputError(f"head: scales and offsets must both be ({shape.features},)")
        if not 1 <= factory_activities <= shape.rows:
            raise InputError(f"head: {factory_activities} factory activities of {shape.rows} rows")
        check_parameters(self.anchor, "head")
        self.reset()

    def reset(self) -> None:
        """Back to the factory head."""
        self.parameters = self.anchor.copy()
        self.activities = self.factory_activities

    def load(self, parameters: Array, activities: int) -> None:
        """Takes a learned state, (P,) and A; the anchor stays. Raises InputError, with nothing
        changed, as `__init__` does."""
        taken = np.array(parameters, np.float32)
        if taken.shape != self.parameters.shape:
            raise InputError(
                f"learned head: {taken.shape} parameters where {self.parameters.shape} belong"
            )
        if not self.factory_activities <= activities <= self.shape.rows:
            raise InputError(
                f"learned head: {activities} activities where "
                f"{self.factory_activities} to {self.shape.rows} belong"
            )
        check_parameters(taken, "learned head")
        self.parameters, self.activities = taken, activities

    def features(self, windows: Array, factory: bool = False) -> Array:
        """int8 windows (..., B) -> x (..., F) float32, what the dense layer sees: by the
        parameters in use, or by the factory ones."""
        return self._forward(windows, self.anchor if factory else self.parameters).x

    def predict(self, windows: Array, factory: bool = False) -> Array:
        """int8 windows (..., B) -> probabilities (..., A) float32. With ``factory``: by the factory
        parameters, 0 for the activities that they do not have."""
        parameters = self.anchor if factory else self.parameters
        known = self.factory_activities if factory else self.activities
        found = self._classify(self._forward(windows, parameters).x, parameters, known)
        if known == self.activities:
            return found
        missing = np.zeros((*found.shape[:-1], self.activities - known), np.float32)
        return np.concatenate((found, missing), axis=-1)

    def step(
        self, window: Array, label: int, rate: float, rate_convolution: float, weight: float
    ) -> None:
        """One gradient step of softmax cross-entropy on one labelled window, int8 (B,), times
        ``weight``, in place. Does not check values: `settle` does, after the last step."""
        with np.errstate(over="ignore", invalid="ignore"):
            forward = self._forward(window, self.parameters)
            gradient = self._classify(forward.x, self.parameters, self.activities)
            gradient[label] = gradient[label] - _ONE
            gradient = np.float32(weight) * gradient
            layers = _split(self.shape, self.parameters)
            if self.shape.map_length:
                self._step_convolutions(layers, gradient, np.float32(rate_convolution), forward)
            gradient = np.float32(rate) * gradient
            _update(forward.x[None], gradient[None], layers.dense, layers.dense_bias)

    def pull(self, keep: float) -> None:
        """Draws every parameter toward the factory one: keeps ``keep``, 0..1, of the distance."""
        self.parameters = self.anchor + np.float32(keep) * (self.parameters - self.anchor)

    def settle(self) -> None:
        """Ends an update: denormals become 0. Raises InputError when a parameter is NaN, infinite
        or beyond LIMIT."""
        self.parameters = without_denormals(self.parameters)
        check_parameters(self.parameters, "the steps led too far")

    def crc(self) -> int:
        """CRC-32 over all parameters as little-endian float32."""
        return zlib.crc32(self.parameters.astype("<f4").tobytes())

    def _forward(self, windows: Array, parameters: Array) -> _Pass:
        shape, scales = self.shape, self.scales
        if windows.dtype != np.int8 or windows.shape[-1:] != (shape.window_bytes,):
            raise InputError(
                f"head: windows {windows.dtype} {windows.shape} where int8 (..., "
                f"{shape.window_bytes}) belong"
            )
        seen = windows[..., : shape.frozen].astype(np.float32)
        nothing = np.zeros((*windows.shape[:-1], 0, 0), np.float32)
        if not shape.map_length:
            return _Pass(seen * scales.scale + scales.offset, nothing, nothing, nothing)
        layers = _split(shape, parameters)
        whole = windows[..., shape.frozen :].astype(np.int32) - scales.map_zero_point
        mapped = whole.astype(np.float32) * np.float32(scales.map_scale)
        mapped = mapped.reshape(*windows.shape[:-1], shape.map_length, shape.channels)
        depthwise = mapped
        if shape.kernel:
            sums = np.broadcast_to(layers.depthwise_bias, mapped[..., : shape.positions, :].shape)
            for tap in range(shape.kernel):
                sums = sums + layers.depthwise[tap] * mapped[..., self._under(tap), :]
            depthwise = _relu(sums)
        hidden = _relu(_sums(depthwise, layers.pointwise, layers.pointwise_bias))
        total = np.zeros((*windows.shape[:-1], shape.filters), np.float32)
        for t in range(shape.positions):
            total = total + hidden[..., t, :]
        v = np.concatenate((seen, total / np.float32(shape.positions)), axis=-1)
        return _Pass(v * scales.scale + scales.offset, mapped, depthwise, hidden)

    def _under(self, tap: int) -> slice:
        """Positions of the map that one tap of the depthwise convolution meets, (T',)."""
        stride = self.shape.stride
        return slice(tap, tap + (self.shape.positions - 1) * stride + 1, stride)

    def _classify(self, x: Array, parameters: Array, activities: int) -> Array:
        layers = _split(self.shape, parameters)
        return softmax(_sums(x, layers.dense[:activities], layers.dense_bias[:activities]))

    def _step_convolutions(
        self, layers: _Layers, gradient: Array, rate: np.float32, forward: _Pass
    ) -> None:
        """From what the dense layer, before its own step, hands back; gradient (A,)."""
        shape = self.shape
        back = np.zeros(shape.filters, np.float32)
        for k in range(self.activities):
            back = back + gradient[k] * layers.dense[k, shape.frozen :]
        back = rate * ((back * self.scales.scale[shape.frozen :]) / np.float32(shape.positions))
        step = np.where(forward.hidden > 0, back, _ZERO)  # (T', M)
        below = np.zeros((shape.positions, shape.channels), np.float32)
        if shape.kernel:
            for m in range(shape.filters):
                below = below + step[:, m, None] * layers.pointwise[m]
        _update(forward.depthwise, step, layers.pointwise, layers.pointwise_bias)
        if not shape.kernel:
            return
        w, bias = layers.depthwise, layers.depthwise_bias
        for t in range(shape.positions):
            active = forward.depthwise[t] > 0
            met = forward.map[t * shape.stride : t * shape.stride + shape.kernel]  # (J, C)
            w[:] = np.where(active, w - below[t] * met, w)
            bias[:] = np.where(active, bias - below[t], bias)


def _relu(values: Array) -> Array:
    return np.where(values > 0, values, _ZERO)


def _sums(x: Array, w: Array, bias: Array) -> Array:
    """x (..., N), w (M, N), bias (M,) -> bias[m] + sum over n, from n = 0 upwards, of w[m][n] *
    x[..., n]; (..., M). Two ways to the same bits: add.accumulate, which has to be sequential, is
    quick for few sums, a loop over n for many."""
    if x.size // x.shape[-1] * len(w) < _MANY:
        terms = np.empty((*x.shape[:-1], len(w), x.shape[-1] + 1), np.float32)
        terms[..., 0] = bias
        np.multiply(x[..., None, :], w, out=terms[..., 1:])
        return np.asarray(np.add.accumulate(terms, axis=-1)[..., -1])
    sums = np.empty((*x.shape[:-1], len(w)), np.float32)
    sums[...] = bias
    product = np.empty_like(sums)
    columns = np.ascontiguousarray(np.moveaxis(x, -1, 0))[..., None]
    for column, weights in zip(columns, np.ascontiguousarray(w.T), strict=True):
        np.multiply(column, weights, out=product)
        np.add(sums, product, out=sums)
    return sums


def _update(x: Array, step: Array, w: Array, bias: Array) -> None:
    """w[m] = w[m] - step[t][m] * x[t] and bias likewise, for t = 0, 1, ..., in place; x (T, N),
    step (T, M); rows of w beyond M stay."""
    used = step.shape[1]
    for row, steps in zip(x, step, strict=True):
        w[:used] -= steps[:, None] * row
        bias[:used] -= steps

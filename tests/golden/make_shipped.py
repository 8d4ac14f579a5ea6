"""Writes shipped.json beside itself: `.venv/bin/python -m tests.golden.make_shipped`.

The shipped default network from its weights file to a learned head, in figures that do not depend
on a processor. Training and the converter's batch norm folding do (vector units round sums and
square roots in their own way), so neither runs here: batch norm is folded in float64 with
operations that IEEE 754 rounds correctly, scales are taken from the batch norm itself instead of
from recordings, and inputs come from integer arithmetic. From the int8 weights on, everything is
integers, or float32 in a fixed order.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.compiler import compile_model, run_tflm
from pipeline.head import CutScales, Head, HeadShape, Learner, Learning, Replay
from pipeline.models.backbones import shape_of
from pipeline.models.dscnn import stage_names
from pipeline.training.pretrained import Pretrained, load_pretrained
from tests.support.tflite_builder import RELU, VALID, Model

HERE = Path(__file__).resolve().parent
NAME = "hapt/dscnn/official-0-seed0"
WEIGHTS = HERE.parents[1] / "data" / "pretrained" / f"{NAME}.npz"
WINDOWS = 30
SPARE_ROWS = 2
INPUT_SCALE = 0.05
LEARNING = Learning(0.02, 0.0, 0.999, 64, 4, 3, 2)
_C_ARRAY = re.compile(r"static const (u?int\d+_t) \w+\[\d+\] = \{([^}]*)\}")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


class Quantized:
    """The extractor at cut fc as an int8 .tflite. ``outputs``: (tensor, scale, size) per stage."""

    def __init__(self, pretrained: Pretrained) -> None:
        card, self._arrays = pretrained.card, pretrained.arrays
        shape = shape_of(card.backbone)
        self._model = Model()
        self._map = (card.window_samples, len(card.mean))  # (length, channels)
        self._scale, self._zero_point = INPUT_SCALE, 0
        source = self._at = self._tensor()
        self.outputs: list[tuple[int, float, int]] = []
        for stage, (_, stride) in zip(stage_names(shape), shape.stages, strict=True):
            if stage == "stem":
                self._convolution("stem", stride)
            else:
                self._convolution(f"{stage}_depthwise", stride)
                self._convolution(f"{stage}_pointwise", 1)
            self._pool()
        self.tflite = self._model.pack([source], [tensor for tensor, _, _ in self.outputs])

    def _tensor(self) -> int:
        length, channels = self._map
        return self._model.tensor((1, length, 1, channels), self._scale, self._zero_point)

    def _convolution(self, name: str, stride: int) -> None:
        depthwise = name.endswith("depthwise")
        kernel = self._arrays[f"{name}/{'depthwise_' if depthwise else ''}kernel"]
        norm = {
            part: self._arrays[f"{name}_norm/{part}"].astype(np.float64)
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        }
        gain = norm["gamma"] / np.sqrt(norm["moving_variance"] + 1e-3)
        # TFLite has (out, T, 1, in) for a convolution and (1, T, 1, C) for a depthwise one.
        folded = np.transpose(kernel.astype(np.float64), (3, 0, 1, 2))
        if depthwise:
            folded = folded * gain
            scales = np.abs(folded).max((0, 1, 2)) / 127
            weights = np.rint(folded / scales).astype(np.int8)
        else:
            folded = folded * gain[:, None, None, None]
            scales = np.abs(folded).max((1, 2, 3)) / 127
            weights = np.rint(folded / scales[:, None, None, None]).astype(np.int8)
        scales = scales.astype(np.float32).astype(np.float64)
        shift = norm["beta"] - norm["moving_mean"] * gain
        bias = np.rint(shift / (scales * self._scale)).astype(np.int32)
        model, before = self._model, self._at
        w = model.tensor(weights.shape, scales.tolist(), data=weights, axis=3 if depthwise else 0)
        b = model.tensor(bias.shape, (scales * self._scale).tolist(), kind="INT32", data=bias)
        # Behind batch norm a channel has mean beta and deviation gamma: four of these saturate.
        reach = float((norm["beta"] + 4 * np.abs(norm["gamma"])).max())
        self._scale, self._zero_point = float(np.float32(reach / 255)), -128
        length, taps = self._map[0], 1 if name.endswith("pointwise") else kernel.shape[0]
        self._map = ((length - taps) // stride + 1, len(scales))
        self._at = self._tensor()
        options = {"depthMultiplier": 1} if depthwise else {}
        model.operator(
            "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",
            [before, w, b],
            [self._at],
            "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions",
            3,
            padding=VALID,
            strideH=stride,
            strideW=1,
            dilationHFactor=1,
            dilationWFactor=1,
            fusedActivationFunction=RELU,
            **options,
        )

    def _pool(self) -> None:
        length, channels = self._map
        pooled = self._model.tensor((1, 1, 1, channels), self._scale, self._zero_point)
        self._model.operator(
            "AVERAGE_POOL_2D",
            [self._at],
            [pooled],
            "Pool2DOptions",
            2,
            padding=VALID,
            strideH=1,
            strideW=1,
            filterHeight=length,
            filterWidth=1,
        )
        self.outputs.append((pooled, self._scale, channels))


def windows(count: int, length: int, channels: int) -> np.ndarray:
    """int8 (count, 1, length, 1, channels): triangle waves of many periods and sizes."""
    window, time, channel = np.ogrid[:count, :length, :channels]
    period = 8 + 5 * (window % 7) + 2 * channel
    wave = np.abs((time + 3 * window) % period * 2 - period) * 2 - period
    values = wave * (1 + (window + channel) % 4) + 9 * channel - 20
    return np.clip(values, -128, 127).astype(np.int8)[:, None, :, None, :]


def emitted_arrays(source: str) -> list[dict[str, Any]]:
    """The const arrays of generated C, in order: C type, length, SHA-256 of the values as
    little-endian bytes."""
    found = []
    for kind, text in _C_ARRAY.findall(_COMMENT.sub("", source)):
        dtype = np.dtype(kind.removesuffix("_t")).newbyteorder("<")
        values = np.array([int(value) for value in text.split(",") if value.strip()], dtype)
        digest = hashlib.sha256(values.tobytes()).hexdigest()
        found.append({"type": kind, "length": len(values), "sha256": digest})
    return found


def learner(pretrained: Pretrained, outputs: list[tuple[int, float, int]]) -> Learner:
    """The shipped classifier on the features of ``outputs``, with rows to spare."""
    arrays = pretrained.arrays
    stages = stage_names(shape_of(pretrained.card.backbone))
    dense = np.concatenate([arrays[f"{stage}_logits/kernel"] for stage in stages]).T
    activities, features = dense.shape
    rows = activities + SPARE_ROWS
    weights = np.zeros((rows, features), np.float32)
    bias = np.zeros(rows, np.float32)
    weights[:activities], bias[:activities] = dense, arrays["stem_logits/bias"]
    scale = np.repeat(np.float32([scale for _, scale, _ in outputs]), [n for *_, n in outputs])
    head = Head(
        HeadShape(features, rows, features),
        CutScales(scale, scale * np.float32(128)),
        np.concatenate([weights.ravel(), bias]),
        activities,
    )
    nothing = np.zeros((0, features), np.int8)
    return Learner(head, Replay(features, 8, rows, nothing, np.zeros(0, np.uint8)), LEARNING)


def document() -> dict[str, Any]:
    pretrained = load_pretrained(WEIGHTS)
    network = Quantized(pretrained)
    compiled = compile_model(network.tflite)
    inputs = windows(WINDOWS, pretrained.card.window_samples, len(pretrained.card.mean))
    found = run_tflm(network.tflite, inputs[:, 0]).outputs
    features = np.concatenate([output.reshape(WINDOWS, -1) for output in found], axis=1)
    learned = learner(pretrained, network.outputs)
    learned.add()
    before = learned.predict(features)
    outcomes = [int(learned.label(row, i % 7)) for i, row in enumerate(features)]
    after = learned.head.predict(features)
    return {
        "generator": "tests/golden/make_shipped.py",
        "weights": f"data/pretrained/{NAME}.npz",
        "weights_sha256": pretrained.card.weights_sha256,
        "emitted_arrays": emitted_arrays(compiled.sources["har_net.c"]),
        "feature_crc32": [zlib.crc32(row.tobytes()) for row in features],
        "factory_probabilities_crc32": zlib.crc32(before.astype("<f4").tobytes()),
        "label_outcomes": outcomes,
        "learned_head_crc32": learned.head.crc(),
        "learned_probabilities_crc32": zlib.crc32(after.astype("<f4").tobytes()),
    }


def main(folder: Path) -> None:
    text = json.dumps(document(), indent=1) + "\n"
    (folder / "shipped.json").write_text(text, encoding="ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)

"""A sealed bundle of a small image network that nobody trained: seeded weights, made in a blink."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.bundle.bundle import EXTRACTOR, FILES, HEAD, Bundle, write_bundle
from pipeline.bundle.interface import (
    Interface,
    Normalization,
    Quantization,
    output_of,
)
from pipeline.compiler import compile_model, run_tflm
from pipeline.core.files import write_npz
from pipeline.models import ImageSize
from pipeline.training.inputs import SpectrogramInput, fit_input
from tests.support.synthetic import ACTIVITIES, synthetic_task
from tests.support.tflite_builder import RELU, RELU6, SAME, Net

FEATURES = 12
ROWS = 4


def image_extractor(pixels: int, planes: int) -> bytes:
    """An inverted residual block between a convolution and global pooling."""
    net = Net(planes, (1, pixels, pixels, planes), scale=0.02, trained_like=True)
    x = net.conv(net.input, 6, (3, 3), (2, 2), SAME, RELU6)
    y = net.conv(x, 16, activation=RELU6)
    y = net.depthwise(y, 1, (3, 3), (1, 1), SAME, RELU6)
    x = net.add(x, net.conv(y, 6))
    x = net.conv(x, FEATURES, (3, 3), (2, 2), SAME, RELU)
    pooled = net.pool(x, "AVERAGE", (x.shape[1], x.shape[2]))
    return net.build(net.reshape(pooled, (1, FEATURES)))


def write_image_bundle(
    directory: Path, pixels: int = 32, planes: int = 3, model: bytes | None = None
) -> Bundle:
    """For the synthetic task's activities: its people's levels and features are standardized, what
    only trained networks have is made up. ``model``: another extractor with one output."""
    directory.mkdir(parents=True)
    x = synthetic_task(people=4, seconds=6).windows.x
    seen = fit_input(ImageSize(pixels, planes), x)
    assert isinstance(seen, SpectrogramInput)
    model = model or image_extractor(pixels, planes)
    compiled = compile_model(model)
    source, features = compiled.inputs[0], compiled.outputs[0].size_bytes
    interface = Interface(
        normalization=Normalization(
            knee=list(seen.samples.knee), mean=list(seen.samples.mean), std=list(seen.samples.std)
        ),
        spectrogram=seen.card,
        input=Quantization(scale=source.scale, zero_point=source.zero_point),
        outputs=[output_of(info) for info in compiled.outputs],
    )
    windows = interface.run(model, x)
    mean, std = windows.mean(axis=0), np.maximum(windows.std(axis=0), 1.0)
    rng = np.random.default_rng(planes)
    for name in FILES:
        (directory / name).write_bytes(model if name == EXTRACTOR else b"none")
    parameters = rng.normal(0, 0.5, ROWS * (features + 1))
    known = (len(ACTIVITIES), features)
    arrays = {
        "parameters": parameters,
        "feature_scale": 1 / std,
        "feature_offset": -mean / std,
        "novelty_center": rng.normal(0, 1, known),
        "novelty_inverse_std": np.ones(known),
    }
    write_npz(
        directory / HEAD,
        {name: values.astype(np.float32) for name, values in arrays.items()}
        | {
            "exemplars": windows[: len(ACTIVITIES)],
            "exemplar_activities": np.arange(len(ACTIVITIES), dtype=np.uint8),
        },
    )
    one = np.zeros((1, *source.shape[1:]), np.int8)
    content = {
        "activities": list(ACTIVITIES),
        "placement": "",
        "rate_hz": 50.0,
        "window_samples": 128,
        "hop_samples": 64,
        "channels": ["ax", "ay", "az", "gx", "gy", "gz"],
        "units": ["g", "g", "g", "rad/s", "rad/s", "rad/s"],
        **interface.model_dump(mode="json"),
        "cut": "fc",
        "rows": ROWS,
        "features": features,
        "head": {
            "frozen": features,
            "map_length": 0,
            "channels": 0,
            "filters": 0,
            "kernel": 0,
            "stride": 1,
        },
        "learning": {
            "rate": 0.05,
            "rate_convolution": 0.0,
            "keep": 0.995,
            "steps": 8,
            "replay_every": 4,
            "hold_every": 6,
            "evidence": 0,
        },
        "replay": {"capacity": 6, "exemplars": len(ACTIVITIES)},
        "calibration": {
            "temperature": 1.0,
            "expected_calibration_error": 0.1,
            "expected_calibration_error_before": 0.1,
            "validation_windows": 1,
        },
        "unknown": {
            "limit": 2.0,
            "widen": 1.25,
            "false_reject_target": 0.03,
            "false_reject": 0.0,
        },
        "smoother": {"change": 0.01, "change_moving": 0.5},
        "tflm_arena_bytes": run_tflm(model, one).arena_bytes,
        "macs": compiled.macs,
        "parameters": 1000,
        "metrics": {
            "test_windows": 1,
            "float_accuracy": 0.5,
            "int8_accuracy": 0.5,
            "int8_macro_f1": 0.5,
            "worst_subject": "nobody",
            "worst_subject_accuracy": 0.5,
            "subject_accuracy": {"nobody": 0.5},
        },
        "provenance": {
            "dataset": "synthetic",
            "split": "synthetic",
            "seed": 0,
            "train_subjects": [],
            "validation_subjects": [],
            "test_subjects": [],
            "train_windows": 1,
            "backbone": f"smallcnn@{pixels}",
            "pretrained_sha256": "0" * 64,
            "tensorflow": "none",
        },
    }
    return write_bundle(directory, content)

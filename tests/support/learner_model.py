"""har_model.[ch] of a made-up head, as far as the learner reads them: for programs of the learner
without a network in front."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.compiler import c_float
from pipeline.core.types import Array


@dataclass(frozen=True)
class MadeUpHead:
    """K activities in R rows; F0 frozen features and, unless ``length`` is 0, a map (length,
    channels) under ``filters``. ``kernel`` 0: no depthwise convolution."""

    shipped: int = 3
    rows: int = 5
    frozen: int = 12
    length: int = 0
    channels: int = 0
    filters: int = 0
    kernel: int = 0
    capacity: int = 9
    exemplars: int = 6
    rate: float = 0.05
    rate_convolution: float = 0.01
    keep: float = 0.99
    steps: int = 8
    replay_every: int = 4
    hold_every: int = 0
    evidence: int = 1
    seed: int = 0

    @property
    def features(self) -> int:
        return self.frozen + self.filters

    @property
    def window_bytes(self) -> int:
        return self.frozen + self.length * self.channels

    @property
    def parameters(self) -> Array:
        """Seeded; the dense layer favours feature k for activity k."""
        rng = np.random.default_rng(self.seed)
        depthwise = (self.kernel + 1) * self.channels if self.kernel else 0
        pointwise = (self.channels + 1) * self.filters
        dense = np.zeros((self.rows, self.features))
        dense[: self.shipped] = rng.normal(0, 0.05, (self.shipped, self.features))
        dense[np.arange(self.shipped), np.arange(self.shipped)] += 2.0
        convolutions = rng.normal(0, 0.2, depthwise + pointwise)
        values = [convolutions, dense.ravel(), np.zeros(self.rows)]
        return np.asarray(np.concatenate(values), np.float32)

    @property
    def scale(self) -> Array:
        return np.full(self.features, 1 / 32, np.float32)

    @property
    def offset(self) -> Array:
        return np.zeros(self.features, np.float32)

    @property
    def map_scale(self) -> float:
        return float(np.float32(1 / 64))

    @property
    def shipped_windows(self) -> tuple[Array, Array]:
        """Exemplars int8 (E, B), round robin over the activities, and their activities."""
        labels = np.arange(self.exemplars) % self.shipped
        return self.windows(labels, seed=99), labels.astype(np.uint8)

    def windows(self, labels: Array, seed: int, noise: float = 12.0) -> Array:
        """int8 (N, B) of activities (N,): feature k is large for activity k."""
        rng = np.random.default_rng(seed)
        x = rng.normal(0, noise, (len(labels), self.window_bytes))
        x[np.arange(len(labels)), labels] += 64
        return np.asarray(np.clip(np.round(x), -128, 127), np.int8)

    def write(self, folder: Path) -> Path:
        """har_model.h and har_model.c in ``folder``, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        windows, labels = self.shipped_windows
        defines = {
            "HAR_ACTIVITIES": self.shipped,
            "HAR_ROWS": self.rows,
            "HAR_FEATURES": self.features,
            "HAR_RATE_HZ": "50.0f",
            "HAR_CUT_BYTES": self.window_bytes,
            "HAR_HEAD_FROZEN": self.frozen,
            "HAR_HEAD_MAP_LENGTH": self.length,
            "HAR_HEAD_CHANNELS": self.channels,
            "HAR_HEAD_FILTERS": self.filters,
            "HAR_HEAD_KERNEL": self.kernel,
            "HAR_HEAD_STRIDE": 1,
            "HAR_REPLAY_CAPACITY": self.capacity,
        }
        shape = (
            *(self.features, self.rows, self.frozen, self.length),
            *(self.channels, self.filters, self.kernel, 1),
        )
        rates = f"{{{c_float(self.rate)}, {c_float(self.rate_convolution)}}}"
        learning = (
            *(rates, c_float(self.keep), self.steps, self.replay_every),
            *(self.hold_every, self.evidence),
        )
        fields = {
            "id": "{1, 2, 3, 4, 5, 6, 7, 8}",
            "shape": f"{{{', '.join(map(str, shape))}}}",
            "activities": self.shipped,
            "parameters": "har_factory_parameters",
            "scale": "har_feature_scale",
            "offset": "har_feature_offset",
            "map_scale": c_float(self.map_scale),
            "map_zero_point": -128,
            "learning": f"{{{', '.join(map(str, learning))}}}",
            "capacity": self.capacity,
            "exemplars": self.exemplars,
            "exemplar_windows": "har_exemplars",
            "exemplar_activities": "har_exemplar_activities",
        }
        arrays = {
            "float har_factory_parameters": map(c_float, self.parameters.tolist()),
            "float har_feature_scale": map(c_float, self.scale.tolist()),
            "float har_feature_offset": map(c_float, self.offset.tolist()),
            "int8_t har_exemplars": map(str, windows.ravel().tolist()),
            "uint8_t har_exemplar_activities": map(str, labels.tolist()),
        }
        header = ['#include "lib/head/har_learner.h"']
        header += [f"#define {name} {value}" for name, value in defines.items()]
        header += [f"extern const {name}[];" for name in arrays]
        header += ["extern const struct har_head_model har_head_model;"]
        source = ['#include "har_model.h"', *(_array(*item) for item in arrays.items())]
        values = ", ".join(f".{name} = {value}" for name, value in fields.items())
        source += [f"const struct har_head_model har_head_model = {{{values}}};"]
        (folder / "har_model.h").write_text("\n".join(header) + "\n")
        (folder / "har_model.c").write_text("\n".join(source) + "\n")
        return folder


def _array(name: str, values: Iterable[str]) -> str:
    return f"const {name}[] = {{{', '.join(values)}}};"

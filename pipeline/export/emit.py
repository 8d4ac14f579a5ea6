"""C for the firmware from a bundle: model header, tail, TFLite array, compiled engine.

The result depends on the bundle alone; writing is aside-then-rename per file, and files that are
already right are left untouched, so that a build after an equal `emit` compiles nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import InputError
from pipeline.export.bundle import EXTRACTOR, Bundle, load_bundle

_ARENA_MARGIN_BYTES = 1024  # the figure comes from a 64-bit host, whose structures differ a little


def emit(directory: Path, output: Path) -> list[Path]:
    """Writes every generated file for the bundle in ``directory`` into ``output``.

    Returns the paths. Raises InputError for a damaged bundle, HonestNo when the extractor uses
    what the engine cannot compile.
    """
    from pipeline.compiler import compile_model

    bundle = load_bundle(directory)
    model = (directory / EXTRACTOR).read_bytes()
    compiled = compile_model(model)
    if tuple(compiled.outputs[0].shape) != (1, bundle.features):
        raise InputError(f"{directory / EXTRACTOR}: output is not (1, {bundle.features})")
    weights, bias = bundle.tail(directory)
    files = {
        "har_model.h": _model_header(bundle, compiled.operators),
        "har_model.c": _model_source(bundle, weights, bias),
        "har_extractor_tflite.h": _TFLITE_HEADER,
        "har_extractor_tflite.c": _tflite_source(model),
        **compiled.sources,
    }
    output.mkdir(parents=True, exist_ok=True)
    return [_write_if_changed(output / name, text) for name, text in sorted(files.items())]


def _write_if_changed(path: Path, text: str) -> Path:
    if path.exists() and path.read_text() == text:
        return path
    aside = path.with_name(path.name + ".part")
    aside.write_text(text)
    aside.replace(path)
    return path


def c_float(value: float) -> str:
    """A C literal that reads back as the same float32."""
    text = f"{np.float32(value):.9g}"
    if not any(mark in text for mark in ".en"):
        text += ".0"
    return text + "f"


def _c_string(text: str) -> str:
    """A C string literal; bytes outside printable ASCII as octal, which cannot swallow the
    character behind them as \\x does."""
    return (
        '"'
        + "".join(
            chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
            for byte in text.encode()
        )
        + '"'
    )


def _rows(values: list[str], per_line: int) -> str:
    lines = (values[i : i + per_line] for i in range(0, len(values), per_line))
    return "\n".join("    " + ", ".join(line) + "," for line in lines)


def _float_array(declaration: str, values: np.ndarray[Any, Any]) -> str:
    return f"{declaration} = {{\n{_rows([c_float(v) for v in values.ravel()], 6)}\n}};\n"


# TFLM's MicroMutableOpResolver has one Add method per operator, named in its own way.
_TFLM_NAMES = {
    "ADD": "Add",
    "AVERAGE_POOL_2D": "AveragePool2D",
    "CONCATENATION": "Concatenation",
    "CONV_2D": "Conv2D",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2D",
    "FULLY_CONNECTED": "FullyConnected",
    "MAX_POOL_2D": "MaxPool2D",
    "MEAN": "Mean",
    "PAD": "Pad",
    "PADV2": "PadV2",
    "QUANTIZE": "Quantize",
    "RELU": "Relu",
    "RELU6": "Relu6",
    "RESHAPE": "Reshape",
    "SOFTMAX": "Softmax",
}


def _model_header(bundle: Bundle, operators: tuple[str, ...]) -> str:
    model_id = ", ".join(f"0x{byte:02x}" for byte in bytes.fromhex(bundle.model_id))
    names = [_TFLM_NAMES[name] for name in sorted(set(operators))]
    arena = (bundle.tflm_arena_bytes + _ARENA_MARGIN_BYTES + 15) // 16 * 16
    return f"""\
/* Written by `har emit` from bundle {bundle.model_id}. Do not edit. */
#ifndef HAR_MODEL_H
#define HAR_MODEL_H

#ifdef __cplusplus
extern "C" {{
#endif

#define HAR_MODEL_ID_INIT \\
    {{ {model_id} }}
#define HAR_RATE_HZ {c_float(bundle.rate_hz)}
#define HAR_WINDOW_LENGTH {bundle.window_samples} /* T, samples */
#define HAR_WINDOW_HOP {bundle.hop_samples} /* samples between predictions */
#define HAR_CHANNELS {len(bundle.channels)} /* C: {" ".join(bundle.channels)} */
#define HAR_FEATURES {bundle.features} /* F, int8 activations at cut {bundle.cut} */
#define HAR_ACTIVITIES {len(bundle.activities)} /* K */

/* real = (q - zero point) * scale */
#define HAR_INPUT_SCALE {c_float(bundle.input.scale)}
#define HAR_INPUT_ZERO_POINT ({bundle.input.zero_point})
#define HAR_FEATURE_SCALE {c_float(bundle.feature.scale)}
#define HAR_FEATURE_ZERO_POINT ({bundle.feature.zero_point})

#define HAR_LEARNING_RATE {c_float(bundle.learning.rate)}
#define HAR_LEARNING_ANCHOR {c_float(bundle.learning.anchor)}
#define HAR_LEARNING_STEPS {bundle.learning.steps}

/* For the tflm engine: its arena, and the operators to register. */
#define HAR_TFLM_ARENA_BYTES {arena}
#define HAR_TFLM_OPERATOR_COUNT {len(names)}
#define HAR_TFLM_OPERATORS(X) {" ".join(f"X({name})" for name in names)}

extern const char *const har_activity_names[HAR_ACTIVITIES];
extern const float har_norm_mean[HAR_CHANNELS];                     /* (C,) g, rad/s */
extern const float har_norm_gain[HAR_CHANNELS];                     /* (C,) steps per g, rad/s */
extern const float har_factory_weights[HAR_ACTIVITIES * HAR_FEATURES]; /* (K, F) */
extern const float har_factory_bias[HAR_ACTIVITIES];                /* (K,) */

#ifdef __cplusplus
}}
#endif
#endif
"""


def _model_source(bundle: Bundle, weights: np.ndarray[Any, Any], bias: np.ndarray[Any, Any]) -> str:
    names = _rows([_c_string(name) for name in bundle.activities], 4)
    return f"""\
/* Written by `har emit` from bundle {bundle.model_id}. Do not edit. */
#include "har_model.h"

const char *const har_activity_names[HAR_ACTIVITIES] = {{
{names}
}};

{_float_array("const float har_norm_mean[HAR_CHANNELS]", bundle.norm_mean)}
{_float_array("const float har_norm_gain[HAR_CHANNELS]", bundle.norm_gain)}
/* (K, F) */
{_float_array("const float har_factory_weights[HAR_ACTIVITIES * HAR_FEATURES]", weights)}
{_float_array("const float har_factory_bias[HAR_ACTIVITIES]", bias)}"""


_TFLITE_HEADER = """\
/* The extractor as TFLite-Micro wants it. Written by `har emit`. Do not edit. */
#ifndef HAR_EXTRACTOR_TFLITE_H
#define HAR_EXTRACTOR_TFLITE_H

#ifdef __cplusplus
extern "C" {
#endif

extern const unsigned char har_extractor_tflite[]; /* 16-byte aligned */
extern const unsigned int har_extractor_tflite_len; /* bytes */

#ifdef __cplusplus
}
#endif
#endif
"""


def _tflite_source(model: bytes) -> str:
    return f"""\
/* The extractor as TFLite-Micro wants it. Written by `har emit`. Do not edit. */
#include "har_extractor_tflite.h"

_Alignas(16) const unsigned char har_extractor_tflite[] = {{
{_rows([f"0x{byte:02x}" for byte in model], 16)}
}};
const unsigned int har_extractor_tflite_len = {len(model)};
"""

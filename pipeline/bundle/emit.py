"""C for the firmware from a bundle: model header, head, TFLite array, compiled engine.

The result depends on the bundle alone. Every file carries the model id, and the compiler refuses
files of two models. Where something changes, har_model.h is removed first and written last: what an
interrupted `emit` leaves does not build. Files that are already right are left untouched, so that a
build after an equal `emit` compiles nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline import __version__
from pipeline.bundle.bundle import EXTRACTOR, Bundle
from pipeline.bundle.interface import output_of
from pipeline.compiler import OPERATORS, c_float, for_tflm
from pipeline.core.errors import CheckFailed, InputError
from pipeline.core.files import locked, write_whole
from pipeline.core.types import Array
from pipeline.head.records import PAGE_BYTES

_ARENA_MARGIN_BYTES = 1024  # the figure comes from a 64-bit host, whose structures differ a little


def emit(bundle: Bundle, output: Path) -> list[Path]:
    """Write every generated file for ``bundle`` into ``output`` and return the paths.

    Raises InputError for a damaged bundle, CheckFailed when the extractor uses what the engine
    cannot compile.
    """
    compiled = bundle.compiled
    outputs = [output_of(info) for info in compiled.outputs]
    if outputs != bundle.outputs or any(info.is_float for info in compiled.outputs):
        raise InputError(
            f"{bundle.directory / EXTRACTOR}: its outputs are not those of bundle.json"
        )
    if [info.model_bytes for info in compiled.inputs] != [bundle.engine_input_bytes]:
        raise InputError(f"{bundle.directory / EXTRACTOR}: its input is not that of bundle.json")
    if compiled.has_state:
        raise CheckFailed(
            f"{bundle.directory / EXTRACTOR}: an LSTM or SVDF, whose state one window would leave "
            "to the next; a board's extractor answers for each window alone"
        )
    sources = {
        "har_model.c": _model_source(bundle),
        "har_extractor_tflite.h": _STREAMING_HEADER if bundle.streams else _TFLITE_HEADER,
        "har_extractor_tflite.c": _tflite_source(for_tflm(bundle.extractor)),
        **bundle.engine.sources,
    }
    files = {name: _of_model(bundle.model_id, name, text) for name, text in sources.items()}
    files["har_model.h"] = _model_header(bundle, compiled.operators)
    with locked(output / "emit"):
        changed = [name for name, text in files.items() if not _holds(output / name, text)]
        if changed:
            (output / "har_model.h").unlink(missing_ok=True)
        for name in sorted({*changed, "har_model.h"} if changed else (), key="har_model.h".__eq__):
            write_whole(output / name, files[name])
    return [output / name for name in sorted(files)]


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _of_model(model_id: str, name: str, text: str) -> str:
    """A header that says which model it is of, or a source that is compiled with such a header
    only."""
    stem, kind = name.split(".")
    macro = f"{stem.upper()}_ID"
    if kind == "h":
        return f"#define {macro} 0x{model_id}ull\n{text}"
    return (
        f"{text}\n#if {macro} != 0x{model_id}ull\n"
        f'#error "{name} and {stem}.h are of two models: run `har emit` again"\n#endif\n'
    )


def _c_string(text: str) -> str:
    """A C string literal; bytes outside printable ASCII as octal, which cannot swallow the
    character after them as \\x does."""
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


def _array(declaration: str, values: list[int]) -> str:
    return f"{declaration} = {{\n{_rows([str(v) for v in values], 16)}\n}};\n"


def _float_array(declaration: str, values: Array) -> str:
    return f"{declaration} = {{\n{_rows([c_float(v) for v in values.ravel()], 6)}\n}};\n"


def _model_header(bundle: Bundle, operators: tuple[str, ...]) -> str:
    names = [OPERATORS[name].tflm for name in sorted(set(operators))]
    arena = (bundle.tflm_arena_bytes + _ARENA_MARGIN_BYTES + 15) // 16 * 16
    head = bundle.head
    spectrogram = bundle.spectrogram
    pixels, planes = (spectrogram.pixels, spectrogram.planes) if spectrogram else (0, 0)
    taken = bundle.answer_samples or bundle.window_samples
    runs = -(-bundle.window_samples // taken)
    parameters, pages = bundle.shape.parameters, bundle.learning_memory.store_pages
    return f"""\
/* Written by `har emit` from bundle {bundle.model_id}. Do not edit. */
#ifndef HAR_MODEL_H
#define HAR_MODEL_H

#include <stdint.h>

#include "lib/head/har_learner.h"

#ifdef __cplusplus
extern "C" {{
#endif

#define HAR_MODEL_ID 0x{bundle.model_id}ull
#define HAR_RATE_HZ {c_float(bundle.rate_hz)}
#define HAR_WINDOW_LENGTH {bundle.window_samples} /* T, samples */
#define HAR_WINDOW_HOP {bundle.answer_every} /* samples between predictions */
#define HAR_RECENT_EVERY {bundle.hop_samples // bundle.answer_every}u /* answers: half a window */
#define HAR_ENGINE_SAMPLES {taken}u /* that a run of the engine takes */
#define HAR_ENGINE_RUNS {runs}u /* without a gap, until its answer holds */
#define HAR_CHANNELS {len(bundle.channels)} /* C: {" ".join(bundle.channels)} */
#define HAR_SAMPLE_ZERO_POINT ({bundle.samples.zero_point}) /* of the window's int8 samples */
#define HAR_SPECTROGRAM_PIXELS {pixels} /* S; 0: the engine reads the window itself */
#define HAR_SPECTROGRAM_PLANES {planes}
#define HAR_ENGINE_INPUT_BYTES {bundle.engine.inputs[0].size_bytes}
#define HAR_OUTPUTS {len(bundle.outputs)} /* of the extractor, int8 */
#define HAR_CUT_BYTES {bundle.cut_bytes} /* B, of all outputs: a window at the cut {bundle.cut} */
#define HAR_ACTIVITIES {len(bundle.activities)} /* K, shipped */
#define HAR_ROWS {bundle.rows} /* R, activities that there is room for */
#define HAR_FEATURES {bundle.features} /* F, what the dense layer sees */

/* The engine's input: real = (q - zero point) * scale */
#define HAR_INPUT_SCALE {c_float(bundle.input.scale)}
#define HAR_INPUT_ZERO_POINT ({bundle.input.zero_point})

/* The head (har_head.h); 0, and stride 1, where the cut has none. */
#define HAR_HEAD_FROZEN {head.frozen} /* F0 */
#define HAR_HEAD_MAP_LENGTH {head.map_length} /* T */
#define HAR_HEAD_CHANNELS {head.channels} /* C, of the map */
#define HAR_HEAD_FILTERS {head.filters} /* M */
#define HAR_HEAD_KERNEL {head.kernel} /* J */
#define HAR_HEAD_STRIDE {head.stride}

#define HAR_REPLAY_CAPACITY {bundle.replay.capacity} /* N, labelled windows that are kept */
#define HAR_STORE_PAGES {pages} /* of {PAGE_BYTES} bytes, for learned heads */

#define HAR_NOVELTY_FEATURES {bundle.outputs[0].size} /* N, of the first output */
#define HAR_NOVELTY_LIMIT {c_float(bundle.unknown.limit)} /* farther is unknown */
#define HAR_NOVELTY_WIDEN {c_float(bundle.unknown.widen)} /* reach of a label */
#define HAR_SMOOTHER_CHANGE {c_float(bundle.smoother.change)}
#define HAR_SMOOTHER_CHANGE_MOVING {c_float(bundle.smoother.change_moving)}
#define HAR_SMOOTHER_ROOTS {bundle.smoother_roots} /* windows that follow closely count less */

#define HAR_FIRMWARE_VERSION "{__version__}" /* of the har that wrote this */

/* For the tflm engine: its arena, and the operators to register. */
#define HAR_TFLM_ARENA_BYTES {arena}
#define HAR_TFLM_OPERATOR_COUNT {len(names)}
#define HAR_TFLM_OPERATORS(X) {" ".join(f"X({name})" for name in names)}

extern const uint16_t har_output_sizes[HAR_OUTPUTS]; /* their sum is B */

extern const char *const har_activity_names[HAR_ACTIVITIES];
extern const float har_norm_knee[HAR_CHANNELS]; /* (C,) g, rad/s; 0: linear */
extern const float har_norm_mean[HAR_CHANNELS]; /* (C,) companded */
extern const float har_norm_gain[HAR_CHANNELS]; /* (C,) steps per companded */
extern const float har_level_mean[]; /* (planes, 32) of the spectrogram */
extern const float har_level_gain[]; /* (planes, 32) steps per level */
extern const struct har_head_model har_head_model;
extern const float har_factory_parameters[{parameters}]; /* (P,), as har_head.h has them */
extern const float har_feature_scale[HAR_FEATURES];
extern const float har_feature_offset[HAR_FEATURES];
extern const int8_t har_exemplars[]; /* (E, B) */
extern const uint8_t har_exemplar_activities[]; /* (E,) */
extern const float har_novelty_center[HAR_ACTIVITIES * HAR_NOVELTY_FEATURES];      /* (K, N) */
extern const float har_novelty_inverse_std[HAR_ACTIVITIES * HAR_NOVELTY_FEATURES]; /* (K, N) */

#ifdef __cplusplus
}}
#endif
#endif
"""


def _model_source(bundle: Bundle) -> str:
    learning = bundle.learning
    near = "HAR_ACTIVITIES * HAR_NOVELTY_FEATURES"
    names = _rows([_c_string(name) for name in bundle.activities], 4)
    sizes = [output.size for output in bundle.outputs]
    parameters = bundle.new_head().anchor
    scales, novelty = bundle.scales(), bundle.novelty()
    # C has no empty arrays.
    level_mean, level_gain = (
        values if len(values) else np.zeros(1, np.float32)
        for values in (bundle.level_mean, bundle.level_gain)
    )
    exemplars, of = (values.ravel().tolist() or [0] for values in bundle.exemplars())
    return f"""\
/* Written by `har emit` from bundle {bundle.model_id}. Do not edit. */
#include "har_model.h"

{_array("const uint16_t har_output_sizes[HAR_OUTPUTS]", sizes)}
const char *const har_activity_names[HAR_ACTIVITIES] = {{
{names}
}};

{_float_array("const float har_norm_knee[HAR_CHANNELS]", bundle.norm_knee)}
{_float_array("const float har_norm_mean[HAR_CHANNELS]", bundle.norm_mean)}
{_float_array("const float har_norm_gain[HAR_CHANNELS]", bundle.norm_gain)}
{_float_array("const float har_level_mean[]", level_mean)}
{_float_array("const float har_level_gain[]", level_gain)}
{_float_array(f"const float har_factory_parameters[{parameters.size}]", parameters)}
{_float_array("const float har_feature_scale[HAR_FEATURES]", scales.scale)}
{_float_array("const float har_feature_offset[HAR_FEATURES]", scales.offset)}
{_array("const int8_t har_exemplars[]", exemplars)}
{_array("const uint8_t har_exemplar_activities[]", of)}
{_float_array(f"const float har_novelty_center[{near}]", novelty.center)}
{_float_array(f"const float har_novelty_inverse_std[{near}]", novelty.inverse_std)}
const struct har_head_model har_head_model = {{
    .id = {{{", ".join(f"0x{byte:02x}" for byte in bytes.fromhex(bundle.model_id))}}},
    .shape = {{HAR_FEATURES, HAR_ROWS, HAR_HEAD_FROZEN, HAR_HEAD_MAP_LENGTH,
              HAR_HEAD_CHANNELS, HAR_HEAD_FILTERS, HAR_HEAD_KERNEL, HAR_HEAD_STRIDE}},
    .activities = HAR_ACTIVITIES,
    .parameters = har_factory_parameters,
    .scale = har_feature_scale,
    .offset = har_feature_offset,
    .map_scale = {c_float(bundle.map_scale)},
    .map_zero_point = {bundle.map_zero_point},
    .learning = {{.step = {{{c_float(learning.rate)}, {c_float(learning.rate_convolution)}}},
                 .keep = {c_float(learning.keep)},
                 .steps = {learning.steps},
                 .replay_every = {learning.replay_every},
                 .hold_every = {learning.hold_every},
                 .evidence = {learning.evidence}}},
    .capacity = HAR_REPLAY_CAPACITY,
    .exemplars = {bundle.replay.exemplars},
    .exemplar_windows = har_exemplars,
    .exemplar_activities = har_exemplar_activities,
}};
"""


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


_STREAMING_HEADER = """\
/* Written by `har emit`. Do not edit. */
#error "this bundle answers more often than every half window: build the compiled engine \
(har flash --engine compiled), which streams"
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

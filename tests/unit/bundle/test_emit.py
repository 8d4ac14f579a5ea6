import re
import subprocess
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline import __version__
from pipeline.bundle import emit, load_bundle
from pipeline.bundle.emit import _c_string, c_float

FIRMWARE = Path(__file__).parents[3] / "firmware"


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_c_float_reads_back_as_the_same_float32(value: float) -> None:
    literal = c_float(value)
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?f", literal), literal
    assert np.float32(literal[:-1]).tobytes() == np.float32(value).tobytes()


def test_c_float_literals_always_read_as_floating_point() -> None:
    assert c_float(1.0) == "1.0f"
    assert c_float(2.0**100) == "1.2676506e+30f"


@given(st.text(min_size=1, max_size=20))
def test_c_strings_keep_every_byte(text: str) -> None:
    literal = _c_string(text)
    assert literal.isascii()
    decoded = re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), literal[1:-1].encode())
    assert decoded == text.encode()


def test_generated_c_compiles_as_c11_and_names_the_model(
    cut_directory: Path, tmp_path: Path
) -> None:
    emit(load_bundle(cut_directory), tmp_path)
    bundle = load_bundle(cut_directory)
    header = (tmp_path / "har_model.h").read_text()
    assert f"0x{bundle.model_id[:2]}" in header
    for source in tmp_path.glob("*.c"):
        subprocess.run(
            [
                *("gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-c", str(source)),
                *(f"-I{FIRMWARE}", f"-I{tmp_path}", "-o", str(tmp_path / "out.o")),
            ],
            check=True,
        )


def test_the_firmware_has_the_version_of_the_package_and_no_other(
    bundle_directory: Path, tmp_path: Path
) -> None:
    emit(load_bundle(bundle_directory), tmp_path)
    defined = f'#define HAR_FIRMWARE_VERSION "{__version__}"'
    assert defined in (tmp_path / "har_model.h").read_text()
    sources = [path for path in FIRMWARE.rglob("*.[ch]") if "generated" not in path.parts]
    assert not any("#define HAR_FIRMWARE_VERSION" in path.read_text() for path in sources)


def test_emitting_again_touches_nothing(bundle_directory: Path, tmp_path: Path) -> None:
    first = {
        path: path.stat().st_mtime_ns for path in emit(load_bundle(bundle_directory), tmp_path)
    }
    second = {
        path: path.stat().st_mtime_ns for path in emit(load_bundle(bundle_directory), tmp_path)
    }
    assert first == second and len(first) >= 6


def test_the_c_array_is_the_extractor(bundle_directory: Path, tmp_path: Path) -> None:
    emit(load_bundle(bundle_directory), tmp_path)
    text = (tmp_path / "har_extractor_tflite.c").read_text()
    emitted = bytes(int(byte, 16) for byte in re.findall(r"0x([0-9a-f]{2})\b", text))
    assert emitted == (bundle_directory / "extractor.int8.tflite").read_bytes()
    assert f"har_extractor_tflite_len = {len(emitted)};" in text


def test_the_header_s_sizes_are_those_of_the_firmware(cut_directory: Path, tmp_path: Path) -> None:
    """Every array is as large as what har_head.h and har_replay.h read of it, and the constants are
    the bundle's."""
    emit(load_bundle(cut_directory), tmp_path)
    (tmp_path / "sizes.c").write_text(
        """\
#include <stdio.h>

#include "har_model.c"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define POSITIONS HAR_HEAD_POSITIONS(HAR_HEAD_MAP_LENGTH, HAR_HEAD_KERNEL, HAR_HEAD_STRIDE)
_Static_assert(COUNT(har_factory_parameters) ==
                   HAR_HEAD_PARAMETERS(HAR_ROWS, HAR_FEATURES, HAR_HEAD_CHANNELS, HAR_HEAD_FILTERS,
                                       HAR_HEAD_KERNEL), "parameters");
_Static_assert(HAR_HEAD_FROZEN + HAR_HEAD_FILTERS == HAR_FEATURES, "features");
_Static_assert(HAR_HEAD_FROZEN + HAR_HEAD_MAP_LENGTH * HAR_HEAD_CHANNELS == HAR_CUT_BYTES, "cut");
_Static_assert(COUNT(har_exemplars) == COUNT(har_exemplar_activities) * HAR_CUT_BYTES, "windows");
_Static_assert(HAR_ACTIVITIES < HAR_ROWS && HAR_STORE_PAGES >= 16, "room");
int positions[POSITIONS + 1];

int main(void) {
    const struct har_head_model *m = &har_head_model;
    const struct har_learning *l = &m->learning;
    printf("%u %u %u\\n", har_head_parameters(&m->shape), har_head_window_bytes(&m->shape),
           (unsigned)(COUNT(har_exemplar_activities) - m->exemplars));
    printf("%.9g %.9g %.9g %.9g %d\\n", l->step.rate, l->step.rate_convolution, l->keep,
           m->map_scale, m->map_zero_point);
    printf("%u %u %u %u %u\\n", l->steps, l->replay_every, l->hold_every, l->evidence, m->capacity);
    return 0;
}
"""
    )
    head = FIRMWARE / "lib" / "head"
    sources = ["sizes.c", head / "har_head.c", head / "har_head_kernels.c", head / "har_math.c"]
    sources.append(FIRMWARE / "lib" / "base" / "har_crc32.c")
    build = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{FIRMWARE}", *map(str, sources)]
    subprocess.run([*build, "-lm", "-o", "sizes"], cwd=tmp_path, check=True)
    printed = subprocess.run(["./sizes"], cwd=tmp_path, capture_output=True, check=True).stdout
    sizes, floats, numbers = (list(map(float, line.split())) for line in printed.splitlines())
    bundle = load_bundle(cut_directory)
    learning = bundle.learning
    assert sizes == [bundle.shape.parameters, bundle.cut_bytes, 0]
    expected = (learning.rate, learning.rate_convolution, learning.keep, bundle.map_scale)
    assert np.float32(floats).tolist() == np.float32([*expected, bundle.map_zero_point]).tolist()
    assert numbers == [
        *(learning.steps, learning.replay_every, learning.hold_every, learning.evidence),
        bundle.replay.capacity,
    ]


def test_the_c_arrays_are_the_head_s(cut_directory: Path, tmp_path: Path) -> None:
    emit(load_bundle(cut_directory), tmp_path)
    text = (tmp_path / "har_model.c").read_text()

    def array(name: str) -> list[str]:
        return re.search(rf" har_{name}\[.*?\] = {{(.*?)}};", text, re.DOTALL)[1].split(",")[:-1]

    bundle = load_bundle(cut_directory)
    head, (exemplars, of) = bundle.new_head(), bundle.exemplars()
    for name, expected in (
        ("factory_parameters", head.anchor),
        ("feature_scale", head.scales.scale),
        ("feature_offset", head.scales.offset),
    ):
        emitted = np.float32([literal.strip()[:-1] for literal in array(name)])
        assert emitted.tobytes() == expected.tobytes(), name
    assert [int(number) for number in array("exemplars")] == exemplars.ravel().tolist()
    assert [int(number) for number in array("exemplar_activities")] == of.tolist()
    sizes = [output.size for output in bundle.outputs]
    assert [int(number) for number in array("output_sizes")] == sizes

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.export import emit, load_bundle
from pipeline.export.emit import _c_string, c_float


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
    bundle_directory: Path, tmp_path: Path
) -> None:
    emit(bundle_directory, tmp_path)
    bundle = load_bundle(bundle_directory)
    header = (tmp_path / "har_model.h").read_text()
    assert f"0x{bundle.model_id[:2]}" in header
    root = Path(__file__).parents[3]
    for source in tmp_path.glob("*.c"):
        subprocess.run(
            ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-c", str(source)]
            + [f"-I{root / 'firmware' / 'lib' / lib}" for lib in ("nn", "base", "engine")]
            + [f"-I{tmp_path}", "-o", str(tmp_path / "out.o")],
            check=True,
        )


def test_emitting_again_touches_nothing(bundle_directory: Path, tmp_path: Path) -> None:
    first = {path: path.stat().st_mtime_ns for path in emit(bundle_directory, tmp_path)}
    second = {path: path.stat().st_mtime_ns for path in emit(bundle_directory, tmp_path)}
    assert first == second and len(first) >= 6


def test_the_c_array_is_the_extractor(bundle_directory: Path, tmp_path: Path) -> None:
    emit(bundle_directory, tmp_path)
    text = (tmp_path / "har_extractor_tflite.c").read_text()
    emitted = bytes(int(byte, 16) for byte in re.findall(r"0x([0-9a-f]{2})", text))
    assert emitted == (bundle_directory / "extractor.int8.tflite").read_bytes()
    assert f"har_extractor_tflite_len = {len(emitted)};" in text


@pytest.mark.parametrize("macro", ["HAR_FEATURES", "HAR_ACTIVITIES", "HAR_TFLM_OPERATORS"])
def test_the_header_defines_what_the_firmware_needs(
    bundle_directory: Path, tmp_path: Path, macro: str
) -> None:
    emit(bundle_directory, tmp_path)
    assert f"#define {macro}" in (tmp_path / "har_model.h").read_text()

"""The examples run as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_custom_model_becomes_c_that_compiles_and_answers_as_tflm_does(tmp_path: Path) -> None:
    example = [sys.executable, str(ROOT / "examples" / "custom_model.py"), str(tmp_path)]
    done = subprocess.run(example, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "32 inputs, 0 differ from TFLite-Micro" in done.stdout
    compiler = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-I", str(ROOT / "firmware")]
    source, built = str(tmp_path / "my_net.c"), str(tmp_path / "my_net.o")
    subprocess.run([*compiler, "-c", source, "-o", built], check=True)

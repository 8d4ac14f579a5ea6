"""The tflm engine takes nothing on trust: over an interpreter whose model is not the header's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.firmware.support.harness import SANITIZE, SUPPORT
from tests.firmware.support.nano33ble import INCLUDES
from tests.firmware.test_nano33ble_sources import MODEL

OK, ENGINE = "0", "10"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tflm")
    (folder / "har_extractor_tflite.h").write_text(
        "#define HAR_EXTRACTOR_TFLITE_ID HAR_MODEL_ID\n"
        'extern "C" const unsigned char har_extractor_tflite[];\n'
        'extern "C" const unsigned int har_extractor_tflite_len;\n'
    )
    command = ["g++", "-std=gnu++14", "-Wall", "-Wextra", "-Werror", *SANITIZE, *INCLUDES, *MODEL]
    command += [f"-I{folder}", str(SUPPORT / "tflm_host.cpp")]
    subprocess.run([*command, "-o", str(folder / "program")], check=True)
    return folder / "program"


def _run(program: Path, scenario: str) -> list[list[str]]:
    done = subprocess.run([str(program), scenario], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return [line.strip().split(maxsplit=1) for line in done.stdout.splitlines()]


def test_each_output_is_there_in_its_order(program: Path) -> None:
    started, ran, outputs = _run(program, "good")
    assert (started, ran) == ([OK], [OK])
    assert " ".join(outputs) == "0 1 2 3 4 10 11 20 21 22 23 24"


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ("outputs", "the model has not one input and 3 outputs"),
        ("size", "an output is not int8 of the size"),
        ("type", "an output is not int8 of the size"),
        ("input", "the model's input is quantized otherwise"),
    ],
)
def test_a_model_that_is_not_the_headers_is_refused(
    program: Path, scenario: str, said: str
) -> None:
    ((status, error),) = _run(program, scenario)
    assert status == ENGINE
    assert error.startswith(said)


def test_a_run_that_fails_is_told(program: Path) -> None:
    _, (status, error), _ = _run(program, "run")
    assert (status, error) == (ENGINE, "TFLite-Micro could not run the model")

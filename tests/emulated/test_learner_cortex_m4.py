"""The learner on a Cortex-M4F equals NumPy bit for bit, with its floating-point unit and, as a
build for soft floats would have it, without."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.support.learner import ALL_SCRIPTS, build_mps2, encode, expected_trace

pytestmark = [pytest.mark.emulated, pytest.mark.slow("runs twelve scripts label by label")]

RAM_BYTES = 16 << 20
SCRIPT_AT = 1 << 20
TRACE_AT = 4 << 20

FLOATS = {
    "fpu": ["-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
    "soft": ["-mfloat-abi=soft"],
}


def run_script(image: Path, ram: Path, script: bytes) -> bytes:
    with ram.open("wb") as file:
        file.truncate(RAM_BYTES)
        file.seek(SCRIPT_AT)
        file.write(script)
    command = ["qemu-system-arm", "-M", "mps2-an386,memory-backend=psram", "-m", "16M"]
    command += ["-object", f"memory-backend-file,id=psram,size=16M,mem-path={ram},share=on"]
    command += ["-semihosting-config", "enable=on,target=native", "-display", "none"]
    command += ["-serial", "null", "-monitor", "none", "-kernel", str(image)]
    subprocess.run(command, check=True, timeout=60)
    words = np.fromfile(ram, np.uint32, offset=TRACE_AT, count=(RAM_BYTES - TRACE_AT) // 4)
    return words[1 : 1 + int(words[0])].tobytes()


@pytest.mark.parametrize("floats", FLOATS)
def test_cortex_m4_and_numpy_agree_bit_for_bit_after_each_label(
    floats: str, tmp_path: Path
) -> None:
    image = build_mps2(tmp_path / "learner.elf", *FLOATS[floats])
    for name, script in ALL_SCRIPTS.items():
        assert run_script(image, tmp_path / "ram", encode(script)) == expected_trace(name), name

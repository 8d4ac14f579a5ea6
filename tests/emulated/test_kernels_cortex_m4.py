"""The kernels in assembly give the bytes of those in C, and touch nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import ExternalError
from pipeline.sim.build import build_image
from pipeline.sim.emulator import FLASH_FILE_BYTES, qemu_command, run_to_end

pytestmark = pytest.mark.emulated


def test_each_kernel_in_assembly_equals_its_twin_in_c(tmp_path: Path) -> None:
    image = build_image("har_kernel_check", "mps2", tmp_path / "build")
    memory = tmp_path / "memory"
    memory.touch()
    with memory.open("r+b") as file:
        file.truncate(FLASH_FILE_BYTES)
    try:
        run_to_end(qemu_command(image.path, memory), 120.0, "the check", "retry")
    except ExternalError as error:
        pytest.fail(str(error))

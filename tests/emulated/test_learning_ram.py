"""What `har fit` says that learning takes of the RAM is what the compiler gives it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline.bundle import emit, load_bundle

pytestmark = pytest.mark.emulated

_OWN = 320  # apart from the arrays: the learner's and the store's own fields, the clock, a name
_FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"


def test_the_ram_for_learning_is_what_the_compiler_gives_it(
    bundle_directory: Path, tmp_path: Path
) -> None:
    bundle = load_bundle(bundle_directory)
    emit(bundle, tmp_path)
    (tmp_path / "size.c").write_text(
        '#include "lib/app/har_app_parts.h"\nchar learning[sizeof(struct har_app_head)];\n'
    )
    compiler = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-std=c11"]
    command = [*compiler, f"-I{_FIRMWARE}", f"-I{tmp_path}", "-c", "size.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    nm = ["arm-none-eabi-nm", "-S", str(tmp_path / "size.o")]
    names = subprocess.run(nm, capture_output=True, text=True, check=True).stdout
    (size,) = (int(line.split()[1], 16) for line in names.splitlines() if "learning" in line)
    memory = bundle.learning_memory
    reckoned = memory.ram_bytes - memory.ram_parts.window  # those are the stream's
    assert reckoned <= size < reckoned + _OWN

"""`-Wl,-Map=PATH` takes a comma in the checkout's path for the next option."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.sim import build
from pipeline.sim.emulator import Target

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("target", ["host", pytest.param("mps2", marks=pytest.mark.emulated)])
def test_a_checkout_with_a_comma_and_a_blank_in_its_path_builds(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "a, b"
    shutil.copytree(
        ROOT / "firmware", checkout / "firmware", ignore=shutil.ignore_patterns("generated")
    )
    for name in ("CMakeLists.txt", "CMakePresets.json"):
        shutil.copy(ROOT / name, checkout / name)
    monkeypatch.setattr(build, "ROOT", checkout)
    image = build.build_image("har_board_check", target, checkout / "build")
    assert image.path.is_file()
    assert image.map.flash_bytes_from(r"boards/.*board\.c\.o") > 0

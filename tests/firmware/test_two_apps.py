"""Two apps in one process share no state."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.firmware.support.app_board import FIRMWARE, INCLUDES, PARTS, SANITIZE, STRICT, SUPPORT


def test_each_of_two_apps_does_what_it_does_alone(tmp_path: Path) -> None:
    sources = [path for part in PARTS for path in sorted((FIRMWARE / "lib" / part).glob("*.c"))]
    sources = [path for path in sources if path.name != "har_engine_compiled.c"]
    sources += [SUPPORT / "two_apps.c", SUPPORT / "app_model.c"]
    program = tmp_path / "two_apps"
    command = ["gcc", *STRICT, *SANITIZE, *INCLUDES, *map(str, sources), "-lm"]
    subprocess.run([*command, "-o", str(program)], check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    first, second, _ = done.stdout.split("----\n")
    for said in (first, second):
        assert "har: learned " in said and "har: saved, record 1\n" in said
    assert "har: the last label is taken back\n" in first
    assert "har: forgotten: the factory head is active\n" in second

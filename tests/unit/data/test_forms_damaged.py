"""Whatever happens to a file of a form, it is read or refused in one line."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.errors import InputError
from tests.support import foreign_data as made
from tests.support import forms
from tests.support.own_forms import read_form, write_phyphox, write_sensor_logger


def _arduino(root: Path) -> Path:
    samples = made.motion(2, 119, "walking") / ([1.0] * 3 + [math.pi / 180] * 3)
    rows = [",".join(f"{value:.3f}" for value in row) for row in samples]
    path = root / "punch.csv"
    path.write_text("\n".join(["aX,aY,aZ,gX,gY,gZ", *rows[:119], "", *rows[119:], ""]))
    return path


# How to write a small file, or folder of files, of a form, and what to state about it.
SMALL: dict[str, tuple[Callable[[Path], Path], dict[str, Any]]] = {
    "arduino": (_arduino, {"recorded_rate": 119.0}),
    "sensiml": (forms.write_sensiml_folder, {"recorded_rate": 50.0, "activity": "sitting"}),
    "edge-impulse": (forms.write_edge_folder, {"accel_unit": "m/s2", "gyro_unit": "deg/s"}),
    "sensor-logger": (
        lambda root: write_sensor_logger(
            root / "walk", made.motion(2, 100, "walking"), annotations=[(0.5, "walking")]
        ),
        {},
    ),
    "phyphox": (
        lambda root: write_phyphox(root / "walk", made.motion(2, 100, "walking"), 100.0),
        {"activity": "walking"},
    ),
}
PUT = st.sampled_from([b"9" * 400, b"1e300", b"nan", b"-", b",", b"\n", b'"', b"\0"])


@pytest.mark.parametrize("name", SMALL)
def test_any_damage_is_read_or_is_one_clear_line(name: str, tmp_path: Path) -> None:
    write, stated = SMALL[name]
    path = write(tmp_path)
    read_form(name, path, **stated)

    @settings(
        deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.data())
    def damage(data: st.DataObject) -> None:
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*.*") if p.is_file())
        file = data.draw(st.sampled_from(files))
        whole = file.read_bytes()
        content = bytearray(whole)
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, max(0, len(content) - 1)))
            put = data.draw(PUT | st.binary(max_size=4))
            content[at : at + data.draw(st.integers(0, 3))] = put
        if data.draw(st.booleans()):
            del content[data.draw(st.integers(0, len(content))) :]
        file.write_bytes(content)
        try:
            read_form(name, path, **stated)
        except InputError as error:
            assert len(str(error).splitlines()) == 1
        finally:
            file.write_bytes(whole)

    damage()

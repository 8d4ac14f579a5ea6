"""What `har doctor` finds out about this machine and the model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core.errors import ExternalError
from pipeline.doctor import machine

LOCK = """\
# made by a tool
numpy==1.26.4 \\
    --hash=sha256:00
    # via -r requirements.in
tensorflow-cpu==2.21.0
"""
HEADER = "#define HAR_MODEL_ID 0x0123456789abcdefull\n"
PROJECT = """\
[board]
platform = nordicnrf52@10.11.0
lib_deps =
    arduino-libraries/Arduino_BMI270_BMM150@1.2.3
"""


@pytest.mark.parametrize(
    ("found", "state", "said"),
    [
        ({"numpy": "1.26.4", "tensorflow-cpu": "2.21.0"}, "green", "all 2"),
        ({"numpy": "1.26.4", "tensorflow": "2.21.0"}, "green", "all 2"),
        ({"numpy": "2.0.0", "tensorflow-cpu": "2.21.0"}, "yellow", "numpy 2.0.0, not 1.26.4"),
        ({"numpy": "1.26.4"}, "red", "not installed: tensorflow-cpu"),
    ],
)
def test_packages_are_compared_with_the_lock(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: dict[str, str],
    state: str,
    said: str,
) -> None:
    def version(name: str) -> str:
        if name not in found:
            raise machine.metadata.PackageNotFoundError(name)
        return found[name]

    monkeypatch.setattr(machine.metadata, "version", version)
    lock = tmp_path / "requirements.lock"
    lock.write_text(LOCK)
    check = machine.check_packages(lock)
    assert check.state == state
    assert said in check.text
    assert machine.check_packages(tmp_path / "none").state == "yellow"


def test_tensorflow_is_only_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def find(name: str) -> None:
        asked.append(name)

    monkeypatch.setattr(machine, "find_spec", find)
    check = machine.check_tensorflow()
    assert check.state == "red"
    assert asked == ["tensorflow", "tf_keras"]


def test_a_missing_emulator_is_no_more_than_yellow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "missing_packages", lambda _: ["cmake"])
    monkeypatch.setattr(machine.shutil, "which", lambda _: None)
    check = machine.check_emulator()
    assert check.state == "yellow"
    assert check.remedy.endswith("cmake qemu-system-arm")


def test_a_missing_platformio_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> list[str]:
        raise ExternalError("PlatformIO is not installed: run `make setup`")

    monkeypatch.setattr(machine, "find_platformio", missing)
    check = machine.check_platformio()
    assert (check.state, check.remedy) == ("red", "run `make setup`")


def test_what_platformio_has_downloaded_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = tmp_path / "core"
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(core))
    monkeypatch.delenv("PLATFORMIO_PLATFORMS_DIR", raising=False)
    monkeypatch.delenv("PLATFORMIO_PACKAGES_DIR", raising=False)
    (tmp_path / "platformio.ini").write_text(PROJECT)
    check = machine.check_downloads(tmp_path)
    assert check.state == "yellow"
    assert check.text.startswith("not on this machine yet: nordicnrf52 10.11.0,")

    def install(folder: str, manifest: str, name: str, version: str) -> None:
        where = core / folder / f"{name}@{version}"
        where.mkdir(parents=True)
        (where / manifest).write_text(json.dumps({"name": name, "version": version}))

    install("platforms", "platform.json", "nordicnrf52", "10.11.0")
    install("packages", "package.json", "framework-arduino-mbed", "4.5.0")
    install("packages", "package.json", "toolchain-gccarmnoneeabi", "1.90201.0")
    install("packages", "package.json", "tool-bossac-nordicnrf52", "1.10901.201022")
    install("packages", "package.json", "tool-scons", "4.40801.0")
    libraries = tmp_path / ".pio" / "libdeps" / "nano33ble" / "Arduino_BMI270_BMM150"
    libraries.mkdir(parents=True)
    check = machine.check_downloads(tmp_path)
    assert check.text == "not on this machine yet: toolchain-gccarmnoneeabi"
    install("packages", "package.json", "toolchain-gccarmnoneeabi", "1.70201.0")
    assert machine.check_downloads(tmp_path).state == "green"


# ---- the model -----------------------------------------------------------------------------------


class Bundle:
    streams = False

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id


def test_emitted_code_has_to_be_the_bundles(tmp_path: Path) -> None:
    check, found = machine.check_generated(tmp_path, None)
    assert (check.state, found) == ("yellow", None)
    for name in ("har_model.h", "har_model.c", "har_extractor_tflite.h", "har_extractor_tflite.c"):
        (tmp_path / name).write_text(HEADER)
    check, found = machine.check_generated(tmp_path, None)
    assert (check.state, found) == ("yellow", "0123456789abcdef")
    check, _ = machine.check_generated(tmp_path, Bundle("0123456789abcdef"))
    assert check.state == "green"
    check, _ = machine.check_generated(tmp_path, Bundle("ff" * 8))
    assert (check.state, check.remedy) == ("red", "har emit")


def test_a_missing_bundle_is_yellow_and_a_damaged_one_red(tmp_path: Path) -> None:
    check, bundle = machine.check_bundle(tmp_path)
    assert (check.state, bundle) == ("yellow", None)
    (tmp_path / "bundle.json").write_text("{}")
    check, bundle = machine.check_bundle(tmp_path)
    assert (check.state, bundle) == ("red", None)
    assert check.text

"""This machine: Python's packages, the tools, PlatformIO's downloads; and the model on it."""

from __future__ import annotations

import json
import os
import re
import shutil
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from pipeline.bundle.bundle import MANIFEST, Bundle, load_bundle
from pipeline.bundle.footprint import least_footprint
from pipeline.core.errors import HarError
from pipeline.doctor.check import Check, failed
from pipeline.sim.build import missing_packages
from pipeline.sim.emulator import QEMU
from pipeline.sim.flash import ENVIRONMENTS, check_emitted, find_platformio

SHOWN = 4  # of a list of packages
_MAKE = "make train quantize"

# Where a wheel of one name brings the other's modules.
_SAME = {"tensorflow-cpu": "tensorflow"}

# What the pinned platform's platform.json and platform.py ask for, for this board and its upload.
_PACKAGES = {
    "framework-arduino-mbed": "4.5.",
    "toolchain-gccarmnoneeabi": "1.70201.",
    "tool-bossac-nordicnrf52": "1.10901.",
    "tool-scons": "",
}


def check_packages(lock: Path) -> Check:
    """Is every package of the lock file installed, in its version?"""
    name = "Python packages"
    try:
        pinned = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", lock.read_text(), flags=re.MULTILINE))
    except OSError as error:
        return Check(name, "yellow", f"{lock}: {error.strerror}", "run har in its own folder")
    found = {package: _version(package) for package in pinned}
    missing = [package for package, version in found.items() if version is None]
    other = [
        f"{package} {version}, not {pinned[package]}"
        for package, version in found.items()
        if version not in (None, pinned[package])
    ]
    if missing:
        return Check(name, "red", f"not installed: {_some(missing)}", "make setup")
    if other:
        return Check(name, "yellow", f"another version: {_some(other)}", "make setup")
    return Check(name, "green", f"all {len(pinned)} as in {lock.name}")


def check_tensorflow() -> Check:
    """Could TensorFlow be imported? It is only looked for: importing it takes many seconds."""
    missing = [module for module in ("tensorflow", "tf_keras") if find_spec(module) is None]
    if missing:
        return Check(
            "TensorFlow", "red", f"no {' and no '.join(missing)}: no training", "make setup"
        )
    return Check("TensorFlow", "green", "there, not tried")


def check_emulator() -> Check:
    """Are the compiler and the emulator for the emulated board there?"""
    missing = missing_packages("mps2")
    if shutil.which(QEMU) is None:
        missing.append("qemu-system-arm")
    if missing:
        return Check(
            "emulator",
            "yellow",
            f"not installed: {', '.join(missing)}; only the emulated board needs them",
            f"sudo apt-get install --no-install-recommends {' '.join(missing)}",
        )
    return Check("emulator", "green", "Arm compiler and QEMU are there")


def check_platformio() -> Check:
    """Is PlatformIO there?"""
    try:
        command = find_platformio()
    except HarError as error:
        return failed("PlatformIO", error)
    return Check("PlatformIO", "green", _version("platformio") or " ".join(command))


def check_downloads(root: Path) -> Check:
    """Has PlatformIO already what a build for the board needs?"""
    name = "board's compiler"
    try:
        configuration = (root / "platformio.ini").read_text()
    except OSError as error:
        return Check(name, "yellow", f"platformio.ini: {error.strerror}", "get the whole project")
    missing = []
    platform = re.search(r"^platform\s*=\s*([\w-]+)@([\d.]+)", configuration, flags=re.MULTILINE)
    if platform and not _has(_folder("platforms"), platform[1], platform[2], "platform.json"):
        missing.append(f"{platform[1]} {platform[2]}")
    missing += [
        package
        for package, version in _PACKAGES.items()
        if not _has(_folder("packages"), package, version, "package.json")
    ]
    libraries = root / ".pio" / "libdeps" / ENVIRONMENTS["tflm"]
    missing += [
        library
        for library in re.findall(r"^\s+[\w-]+/([\w-]+)@[\d.]+\s*$", configuration, re.MULTILINE)
        if not any(libraries.glob(f"{library}*"))
    ]
    if missing:
        return Check(
            name,
            "yellow",
            f"not on this machine yet: {_some(missing)}",
            "nothing: the first `har flash` downloads them (network, about 1 GB of disk)",
        )
    return Check(name, "green", "with its libraries on this machine")


def _version(package: str) -> str | None:
    for name in (package, _SAME.get(package)):
        try:
            if name is not None:
                return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _folder(kind: str) -> Path:
    """Where PlatformIO keeps its "platforms" or "packages"."""
    core = Path(os.environ.get("PLATFORMIO_CORE_DIR") or Path.home() / ".platformio")
    return Path(os.environ.get(f"PLATFORMIO_{kind.upper()}_DIR") or core / kind)


def _has(folder: Path, name: str, version: str, manifest: str) -> bool:
    """Whether ``name`` is in ``folder`` in a version that begins so. Beside the first version of
    a package PlatformIO keeps others as NAME@VERSION."""
    for path in folder.glob(f"{name}*/{manifest}"):
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        if content.get("name") == name and str(content.get("version", "")).startswith(version):
            return True
    return False


def check_bundle(directory: Path) -> tuple[Check, Bundle | None]:
    """Is there a whole bundle?"""
    if not (directory / MANIFEST).is_file():
        return Check("bundle", "yellow", f"none in {directory}", _MAKE), None
    try:
        bundle = load_bundle(directory)
    except HarError as error:
        return failed("bundle", error), None
    detail = f"model {bundle.model_id}, {len(bundle.activities)} activities, cut {bundle.cut}"
    return Check("bundle", "green", detail), bundle


def check_generated(generated: Path, bundle: Bundle | None) -> tuple[Check, str | None]:
    """Was the C that `har flash` builds emitted from this bundle? Gives the model id in it, too."""
    name = "emitted C"
    streams = bundle is not None and bundle.streams
    try:
        model_id = check_emitted(generated, "compiled" if streams else "tflm")
    except HarError as error:
        return Check(name, "yellow", str(error).partition(";")[0], _MAKE), None
    if bundle is None:
        return Check(name, "yellow", f"model {model_id}, no bundle to compare it with", _MAKE), (
            model_id
        )
    if model_id != bundle.model_id:
        text = f"model {model_id}, the bundle's is {bundle.model_id}"
        return Check(name, "red", text, "har emit"), model_id
    return Check(name, "green", "made from this bundle"), model_id


def check_room(bundle: Bundle) -> Check:
    """Can the bundle fit the board at all? What is known without building: `least_footprint`."""
    needs = least_footprint(bundle)
    flash, ram = needs.flash_bytes, needs.ram_bytes
    detail = (
        f"at least {flash.used:,} of {flash.limit:,} bytes of flash, "
        f"{ram.used:,} of {ram.limit:,} of RAM (estimate)"
    )
    if not needs.fits:
        return Check("fit", "red", detail, "a smaller network, or `har quantize` with less to keep")
    return Check("fit", "green", f"{detail}; `har fit` measures it")

"""Builds the firmware with CMake for a target that needs no board, and reads its sizes."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pipeline.device.emulator import Target
from pipeline.errors import InputError, WorldError

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
_BUILD_TIMEOUT_S = 600


@dataclass(frozen=True)
class Sizes:
    """Bytes of a linked image.

    flash: code, constants, and the first values of variables. ram: variables and, on the
    emulated core, the stack reserved. weights: the compiled network's constants and the shipped
    tail; runtime_flash is flash without them.
    """

    flash_bytes: int
    ram_bytes: int
    runtime_flash_bytes: int
    weights_bytes: int


@dataclass(frozen=True)
class FirmwareImage:
    """A built program and what it takes."""

    path: Path
    target: Target
    sizes: Sizes


def build_firmware(
    target: Target, generated: Path, build_directory: Path, *, program: str = "har_firmware"
) -> FirmwareImage:
    """Builds ``program`` of firmware/CMakeLists.txt from the C that `har emit` wrote.

    Raises InputError when the generated C is missing or the image does not fit the board's
    memory, WorldError when a tool is missing or a build fails.
    """
    if not (generated / "har_net.c").is_file():
        raise InputError(f"{generated}: no generated C here; run `har emit` first")
    _require("cmake", "cmake")
    if target == "mps2":
        _require("arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi")
    elif not (shutil.which("cc") or shutil.which("gcc")):
        raise WorldError("no C compiler found; type: sudo apt-get install -y gcc")
    configure = ["cmake", "-S", str(FIRMWARE), "-B", str(build_directory)]
    configure += [f"-DHAR_BOARD={target}", f"-DHAR_GENERATED_DIR={generated.resolve()}"]
    if target == "mps2":
        toolchain = FIRMWARE / "cmake" / "arm-none-eabi.cmake"
        configure.append(f"-DCMAKE_TOOLCHAIN_FILE={toolchain}")
    if shutil.which("ninja"):
        configure += ["-G", "Ninja"]
    _run(configure, build_directory)
    _run(["cmake", "--build", str(build_directory), "--target", program], build_directory)
    suffix = ".elf" if target == "mps2" else ""
    path = build_directory / (program + suffix)
    return FirmwareImage(path, target, read_sizes(path))


def read_sizes(image: Path) -> Sizes:
    """Sizes of an ELF file, from its sections and symbols.

    Raises InputError when it is none.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    flash = ram = weights = 0
    try:
        with image.open("rb") as file:
            elf = ELFFile(file)
            for section in elf.iter_sections():
                if not section["sh_flags"] & 2:  # SHF_ALLOC: takes memory when it runs
                    continue
                size, writable = section["sh_size"], section["sh_flags"] & 1
                stored = section["sh_type"] != "SHT_NOBITS"
                flash += size if stored else 0
                ram += size if writable or not stored else 0
            table = elf.get_section_by_name(".symtab")
            symbols = table.iter_symbols() if table is not None else []
            weights = sum(s["st_size"] for s in symbols if _is_weight(s.name))
    except (OSError, ELFError) as error:
        raise InputError(f"{image}: not a readable ELF image ({error})") from None
    return Sizes(flash, ram, flash - weights, weights)


def _is_weight(symbol: str) -> bool:
    # The names that the emitters give to constants: see pipeline/compiler/emit.py.
    return symbol in ("har_factory_weights", "har_factory_bias") or any(
        symbol.startswith(f"{kind}_") and symbol[len(kind) + 1 :].isdigit()
        for kind in ("weights", "bias", "multiplier", "shift")
    )


def _require(tool: str, packages: str) -> None:
    if shutil.which(tool) is None:
        raise WorldError(
            f"{tool} is not installed; type: sudo apt-get install -y {packages} "
            "(or use --target host)"
        )


def _run(command: list[str], directory: Path) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise WorldError(f"{' '.join(command[:2])} did not end in {_BUILD_TIMEOUT_S} s") from None
    if done.returncode:
        output = done.stdout + done.stderr
        overflow = [line for line in output.splitlines() if "will not fit" in line]
        if overflow:
            raise InputError(f"the image does not fit the board: {overflow[0].strip()}")
        directory.mkdir(parents=True, exist_ok=True)
        log = directory / "build.log"
        log.write_text(output)
        first = next((line for line in output.splitlines() if "error" in line.lower()), "see there")
        raise WorldError(f"the firmware did not build: {first.strip()} ({log})")

"""Builds the firmware for the two boards that need no hardware, with CMake, and reads from the map
file of GNU ld what takes how much of an image."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import CheckFailed, ExternalError, InputError
from pipeline.sim.emulator import TARGETS, Target

_FLASH_SECTIONS = frozenset({".vectors", ".text", ".rodata", ".ARM.exidx", ".data"})
_RAM_SECTIONS = frozenset({".data", ".bss", ".stack"})
_WEIGHTS_OBJECT = re.compile(r"har_net\.c\.o(bj)?$")

_MAP_BEGINS = "Linker script and memory map"
_NAME_ALONE = re.compile(r"^ ?\.\S+$")
_OUTPUT = re.compile(r"^(\.\S+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\b")
_INPUT = re.compile(r"^ (\S+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+(\S.*)$")
ROOT = Path(__file__).resolve().parents[2]
PRESETS: dict[Target, str] = {"host": "host", "mps2": "qemu"}
SUFFIXES: dict[Target, str] = {"host": "", "mps2": ".elf"}
UNBOUNDED = "har_firmware_unbounded"  # with the whole emulated machine's memory, to measure
GENERATED = {
    "har_firmware": ("har_model.h", "har_model.c", "har_net.h", "har_net.c"),
    UNBOUNDED: ("har_model.h", "har_model.c", "har_net.h", "har_net.c"),
    "har_parity": ("har_net.h", "har_net.c"),
    "har_profile": ("har_net.h", "har_net.c"),
    "har_learner": ("har_model.h", "har_model.c"),
}
BUILD_TIMEOUT_S = 900.0

_OVERFLOW = re.compile(r"region `(\w+)' overflowed by (\d+) bytes")
_ERROR = re.compile(r"^.*(?:error:|Error at|undefined reference).*$", re.MULTILINE)


@dataclass(frozen=True)
class Piece:
    """One input section: where it was put, its size, and the object file it came from."""

    output_section: str
    section: str
    size_bytes: int
    origin: str


@dataclass(frozen=True)
class LinkerMap:
    """Sizes of the output sections, bytes, and the pieces they are made of."""

    sections: dict[str, int]
    pieces: tuple[Piece, ...]

    def flash_bytes_from(self, pattern: str, section: str | None = None) -> int:
        """Flash taken by the pieces whose origin matches the regular expression, in one output
        section or in all."""
        found = re.compile(pattern)
        sections = _FLASH_SECTIONS if section is None else {section}
        return sum(
            piece.size_bytes
            for piece in self.pieces
            if piece.output_section in sections and found.search(piece.origin)
        )


@dataclass(frozen=True)
class Sizes:
    """Bytes of an image.

    flash: code, constants and the initial values of data; ram: data, zeroed data and the stack's
    reserve (none on the host); weights: the constants of the compiled net; runtime_flash: flash
    without them.
    """

    flash_bytes: int
    ram_bytes: int
    weights_bytes: int
    runtime_flash_bytes: int


def parse_map(text: str) -> LinkerMap:
    """Reads a GNU ld map. Raises `ExternalError` for any other text."""
    _, begins, body = text.partition(_MAP_BEGINS)
    sections: dict[str, int] = {}
    pieces: list[Piece] = []
    current = ""
    for line in _whole_lines(body):
        if output := _OUTPUT.match(line):
            current = output[1]
            sections[current] = sections.get(current, 0) + int(output[2], 16)
        elif (piece := _INPUT.match(line)) and piece[1] != "*fill*":
            pieces.append(Piece(current, piece[1], int(piece[2], 16), piece[3].strip()))
    if not begins or ".text" not in sections:
        raise ExternalError("the linker wrote no GNU map file: build with GCC and GNU ld")
    return LinkerMap(sections, tuple(pieces))


def sizes_of(linked: LinkerMap) -> Sizes:
    """Adds the sections up."""
    weights = sum(
        piece.size_bytes
        for piece in linked.pieces
        if piece.section.startswith(".rodata") and _WEIGHTS_OBJECT.search(piece.origin)
    )
    flash = sum(linked.sections.get(name, 0) for name in _FLASH_SECTIONS)
    return Sizes(
        flash_bytes=flash,
        ram_bytes=sum(linked.sections.get(name, 0) for name in _RAM_SECTIONS),
        weights_bytes=weights,
        runtime_flash_bytes=flash - weights,
    )


def _whole_lines(body: str) -> list[str]:
    """ld breaks the line after a long section name: joins such pairs."""
    lines: list[str] = []
    pending = ""
    for line in body.splitlines():
        if pending:
            line, pending = pending + line, ""
        if _NAME_ALONE.match(line):
            pending = line
        else:
            lines.append(line)
    return lines


@dataclass(frozen=True)
class FirmwareImage:
    """A built image: `path` is what `launch` takes; `map` says where every byte went."""

    path: Path
    target: Target
    sizes: Sizes
    map: LinkerMap


def build_firmware(target: Target, generated: Path, build_dir: Path) -> FirmwareImage:
    """Builds `har_firmware` from what `har emit` wrote into `generated`.

    Does only what is not done yet. Raises `InputError` when `generated` lacks a file, `CheckFailed`
    when the firmware does not fit the board's memory, `ExternalError` when a tool is missing (with
    the command to type) or the build fails.
    """
    return build_image("har_firmware", target, build_dir, generated)


def build_image(
    name: str,
    target: Target,
    build_dir: Path,
    generated: Path | None = None,
) -> FirmwareImage:
    """Builds one executable of firmware/CMakeLists.txt. Raises as `build_firmware`."""
    if target not in TARGETS:
        raise InputError(f"no target {target!r}; there are {' and '.join(TARGETS)}")
    for file in GENERATED.get(name, ()):
        if generated is None or not (generated / file).is_file():
            raise InputError(f"{generated} holds no {file}: run `har emit` first")
    require_tools(target)
    build_dir = build_dir.resolve()  # CMake runs elsewhere
    if not _is_configured(build_dir, name, target, generated):
        _configure(build_dir, PRESETS[target], generated)
    _run(["cmake", "--build", str(build_dir), "--target", name], build_dir)
    image = build_dir / f"{name}{SUFFIXES[target]}"
    linked = parse_map((build_dir / f"{name}.map").read_text(errors="replace"))
    return FirmwareImage(image, target, sizes_of(linked), linked)


def missing_packages(target: Target) -> list[str]:
    """Debian's names of what building for `target` lacks here."""
    missing = []
    if shutil.which("cmake") is None:
        missing.append("cmake")
    if shutil.which("ninja") is None and shutil.which("make") is None:
        missing.append("ninja-build")
    if target == "host" and shutil.which("cc") is None:
        missing += ["gcc", "libc6-dev"]
    if target == "mps2":
        if shutil.which("arm-none-eabi-gcc") is None:
            missing += ["gcc-arm-none-eabi", "libnewlib-arm-none-eabi"]
        elif not _has_newlib():
            missing.append("libnewlib-arm-none-eabi")
    return missing


def require_tools(target: Target) -> None:
    """Raises `ExternalError`, with the command to type, where a tool to build for ``target``
    lacks."""
    if missing := missing_packages(target):
        other = ", or use --target host" if target == "mps2" else ""
        raise ExternalError(
            f"cannot build for {target}: run `sudo apt-get install --no-install-recommends "
            f"{' '.join(missing)}`{other}"
        )


def _has_newlib() -> bool:
    answer = subprocess.run(
        ["arm-none-eabi-gcc", "-print-file-name=nano.specs"],
        capture_output=True,
        text=True,
        check=False,
    )
    return Path(answer.stdout.strip()).is_absolute()


def _is_configured(build_dir: Path, name: str, target: Target, generated: Path | None) -> bool:
    try:
        cache = (build_dir / "CMakeCache.txt").read_text().splitlines()
    except OSError:
        return False
    wanted = {f"HAR_BOARD:STRING={target}", f"CMAKE_HOME_DIRECTORY:INTERNAL={ROOT}"}
    if generated is not None:
        wanted.add(f"HAR_GENERATED_DIR:PATH={generated.resolve()}")
    has_target = (build_dir / "firmware" / "CMakeFiles" / f"{name}.dir").is_dir()
    return has_target and wanted.issubset(
        {line.replace(":UNINITIALIZED=", ":STRING=") for line in cache}
    )


def _configure(build_dir: Path, preset: str, generated: Path | None) -> None:
    build_dir.mkdir(parents=True, exist_ok=True)
    (build_dir / "CMakeCache.txt").unlink(missing_ok=True)
    shutil.rmtree(build_dir / "CMakeFiles", ignore_errors=True)
    command = ["cmake", "--preset", preset, "-S", str(ROOT), "-B", str(build_dir.resolve())]
    if shutil.which("ninja"):
        command += ["-G", "Ninja"]
    if generated is not None:
        command.append(f"-DHAR_GENERATED_DIR:PATH={generated.resolve()}")
    _run(command, build_dir)


def _run(command: list[str], build_dir: Path) -> None:
    log = build_dir / "build.log"
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ExternalError(
            f"{command[0]} did not finish in {BUILD_TIMEOUT_S:.0f} s; retry"
        ) from None
    log.write_text(done.stdout)
    if done.returncode == 0:
        return
    if over := dict(_OVERFLOW.findall(done.stdout)):
        much = ", ".join(f"{int(number):,} bytes too much {name}" for name, number in over.items())
        raise CheckFailed(
            f"the firmware does not fit the board: {much}; `har fit` says whether less room to "
            "learn is enough, else use a smaller network"
        )
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    first = _ERROR.search(done.stdout)
    said = first.group().strip() if first else (lines[-1] if lines else "no message")
    raise ExternalError(f"the firmware does not build: {said} (all of it: {log})")

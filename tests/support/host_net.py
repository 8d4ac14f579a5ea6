"""Builds a compiled network for this machine with gcc, and runs it."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np

from pipeline.compiler import CompiledModel
from pipeline.core.types import Array
from tests.support.programs import c_program

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware"
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wconversion"]

# Reads inputs from stdin and writes all outputs to stdout until stdin ends.
_PIPE_MAIN = """
#include <stdio.h>
#include "har_net.h"
int main(void) {
    while (fread(har_net_input(), 1, HAR_NET_INPUT_BYTES, stdin) == HAR_NET_INPUT_BYTES) {
        har_net_run();
        for (uint32_t i = 0; i < HAR_NET_OUTPUTS; ++i) {
            fwrite(har_net_output(i), 1, har_net_output_bytes[i], stdout);
        }
    }
    return har_net_output(HAR_NET_OUTPUTS) == 0 ? 0 : 1;
}
"""


def write_sources(compiled: CompiledModel, folder: Path) -> list[Path]:
    """Writes the generated files; returns those that are to be compiled."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in compiled.sources.items():
        (folder / name).write_text(text)
    return [folder / name for name in compiled.sources if name.endswith(".c")]


class HostNet:
    """A network as a shared library, loaded by ctypes."""

    def __init__(self, compiled: CompiledModel, folder: Path) -> None:
        self._compiled = compiled
        library = folder / "net.so"
        sources = write_sources(compiled, folder)
        subprocess.run(
            ["gcc", *WARNINGS, "-O1", "-fPIC", "-shared", f"-I{FIRMWARE}", f"-I{folder}"]
            + [str(path) for path in (*sources, c_program("kernels_o2"))]
            + ["-o", str(library)],
            check=True,
        )
        self._library = ctypes.CDLL(str(library))
        self._library.har_net_input.restype = ctypes.c_void_p
        self._library.har_net_output.restype = ctypes.c_void_p

    def restart(self) -> None:
        """Of a network that streams: forgets the samples so far."""
        self._library.har_net_restart()

    def run(self, inputs: Array) -> list[Array]:
        """int8 inputs (N, ...) of a net of one input -> per output the bytes (N, size) as int8."""
        rows: list[list[bytes]] = [[] for _ in self._compiled.outputs]
        for row in inputs:
            ctypes.memmove(self._library.har_net_input(), row.tobytes(), row.size)
            self._library.har_net_run()
            for i, info in enumerate(self._compiled.outputs):
                address = self._library.har_net_output(i)
                rows[i].append(ctypes.string_at(address, info.size_bytes))
        return [np.frombuffer(b"".join(r), np.int8).reshape(len(inputs), -1) for r in rows]


def run_sanitized(compiled: CompiledModel, folder: Path, inputs: Array) -> bytes:
    """Runs the network in a process of its own under AddressSanitizer and UBSan. Returns all
    outputs, input by input. Any finding ends the process."""
    sources = write_sources(compiled, folder)
    main = folder / "main.c"
    main.write_text(_PIPE_MAIN)
    program = folder / "net"
    subprocess.run(
        ["gcc", *WARNINGS, *SANITIZE, f"-I{FIRMWARE}", f"-I{folder}"]
        + [str(path) for path in (main, *sources, c_program("kernels_sanitized"))]
        + ["-o", str(program)],
        check=True,
    )
    result = subprocess.run([str(program)], input=inputs.tobytes(), capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout


SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def random_inputs(shape: tuple[int, ...], count: int, seed: int) -> Array:
    """int8 (count, *shape): noise of many levels and amplitudes, and the extremes."""
    rng = np.random.default_rng(seed)
    each = (count,) + (1,) * len(shape)
    noise = rng.normal(size=(count, *shape)) * rng.uniform(5, 120, each)
    inputs: Array = np.clip(np.rint(noise + rng.uniform(-90, 90, each)), -128, 127).astype(np.int8)
    inputs[0], inputs[1] = -128, 127
    inputs[2] = np.where(rng.random(shape) < 0.5, -128, 127)
    inputs[3] = rng.integers(-128, 128, shape)
    return inputs

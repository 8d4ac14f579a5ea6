"""Builds a compiled network for this machine with gcc, and runs it."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np

from pipeline.compiler import CompiledModel, TensorInfo
from pipeline.core.types import Array
from tests.support.programs import c_program

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware"
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wconversion"]

# Reads rows of all inputs from stdin and writes all outputs to stdout until stdin ends.
_PIPE_MAIN = """
#include <stdio.h>
#include "har_net.h"
int main(void) {{
    static float values[{most_values}];
    (void)values;
    for (;;) {{
{reads}
        har_net_run();
{writes}
    }}
}}
"""
_READ = "        if (fread({place}, {size}, 1, stdin) != 1) return har_net_output({end}) != 0;"


def _pipe_main(compiled: CompiledModel) -> str:
    reads, writes, one = [], [], len(compiled.inputs) == 1
    for i, info in enumerate(compiled.inputs):
        index = "" if one else str(i)
        place = "values" if info.is_float else f"har_net_input({index})"
        reads.append(_READ.format(place=place, size=info.model_bytes, end=len(compiled.outputs)))
        if info.is_float:
            reads.append(f"        har_net_quantize_input({'' if one else f'{i}u, '}values);")
    for i, info in enumerate(compiled.outputs):
        place = "values" if info.is_float else f"har_net_output({i})"
        if info.is_float:
            writes.append(f"        har_net_dequantize_output({i}, values);")
        writes.append(f"        fwrite({place}, {info.model_bytes}, 1, stdout);")
    most = max(info.size_bytes for info in (*compiled.inputs, *compiled.outputs))
    return _PIPE_MAIN.format(most_values=most, reads="\n".join(reads), writes="\n".join(writes))


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

    def run(self, *inputs: Array) -> list[Array]:
        """Of each input of the net (N, ...), int8 or float32 -> of each output (N, size)."""
        rows: list[list[bytes]] = [[] for _ in self._compiled.outputs]
        for each in zip(*inputs, strict=True):
            for i, row in enumerate(each):
                self._put(i, np.ascontiguousarray(row))
            self._library.har_net_run()
            for i, info in enumerate(self._compiled.outputs):
                rows[i].append(self._get(i, info))
        kinds = [np.float32 if info.is_float else np.int8 for info in self._compiled.outputs]
        return [
            np.frombuffer(b"".join(row), kind).reshape(len(inputs[0]), -1)
            for row, kind in zip(rows, kinds, strict=True)
        ]

    def _put(self, i: int, row: Array) -> None:
        index = () if len(self._compiled.inputs) == 1 else (i,)
        if self._compiled.inputs[i].is_float:
            self._library.har_net_quantize_input(*index, ctypes.c_void_p(row.ctypes.data))
        else:
            ctypes.memmove(self._library.har_net_input(*index), row.tobytes(), row.size)

    def _get(self, i: int, info: TensorInfo) -> bytes:
        if not info.is_float:
            return ctypes.string_at(self._library.har_net_output(i), info.size_bytes)
        values = np.empty(info.size_bytes, np.float32)
        self._library.har_net_dequantize_output(i, ctypes.c_void_p(values.ctypes.data))
        return values.tobytes()


def run_sanitized(compiled: CompiledModel, folder: Path, *inputs: Array) -> bytes:
    """Runs the network in a process of its own under AddressSanitizer and UBSan. Returns all
    outputs, input by input. Any finding ends the process."""
    sources = write_sources(compiled, folder)
    main = folder / "main.c"
    main.write_text(_pipe_main(compiled))
    program = folder / "net"
    subprocess.run(
        ["gcc", *WARNINGS, *SANITIZE, f"-I{FIRMWARE}", f"-I{folder}"]
        + [str(path) for path in (main, *sources, c_program("kernels_sanitized"))]
        + ["-o", str(program)],
        check=True,
    )
    rows = b"".join(row.tobytes() for each in zip(*inputs, strict=True) for row in each)
    result = subprocess.run([str(program)], input=rows, capture_output=True)
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

"""TFLite-Micro as the oracle of every output, run in a separate process: it may abort."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.compiler.for_tflm import for_tflm
from pipeline.compiler.reader import read_model
from pipeline.core.errors import CheckFailed, ExternalError, InputError

_ROOT = Path(__file__).resolve().parents[2]
_ARENA_TOTAL = re.compile(r"Arena allocation total (\d+)")


@dataclass(frozen=True, eq=False)
class OracleResult:
    """``outputs``: one int8 or float32 array (N, ...) per output, without the batch axis.
    ``arena_bytes``: TFLM's arena for this model on this 64-bit host, a little more than a board
    needs."""

    outputs: list[npt.NDArray[Any]]
    arena_bytes: int


def run_tflm(model: bytes, *inputs: npt.NDArray[Any], timeout_s: float = 600.0) -> OracleResult:
    """Runs N inputs through the PyPI tflite_micro interpreter, one after another.

    ``inputs``: of each input of the model (N, *its shape), int8 or float32, with or without the
    batch axis of 1. Raises InputError for another number, dtype or size, CheckFailed where TFLM
    refuses the model or aborts on it, ExternalError where the package is missing or the time is
    over.
    """
    for rows in inputs:
        if rows.dtype not in (np.int8, np.float32) or rows.ndim < 1 or len(rows) < 1:
            raise InputError(
                f"the oracle needs int8 or float32 inputs (N, ...), not {rows.dtype} {rows.shape}"
            )
    if len({len(rows) for rows in inputs}) != 1:
        raise InputError(f"the oracle needs as many of each input, not {[len(x) for x in inputs]}")
    return _run(model, inputs, timeout_s)


def tflm_arena_bytes(model: bytes, *, timeout_s: float = 600.0) -> int:
    """TFLM's arena, bytes, for a model of any type that it runs, float32 among them, after one
    input of zeros. Raises as `run_tflm`, and InputError for a file that is no .tflite or whose
    input is neither int8 nor float32."""
    raw = read_model(model)
    kinds = {"INT8": np.int8, "FLOAT32": np.float32}
    inputs: list[npt.NDArray[Any]] = []
    for source in (raw.tensors[index] for index in raw.inputs):
        if source.type not in kinds:
            raise InputError(f"the model's input is {source.type}; it must be int8 or float32")
        inputs.append(np.zeros((1, *source.shape[1:]), kinds[source.type]))
    return _run(model, inputs, timeout_s).arena_bytes


def _run(model: bytes, inputs: Sequence[npt.NDArray[Any]], timeout_s: float) -> OracleResult:
    with tempfile.TemporaryDirectory(prefix="har-oracle-") as folder:
        asked, answered = Path(folder, "in.npz"), Path(folder, "out.npz")
        named = {f"input_{i}": rows for i, rows in enumerate(inputs)}
        np.savez(asked, model=np.frombuffer(for_tflm(model), np.uint8), **named)
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        try:
            process = subprocess.run(
                [sys.executable, "-m", "pipeline.compiler.oracle_worker", asked, answered],
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ExternalError(
                f"tflite_micro did not finish {len(inputs[0])} inputs in {timeout_s:g} s; use fewer"
            ) from None
        lines = [line.strip() for line in process.stderr.splitlines() if line.strip()]
        reason = "; ".join(lines[-3:]) if lines else "no message"
        if process.returncode == 3:
            raise ExternalError(f"{reason}; install what the lock file names (make setup)")
        if process.returncode == 2:
            raise InputError(reason)
        if process.returncode < 0:
            raise CheckFailed(f"TFLite-Micro aborted on this model: {reason}")
        if process.returncode != 0 or not answered.exists():
            raise CheckFailed(f"TFLite-Micro refuses this model: {reason}")
        totals = _ARENA_TOTAL.findall(process.stderr)
        with np.load(answered) as archive:
            outputs = [archive[f"output_{i}"] for i in range(len(archive.files))]
    return OracleResult(outputs, int(totals[-1]) if totals else 0)

"""The oracle's own process: ``python -m pipeline.compiler.oracle_worker IN.npz OUT.npz``.

IN holds ``model`` (bytes) and ``input_0``, ``input_1``, ..., each (N, ...); OUT gets ``output_0``,
``output_1``, ...
The arena's size goes to stderr, where TFLM prints it. Exit 0 done, 1 TFLM refused, 2 the inputs do
not fit the model, 3 the package is missing; a negative code says that TFLM aborted.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

_ARENA_BYTES = 32 << 20  # reserved, not touched beyond what the model needs


def main(asked: str, answered: str) -> int:
    """Runs all inputs; returns the exit code."""
    try:
        from tflite_micro.python.tflite_micro import runtime
        from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema
    except ImportError as error:
        print(f"tflite_micro cannot be imported: {error}", file=sys.stderr)
        return 3
    with np.load(asked) as archive:
        model = archive["model"].tobytes()
        inputs = [archive[f"input_{i}"] for i in range(len(archive.files) - 1)]
    try:
        interpreter = runtime.Interpreter.from_bytes(model, arena_size=_ARENA_BYTES)
        graph = schema.Model.GetRootAs(model, 0).Subgraphs(0)
        needed = [interpreter.get_input_details(i) for i in range(graph.InputsLength())]
        if reason := _misfit(inputs, needed):
            print(reason, file=sys.stderr)
            return 2
        shapes = [tuple(each["shape"]) for each in needed]
        outputs: list[list[npt.NDArray[Any]]] = [[] for _ in range(graph.OutputsLength())]
        for rows in zip(*inputs, strict=True):
            for i, row in enumerate(rows):
                interpreter.set_input(row.reshape(shapes[i]), i)
            interpreter.invoke()
            for i, column in enumerate(outputs):
                column.append(np.array(interpreter.get_output(i)))
        interpreter.print_allocations()
    except (RuntimeError, ValueError, IndexError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    stacked = {f"output_{i}": _batch_free(np.stack(column)) for i, column in enumerate(outputs)}
    np.savez(answered, **stacked)
    return 0


def _misfit(inputs: list[npt.NDArray[Any]], needed: list[dict[str, Any]]) -> str | None:
    """Why the model does not take such inputs."""
    if len(inputs) != len(needed):
        return f"{len(inputs)} inputs for a model of {len(needed)}"
    for rows, each in zip(inputs, needed, strict=True):
        shape = tuple(map(int, each["shape"]))
        if rows[0].size != np.prod(shape, dtype=np.int64):
            return f"inputs of shape {rows.shape[1:]} for a model of {shape}"
        if rows.dtype != each["dtype"]:
            return f"{rows.dtype} inputs for a model of {np.dtype(each['dtype'])}"
    return None


def _batch_free(output: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(N, 1, ...) -> (N, ...)."""
    return output[:, 0] if output.ndim > 2 and output.shape[1] == 1 else output


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))

"""The oracle's own process: ``python -m pipeline.compiler.oracle_worker IN.npz OUT.npz``.

IN holds ``model`` (bytes) and ``inputs`` (N, ...) int8; OUT gets ``output_0``, ``output_1``, ...
The arena's size goes to stderr, where TFLM prints it. Exit 0 done, 1 TFLM refused, 2 the inputs do
not fit the model, 3 the package is missing; a negative code says that TFLM aborted.
"""

from __future__ import annotations

import sys

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
        model, inputs = archive["model"].tobytes(), archive["inputs"]
    try:
        interpreter = runtime.Interpreter.from_bytes(model, arena_size=_ARENA_BYTES)
        shape = tuple(interpreter.get_input_details(0)["shape"])
        if inputs[0].size != np.prod(shape, dtype=np.int64):
            print(f"inputs of shape {inputs.shape[1:]} for a model of {shape}", file=sys.stderr)
            return 2
        count = schema.Model.GetRootAs(model, 0).Subgraphs(0).OutputsLength()
        outputs: list[list[npt.NDArray[np.int8]]] = [[] for _ in range(count)]
        for row in inputs:
            interpreter.set_input(row.reshape(shape), 0)
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


def _batch_free(output: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """(N, 1, ...) -> (N, ...)."""
    return output[:, 0] if output.ndim > 2 and output.shape[1] == 1 else output


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))

"""Print docs/OPERATORS.md: ``python -m pipeline.compiler > docs/OPERATORS.md``."""

from __future__ import annotations

from pipeline.compiler.operands import MAX_ACTIVATION_BYTES
from pipeline.compiler.operators import OPERATORS

_HEAD = """\
# Operators of the engine compiler

Written by `make operators` from the compiler's own table; do not edit. The compiled engine gives
the bytes that TFLite-Micro gives, or refuses the model with every reason at once (exit code 1).
examples/custom_model.py compiles a network of your own.

Of every model: one subgraph; int8 activations with one scale each, at most {bytes:,} bytes, batch 1
where a window slides; any inputs and outputs, int8 or, with QUANTIZE as its first operator and
DEQUANTIZE as the last, float32. Versions are those of the .tflite schema.

| operator | version | supported | refused |
| --- | --- | --- | --- |
"""


def operators_page() -> str:
    """The content of docs/OPERATORS.md."""
    rows = (
        f"| {name} | up to {each.version} | {each.supported} | {each.refused} |\n"
        for name, each in OPERATORS.items()
    )
    return _HEAD.format(bytes=MAX_ACTIVATION_BYTES) + "".join(rows)


if __name__ == "__main__":
    print(operators_page(), end="")

"""The engine compiler: an int8 .tflite becomes C on our own kernels (firmware/lib/nn).

``compile_model`` is pure host Python. ``run_tflm`` runs the same file in TFLite-Micro, the oracle
that the compiled engine equals byte for byte.
"""

from pipeline.compiler.compile import CompiledModel, compile_model, possible_hops
from pipeline.compiler.emit import c_float
from pipeline.compiler.errors import UnsupportedModel
from pipeline.compiler.for_tflm import for_tflm
from pipeline.compiler.graph import TensorInfo
from pipeline.compiler.operators import OPERATORS
from pipeline.compiler.oracle import run_tflm

__all__ = [
    "OPERATORS",
    "CompiledModel",
    "TensorInfo",
    "UnsupportedModel",
    "c_float",
    "compile_model",
    "for_tflm",
    "possible_hops",
    "run_tflm",
]

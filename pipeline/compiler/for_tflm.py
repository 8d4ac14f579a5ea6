"""What TFLite-Micro must be given so that it computes what a file means.

A model with a free batch size says 1 everywhere, also between SPACE_TO_BATCH_ND and
BATCH_TO_SPACE_ND, where a dilated convolution works on a batch of its own. TensorFlow Lite infers
shapes anew; TFLite-Micro believes the file, computes the first of the batch alone, and gives wrong
numbers without a word. And what SPACE_TO_BATCH_ND pads with is a number that it never sets.
"""

from __future__ import annotations

from math import prod

import numpy as np

from pipeline.compiler.fold import fold
from pipeline.compiler.reader import RawModel, RawOperator, read_model
from pipeline.core.errors import CheckFailed


def for_tflm(model: bytes) -> bytes:
    """The .tflite with the batch sizes that it means. Raises as `read_model`, and CheckFailed where
    TFLite-Micro computes something else whatever it is given."""
    raw = read_model(model)
    dilated = [each for each in raw.operators if each.name == "SPACE_TO_BATCH_ND"]
    if not dilated:
        return model
    if padding := fold(raw).padded_by_batches:
        raise CheckFailed(
            f"SPACE_TO_BATCH_ND (operator {padding[0]}) pads, and TFLite-Micro does not set what "
            "it pads with: its outputs mean nothing here. The compiled engine pads as TensorFlow "
            'Lite does; padding="causal" or "valid" for dilated layers suits both'
        )
    from ai_edge_litert import schema_py_generated as schema

    content = bytearray(model)
    graph = schema.Model.GetRootAs(content, 0).Subgraphs(0)
    for operator in dilated:
        block = raw.tensors[operator.inputs[1]].data
        if block is None:
            continue
        for tensor in _until_the_end(raw, operator):
            if raw.tensors[tensor].shape[:1] == (1,):
                graph.Tensors(tensor).ShapeAsNumpy()[0] = prod(block.view(np.int32).tolist())
    return bytes(content)


def _until_the_end(raw: RawModel, operator: RawOperator) -> set[int]:
    """Tensors between the operator and the ends of its batch."""
    found = set(operator.outputs)
    for each in raw.operators[operator.index + 1 :]:
        if found & set(each.inputs) and each.name != "BATCH_TO_SPACE_ND":
            found |= set(each.outputs)
    return found

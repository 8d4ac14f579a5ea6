"""What the compiler raises for a model that it cannot take."""

from __future__ import annotations

from pipeline.core.errors import CheckFailed

_SHOWN = 3

NO_LOOPS = (
    "An LSTM of tf_keras converts to one operator (TF_USE_LEGACY_KERAS=1, an Input with "
    "batch_size=1), one of Keras 3 to a loop"
)
# What a reason says -> how to convert the model instead.
_REMEDIES = (
    (
        " is FLOAT32, not INT8",
        "Quantize all of it: give the converter optimizations = [tf.lite.Optimize.DEFAULT] and a "
        "representative_dataset",
    ),
    (
        " is INT16, not INT8",
        "Int16 activations are not taken: leave 16x8 out of the converter's supported_ops",
    ),
    (" is UINT8, not INT8", "Convert it with TensorFlow 2, which quantizes to int8"),
    (
        " CUSTOM Flex",
        "Convert it without SELECT_TF_OPS",
    ),
    (" TensorList", NO_LOOPS),
    (
        " REDUCE_PROD: ",
        "A Dense layer on a sequence converts to what TFLite-Micro lacks: use Conv1D(units, 1)",
    ),
    (" batch of ", "Convert it with a batch of 1"),
)


class UnsupportedModel(CheckFailed):
    """A valid .tflite that the engine compiler does not take; exit code 1.

    ``reasons`` holds every one, each naming its place ("operator 3 TANH: ..."); the message shows
    the first few in one line, and then how to convert the model instead, where that is known.
    ``operators`` names the offending operators, each once, in order.
    """

    def __init__(self, reasons: list[str], operators: list[str] | None = None) -> None:
        self.reasons = tuple(reasons)
        self.operators = tuple(dict.fromkeys(operators or []))
        shown = "; ".join(self.reasons[:_SHOWN])
        more = len(self.reasons) - _SHOWN
        names = f" (operators: {', '.join(self.operators)})" if self.operators else ""
        super().__init__(
            f"the model cannot be compiled{names}: {shown}"
            + (f"; and {more} more" if more > 0 else "")
            + "".join(f". {remedy}" for sign, remedy in _REMEDIES if _has(self.reasons, sign))
        )


def _has(reasons: tuple[str, ...], sign: str) -> bool:
    return any(sign in reason for reason in reasons)


class Refusal(Exception):
    """Why one operator cannot be compiled; collected into an UnsupportedModel."""

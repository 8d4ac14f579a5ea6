"""What the compiler raises for a model that it cannot take."""

from __future__ import annotations

from pipeline.core.errors import CheckFailed

_SHOWN = 8


class UnsupportedModel(CheckFailed):
    """A valid .tflite that the engine compiler does not take; exit code 1.

    ``reasons`` holds every one, each naming its place ("operator 3 TANH: ..."); the message shows
    the first few in one line. ``operators`` names the offending operators, each once, in order.
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
        )


class Refusal(Exception):
    """Why one operator cannot be compiled; collected into an UnsupportedModel."""

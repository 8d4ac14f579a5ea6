"""What can go wrong between the host and a board, beyond the tree of `pipeline.core.errors`."""

from __future__ import annotations

from pipeline.core.errors import CheckFailed, ExternalError


class PortLost(ExternalError):
    """The port was open and is gone: unplugged, reset, or closed by the other side."""


class NoAnswer(ExternalError):
    """The port is there, but nothing on it answers as a board should."""


class BoardRefused(CheckFailed):
    """The board answered ERROR.

    `status` is a number of firmware/lib/base/har_status.h, `text` the board's own words.
    """

    def __init__(self, doing: str, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(f"the board refused {doing}: {text or _MEANINGS.get(status, 'no reason')}")


_MEANINGS = {
    1: "an argument is out of range",
    2: "the length is wrong",
    3: "the checksum is wrong",
    4: "it is for another model",
    5: "it is of another version",
    6: "not in this state",
    7: "a number is not finite",
    8: "the flash failed",
    9: "there is nothing stored",
    10: "the engine failed",
    11: "it knows no such request",
}
"""What is said when the board gives a number alone."""

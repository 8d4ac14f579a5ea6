"""One thing looked at, and all of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from pipeline.core.errors import HarError

State = Literal["green", "yellow", "red"]


@dataclass(frozen=True)
class Check:
    """``state``: green is right; yellow is worth knowing, or could not be looked at; red has to be
    mended. ``remedy``: what to do, "" when nothing."""

    name: str
    state: State
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Report:
    """The checks, in the order in which they were made."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Nothing has to be mended."""
        return all(check.state != "red" for check in self.checks)

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {"ok": self.ok, "checks": [asdict(check) for check in self.checks]}


def failed(name: str, error: HarError, state: State = "red") -> Check:
    """A check that ended in an error, whose one line says what is wrong and what to do."""
    text, _, remedy = str(error).partition(": ")
    return Check(name, state, text, remedy or "fix that, then `har doctor` again")

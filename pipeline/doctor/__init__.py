"""What `har doctor` looks at: this machine, the model, the board on its port, and its sensor."""

from __future__ import annotations

from pipeline.doctor.check import Check, Report
from pipeline.doctor.examine import examine

__all__ = ["Check", "Report", "examine"]

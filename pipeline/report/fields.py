"""Fields that the JSON documents of several reports share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field

Row = BaseModel | tuple[Any, ...]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class SubjectScore:
    """One subject or session: share of windows named right, and how many windows that is."""

    accuracy: Share
    windows: Count

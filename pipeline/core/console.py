"""rich's console, which lets no control character of a name through to the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich import console
from rich.segment import Segment

from pipeline.core.format import printable_lines


class Console(console.Console):
    """A console for tables, bars and lines that hold names from outside: files, people, boards."""

    def render(
        self, renderable: console.RenderableType, options: console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Give the segments of ``renderable`` with control characters shown as U+FFFD."""
        for segment in super().render(renderable, options):
            yield (
                segment
                if segment.control
                else Segment(printable_lines(segment.text), segment.style)
            )

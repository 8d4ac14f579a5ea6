"""One self-contained page: no script, no font, no picture and no style from anywhere else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.format import printable
from pipeline.report.tables import Table


@dataclass(frozen=True)
class Picture:
    """An SVG file's text, and what it shows in words."""

    svg: str
    alt: str

    @property
    def address(self) -> str:
        """The picture as a data URI: its ids and styles stay its own."""
        return f"data:image/svg+xml;base64,{b64encode(self.svg.encode()).decode()}"


@dataclass(frozen=True)
class Section:
    """A heading, a remark, and below them pictures, tables and facts (name -> value)."""

    title: str
    text: str = ""
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """``notices`` stand above the sections, ``footer`` below them."""

    command: str
    title: str
    lead: str
    sections: Sequence[Section]
    notices: Sequence[str] = ()
    footer: str = ""

    def html(self) -> str:
        """The page's text; everything that is shown is escaped."""
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        house = Environment(
            loader=FileSystemLoader(Path(__file__).parent),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=printable,
        )
        return house.get_template("page.html.j2").render(page=self)

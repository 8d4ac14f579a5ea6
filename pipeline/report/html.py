"""One self-contained page: no script, no font, no picture and no style from anywhere else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.format import grouped, kilobytes, percent, person, points, printable

if TYPE_CHECKING:
    from jinja2 import Environment

_STYLE = Path(__file__).parent


def environment(templates: Path) -> Environment:
    """Load templates from ``templates`` and the shared style; escape by default, with the
    filters of `pipeline.core.format`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([templates, _STYLE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        {word.__name__: word for word in (percent, person, points, grouped, kilobytes, printable)}
    )
    return environment

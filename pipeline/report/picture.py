"""The report's pictures in one standalone SVG, for a README or a slide."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Sequence

_COLOURS = {
    "ink": "#1b2330",
    "muted": "#667085",
    "line": "#e3e2dc",
    "track": "#eeede8",
    "accent": "#0f766e",
    "soft": "#9cc9c3",
    "warn": "#c2570c",
    "on-accent": "#fff",
}
_HEIGHT = 300.0
_GAP = 28.0
_HEAD = 34.0
_LINE = 17.0
_LETTER = 5.8  # a letter's width at 11 points, rather too wide
_VIEW = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')


def side_by_side(pictures: dict[str, str]) -> str:
    """Titles and inline SVGs of `pipeline.report.plots` -> one SVG file's text, drawn at equal
    heights on white."""
    x, body = _GAP, []
    for title, picture in pictures.items():
        view = _VIEW.search(picture)
        if view is None:
            raise ValueError(f"{title}: not a picture of pipeline.report.plots")
        width = _HEIGHT * float(view[1]) / float(view[2])
        body.append(
            f'<text x="{x:.0f}" y="{_GAP}" font-weight="bold" fill="var(--ink)">{title}</text>'
        )
        body.append(
            picture.replace(
                "<svg",
                f'<svg x="{x:.0f}" y="{_HEAD + 8}" width="{width:.0f}" height="{_HEIGHT}"',
                1,
            )
        )
        x += width + _GAP
    return _file("\n".join(body), round(x), round(_HEAD + _HEIGHT + _GAP))


def below_title(title: str, remarks: Sequence[str], picture: str) -> str:
    """One inline SVG of `pipeline.report.plots` at its own size under a title and remarks, which
    are wrapped to its width -> one SVG file's text, on white."""
    view = _VIEW.search(picture)
    if view is None:
        raise ValueError(f"{title}: not a picture of pipeline.report.plots")
    wide, high = float(view[1]), float(view[2])
    lines = [f'<text x="{_GAP}" y="{_GAP}" font-weight="bold" fill="var(--ink)">{title}</text>']
    y = _GAP
    for remark in textwrap.wrap(" ".join(remarks), max(int(wide / _LETTER), 20)):
        y += _LINE
        text = html.escape(remark)
        lines.append(f'<text x="{_GAP}" y="{y}" font-size="11" fill="var(--muted)">{text}</text>')
    y += _LINE
    size = f'x="{_GAP}" y="{y}" width="{wide:.0f}" height="{high:.0f}"'
    lines.append(picture.replace("<svg", f"<svg {size}", 1))
    return _file("\n".join(lines), round(wide + 2 * _GAP), round(y + high + _GAP))


def _file(text: str, width: int, height: int) -> str:
    for name, colour in _COLOURS.items():
        text = text.replace(f"var(--{name})", colour)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif" font-size="14">\n'
        f'<rect width="{width}" height="{height}" rx="12" fill="#fff"/>\n{text}\n</svg>\n'
    )

"""The report's pictures in one standalone SVG, for a README or a slide."""

from __future__ import annotations

import re

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
    width, height = round(x), round(_HEAD + _HEIGHT + _GAP)
    text = "\n".join(body)
    for name, colour in _COLOURS.items():
        text = text.replace(f"var(--{name})", colour)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif" font-size="14">\n'
        f'<rect width="{width}" height="{height}" rx="12" fill="#fff"/>\n{text}\n</svg>\n'
    )

"""Recordings drawn small: six signals, gaps and what is done, as text or as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data import resample
from pipeline.data.recording import CHANNELS, Dataset, Recording
from pipeline.report.plots import canvas, label

if TYPE_CHECKING:
    from pipeline.core.types import Array

_BARS = "▁▂▃▄▅▆▇█"
_MOST_FILES = 12
# The least that a full bar is, in g and in rad/s, so that noise looks like rest.
_LEAST = (0.3, 0.6)
_SHOWN_S = 4.0
_MARGIN_S = 1.0  # the filter's ends are not shown


def signal_lines(pieces: Sequence[Recording], columns: int = 60) -> list[str]:
    """Six lines, a block for each stretch of time as high as the signal swings there against the
    sensor's most, and a line of what is done; ``|`` is a gap between two pieces."""
    total = sum(len(piece.samples) for piece in pieces)
    widths = [max(1, round(columns * len(piece.samples) / total)) for piece in pieces]
    swings = [_swings(piece, width) for piece, width in zip(pieces, widths, strict=True)]
    most = np.maximum(np.concatenate(swings).max(axis=0).reshape(2, 3).max(axis=1), _LEAST)
    rows = ["|".join(_bars(s[:, axis], most[axis // 3]) for s in swings) for axis in range(6)]
    rows.append("|".join(_labels(p, width) for p, width in zip(pieces, widths, strict=True)))
    return [f"{name:>2} {row}" for name, row in zip((*CHANNELS, ""), rows, strict=True)]


def write_picture(path: Path, files: Sequence[tuple[str, Sequence[Recording]]]) -> None:
    """Writes a PNG with two panels for each file (at most 12): acceleration and angular rate over
    time, gaps in grey, what is done as colours. Raises OSError as the disk does."""
    from matplotlib.patches import Patch

    shown = files[:_MOST_FILES]
    with canvas("recordings", 12.0, 2.6 * len(shown) + 0.4) as figure:
        panels = figure.subplots(len(shown), 2, squeeze=False)
        for row, (name, pieces) in zip(panels, shown, strict=True):
            activities = dict.fromkeys(s.activity for p in pieces for s in p.segments)
            colours = {each: f"C{at}" for at, each in enumerate(activities)}
            shades = [Patch(color=colour, alpha=0.3) for colour in colours.values()]
            row[0].set_title(label(name), loc="left", size=9)
            for axes, first, unit in ((row[0], 0, "g"), (row[1], 3, "rad/s")):
                start = 0.0
                for number, piece in enumerate(pieces):
                    times = start + np.arange(len(piece.samples)) / piece.rate_hz
                    for axis in range(first, first + 3):
                        line = axes.plot(times, piece.samples[:, axis], lw=0.6, color=f"C{axis}")
                        if not number:
                            line[0].set_label(CHANNELS[axis])
                    for segment in piece.segments:
                        axes.axvspan(
                            start + segment.start / piece.rate_hz,
                            start + segment.stop / piece.rate_hz,
                            color=colours[segment.activity],
                            alpha=0.12,
                            lw=0,
                        )
                    start += piece.duration_s
                    if number + 1 < len(pieces):
                        axes.axvline(start, color="grey", lw=2)
                axes.set(xlabel="s", ylabel=unit)
                axes.legend(loc="upper left", fontsize=7)
            row[1].add_artist(row[1].get_legend())
            names = [label(each) for each in activities]
            row[1].legend(shades, names, loc="upper left", bbox_to_anchor=(1, 1), fontsize=7)
        figure.savefig(path, format="png", dpi=110)


def write_before_and_after(path: Path, dataset: Dataset, rate_hz: float) -> None:
    """Writes a PNG: four seconds of walking, or else of the liveliest activity, and of the
    stillest, as recorded and at ``rate_hz``. Raises OSError as the disk does."""
    chosen = _lively_and_still(dataset)
    with canvas("before and after", 12.0, 2.4 * len(chosen) + 0.4) as figure:
        panels = figure.subplots(len(chosen), 2, squeeze=False)
        for row, (name, piece) in zip(panels, chosen.items(), strict=True):
            brought = resample(piece, rate_hz)
            row[0].set_title(label(f"{name}, {piece.subject}"), loc="left", size=9)
            for axes, first, unit in ((row[0], 0, "g"), (row[1], 3, "rad/s")):
                for axis in range(first, first + 3):
                    for each, style in ((piece, "-"), (brought, "o")):
                        times = np.arange(len(each.samples)) / each.rate_hz
                        inside = (times >= _MARGIN_S) & (times < _MARGIN_S + _SHOWN_S)
                        axes.plot(
                            times[inside],
                            each.samples[inside, axis],
                            style,
                            lw=0.6,
                            ms=2,
                            color=f"C{axis}",
                        )
                axes.set(xlabel="s", ylabel=unit)
            row[1].set_title(f"lines as recorded, dots at {rate_hz:g} Hz", loc="left", size=9)
        figure.savefig(path, format="png", dpi=110)


def _lively_and_still(dataset: Dataset) -> dict[str, Recording]:
    """By activity, the first stretch that is long enough."""
    found: dict[str, Recording] = {}
    for recording in dataset.recordings:
        length = round((_SHOWN_S + 2 * _MARGIN_S) * recording.rate_hz)
        for segment in recording.segments:
            if segment.activity in dataset.activities and len(segment) >= length:
                samples = recording.samples[segment.start : segment.start + length]
                found.setdefault(segment.activity, replace(recording, samples=samples, segments=()))
    by_swing = sorted(
        found, key=lambda name: float(np.ptp(found[name].samples[:, :3], axis=0).sum())
    )
    lively = "walking" if "walking" in found else by_swing[-1]
    return {name: found[name] for name in dict.fromkeys((lively, by_swing[0]))}


def _swings(piece: Recording, width: int) -> Array:
    """How far each signal swings in each of at most ``width`` parts, (parts, 6)."""
    parts = np.array_split(piece.samples, min(width, len(piece.samples)))
    return np.array([np.ptp(part, axis=0) for part in parts])


def _bars(swings: Array, most: float) -> str:
    top = len(_BARS) - 1
    return "".join(_BARS[min(top, int(swing / most * len(_BARS)))] for swing in swings)


def _labels(piece: Recording, width: int) -> str:
    """Each segment's name at its place, cut to its room; dots where nothing is labelled."""
    row = ["."] * width
    for segment in piece.segments:
        start, stop = (at * width // len(piece.samples) for at in (segment.start, segment.stop))
        name = label(segment.activity)[: max(0, stop - start)]
        row[start:stop] = name.ljust(stop - start, "-")
    return "".join(row)

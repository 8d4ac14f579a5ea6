"""Figures of `har variants` as people read them, beside those of `words`."""

from __future__ import annotations

import math
from collections.abc import Iterable


def brief(count: float) -> str:
    """Three digits or so: 549478 -> "549k", 3195424 -> "3.20M", 87 -> "87"."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        # 999,600 is "1.00M", not "1000k".
        if count >= 0.9995 * unit:
            return f"{three(count / unit)}{letter}"
    return three(count)


def three(value: float) -> str:
    """Three digits, more in front of the point where there are: 7.891 -> "7.89", 12345.6 ->
    "12,346"; whole numbers below 100 as they are."""
    if value == int(value) and value < 100:
        return f"{value:.0f}"
    return f"{value:,.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def kilo(count: int) -> str:
    """Bytes in units of 1024, three digits: 17500 -> "17.1", 2300000 -> "2,246"."""
    return three(count / 1024)


def lost(drop: float) -> str:
    """An accuracy lost, in points: 0.0042 -> "0.42", a gain with a minus, nothing -> "0"."""
    shown = f"{100 * drop:.2f}"
    return "0" if float(shown) == 0 else shown.replace("-", "\u2212")


def beside_limit(value: float, limit: float) -> str:
    """Two decimals, or as many more as show on which side of the limit it is: 0.501 against 0.5.
    What differs by less than a billionth is the limit."""
    digits = 2
    if abs(value - limit) > 1e-9:
        while digits < 9 and _side(round(value, digits), limit) != _side(value, limit):
            digits += 1
    return f"{value:.{digits}f}"


def _side(value: float, limit: float) -> int:
    return (value > limit) - (value < limit)


def span(values: Iterable[float], limit: float = math.inf) -> str:
    """The least and the most, e.g. "3.71 to 3.98", each as `beside_limit` shows it; one number
    where both look alike."""
    ends = list(values)
    least, most = beside_limit(min(ends), limit), beside_limit(max(ends), limit)
    return least if least == most else f"{least} to {most}"


def smaller(times: float) -> str:
    """3.7 -> "3.70 times smaller", 1.004 -> "as large", 0.5 -> "2.00 times larger"."""
    if f"{times:.2f}" == "1.00":
        return "as large"
    return f"{times:.2f} times smaller" if times > 1 else f"{1 / times:.2f} times larger"

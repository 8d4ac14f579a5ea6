"""Numbers as people read them, the same in the terminal, the page and the pictures."""

from __future__ import annotations

NARROW_SPACE = "\u202f"


def percent(share: float) -> str:
    """0.9512 -> "95.1 %"; never rounds up to a perfect 100 or down to 0."""
    value = round(100 * share, 1)
    if value == 100 and share < 1:
        value = 99.9
    if value == 0 and share > 0:
        value = 0.1
    return f"{value:.1f}{NARROW_SPACE}%"


def points(difference: float) -> str:
    """A difference of two shares in percentage points, signed: 0.15 -> "+15.0 points"."""
    return f"{100 * difference:+.1f} points".replace("-", "\u2212")


def grouped(count: int) -> str:
    """1234567 -> "1,234,567"."""
    return f"{count:,}"


def kilobytes(count: int) -> str:
    """Bytes in units of 1024: 54152 -> "52.9 KB"; below 10,000 in plain bytes."""
    return f"{grouped(count)} B" if count < 10_000 else f"{count / 1024:,.1f} KB"


def printable(name: object) -> str:
    """A name from outside with control and direction characters shown as U+FFFD."""
    return "".join(
        letter if letter.isprintable() or letter == NARROW_SPACE else "\ufffd"
        for letter in str(name)
    )


def printable_lines(text: str) -> str:
    """As `printable`, with line breaks left as they are."""
    return "\n".join(map(printable, text.split("\n")))


def subject_label(name: object) -> str:
    """7 -> "subject 7"; a name that says more than a number stays as it is: "subject07"."""
    shown = printable(name)
    return f"subject {shown}" if shown.isdecimal() else shown

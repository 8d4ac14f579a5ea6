"""What was published of FC and FxC1, and what other networks and data show of it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.core.format import NARROW_SPACE, printable
from pipeline.experiments.fxcy.rows import PUBLISHED, DeviceRow, FxcyReport, FxcyRow
from pipeline.report.claims import Claim, span
from pipeline.report.tables import MISSING

_LABELS = {"last_dense": "last dense", "fc": "FC", "whole": "whole", "scratch": "scratch"}
_FXC = re.compile(r"fxc(\d+)")

TIE = 0.005
"""Half a point: accuracies nearer than this are level, however small their standard error."""
DEVICE_TIE = 0.01
"""One point: of the device's accuracy to TensorFlow's."""
_SLACK = 0.5  # points, percent or times: what a range may be missed by


@dataclass(frozen=True)
class Comparison:
    """All cases of one backbone and pair, least trained first, scratch last."""

    source: str
    target: str
    backbone: str
    rows: tuple[FxcyRow, ...]

    @property
    def pair(self) -> str:
        """E.g. "hapt → watch"."""
        return f"{printable(self.source)} → {printable(self.target)}"

    def case(self, name: str) -> FxcyRow | None:
        """The row of a case; None where it was not run."""
        return next((row for row in self.rows if row.case == name), None)


def comparisons(rows: Iterable[FxcyRow]) -> list[Comparison]:
    """Rows by pair and backbone, in the order in which these first appear."""
    found: dict[tuple[str, str, str], list[FxcyRow]] = {}
    for row in rows:
        found.setdefault((row.source, row.target, row.backbone), []).append(row)
    return [Comparison(*key, tuple(by_depth(group))) for key, group in found.items()]


def by_depth(rows: Iterable[FxcyRow]) -> list[FxcyRow]:
    """last_dense, fc, fxc1, fxc2, ..., whole, scratch."""
    return sorted(rows, key=lambda row: _depth(row.case))


def _depth(case: str) -> tuple[float, str]:
    fixed = {"last_dense": -1.0, "fc": 0.0, "whole": math.inf}
    if case in fixed:
        return fixed[case], ""
    layers = _FXC.fullmatch(case)
    return (float(layers[1]), "") if layers else (math.inf, case)


def case_label(case: str) -> str:
    """fxc2 -> "FxC2", last_dense -> "last dense"."""
    layers = _FXC.fullmatch(case)
    return f"FxC{layers[1]}" if layers else _LABELS.get(case, printable(case))


def chain(rows: Iterable[FxcyRow]) -> list[FxcyRow]:
    """fc, fxc1, fxc2, ..., whole: each trains all that the one before it trains, and more.
    last_dense trains only a part of the classifier and scratch has no source: they are not in it.
    """
    on_it = [row for row in rows if row.case in ("fc", "whole") or _FXC.fullmatch(row.case)]
    return by_depth(on_it)


def knee(rows: Iterable[FxcyRow]) -> str | None:
    """Where more layers stop paying, of the rows of one pair and backbone: the shallowest case of
    `chain` within one standard error of its most accurate (Breiman's rule; the standard error of
    that case over seeds, at least `TIE`). "whole" where they pay to the end; None without a row.
    """
    cases = chain(rows)
    if not cases:
        return None
    best = max(cases, key=lambda row: row.accuracy)
    enough = best.accuracy - max(standard_error(best), TIE) - 1e-9
    return next(row.case for row in cases if row.accuracy >= enough)


def standard_error(*measured: FxcyRow) -> float:
    """Of a mean over seeds; of two, of their difference (as of independent ones). One seed tells
    nothing of it and counts as 0."""
    return math.sqrt(sum((each.sd or 0.0) ** 2 / max(len(each.seeds), 1) for each in measured))


def compare(one: FxcyRow, other: FxcyRow) -> int:
    """1 where ``one`` is more accurate than ``other``, -1 where less, 0 where they are level:
    within one standard error of the difference, or `TIE`."""
    difference = one.accuracy - other.accuracy
    if abs(difference) <= max(standard_error(one, other), TIE) + 1e-9:
        return 0
    return 1 if difference > 0 else -1


@dataclass(frozen=True)
class Agreement:
    """The device's learner against the same rule in TensorFlow. ``difference``: device less
    TensorFlow, 0 to 1; ``noise``: what it may be, 2 standard errors of the difference or
    `DEVICE_TIE`. ``adam``: the row of the same case as all networks learn it, None where it was not
    run."""

    device: DeviceRow
    difference: float
    noise: float
    adam: FxcyRow | None

    @property
    def agrees(self) -> bool:
        """Whether the difference is within noise."""
        return abs(self.difference) <= self.noise + 1e-9


def agreements(report: FxcyReport) -> list[Agreement]:
    """Of the device rows, in their order."""
    adam = {(row.source, row.target, row.backbone, row.case): row for row in report.rows}
    found = []
    for row in report.device_rows:
        both = math.hypot(row.sd or 0.0, row.tensorflow_sd or 0.0)
        found.append(
            Agreement(
                row,
                row.accuracy - row.tensorflow_accuracy,
                max(2 * both / math.sqrt(max(len(row.seeds), 1)), DEVICE_TIE),
                adam.get((row.source, row.target, row.backbone, row.case)),
            )
        )
    return found


def spread(accuracy: float, sd: float | None) -> str:
    """A mean over seeds in percent, and their deviation where there are several."""
    return f"{100 * accuracy:.1f}" + ("" if sd is None else f" ± {100 * sd:.1f}")


def joules(nj: float) -> str:
    """Nanojoules in the unit that suits: 844.9 -> "845 nJ", 64735.2 -> "64.7 µJ"."""
    units = ("nJ", "µJ", "mJ", "J")
    place = 0
    while place + 1 < len(units) and abs(nj) >= 999.5:
        nj, place = nj / 1000, place + 1
    digits = 0 if abs(nj) >= 99.95 else 1 if abs(nj) >= 9.995 else 2
    return f"{nj:,.{digits}f}{NARROW_SPACE}{units[place]}"


def signed(share: float) -> str:
    """A difference of shares in points: 0.0712 -> "+7.1", 0.0001 -> "0.0"."""
    value = round(100 * share, 1)
    return "0.0" if value == 0 else f"{value:+.1f}".replace("-", "\u2212")


def ratio(row: FxcyRow, other: FxcyRow, figure: str = "energy_nj") -> float | None:
    """How many times ``other``'s energy ``row`` takes; None where the latter has none."""
    base = float(getattr(other, figure))
    found = float(getattr(row, figure)) / base if base > 0 else math.inf
    return found if math.isfinite(found) else None


def fxcy_claims(report: FxcyReport) -> list[Claim]:
    """``n``: comparisons, one of a backbone on a pair of data sets; of the last claim, cases. A
    claim of many comparisons holds where it does in more than half of them."""
    every = comparisons(report.rows)
    pairs = [
        (fc, fxc1)
        for each in every
        if (fc := each.case("fc")) is not None and (fxc1 := each.case("fxc1")) is not None
    ]
    whole = [
        (each, whole, scratch)
        for each in every
        if (whole := each.case("whole")) is not None
        and (scratch := each.case("scratch")) is not None
    ]
    knees = [(each.case(knee(each.rows) or "whole"), scratch) for each, _, scratch in whole]
    sooner = [fxc1.faster_percent for _, fxc1 in pairs]
    device = agreements(report)
    return [
        _count("FxC1 is more accurate than FC", [compare(b, a) > 0 for a, b in pairs], published=4),
        _range(
            "gain of FxC1 over FC, points",
            [100 * (case.accuracy_fxc1 - case.accuracy_fc) for case in PUBLISHED],
            [100 * (fxc1.accuracy - fc.accuracy) for fc, fxc1 in pairs],
        ),
        _count(
            "FxC1 reaches FC's best accuracy sooner",
            [each is not None and each > 0 for each in sooner],
            published=4,
        ),
        _range("epochs that this saves, %", [case.faster_percent for case in PUBLISHED], sooner),
        _range(
            "energy of FxC1 over FC's, times",
            [case.energy_fxc1_nj / case.energy_fc_nj for case in PUBLISHED],
            [ratio(fxc1, fc) for fc, fxc1 in pairs],
        ),
        _range(
            "the same of training, counted, times",
            [],
            [ratio(fxc1, fc, "training_energy_nj") for fc, fxc1 in pairs],
        ),
        _count("whole beats scratch", [compare(b, a) > 0 for _, b, a in whole]),
        _count(
            "scratch does not beat the knee",
            [row is not None and compare(scratch, row) <= 0 for row, scratch in knees],
        ),
        _count(
            "device equals TensorFlow within noise",
            [each.agrees for each in device],
            all_=True,
        ),
    ]


def _count(claim: str, found: Sequence[bool], *, published: int = 0, all_: bool = False) -> Claim:
    n, count = len(found), sum(found)
    return Claim(
        claim,
        f"{published} of {published}" if published else MISSING,
        f"{count} of {n}",
        n,
        (count == n if all_ else 2 * count > n) if n else None,
    )


def _range(claim: str, published: Sequence[float], found: Sequence[float | None]) -> Claim:
    values = [value for value in found if value is not None]
    holds = None
    if published and found:
        low, high = min(published) - _SLACK, max(published) + _SLACK
        holds = 2 * sum(low <= value <= high for value in values) > len(found)
    return Claim(
        claim, published=span(published), measured=span(values), n=len(values), holds=holds
    )

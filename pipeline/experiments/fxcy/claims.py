"""What was published of FC and FxC1, and what other networks and data show of it."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.experiments.fxcy.format import agreements, compare, comparisons, knee, ratio
from pipeline.experiments.fxcy.schema import PUBLISHED, FxcyReport
from pipeline.report.claims import Claim, span
from pipeline.report.tables import MISSING

_SLACK = 0.5  # points, percent or times: what a range may be missed by


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

"""Rows of `har variants` held against each other and against what was published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.experiments.variants.rows import (
    LOSS,
    PUBLISHED,
    SHRINK,
    PublishedVariant,
    VariantRow,
)
from pipeline.report.claims import Claim
from pipeline.report.tables import number

SAME_ACCURACY = 0.005
"""Accuracies that differ by no more are equal: half a point."""
SAME_SIZE = 1.25
"""So are two factors of size of which neither is more than this times the other."""
_EXACT = 1e-11  # sums of shares are off by less

Kind = Literal["base", "half", "quantized", "pruned", "pruned quantized"]
KINDS: tuple[Kind, ...] = ("base", "half", "quantized", "pruned", "pruned quantized")


def kind(variant: str) -> Kind:
    """What is done to the network of that name: "pruned80_qat" is "pruned quantized"."""
    quantized = variant.endswith(("int8", "qat"))
    if variant.startswith("pruned"):
        return "pruned quantized" if quantized else "pruned"
    if quantized:
        return "quantized"
    return "half" if variant == "float16" else "base"


def named(row: VariantRow) -> str:
    """E.g. "dscnn int8"."""
    return f"{row.backbone} {row.variant}"


def by_backbone(rows: Sequence[VariantRow]) -> dict[str, list[VariantRow]]:
    """Networks in the order of their first rows; the variants of each by `KINDS`."""
    found: dict[str, list[VariantRow]] = {}
    for row in rows:
        found.setdefault(row.backbone, []).append(row)
    return {
        backbone: sorted(mine, key=lambda row: KINDS.index(kind(row.variant)))
        for backbone, mine in found.items()
    }


def find(backbone: str, variant: str, rows: Sequence[VariantRow]) -> VariantRow | None:
    """The first row of both names, None without any."""
    return next((row for row in rows if (row.backbone, row.variant) == (backbone, variant)), None)


def unquantized(row: VariantRow, rows: Sequence[VariantRow]) -> VariantRow | None:
    """What a quantized row was before: pruned alike, or float32; None where that was not
    measured."""
    pruned = kind(row.variant) == "pruned quantized"
    return find(row.backbone, row.variant.partition("_")[0] if pruned else "float32", rows)


@dataclass(frozen=True)
class Match:
    """A published row, and one of ours of the same network and kind. ``change``: of accuracy
    against the base; ``smaller``: how many times smaller than the base the file is, and
    ``compressed_smaller`` after gzip; None without a base."""

    published: PublishedVariant
    published_change: float
    published_smaller: float
    ours: VariantRow
    change: float
    smaller: float | None
    compressed_smaller: float | None

    @property
    def accuracy_agrees(self) -> bool:
        """Both gain, both lose, or both stay within `SAME_ACCURACY` of their base."""
        return _direction(self.change) == _direction(self.published_change)

    @property
    def size_agrees(self) -> bool | None:
        """Whether the file shrinks as much as published, or what gzip makes of it; None without
        a base."""
        sizes = [each for each in (self.smaller, self.compressed_smaller) if each]
        theirs = self.published_smaller
        return any(max(s / theirs, theirs / s) <= SAME_SIZE for s in sizes) if sizes else None


def _direction(change: float) -> int:
    return 0 if abs(change) <= SAME_ACCURACY + _EXACT else 1 if change > 0 else -1


def matches(rows: Sequence[VariantRow]) -> Iterator[Match]:
    """For each published variant, ours of its network (of any width and size) and kind."""
    for published in PUBLISHED:
        if published.variant == "base":
            base = published
            continue
        for row in rows:
            if kind(row.variant) == published.variant and _is_of(published, row):
                before = find(row.backbone, "float32", rows)
                yield Match(
                    published=published,
                    published_change=published.accuracy - base.accuracy,
                    published_smaller=base.megabytes / published.megabytes,
                    ours=row,
                    change=-row.drop,
                    smaller=before.bytes / row.bytes if before and row.bytes else None,
                    compressed_smaller=before.compressed_bytes / row.compressed_bytes
                    if before and row.compressed_bytes
                    else None,
                )


def _is_of(published: PublishedVariant, row: VariantRow) -> bool:
    return row.backbone.lower().startswith(published.network.lower())


def variant_claims(rows: Sequence[VariantRow], test_windows: int) -> list[Claim]:
    """First the bounds that this project sets int8 (``n``: rows), then accuracy and size of each
    published variant (``n``: test windows), then which published network leads (``n``: the
    same)."""
    quantized = [row for row in rows if "quantized" in kind(row.variant)]
    losses = [
        before.accuracy - row.accuracy
        for row in quantized
        if (before := unquantized(row, rows)) is not None
    ]
    shrinks = [row.shrink for row in quantized]
    claims = [
        Claim(
            "int8 loses, points at most",
            number(100 * LOSS),
            number(100 * max(losses), 2) if losses else "",
            len(losses),
            max(losses) <= LOSS + _EXACT if losses else None,
        ),
        Claim(
            "int8 shrinks weights, times at least",
            number(SHRINK),
            number(min(shrinks), 2) if shrinks else "",
            len(shrinks),
            min(shrinks) >= SHRINK - _EXACT if shrinks else None,
        ),
    ]
    for each in matches(rows):
        name = f"{each.published.network} {each.published.variant}"
        claims.append(
            Claim(
                f"{name}, points: {each.ours.variant}",
                number(100 * each.published_change, sign=True),
                number(100 * each.change, 2, sign=True),
                test_windows,
                each.accuracy_agrees,
            )
        )
        sizes = f"÷ {number(each.smaller, 2)} (gzip {number(each.compressed_smaller, 2)})"
        claims.append(
            Claim(
                f"{name}, size: {each.ours.variant}",
                f"÷ {number(each.published_smaller)}",
                sizes,
                test_windows,
                each.size_agrees,
            )
        )
    return [*claims, *_lead(rows, test_windows)]


def _lead(rows: Sequence[VariantRow], test_windows: int) -> Iterator[Claim]:
    """MobileNet's accuracy less SqueezeNet's, as trained and quantized."""
    for variant, ours in (("base", "float32"), ("quantized", "int8")):
        theirs = [each for each in PUBLISHED if each.variant == variant]
        here = [
            next((row for row in rows if _is_of(each, row) and row.variant == ours), None)
            for each in theirs
        ]
        if here[0] is not None and here[1] is not None:
            published = theirs[0].accuracy - theirs[1].accuracy
            measured = here[0].accuracy - here[1].accuracy
            yield Claim(
                f"MobileNet's lead, points: {ours}",
                number(100 * published, sign=True),
                number(100 * measured, 2, sign=True),
                test_windows,
                published * measured > 0,
            )

"""Rows of `har variants` held against each other and against what was published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


def by_backbone(rows: Sequence[VariantRow]) -> dict[str, list[VariantRow]]:
    """Networks in the order of their first rows; the variants of each by `KINDS`."""
    found: dict[str, list[VariantRow]] = {}
    for row in rows:
        found.setdefault(row.backbone, []).append(row)
    return {
        backbone: sorted(mine, key=lambda row: KINDS.index(kind(row.variant)))
        for backbone, mine in found.items()
    }


def variant_claims(rows: Sequence[VariantRow], test_windows: int) -> list[Claim]:
    """First the bounds that this project sets int8 (``n``: rows), then accuracy and size of each
    published variant (``n``: test windows), then which published network leads (``n``: the
    same)."""
    by_name = {(row.backbone, row.variant): row for row in rows}
    quantized = [row for row in rows if "quantized" in kind(row.variant)]
    losses = []
    for row in quantized:
        pruned = kind(row.variant) == "pruned quantized"
        unquantized = row.variant.partition("_")[0] if pruned else "float32"
        if before := by_name.get((row.backbone, unquantized)):
            losses.append(before.accuracy - row.accuracy)
    shrinks = [row.shrink for row in quantized]
    return [
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
        *_published(by_name, test_windows),
        *_lead(rows, test_windows),
    ]


def _published(by_name: Mapping[tuple[str, str], VariantRow], test_windows: int) -> Iterator[Claim]:
    """For each published variant, ours of its network (of any width and size) and kind.

    Accuracy agrees where both gain, both lose, or both stay within `SAME_ACCURACY` of their base;
    size where the file shrinks as much as published, or what gzip makes of it.
    """
    for published in PUBLISHED:
        if published.variant == "base":
            base = published
            continue
        change = published.accuracy - base.accuracy
        smaller = base.megabytes / published.megabytes
        for row in by_name.values():
            if kind(row.variant) != published.variant or not _is_of(published, row):
                continue
            name = f"{published.network} {published.variant}"
            yield Claim(
                f"{name}, points: {row.variant}",
                number(100 * change, sign=True),
                number(-100 * row.drop, 2, sign=True),
                test_windows,
                _direction(-row.drop) == _direction(change),
            )
            before = by_name.get((row.backbone, "float32"))
            file, compressed = (
                getattr(before, size) / getattr(row, size)
                if before and getattr(row, size)
                else None
                for size in ("bytes", "compressed_bytes")
            )
            sizes = [each for each in (file, compressed) if each]
            yield Claim(
                f"{name}, size: {row.variant}",
                f"÷ {number(smaller)}",
                f"÷ {number(file, 2)} (gzip {number(compressed, 2)})",
                test_windows,
                any(max(s / smaller, smaller / s) <= SAME_SIZE for s in sizes) if sizes else None,
            )


def _direction(change: float) -> int:
    return 0 if abs(change) <= SAME_ACCURACY + _EXACT else 1 if change > 0 else -1


def _is_of(published: PublishedVariant, row: VariantRow) -> bool:
    return row.backbone.lower().startswith(published.network.lower())


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

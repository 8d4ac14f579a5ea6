"""The published variants beside those that were measured here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.core.format import percent
from pipeline.experiments.variants.format import smaller
from pipeline.experiments.variants.schema import PUBLISHED, PublishedVariant, VariantRow

SAME_ACCURACY = 0.005
"""Accuracies that differ by no more say the same: half a point."""
SAME_SIZE = 1.25
"""So do two factors of size of which neither is more than this times the other."""

AGREEMENT = (
    "Accuracy agrees where both gain, both lose or both stay within half a point of their base; "
    "size where neither factor is more than a quarter above the other."
)
"""The rule of `SAME_ACCURACY` and `SAME_SIZE` in words."""

_AHEAD = {"base": "unchanged", "quantized": "when quantized"}

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
    """Networks in the order of their first rows; of each the base first, then half, quantized,
    pruned, pruned quantized."""
    found: dict[str, list[VariantRow]] = {}
    for row in rows:
        found.setdefault(row.backbone, []).append(row)
    return {
        backbone: sorted(mine, key=lambda row: KINDS.index(kind(row.variant)))
        for backbone, mine in found.items()
    }


def base_of(row: VariantRow, rows: Sequence[VariantRow]) -> VariantRow | None:
    """The same network in float32, None where that was not measured."""
    return find(row.backbone, "float32", rows)


def unquantized(row: VariantRow, rows: Sequence[VariantRow]) -> VariantRow | None:
    """What a quantized row was before: pruned alike, or float32; None where that was not
    measured."""
    if kind(row.variant) == "pruned quantized":
        return find(row.backbone, row.variant.partition("_")[0], rows)
    return base_of(row, rows)


def find(backbone: str, variant: str, rows: Sequence[VariantRow]) -> VariantRow | None:
    """The first row of both names, None without any."""
    return next((row for row in rows if (row.backbone, row.variant) == (backbone, variant)), None)


def smaller_file(row: VariantRow, before: VariantRow | None) -> float | None:
    """How many times smaller the file is than that of ``before``; None without one, or of 0."""
    return before.bytes / row.bytes if before and before.bytes and row.bytes else None


def smaller_compressed(row: VariantRow, before: VariantRow | None) -> float | None:
    """The same behind gzip."""
    if before is None or not before.compressed_bytes or not row.compressed_bytes:
        return None
    return before.compressed_bytes / row.compressed_bytes


@dataclass(frozen=True)
class Published:
    """A published row. ``change``: of accuracy against the base, positive where it gains;
    ``smaller``: how many times smaller than the base."""

    row: PublishedVariant
    change: float
    smaller: float


@dataclass(frozen=True)
class Beside:
    """One of ours of the same network and kind: change as above, and how many times smaller the
    file is, and the file behind gzip; None without a base."""

    published: Published
    ours: VariantRow
    change: float
    smaller: float | None
    compressed_smaller: float | None

    @property
    def accuracy_agrees(self) -> bool:
        """Both gain, both lose, or both stay within `SAME_ACCURACY` of their base."""
        return _direction(self.change) == _direction(self.published.change)

    @property
    def verdict(self) -> str:
        """E.g. "agrees in accuracy, not in size"."""
        size = "size compressed" if self.size_agrees == "compressed" else "size"
        match self.accuracy_agrees, self.size_agrees:
            case True, None:
                return "agrees in accuracy"
            case False, None:
                return "does not agree in accuracy"
            case True, "neither":
                return "agrees in accuracy, not in size"
            case False, "neither":
                return "does not agree"
            case True, _:
                return f"agrees in accuracy and {size}"
        return f"agrees in {size}, not in accuracy"

    @property
    def size_agrees(self) -> Literal["file", "compressed", "neither"] | None:
        """Which size of ours shrinks as the published does; None without a base."""
        if self.smaller is None and self.compressed_smaller is None:
            return None
        if _alike(self.smaller, self.published.smaller):
            return "file"
        return (
            "compressed" if _alike(self.compressed_smaller, self.published.smaller) else "neither"
        )


def _direction(change: float) -> int:
    return 0 if abs(change) <= SAME_ACCURACY + 1e-12 else 1 if change > 0 else -1


def _alike(ours: float | None, published: float) -> bool:
    return ours is not None and max(ours / published, published / ours) <= SAME_SIZE


def of_network(published: PublishedVariant, rows: Sequence[VariantRow]) -> list[VariantRow]:
    """Our rows of the published network, whatever its width and pixels."""
    return [row for row in rows if row.backbone.lower().startswith(published.network.lower())]


def beside(rows: Sequence[VariantRow]) -> list[tuple[Published, list[Beside]]]:
    """Each published row with ours of its network and kind."""
    return [(published, _ours(published, rows)) for published in map(_against_base, PUBLISHED)]


def _against_base(row: PublishedVariant) -> Published:
    base = _published(row.network, "base")
    return Published(row, row.accuracy - base.accuracy, base.megabytes / row.megabytes)


def _ours(published: Published, rows: Sequence[VariantRow]) -> list[Beside]:
    return [
        Beside(
            published=published,
            ours=row,
            change=-row.drop,
            smaller=smaller_file(row, base_of(row, rows)),
            compressed_smaller=smaller_compressed(row, base_of(row, rows)),
        )
        for row in of_network(published.row, rows)
        if kind(row.variant) == published.row.variant
    ]


def published_findings(rows: Sequence[VariantRow]) -> Iterator[str]:
    """What was published of each network and kind, what was measured here, whether both agree."""
    doing = {"quantized": "quantizing", "pruned": "pruning"}
    compared = [(each, mine) for each, mine in beside(rows) if mine and each.row.variant in doing]
    for published, mine in compared:
        row = published.row
        yield (
            f"Published, {doing[row.variant]} {row.network} {_change(published.change, 1)} and "
            f"makes it {published.smaller:.1f} times smaller. Here "
            f"{'; '.join(_here(pair) for pair in mine)}."
        )
    yield from _order(rows)
    for network in _networks():
        if not of_network(_published(network, "base"), rows):
            yield f"{network} was not measured here: its published rows stand alone."
    if compared:
        yield AGREEMENT


def _here(pair: Beside) -> str:
    sizes = ""
    if pair.smaller is not None and pair.compressed_smaller is not None:
        sizes = f", its file {smaller(pair.smaller)}, compressed {smaller(pair.compressed_smaller)}"
    return f"{named(pair.ours)} {_change(pair.change, 2)}{sizes} ({pair.verdict})"


def _change(change: float, digits: int) -> str:
    shown = f"{abs(100 * change):.{digits}f}"
    return f"{'gains' if change > 0 and float(shown) else 'costs'} {shown} points"


def _order(rows: Sequence[VariantRow]) -> Iterator[str]:
    """Which of the published networks is ahead, unchanged and quantized; of ours the first rows."""
    for variant, ours in (("base", "float32"), ("quantized", "int8")):
        theirs = {network: _published(network, variant) for network in _networks()}
        here = {
            network: row
            for network, published in theirs.items()
            for row in reversed(of_network(published, rows))
            if row.variant == ours
        }
        if len(here) < len(theirs):
            continue
        ahead = max(theirs, key=lambda network: theirs[network].accuracy)
        lead = here[ahead].accuracy - max(
            row.accuracy for network, row in here.items() if network != ahead
        )
        said = (
            "both are level" if abs(lead) < 1e-12 else "it is, too" if lead > 0 else "it is behind"
        )
        shown = ", ".join(f"{name} {percent(each.accuracy)}" for name, each in theirs.items())
        shown_here = ", ".join(f"{named(row)} {percent(row.accuracy)}" for row in here.values())
        yield (
            f"Published, {ahead} is ahead {_AHEAD[variant]} ({shown}); here {said} ({shown_here})."
        )


def _networks() -> list[str]:
    return list(dict.fromkeys(each.network for each in PUBLISHED))


def _published(network: str, variant: str) -> PublishedVariant:
    return next(each for each in PUBLISHED if (each.network, each.variant) == (network, variant))

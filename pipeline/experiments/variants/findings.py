"""What the numbers of `har variants` say, in sentences that are made from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from pipeline.core.format import kilobytes, percent, printable
from pipeline.experiments.variants.format import beside_limit, span
from pipeline.experiments.variants.published import (
    base_of,
    by_backbone,
    find,
    kind,
    named,
    published_findings,
    smaller_compressed,
    smaller_file,
    unquantized,
)
from pipeline.experiments.variants.schema import LOSS, SHRINK, VariantRow, VariantsReport

_SAME_FILE = 1.02  # times: a file that shrinks less is as large as it was
_MUCH_ELSE = 0.9  # of the weights' factor: a file that shrinks less than that holds much else
_NEAR_BEST = 0.01  # of accuracy
_EXACT = 1e-11  # sums of shares are off by less


def variant_findings(report: VariantsReport) -> list[str]:
    """A sentence or two each, from the rows alone: what was not measured is not spoken of.

    In order: what int8 loses and shrinks, what float16 and pruning do, which gains are also those
    of more training, what fits the board, which serves best, how sure that is, and what the
    published table says of the same.
    """
    published = published_findings(report.rows) if report.rows else ()
    return [*own_findings(report), *(printable(said) for said in published)]


def own_findings(report: VariantsReport) -> list[str]:
    """The same without the published table."""
    rows = report.rows
    if not rows:
        return ["Nothing was measured."]
    about: tuple[Callable[[Sequence[VariantRow]], Iterator[str]], ...] = (
        *(_loss, _shrink, _files, _half, _pruned, _longer, _fits, _engines, _best, _worst),
    )
    said = [sentence for part in about for sentence in part(rows)]
    return [printable(each) for each in (*said, *_noise(report))]


def _quantized(rows: Sequence[VariantRow]) -> list[VariantRow]:
    return [row for row in rows if kind(row.variant) in ("quantized", "pruned quantized")]


def _loss(rows: Sequence[VariantRow]) -> Iterator[str]:
    losses: dict[str, float] = {}
    unknown: list[str] = []
    for row in _quantized(rows):
        if kind(row.variant) == "quantized":
            losses[named(row)] = row.drop
        elif before := unquantized(row, rows):
            losses[named(row)] = before.accuracy - row.accuracy
        else:
            unknown.append(named(row))
    beyond = {name: loss for name, loss in losses.items() if loss > LOSS + _EXACT}
    if beyond:
        shown = {name: beside_limit(100 * loss, 100 * LOSS) for name, loss in beyond.items()}
        yield (
            f"Quantizing to int8 costs more than half a point in {_of(beyond, losses)}: "
            f"{_listed(shown)}, in points against the same network before."
        )
    elif losses:
        name = max(losses, key=lambda name: losses[name])
        most = f"{beside_limit(100 * losses[name], 100 * LOSS)} points, {name}"
        yield (
            f"Quantizing to int8 costs at most half a point in {_of(losses, losses)}: "
            f"{'the most is ' + most if losses[name] > 0 else 'nothing is lost'}."
        )
    if unknown:
        yield (
            f"What quantizing costs {', '.join(unknown)} cannot be told from what pruning costs: "
            "the pruned network itself was not measured."
        )


def _shrink(rows: Sequence[VariantRow]) -> Iterator[str]:
    shrinks = {named(row): row.shrink for row in _quantized(rows)}
    below = {name: shrink for name, shrink in shrinks.items() if shrink < SHRINK - _EXACT}
    if below:
        shown = {name: beside_limit(shrink, SHRINK) for name, shrink in below.items()}
        yield (
            f"Quantizing shrinks the weights less than {SHRINK:g} times in {_of(below, shrinks)}: "
            f"{_listed(shown)}."
        )
    elif shrinks:
        yield (
            f"Quantizing shrinks the weights {span(shrinks.values(), SHRINK)} times in "
            f"{_of(shrinks, shrinks)}."
        )


def _files(rows: Sequence[VariantRow]) -> Iterator[str]:
    behind = {}
    for row in _quantized(rows):
        smaller = smaller_file(row, base_of(row, rows))
        if smaller is not None and smaller < _MUCH_ELSE * row.shrink:
            weights = min(row.weight_bytes / row.bytes, 1.0)
            behind[named(row)] = f"{smaller:.2f} times, {percent(weights)} of it weights"
    if behind:
        yield f"The file shrinks less than its weights where it holds much else: {_listed(behind)}."


def _half(rows: Sequence[VariantRow]) -> Iterator[str]:
    half = [row for row in rows if kind(row.variant) == "half"]
    if half:
        most = f"{max(abs(100 * row.drop) for row in half):.2f}"
        moved = f"moves accuracy by {most} points" if float(most) else "leaves accuracy as it is"
        at_most = " at most" * (len(half) > 1 and bool(float(most)))
        yield (
            f"float16 shrinks the weights {span(row.shrink for row in half)} times and "
            f"{moved}{at_most}."
        )


def _pruned(rows: Sequence[VariantRow]) -> Iterator[str]:
    for what, plain in (("pruned", "float32"), ("pruned quantized", "int8")):
        pairs = [
            (row, find(row.backbone, plain, rows)) for row in rows if kind(row.variant) == what
        ]
        told: dict[tuple[bool, bool], list[tuple[VariantRow, float, float]]] = {}
        for row, before in pairs:
            file, gzip = smaller_file(row, before), smaller_compressed(row, before)
            if file is not None and gzip is not None:
                shrinks = (file > _SAME_FILE, gzip > _SAME_FILE)
                told.setdefault(shrinks, []).append((row, file, gzip))
        measured = [row for row, _ in pairs]
        for shrinks, said in (
            ((False, True), "leaves the file as large; only gzip shows it, times smaller"),
            ((True, True), "shrinks the file and what gzip makes of it, times smaller"),
            ((True, False), "shrinks the file but not what gzip makes of it, times smaller"),
            ((False, False), "shrinks neither the file nor what gzip makes of it, times smaller"),
        ):
            if shrinks in told:
                listed = _by_variant(told[shrinks], measured)
                yield f"Against {plain}, pruning {said}: {listed}."


def _by_variant(
    sizes: Sequence[tuple[VariantRow, float, float]], measured: Sequence[VariantRow]
) -> str:
    """File and gzip by variant, over networks where all of that variant are here; else by row."""
    grouped: dict[str, list[tuple[float, float]]] = {}
    for row, file, gzip in sizes:
        here = sum(each.variant == row.variant for each, _, _ in sizes)
        whole = here == sum(each.variant == row.variant for each in measured)
        grouped.setdefault(row.variant if whole else named(row), []).append((file, gzip))
    return ", ".join(
        f"{name} (file {span(file for file, _ in both)}, gzip {span(gzip for _, gzip in both)})"
        for name, both in grouped.items()
    )


def _longer(rows: Sequence[VariantRow]) -> Iterator[str]:
    gains = {
        named(row): beside_limit(-100 * row.drop, 0)
        for row in rows
        if row.drop < -_EXACT and _fine_tuned(row)
    }
    if gains:
        yield (
            "More accurate than float32, but also trained for longer, so that the gain cannot be "
            f"credited to pruning or int8: {_listed(gains)}, in points."
        )


def _fine_tuned(row: VariantRow) -> bool:
    """Has more epochs behind it than float32."""
    return row.variant.startswith("pruned") or row.variant.endswith("qat")


def _fits(rows: Sequence[VariantRow]) -> Iterator[str]:
    alike: dict[str, list[str]] = {}
    for backbone, mine in by_backbone(rows).items():
        alike.setdefault(_fitting(mine), []).append(backbone)
    for said, backbones in alike.items():
        yield f"{', '.join(backbones)}: {said}."


def _fitting(rows: Sequence[VariantRow]) -> str:
    by_engine: dict[str, list[str]] = {}
    for row in rows:
        if row.fits:
            engine = {"compiled": " with the compiled engine", "tflm": " with TFLite-Micro"}
            by_engine.setdefault(engine[row.engine] if row.engine else "", []).append(row.variant)
    others = [row.variant for row in rows if row.fits is False]
    unknown = [row.variant for row in rows if row.fits is None]
    said = [
        f"{', '.join(names)} {'fits' if len(names) == 1 else 'fit'} the board{engine}"
        for engine, names in by_engine.items()
    ]
    if others and not said and not unknown:
        return f"nothing fits the board ({', '.join(others)})"
    if others:
        what = "" if said else " fit the board"
        said.append(f"{', '.join(others)} {'does' if len(others) == 1 else 'do'} not{what}")
    if unknown:
        one = len(unknown) == 1
        what = ("does" if one else "do") if said else f"{'fits' if one else 'fit'} the board"
        said.append(f"whether {', '.join(unknown)} {what} was not measured")
    return "; ".join(said)


def _engines(rows: Sequence[VariantRow]) -> Iterator[str]:
    ratios = [
        row.arena_bytes / row.engine_ram_bytes
        for row in rows
        if row.arena_bytes and row.engine_ram_bytes
    ]
    if ratios:
        yield (
            f"TFLite-Micro's arena is {span(ratios, 1)} times the compiled engine's RAM "
            f"({_rows(len(ratios))} that both run)."
        )


def _best(rows: Sequence[VariantRow]) -> Iterator[str]:
    if len(rows) < 2:
        return
    best = max(rows, key=lambda row: (row.accuracy, -row.bytes))
    near = [row for row in rows if row.accuracy >= best.accuracy - _NEAR_BEST - _EXACT]
    least = min(near, key=lambda row: (row.bytes, -row.accuracy))
    first = f"The most accurate is {named(best)}: {_figures(best)}"
    if least is best:
        yield f"{first}; no smaller file comes within a point of it."
    else:
        yield f"{first}; the smallest within a point of it is {named(least)}: {_figures(least)}."


def _figures(row: VariantRow) -> str:
    return f"{percent(row.accuracy)} in {kilobytes(row.bytes)}"


def _worst(rows: Sequence[VariantRow]) -> Iterator[str]:
    losses = {
        named(row): before.worst_subject_accuracy - row.worst_subject_accuracy
        for row in rows
        if row.variant != "float32" and (before := base_of(row, rows)) is not None
    }
    if losses:
        name = max(losses, key=lambda name: losses[name])
        if losses[name] > 0:
            yield (
                f"The worst person's accuracy falls most with {name}: "
                f"{100 * losses[name]:.2f} points below float32's."
            )
        else:
            yield "With no variant is the worst person's accuracy below float32's."


def _noise(report: VariantsReport) -> Iterator[str]:
    window = ""
    if report.test_windows:
        points = 100 / report.test_windows
        window = f" One of {report.test_windows:,} test windows is {points:.2g} points."
    ranges = {
        named(row): max(row.accuracies) - min(row.accuracies)
        for row in report.rows
        if row.variant == "float32" and len(row.accuracies) > 1
    }
    if ranges:
        name = max(ranges, key=lambda name: ranges[name])
        yield (
            f"Between the best and the worst seed of {name} lie {100 * ranges[name]:.2f} points"
            f"{', the most of any network in float32' * (len(ranges) > 1)}.{window}"
        )
    elif all(len(row.seeds) <= 1 for row in report.rows):
        yield f"One seed: how much another would differ was not measured.{window}"


def _of(some: Mapping[str, float], every: Mapping[str, float]) -> str:
    if len(every) == 1:
        return "the only such row"
    return f"{'all' if len(some) == len(every) else f'{len(some)} of'} {len(every)} rows"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _listed(items: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({shown})" for name, shown in items.items())

"""The closing paragraph of `har fxcy`, made from the numbers whatever they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from pipeline.core.format import NARROW_SPACE, grouped, percent, printable
from pipeline.experiments.fxcy.format import (
    Comparison,
    beside,
    by_depth,
    case_label,
    chain,
    compare,
    comparisons,
    knee,
    memory,
    ratio,
    signed,
    span,
    times,
)
from pipeline.experiments.fxcy.schema import PUBLISHED, FxcyReport, FxcyRow

_NAMED = 3  # so many exceptions are named, more are only counted


def closing(report: FxcyReport) -> str:
    """What FxC1 gains over FC and costs, how much sooner it is there, where the knee is, whether
    transfer beats scratch, what agrees with the published figures, what it means for the board.

    Two accuracies are called level within a standard error of their difference or half a point
    (`fxcy_words.compare`). A comparison is one backbone on one pair of data sets.
    """
    every = comparisons(report.rows)
    if not every:
        return "No case was run, so there is nothing to conclude."
    pairs = [
        (each, fc, fxc1)
        for each in every
        if (fc := each.case("fc")) is not None and (fxc1 := each.case("fxc1")) is not None
    ]
    said = [_gain(pairs), _energy(pairs), _speed(pairs)]
    said += [_knee(every), _scratch(every), _published(pairs), _board(every), _device(report)]
    said.append(_one_seed(report.rows))
    return printable(" ".join(sentence for sentence in said if sentence))


Pairs = Sequence[tuple[Comparison, FxcyRow, FxcyRow]]


def _gain(pairs: Pairs) -> str:
    if not pairs:
        return "FC and FxC1 were not both run anywhere, so what FxC1 gains is not known."
    gains = [fxc1.accuracy - fc.accuracy for _, fc, fxc1 in pairs]
    verdicts = [(each.name, compare(fxc1, fc)) for each, fc, fxc1 in pairs]
    return (
        f"In accuracy FxC1 is {_verdicts(verdicts, 'FC')}: "
        f"{span(gains, signed)} points{_mean(gains, signed)}."
    )


def _energy(pairs: Pairs) -> str:
    formula = [found for _, fc, fxc1 in pairs if (found := ratio(fxc1, fc)) is not None]
    counted = [
        found
        for _, fc, fxc1 in pairs
        if (found := ratio(fxc1, fc, "training_energy_nj")) is not None
    ]
    if not formula:
        return ""
    also = (
        f", and {span(counted, times)} by counted training MACs, which the frozen layers' forward "
        "pass is part of"
        if counted
        else ""
    )
    return f"It takes {span(formula, times)} FC's energy by the original's formula{also}."


def _speed(pairs: Pairs) -> str:
    if not pairs:
        return ""
    saved = [fxc1.faster_percent for _, _, fxc1 in pairs if fxc1.faster_percent is not None]
    if not saved:
        return "It does not reach FC's best accuracy in the epochs given with half of the seeds."
    energy = [
        fxc1.less_energy_percent for _, _, fxc1 in pairs if fxc1.less_energy_percent is not None
    ]
    also = f", with {_saving(energy, 'less', 'much')} training energy" if energy else ""
    reached = [(fxc1.seeds_to_fc, len(fxc1.seeds)) for _, _, fxc1 in pairs]
    runs = f"{sum(got for got, _ in reached)} of {sum(of for _, of in reached)} seeds"
    return (
        f"It reaches FC's best accuracy with {runs}, with at least half of them in "
        f"{_of(len(saved), len(pairs))}: there in {_saving(saved, 'fewer', 'many')} epochs{also}."
    )


def _knee(every: Sequence[Comparison]) -> str:
    knees = [knee(each.rows) for each in every if len(chain(each.rows)) > 1]
    if not knees:
        return "Too few cases were run to see where more layers stop paying."
    counts = Counter(knees)
    ordered = by_depth(
        {row.case: row for each in every for row in each.rows if row.case in counts}.values()
    )
    if len(ordered) == 1:
        where = f"at {_place(ordered[0].case)}"
        where += f" in {len(knees)} of {len(knees)} comparisons" if len(knees) > 1 else ""
    else:
        places = [f"at {_place(row.case)} in {counts[row.case]}" for row in ordered]
        where = f"{_listed(places)} of {len(knees)} comparisons"
    return f"More layers stop paying {where}."


def _place(case: str) -> str:
    return "the whole network only" if case == "whole" else case_label(case)


def _scratch(every: Sequence[Comparison]) -> str:
    both = [
        (each, whole, scratch)
        for each in every
        if (whole := each.case("whole")) is not None
        and (scratch := each.case("scratch")) is not None
    ]
    if not both:
        return "Whole network and scratch were not both run, so what the source is worth is open."
    verdicts = [(each.name, compare(whole, scratch)) for each, whole, scratch in both]
    gains = [whole.accuracy - scratch.accuracy for _, whole, scratch in both]
    knees = [
        compare(row, scratch)
        for each, _, scratch in both
        if (row := each.case(knee(each.rows) or "")) is not None
    ]
    beaten = sum(verdict < 0 for verdict in knees)
    head = (
        f"; scratch is more accurate than even the case at the knee in {_of(beaten, len(knees))}"
        if beaten
        else "; nowhere is scratch more accurate than the case at the knee"
    )
    return (
        f"Retraining the whole network is {_verdicts(verdicts, 'training from scratch')}: "
        f"{span(gains, signed)} points{_mean(gains, signed)}{head}."
    )


def _published(pairs: Pairs) -> str:
    """Direction and size of each published claim: which hold in more than half of comparisons."""
    if not pairs:
        return ""
    gains = [100 * (case.accuracy_fxc1 - case.accuracy_fc) for case in PUBLISHED]
    speeds = [case.faster_percent for case in PUBLISHED]
    ratios = [case.energy_fxc1_nj / case.energy_fc_nj for case in PUBLISHED]
    ours_gain = [100 * (fxc1.accuracy - fc.accuracy) for _, fc, fxc1 in pairs]
    ours_speed = [fxc1.faster_percent for _, _, fxc1 in pairs]
    ours_ratio = [ratio(fxc1, fc) for _, fc, fxc1 in pairs]
    above = sum(compare(fxc1, fc) > 0 for _, fc, fxc1 in pairs)
    n, sooner = len(pairs), f"{span(speeds, '{:.0f}'.format)}{NARROW_SPACE}% sooner"
    tallies = (
        ("FxC1 above FC", above),
        (f"a gain of {span(gains, '{:.0f}'.format)} points", _within(ours_gain, gains, 0.5)),
        ("FC's best reached sooner", sum(each is not None and each > 0 for each in ours_speed)),
        (sooner, _within(ours_speed, speeds, 0.5)),
        ("more energy taken", sum(each is not None and each > 1 for each in ours_ratio)),
        (f"{span(ratios, times)} of FC's energy", _within(ours_ratio, ratios, 0.5)),
    )
    most, half = ("most comparisons show", "at least half") if n > 1 else ("this shows", "it")
    said = [
        f"{verb} {_listed([f'{claim} ({count} of {n})' for claim, count in chosen])}"
        for verb, chosen in (
            (most, [tally for tally in tallies if 2 * tally[1] > n]),
            (f"{half} do{'es' * (n == 1)} not show", [t for t in tallies if 2 * t[1] <= n]),
        )
        if chosen
    ]
    return f"Of what was published on images, {'; '.join(said)}."


def _within(values: Sequence[float | None], published: Sequence[float], slack: float) -> int:
    low, high = min(published) - slack, max(published) + slack
    return sum(value is not None and low <= value <= high for value in values)


def _board(every: Sequence[Comparison]) -> str:
    able = [each for each in every if any(row.board_learns for row in each.rows)]
    if not able:
        return "None of these cases is one that the board's learner has."
    said = []
    for pair in dict.fromkeys(each.pair for each in able):
        choices = []
        for each in able:
            mine = [row for row in each.rows if row.board_learns]
            case = knee(mine) or mine[-1].case
            if each.pair == pair:
                choices.append(next(row for row in mine if row.case == case))
        choice = max(choices, key=lambda row: row.accuracy)
        best = max(
            (row for each in every if each.pair == pair for row in each.rows),
            key=lambda row: row.accuracy,
        )
        lacks = best.accuracy - choice.accuracy
        said.append(
            f"on {pair} {case_label(choice.case)} of {choice.backbone} with "
            f"{percent(choice.accuracy)} (all {grouped(choice.train_windows)} windows seen again "
            f"and again), and {memory(choice.device_bytes)} of training RAM with the few that a "
            "board keeps, "
            + (
                "the most accurate of all cases"
                if best is choice or round(100 * lacks, 1) == 0
                else f"{100 * lacks:.1f} points below the best of all "
                f"({case_label(best.case)} of {best.backbone})"
            )
        )
    return (
        "For the board this means, of the cases that its learner has, chosen here by the people "
        f"who test: {'; '.join(said)}."
    )


def _device(report: FxcyReport) -> str:
    rows = beside(report)
    if not rows:
        return ""
    agree = sum(row.agrees for row in rows)
    widest = max(rows, key=lambda row: abs(row.difference))
    said = (
        f"The device's own learner agrees with its rule in TensorFlow within noise in "
        f"{agree} of {len(rows)} case{'s' * (len(rows) != 1)}; the widest difference is "
        f"{signed(widest.difference)} points ({widest.device.source} → {widest.device.target}, "
        f"{widest.device.backbone}, {case_label(widest.device.case)})."
    )
    beyond = [each.device.accuracy - each.adam.accuracy for each in rows if each.adam is not None]
    if beyond:
        said += f" Against Adam on the same case it is {span(beyond, signed)} points."
    return said


def _one_seed(rows: Sequence[FxcyRow]) -> str:
    if all(len(row.seeds) > 1 for row in rows):
        return ""
    return "Seeds: one, so the noise between seeds was not measured and level means half a point."


def _verdicts(verdicts: Sequence[tuple[str, int]], other: str) -> str:
    """E.g. "above FC in 3 of 5 comparisons and below it in 2 (hapt → watch, dscnn; ...)": few
    exceptions are named, many are only counted."""
    n = len(verdicts)
    words = ((1, "above"), (0, "level with"), (-1, "below"))
    if n == 1:
        return f"{dict(words)[verdicts[0][1]]} {other}"
    parts: list[str] = []
    for verdict, word in words:
        names = [name for name, found in verdicts if found == verdict]
        if names:
            where = f"{other} in {len(names)} of {n} comparisons" if not parts else ""
            named = verdict < 1 and len(names) <= min(_NAMED, n - 1)
            parts.append(
                f"{word} {where or f'it in {len(names)}'}"
                + (f" ({'; '.join(names)})" if named else "")
            )
    return _listed(parts)


def _saving(values: Sequence[float], less: str, much: str) -> str:
    """Percent saved, negative where it took more: "20 to 61 % fewer", "5 % more", "as many",
    "between 61 % fewer and 5 % more"."""
    low, high = round(min(values)), round(max(values))
    sign = f"{NARROW_SPACE}%"
    if low == high == 0:
        return f"as {much}"
    if low >= 0:
        return f"{span((low, high), '{:,.0f}'.format)}{sign} {less}"
    if high <= 0:
        return f"{span((-high, -low), '{:,.0f}'.format)}{sign} more"
    return f"between {high:,}{sign} {less} and {-low:,}{sign} more"


def _mean(values: Sequence[float], say: Callable[[float], str]) -> str:
    """The mean, where the span does not tell it already."""
    if say(min(values)) == say(max(values)):
        return ""
    return f", {say(sum(values) / len(values))} in the mean"


def _of(count: int, n: int) -> str:
    if n == 1:
        return "the one comparison" if count else "no comparison"
    return f"{count} of {n} comparisons"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"

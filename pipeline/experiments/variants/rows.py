"""From the results of a variant's jobs, one a seed, to its row, with what limits it in words."""

from __future__ import annotations

from statistics import fmean
from typing import Any, Literal, NamedTuple

from pipeline.experiments.variants.request import parse_variant
from pipeline.report.fields import Count, Part, Share
from pipeline.report.tables import number
from pipeline.training.metrics import mean_by_name, worst_of

LOSS = 0.005
"""Of accuracy: what a good conversion to int8 loses at most."""
SHRINK = 3.7
"""Times: what it shrinks the weights at least."""
_OF_FIRST = (
    *("bytes", "compressed_bytes", "weight_bytes", "parameters", "macs", "energy_nj"),
    *("arena_bytes", "engine_flash_bytes", "engine_ram_bytes", "instructions", "fits", "engine"),
)


class VariantRow(Part):
    """A variant, its accuracies on test subjects, means over ``seeds`` networks.

    ``bytes``: of the .tflite file, ``compressed_bytes`` of it after gzip -9; ``weight_bytes``: of
    the constants in it. ``parameters``: weights and biases, batch norm folded;
    ``nonzero_parameters`` of them are not 0. ``drop``: accuracy lost against float32 of the same
    network, 0 to 1, negative where it gained. ``shrink``: float32's weight bytes over this one's.
    ``arena_bytes``: TFLite-Micro's; ``engine_*``: of the compiled engine on a Cortex-M4F, from the
    linker's map; ``instructions``: of one inference there. None where the engine in question does
    not run it; ``limits`` says why, one sentence each. ``fits``: with the firmware around it on
    the board, by ``engine``; None where that was not measured and nothing rules it out.
    ``energy_nj``: ``macs`` x 3.2 pJ.
    """

    backbone: str
    variant: str
    seeds: list[int]
    bytes: Count
    compressed_bytes: Count
    weight_bytes: Count
    parameters: Count
    nonzero_parameters: Count
    macs: Count
    accuracy: Share
    accuracies: list[Share]
    macro_f1: Share
    worst_subject: str
    worst_subject_accuracy: Share
    drop: float
    shrink: float
    arena_bytes: Count | None
    engine_flash_bytes: Count | None
    engine_ram_bytes: Count | None
    instructions: Count | None
    energy_nj: float
    fits: bool | None
    engine: Literal["compiled", "tflm"] | None
    limits: list[str]


class VariantsReport(Part):
    """``train_windows``: that an epoch draws at most, of the network with the most. ``weights``:
    what each network began with, by backbone: imagenet, the source's name, or none."""

    command: str
    date: str
    versions: dict[str, str]
    dataset: str
    split: str
    test_windows: Count
    test_people: Count
    train_windows: Count
    weights: dict[str, str]
    seconds: float
    rows: list[VariantRow]
    notes: list[str]


class PublishedVariant(NamedTuple):
    """A row of the table that the comparison is with: images, another data set."""

    network: str
    variant: str
    megabytes: float
    accuracy: float


PUBLISHED = (
    PublishedVariant("MobileNet", "base", 10.81, 0.8964),
    PublishedVariant("MobileNet", "quantized", 4.58, 0.8102),
    PublishedVariant("MobileNet", "pruned", 9.54, 0.8096),
    PublishedVariant("SqueezeNet", "base", 0.82, 0.8894),
    PublishedVariant("SqueezeNet", "quantized", 0.13, 0.9159),
    PublishedVariant("SqueezeNet", "pruned", 0.30, 0.9158),
)
"""Course slides on MobileNet and SqueezeNet, base, quantized and pruned."""


def row_of(
    backbone: str,
    variant: str,
    seeds: list[int],
    results: list[dict[str, Any]],
    base: list[dict[str, Any]],
) -> VariantRow:
    """``results`` and ``base`` (float32 of the same networks): one of each seed, in order.
    Accuracies are means; sizes those of the first seed's network."""
    first, plain = results[0], base[0]
    accuracy = fmean(result["accuracy"] for result in results)
    drop = fmean(result["accuracy"] for result in base) - accuracy
    shrink = plain["weight_bytes"] / first["weight_bytes"]
    people = mean_by_name([result["subject_accuracy"] for result in results])
    worst = worst_of(people)
    return VariantRow(
        **{name: first[name] for name in _OF_FIRST},
        backbone=backbone,
        variant=variant,
        seeds=seeds,
        nonzero_parameters=first["nonzero"],
        accuracy=round(accuracy, 6),
        accuracies=[result["accuracy"] for result in results],
        macro_f1=round(fmean(result["macro_f1"] for result in results), 6),
        worst_subject=worst,
        worst_subject_accuracy=round(people[worst], 6),
        drop=round(drop, 6),
        shrink=round(shrink, 3),
        limits=[*_limits(variant, results, base, drop, shrink), *first["limits"]],
    )


def _limits(
    name: str,
    results: list[dict[str, Any]],
    base: list[dict[str, Any]],
    drop: float,
    shrink: float,
) -> list[str]:
    variant, first = parse_variant(name), results[0]
    limits = []
    if name == "float16":
        limits.append("Only the file is float16: weights are widened to float32 before use.")
    if variant.pruned:
        zeros = 1 - first["nonzero"] / first["parameters"]
        limits.append(f"{100 * zeros:.1f} % of all parameters are 0; no engine skips them.")
    if variant.quantized and shrink < SHRINK:
        biases = first["bias_bytes"] / first["weight_bytes"]
        limits.append(
            f"Weights shrink {shrink:.2f} times, not {SHRINK}: int32 biases are "
            f"{100 * biases:.1f} % of their bytes."
        )
    if variant.quantized and drop > LOSS:
        limits.append(f"Loses {100 * drop:.2f} points against float32.")
        if variant.pruned or variant.aware:
            before = fmean(result["network_accuracy"] for result in results)
            tuned = 100 * (fmean(result["accuracy"] for result in base) - before)
            limits[-1] += (
                f" Points lost by training: {number(tuned, 2)}, by the conversion after it: "
                f"{number(100 * drop - tuned, 2)}."
            )
    for mine, other in zip(results, base, strict=True):
        if mine["weights"] != other["weights"]:
            limits.append(
                f"Began with {mine['weights']}, float32 with {other['weights']}: not the same "
                "network; run both again into another folder."
            )
            break
    return limits

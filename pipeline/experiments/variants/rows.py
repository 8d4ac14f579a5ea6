"""From the results of a variant's jobs, one a seed, to its row, with what limits it in words."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from pipeline.experiments.variants.names import parse_variant
from pipeline.experiments.variants.schema import LOSS, SHRINK, VariantRow
from pipeline.report.tables import number


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
    people = {
        name: fmean(result["subject_accuracy"][name] for result in results)
        for name in sorted(first["subject_accuracy"])
    }
    worst = min(people, key=lambda name: people[name])
    return VariantRow(
        backbone=backbone,
        variant=variant,
        seeds=seeds,
        bytes=first["bytes"],
        compressed_bytes=first["compressed_bytes"],
        weight_bytes=first["weight_bytes"],
        parameters=first["parameters"],
        nonzero_parameters=first["nonzero"],
        macs=first["macs"],
        accuracy=round(accuracy, 6),
        accuracies=[result["accuracy"] for result in results],
        macro_f1=round(fmean(result["macro_f1"] for result in results), 6),
        worst_subject=worst,
        worst_subject_accuracy=round(people[worst], 6),
        drop=round(drop, 6),
        shrink=round(shrink, 3),
        arena_bytes=first["arena_bytes"],
        engine_flash_bytes=first["engine_flash_bytes"],
        engine_ram_bytes=first["engine_ram_bytes"],
        instructions=first["instructions"],
        energy_nj=first["energy_nj"],
        fits=first["fits"],
        engine=first["engine"],
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

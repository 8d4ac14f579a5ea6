"""From the results of a variant's jobs, one a seed, to its row, with what limits it in words."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from pipeline.experiments.variants.names import Variant, parse_variant
from pipeline.experiments.variants.schema import LOSS, SHRINK, VariantRow


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
    variant, first, plain = parse_variant(name), results[0], base[0]
    limits = []
    if name == "float16":
        limits.append(
            "Only the file is float16: a host widens the weights to float32 before it uses them."
        )
    if variant.pruned and not variant.quantized:
        limits.append(
            f"Pruning alone leaves the file at {first['bytes']:,} bytes, float32's "
            f"{plain['bytes']:,}; compressed it takes {first['compressed_bytes']:,} instead of "
            f"{plain['compressed_bytes']:,}."
        )
    if variant.pruned:
        zeros = 1 - first["nonzero"] / first["parameters"]
        limits.append(
            f"{100 * zeros:.1f} % of all parameters are 0, as depthwise kernels and biases stay "
            "dense; no engine here skips them."
        )
    if variant.quantized and shrink < SHRINK:
        share = first["bias_bytes"] / first["weight_bytes"]
        limits.append(
            f"Weights shrink {shrink:.2f} times, not {SHRINK}: biases stay int32 and take "
            f"{100 * share:.1f} % of the weights' bytes in a network this small."
        )
    if variant.quantized and drop > LOSS:
        limits.append(_reason(variant, results, base, drop))
    for mine, other in zip(results, base, strict=True):
        if mine["weights"] != other["weights"]:
            limits.append(
                f"Its network began with {mine['weights']}, float32's with {other['weights']}: "
                "they are not the same network; run both again with another --study."
            )
            break
    return limits


def _reason(
    variant: Variant, results: list[dict[str, Any]], base: list[dict[str, Any]], drop: float
) -> str:
    """Which step lost it: the change of the network before the file was made, or the file. What is
    only converted has one step."""
    points = round(100 * drop, 2)
    said = f"Loses {points:.2f} points against float32"
    if not variant.pruned and not variant.aware:
        return f"{said}."
    step = "pruning and fine-tuning" if variant.pruned else "fine-tuning"
    step += " with int8 simulated" * variant.aware
    before = fmean(result["network_accuracy"] for result in results)
    first = round(100 * (fmean(result["accuracy"] for result in base) - before), 2)
    file = "the conversion" if variant.aware else "int8 itself"
    return (
        f"{said}: {_moved(first)} by {step}, before the file is made, "
        f"{_moved(points - first)} by {file}."
    )


def _moved(points: float) -> str:
    """0.5 -> "0.50 lost", -0.5 -> "0.50 gained", about 0 -> "nothing"."""
    shown = f"{abs(points):.2f}"
    if not float(shown):
        return "nothing"
    return f"{shown} {'lost' if points > 0 else 'gained'}"

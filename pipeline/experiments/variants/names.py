"""The variants of a network by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.core.errors import InputError

SPARSITY_MOST = 0.95
FAMILIES = ("float32", "float16", "int8", "int8_qat", "pruned", "pruned_int8", "pruned_qat")
"""What can be asked for; pruned ones at every sparsity asked for, or with a percentage in the name:
``pruned80_int8``."""
BASE = "float32"

_PRUNED = re.compile(r"pruned(\d{1,2})(_int8|_qat)?")


@dataclass(frozen=True)
class Variant:
    """``sparsity``: share of the weights that are 0, of the layers that are pruned. ``aware``:
    fine-tuned with quantization in the loop."""

    name: str
    precision: Literal["float32", "float16", "int8"]
    sparsity: float = 0.0
    aware: bool = False

    @property
    def pruned(self) -> bool:
        """Whether it begins with a pruned network."""
        return self.name.startswith("pruned")

    @property
    def quantized(self) -> bool:
        """int8 weights and activations."""
        return self.precision == "int8"


def parse_variant(name: str) -> Variant:
    """The variant called ``name``: float32, float16, int8, int8_qat, pruned80, pruned80_int8,
    pruned80_qat. InputError for any other name."""
    if name in ("float32", "float16", "int8"):
        return Variant(name, name)  # type: ignore[arg-type]
    if name == "int8_qat":
        return Variant(name, "int8", aware=True)
    if match := _PRUNED.fullmatch(name):
        sparsity = int(match[1]) / 100
        _check_sparsity(sparsity)
        kind = match[2]
        precision: Literal["float32", "int8"] = "int8" if kind else "float32"
        return Variant(name, precision, sparsity, aware=kind == "_qat")
    raise InputError(
        f"unknown variant {name!r}; known: {', '.join(FAMILIES)}, and pruned80_int8 and the like"
    )


def variant_names(asked: Sequence[str], sparsities: Sequence[float]) -> tuple[str, ...]:
    """All variants asked for, by full name, float32 first: what the others are compared with is
    always among them. Nothing asked for: all of them, at each sparsity, and pruning and
    quantization-aware training together at the highest.

    Raises InputError for an unknown name, a sparsity outside 0..0.95 or of no whole percent.
    """
    percents = []
    for sparsity in sparsities:
        _check_sparsity(sparsity)
        percents.append(f"{round(100 * sparsity):02d}")
    names = [BASE]
    for name in asked or FAMILIES:
        if name in FAMILIES and name.startswith("pruned"):
            mine = percents if asked or name != "pruned_qat" else [max(percents)]
            names += [name.replace("pruned", f"pruned{percent}") for percent in mine]
        else:
            names.append(parse_variant(name).name)
    return tuple(dict.fromkeys(names))


def _check_sparsity(sparsity: float) -> None:
    if not 0.0 <= sparsity <= SPARSITY_MOST:
        raise InputError(f"sparsity {sparsity:g}: give 0 to {SPARSITY_MOST:g}, a share of 1")
    if abs(100 * sparsity - round(100 * sparsity)) > 1e-6:
        raise InputError(f"sparsity {sparsity:g}: give whole percents, e.g. 0.5 or 0.85")

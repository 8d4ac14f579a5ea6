"""A plausible run of `har variants`, in numbers."""

from __future__ import annotations

from typing import Any

from pipeline.experiments.variants.report import VariantRow, VariantsReport

FLOAT16 = "float16 does not run in TFLite-Micro."
ENGINE = "The compiled engine takes int8 only."
PRUNED = "Pruning alone leaves the file as large: only compression shows it."
FLASH = "The file alone is larger than the board's flash."

# variant: how much of float32's file, of its gzip, of its weights, of its non-zeros; what is lost
_VARIANTS = {
    "float32": (1.0, 0.93, 1.0, 1.0, 0.0),
    "float16": (0.5, 0.92, 2.0, 1.0, 0.0),
    "int8": (0.27, 0.82, 3.9, 0.99, 0.0012),
    "int8_qat": (0.27, 0.82, 3.9, 0.99, -0.0008),
    "pruned50": (1.0, 0.56, 1.0, 0.51, 0.0021),
    "pruned80": (1.0, 0.27, 1.0, 0.22, 0.011),
    "pruned50_int8": (0.27, 0.55, 3.9, 0.51, 0.0034),
    "pruned80_int8": (0.27, 0.31, 3.9, 0.22, 0.013),
    "pruned80_qat": (0.27, 0.30, 3.9, 0.22, 0.0095),
}
# backbone: parameters, file of float32, MACs, accuracy, what is beside the weights in the file
_BACKBONES = {
    "mobilenetv2": (391_046, 1_602_340, 1_290_112, 0.9412),
    "squeezenet": (199_110, 812_204, 4_102_880, 0.9337),
    "smallcnn": (549_478, 2_206_996, 10_311_168, 0.9531),
    "dscnn": (17_894, 81_240, 286_144, 0.9648),
}


def variant_row(backbone: str = "dscnn", variant: str = "int8", **changes: Any) -> VariantRow:
    """A row of `sample_variants`, or one like it."""
    parameters, file, macs, accuracy = _BACKBONES[backbone]
    share, gzip, shrink, nonzero, drop = _VARIANTS[variant]
    drop *= {"dscnn": 0.6, "squeezenet": 1.4}.get(backbone, 1.0)
    quantized = shrink > 2
    size = int(share * file)
    limits = [] if quantized else [ENGINE, FLASH] if size > 983_040 else [ENGINE]
    limits += [FLOAT16] * (variant == "float16") + [PRUNED] * (variant in ("pruned50", "pruned80"))
    values: dict[str, Any] = {
        "backbone": backbone,
        "variant": variant,
        "seeds": [0],
        "bytes": size,
        "compressed_bytes": int(gzip * size),
        "weight_bytes": int(4 * parameters / shrink),
        "parameters": parameters,
        "nonzero_parameters": int(nonzero * parameters),
        "macs": macs,
        "accuracy": accuracy - drop,
        "accuracies": [accuracy - drop],
        "macro_f1": accuracy - drop - 0.003,
        "worst_subject": "10",
        "worst_subject_accuracy": accuracy - 0.1 - 2 * drop,
        "drop": drop,
        "shrink": shrink,
        "arena_bytes": None if variant == "float16" else 90_112 if quantized else 301_216,
        "engine_flash_bytes": size + 14_000 if quantized else None,
        "engine_ram_bytes": 61_440 if quantized else None,
        "instructions": 3 * macs if quantized else None,
        "energy_nj": macs * 3.2e-3,
        "fits": quantized or (variant != "float16" and size < 200_000),
        "engine": "compiled" if quantized else None if variant == "float16" else "tflm",
        "limits": limits,
    }
    return VariantRow.model_validate(values | changes)


def sample_variants(**changes: Any) -> VariantsReport:
    """Four networks, nine variants each."""
    values: dict[str, Any] = {
        "command": "har variants --dataset hapt --weights source --source watch",
        "date": "2026-11-21",
        "versions": {"tensorflow-cpu": "2.21.0", "tf-keras": "2.21.0", "numpy": "1.26.4"},
        "dataset": "hapt",
        "split": "official",
        "test_windows": 2947,
        "test_people": 9,
        "train_windows": 7352,
        "weights": {"mobilenetv2": "watch", "squeezenet": "watch", "smallcnn": "watch"}
        | {"dscnn": "none"},
        "seconds": 5400.0,
        "rows": [variant_row(backbone, name) for backbone in _BACKBONES for name in _VARIANTS],
        "notes": [],
    }
    return VariantsReport.model_validate(values | changes)

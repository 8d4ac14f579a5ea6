"""Base, quantized and pruned variants of a network, side by side: made, run, counted."""

from pipeline.experiments.variants.request import VariantsRequest
from pipeline.experiments.variants.run import run_variants

__all__ = ["VariantsRequest", "run_variants"]

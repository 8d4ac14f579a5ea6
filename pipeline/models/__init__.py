"""Backbones by name, and the cuts at which each can be divided into extractor and head."""

from pipeline.models.backbones import (
    Backbone,
    backbone,
    backbone_names,
    family,
    initial_arrays,
    shape_of,
)
from pipeline.models.dscnn import folded
from pipeline.models.float_head import FloatHead
from pipeline.models.graph import model_macs
from pipeline.models.images import ImageSize
from pipeline.models.weights import load_sealed_weights, load_weights

__all__ = [
    "Backbone",
    "FloatHead",
    "ImageSize",
    "backbone",
    "backbone_names",
    "family",
    "folded",
    "initial_arrays",
    "load_sealed_weights",
    "load_weights",
    "model_macs",
    "shape_of",
]

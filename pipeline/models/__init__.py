"""Backbones by name, and the cuts at which each can be divided into extractor and head."""

from pipeline.models.backbones import (
    Backbone,
    backbone,
    backbone_names,
    family,
    image_backbone_names,
    initial_arrays,
    shape_of,
)
from pipeline.models.cases import (
    convolutions,
    dense_layers,
    first_trained,
    trained_layers,
)
from pipeline.models.float_head import FloatHead
from pipeline.models.graph import layer_macs, model_macs, output_floats, split_model
from pipeline.models.images import ImageSize
from pipeline.models.weights import load_sealed_weights, load_weights

__all__ = [
    "Backbone",
    "FloatHead",
    "ImageSize",
    "backbone",
    "backbone_names",
    "convolutions",
    "dense_layers",
    "family",
    "first_trained",
    "image_backbone_names",
    "initial_arrays",
    "layer_macs",
    "load_sealed_weights",
    "load_weights",
    "model_macs",
    "output_floats",
    "shape_of",
    "split_model",
    "trained_layers",
]

"""Backbones by name, and the cuts at which each can be divided into extractor and tail."""

from pipeline.models.backbones import Backbone, backbone, backbone_names, shape_of
from pipeline.models.float_tail import FloatTail
from pipeline.models.weights import load_weights, save_weights

__all__ = [
    "Backbone",
    "FloatTail",
    "backbone",
    "backbone_names",
    "load_weights",
    "save_weights",
    "shape_of",
]

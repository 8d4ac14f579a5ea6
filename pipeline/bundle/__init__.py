"""From a trained model to what the board needs: int8 conversion, bundle, C emission, fit."""

from pipeline.bundle.bundle import Bundle, load_bundle
from pipeline.bundle.emit import emit

__all__ = ["Bundle", "emit", "load_bundle"]

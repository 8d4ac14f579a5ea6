"""`har evaluate`: one backbone on every subject, in float, int8 and the compiled engine."""

from __future__ import annotations

from pipeline.experiments.evaluate.measure import Measurement, measure
from pipeline.experiments.evaluate.run import Request, default_bundle, evaluate
from pipeline.experiments.evaluate.summary import split_report
from pipeline.experiments.networks import Folders, Prepared, prepare, pretrained_extractor

__all__ = [
    "Folders",
    "Measurement",
    "Prepared",
    "Request",
    "default_bundle",
    "evaluate",
    "measure",
    "prepare",
    "pretrained_extractor",
    "split_report",
]

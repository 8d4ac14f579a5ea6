"""`har evaluate`: one backbone on every person, by float, int8 and the compiled engine."""

from __future__ import annotations

from pipeline.evaluation.measure import Measurement, measure
from pipeline.evaluation.protocol import Request, default_bundle, evaluate
from pipeline.evaluation.runs import Folders, Prepared, prepare, pretrained_extractor
from pipeline.evaluation.summary import split_report

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

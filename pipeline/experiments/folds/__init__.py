"""What a shipped network's recipe reaches on people who are held out, fold by fold."""

from pipeline.experiments.folds.report import (
    FoldsReport,
    folds_document,
    folds_tables,
    read_folds,
    write_folds,
)
from pipeline.experiments.folds.run import FoldsRequest, measure_folds

__all__ = [
    "FoldsReport",
    "FoldsRequest",
    "folds_document",
    "folds_tables",
    "measure_folds",
    "read_folds",
    "write_folds",
]

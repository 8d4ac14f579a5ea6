"""Sensor data: sources -> Recording -> Windows; splits by subject; safe readers."""

from __future__ import annotations

from pipeline.data.catalog import (
    dataset_names,
    fetch_dataset,
    identities,
    is_dataset_name,
    list_sources,
    load_dataset,
)
from pipeline.data.csv_recording import read_csv, read_csv_dataset
from pipeline.data.describe import describe, swing_kept
from pipeline.data.imports import import_dataset, read_own_recordings
from pipeline.data.mixed import add_own, mix
from pipeline.data.placement import worn_elsewhere
from pipeline.data.recording import CHANNELS, Dataset, Recording, Segment, Windows
from pipeline.data.resampling import at_rate, resample
from pipeline.data.splits import (
    SCHEMES,
    SubjectSplit,
    default_scheme,
    find_split,
    folds,
    split_subjects,
)
from pipeline.data.vocabulary import in_order
from pipeline.data.windowing import WindowShape, make_windows, thin, windows_of

__all__ = [
    "CHANNELS",
    "SCHEMES",
    "Dataset",
    "Recording",
    "Segment",
    "SubjectSplit",
    "WindowShape",
    "Windows",
    "add_own",
    "at_rate",
    "dataset_names",
    "default_scheme",
    "describe",
    "fetch_dataset",
    "find_split",
    "folds",
    "identities",
    "import_dataset",
    "in_order",
    "is_dataset_name",
    "list_sources",
    "load_dataset",
    "make_windows",
    "mix",
    "read_csv",
    "read_csv_dataset",
    "read_own_recordings",
    "resample",
    "split_subjects",
    "swing_kept",
    "thin",
    "windows_of",
    "worn_elsewhere",
]

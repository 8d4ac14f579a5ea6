"""A plausible demo and a plausible evaluation, in numbers, for the tests of the report."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.demo.schema import DemoDetails, per_activity
from pipeline.report.fields import SubjectScore

ACTIVITIES = ("walking", "upstairs", "downstairs", "sitting", "standing", "lying")
CONFUSION = np.array(
    [
        [486, 6, 4, 0, 0, 0],
        [9, 452, 10, 0, 0, 0],
        [3, 11, 406, 0, 0, 0],
        [0, 0, 0, 447, 44, 0],
        [0, 0, 0, 21, 511, 0],
        [0, 0, 0, 0, 0, 537],
    ]
)
PEOPLE = {2: 0.972, 4: 0.921, 9: 0.884, 10: 0.853, 12: 0.957, 13: 0.981, 18: 0.989, 24: 1.0}


def sample_report(**changes: Any) -> dict[str, Any]:
    """What `har demo` would hand on, on the emulator."""
    return {
        "dataset": "hapt",
        "split": "uci-official",
        "seed": 0,
        "train_windows": 7352,
        "test_windows": 2947,
        "float_accuracy": 0.9668,
        "int8_accuracy": 0.9634,
        "int8_macro_f1": 0.9629,
        "worst_subject": {"id": 10, "accuracy": 0.853},
        "model_id": "9f3c2b7a11d04e85",
        "engine": "compiled",
        "target": "mps2",
        "windows_streamed": 640,
        "predictions_received": 640,
        "samples_lost": 0,
        "device_accuracy": 0.9625,
        "parity": {"compared": 640, "mismatches": 0},
        "learning": {
            "subject": 10,
            "labelled_windows": 30,
            "test_windows": 250,
            "accuracy_before": 0.851,
            "accuracy_after": 0.945,
            "parity_compared": 311,
            "parity_mismatches": 0,
            "survived_power_cycle": True,
            "outcomes": {"learned": 24, "held_back": 5, "undone": 1},
            "serves": True,
            "everyone": [
                {
                    "id": 10,
                    "labelled_windows": 30,
                    "test_windows": 250,
                    "accuracy_before": 0.851,
                    "accuracy_after": 0.945,
                    "serves": True,
                }
            ],
        },
        "size": {
            "flash_bytes": 78412,
            "ram_bytes": 23216,
            "runtime_flash_bytes": 31220,
            "weights_bytes": 22340,
        },
        "instructions": {"inference": 612345, "update": 8123},
        "seconds": 61.5,
        **changes,
    }


def host_report() -> dict[str, Any]:
    """The same where no emulator was used: nothing was counted."""
    return sample_report(target="host", instructions={"inference": None, "update": None})


def sample_details(**changes: Any) -> DemoDetails:
    activities = changes.get("activities", ACTIVITIES)
    confusion = changes.get("confusion", CONFUSION)
    scores = per_activity(activities, confusion) if len(activities) == len(confusion) else {}
    values: dict[str, Any] = {
        "activities": ACTIVITIES,
        "confusion": CONFUSION,
        "per_subject": {person: SubjectScore(share, 300) for person, share in PEOPLE.items()},
        "before": scores,
        "after": scores,
        "limits": {"flash_bytes": 917504, "ram_bytes": 196608},
        "terms": "CC BY 4.0.",
        "citation": "Reyes-Ortiz et al. 2016.",
        "label_probabilities": (0.3, 0.5, 0.45, 0.8),
        **changes,
    }
    return DemoDetails(**values)


def evaluation_figures(accuracy: float) -> dict[str, object]:
    return {
        "accuracy": accuracy,
        "macro_f1": accuracy,
        "worst_subject": 0.7,
        "worst_subject_name": "[red]<b>subject02",
        "worst_quarter": 0.75,
    }


def _shown_over_recordings(accuracy: float) -> dict[str, object]:
    return {
        "accuracy": accuracy,
        "worst_session": 0.5,
        "worst_session_name": "[red]<b>subject02/1",
        "changes": 8,
        "delay_windows_median": 1.0,
        "delay_windows_p95": 3.5,
        "delay_s_mean": 1.25,
    }


def evaluation_document(mismatches: int = 0) -> dict[str, object]:
    engines = {
        "float": evaluation_figures(0.95),
        "int8": evaluation_figures(0.94),
        "compiled": evaluation_figures(0.94),
    }
    seeds = [{"seed": seed, "n_test": 40, "calibration_error": 0.02, **engines} for seed in (0, 1)]
    run = {
        "split": "official",
        "seed": 0,
        "model_id": "0123456789abcdef",
        "weights": "shipped",
        "pretrain_subjects": ["subject01"],
        "train_subjects": ["subject01"],
        "validation_subjects": ["subject03"],
        "test_subjects": ["[red]<b>subject02", "subject04"],
    }
    group = {
        "[red]<b>subject02": {"accuracy": 0.7, "windows": 20},
        "subject04": {"accuracy": 0.9, "windows": 20},
    }
    split = {
        "name": "official",
        "seeds": [0, 1],
        "n_test": 40,
        **engines,
        "calibration_error": 0.02,
        "majority_of_errors": "a/b",
        "majority_of_errors_share": 1.0,
        "compiled_mismatches": mismatches,
        "per_seed": seeds,
        "per_subject": group,
        "per_session": group,
        "confusion": [[38, 2], [3, 37]],
        "reliability": {"windows": [0, 30, 50], "confidence": [0, 0.5, 0.9], "accuracy": [0, 1, 1]},
        "recordings": {
            "hop_s": 1.28,
            "known_windows": 90,
            "plain": _shown_over_recordings(0.91),
            "smoothed": _shown_over_recordings(0.97),
            "false_reject": 0.05,
            "detection": {"transition": {"unknown": 0.8, "windows": 12}},
        },
        "runs": [run],
    }
    return {
        "bundle": "build/bundle",
        "model_id": "0123456789abcdef",
        "parameters": 36000,
        "macs": 550000,
        "dataset": "hapt",
        "backbone": "dscnn",
        "activities": ["a", "b"],
        "rate_hz": 50.0,
        "window_samples": 128,
        "hop_samples": 64,
        "splits": [split, {**split, "name": "5-fold", "majority_of_errors": None}],
        "notes": [],
        "command": "har evaluate --json",
        "versions": {"numpy": "1.26.4"},
        "seconds": 1.5,
    }

"""A plausible demo, in numbers, for the tests of the report."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.report import DemoDetails, SubjectScore, per_activity

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
            "accuracy_before": 0.851,
            "accuracy_after": 0.945,
            "parity_mismatches": 0,
            "survived_power_cycle": True,
        },
        "size": {
            "flash_bytes": 78412,
            "ram_bytes": 23216,
            "runtime_flash_bytes": 31220,
            "weights_bytes": 22340,
        },
        "instructions": {"inference": 612345, "update": 8123},
        **changes,
    }


def host_report() -> dict[str, Any]:
    """The same where no emulator was used: nothing was counted and nothing was linked for it."""
    sizes = dict.fromkeys(("flash_bytes", "ram_bytes", "runtime_flash_bytes", "weights_bytes"))
    return sample_report(target="host", instructions=None, size=sizes)


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
        "citation_url": "https://doi.org/10.1016/j.neucom.2015.07.085",
        "label_probabilities": (0.3, 0.5, 0.45, 0.8),
        **changes,
    }
    return DemoDetails(**values)

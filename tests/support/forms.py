"""Small files in the forms in which other programs write one's own recordings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.support.foreign_data import G, motion

EDGE_SENSORS = ("accX", "accY", "accZ", "gyrX", "gyrY", "gyrZ")
EDGE_UNITS = ("m/s2", "m/s2", "m/s2", "deg/s", "deg/s", "deg/s")


def edge_document(
    values: npt.NDArray[np.float64],
    sensors: Sequence[str] = EDGE_SENSORS,
    units: Sequence[str] = EDGE_UNITS,
    **payload: Any,
) -> dict[str, Any]:
    """What Edge Impulse's data acquisition writes of values (n, len(sensors)) at 50 Hz."""
    named = [{"name": n, "units": u} for n, u in zip(sensors, units, strict=True)]
    return {
        "protected": {"ver": "v1", "alg": "HS256", "iat": 1700000000},
        "signature": "0" * 64,
        "payload": {
            "device_name": "",
            "device_type": "ARDUINO_NANO33BLE",
            "interval_ms": 20,
            "sensors": named,
            "values": values.tolist(),
            **payload,
        },
    }


def write_edge(path: Path, document: Mapping[str, Any]) -> Path:
    """As JSON, or as CBOR where the path says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".cbor":
        import cbor2

        path.write_bytes(cbor2.dumps(document))
    else:
        path.write_text(json.dumps(document))
    return path


def write_edge_folder(root: Path) -> Path:
    """Two seconds of each kind of file, with ranges for one of them."""
    folder = root / "edge"
    values = motion(2, 50.0) * [G, G, G, 180 / np.pi, 180 / np.pi, 180 / np.pi]
    write_edge(folder / "sitting.1.json", edge_document(values))
    write_edge(folder / "sitting.2.cbor", edge_document(values))
    write_table(
        folder / "sitting.3.csv",
        ("timestamp", *EDGE_SENSORS),
        [[20 * at, *(f"{value:.3f}" for value in row)] for at, row in enumerate(values)],
    )
    ranges = [{"startIndex": 0, "endIndex": 49, "label": "sitting"}]
    content = {"version": 1, "structuredLabels": {"sitting.1.json": ranges}}
    (folder / "structured_labels.labels").write_text(json.dumps(content))
    return folder


def write_table(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[object]], end: str = "\n"
) -> Path:
    """A CSV file: numbers with all of their digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(end.join([",".join(header), *(",".join(map(str, row)) for row in rows), ""]))
    return path


SENSIML_HEADER = (
    "sequence",
    *(f"Accelerometer{axis}" for axis in "XYZ"),
    *(f"Gyroscope{axis}" for axis in "XYZ"),
)


def dcli_entry(
    name: str, segments: Sequence[tuple[int, int, str]], subject: str = ""
) -> dict[str, Any]:
    """What a .dcli file says of one file; the end of a segment belongs to it."""
    return {
        "file_name": name,
        "metadata": [{"name": "Subject", "value": subject}] if subject else [],
        "sessions": [
            {
                "session_name": "by hand",
                "segments": [
                    {"name": "Label", "value": label, "start": start, "end": end}
                    for start, end, label in segments
                ],
            }
        ],
    }


def write_sensiml_folder(root: Path) -> Path:
    """Two seconds with a column of labels, and two with segments."""
    folder = root / "sensiml"
    values = motion(2, 50.0) * [G, G, G, 1, 1, 1]
    rows = [[at, *(f"{value:.3f}" for value in row)] for at, row in enumerate(values)]
    write_table(folder / "a.csv", SENSIML_HEADER, rows)
    labelled = [[20 * at, *row[1:], "sitting"] for at, row in enumerate(rows)]
    write_table(folder / "b.csv", ("timestamp", *SENSIML_HEADER[1:], "Label"), labelled)
    content = [dcli_entry("a.csv", [(0, 99, "sitting")], "anna")]
    (folder / "all.dcli").write_text(json.dumps(content))
    return folder

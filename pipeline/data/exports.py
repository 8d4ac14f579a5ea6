"""Recordings as files that other tools read, and that an import reads back: the same samples, rate,
people and labels."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError
from pipeline.core.files import written_aside
from pipeline.core.names import check_name
from pipeline.data.csv_recording import HEADER, MAX_NAME_LENGTH, PLACEMENT
from pipeline.data.csv_writer import file_slug, float_text
from pipeline.data.importers.columns import UNLABELLED
from pipeline.data.importers.edge_impulse import OWN_DEVICE, RANGES
from pipeline.data.importers.own import is_no_data
from pipeline.data.mixed import OWN_PEOPLE
from pipeline.data.plausibility import check_samples
from pipeline.data.recording import CHANNELS, Dataset, Recording, Segment
from pipeline.data.timeline import check_rate

FORMATS = ("csv", "edge-impulse")
# What an export names its files; nothing else is ever replaced.
_OWN_FILE = re.compile(rf"[a-z0-9-]+\.\d{{4,}}\.(csv|json)|{re.escape(RANGES)}")
_MIN_SAMPLES = 2
_EDGE_UNITS = ("g", "g", "g", "rad/s", "rad/s", "rad/s")
_EDGE_NAMES = ("accX", "accY", "accZ", "gyrX", "gyrY", "gyrZ")


def export_dataset(
    dataset: Dataset,
    form: str,
    folder: Path,
    *,
    force: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Writes every recording into ``folder`` as a file of its own: ``csv``, the project's own form,
    or ``edge-impulse``, data acquisition JSON with labels for ranges, and the person's name for the
    device's. The folder is there whole or not at all; ``force`` replaces an earlier export.
    Returns what was written, JSON-able, with ``warnings``.

    Raises:
        InputError: no such form, a folder that holds something else, or a rate, name or label that
            the form cannot hold.
        ExternalError: the disk is full, or nothing may be written there.
    """
    if form not in FORMATS:
        raise InputError(f"--format {form!r}: there are {', '.join(FORMATS)}")
    check_rate(dataset.rate_hz, dataset.name)
    _check_folder(folder, force)
    kept = [each for each in dataset.recordings if len(each.samples) >= _MIN_SAMPLES]
    warnings = [*dataset.notes, *_doubts(kept)]
    if len(kept) < len(dataset.recordings):
        short = len(dataset.recordings) - len(kept)
        warnings.append(f"left out: {short} recordings of a single sample, which has no rate")
    if not kept:
        raise InputError(f"{dataset.name}: no recording in it")
    if dataset.people != OWN_PEOPLE:
        warnings.append(
            f"an import of it counts as your own recordings, of other people than {dataset.name}: "
            "use one of the two, or they train and test at once"
        )
    ranges = {}
    with written_aside(folder) as part:
        part.mkdir()
        for number, recording in enumerate(kept, start=1):
            progress(f"writing {number} of {len(kept)} recordings")
            _check_names(recording, form)
            activities = list(dict.fromkeys(each.activity for each in recording.segments))
            slug = file_slug(activities[0]) if len(activities) == 1 else "recording"
            # A readme or a note is no recording for an import.
            stem = f"of-{slug}" if is_no_data(slug) else slug or "activity"
            name = f"{stem}.{number:04d}.{'csv' if form == 'csv' else 'json'}"
            write = _csv if form == "csv" else _edge_impulse
            (part / name).write_text(write(recording), encoding="utf-8", newline="\n")
            ranges[name] = _ranges(recording)
        if form == "edge-impulse":
            content = {"version": 1, "type": "structured-labels", "structuredLabels": ranges}
            (part / RANGES).write_text(json.dumps(content, indent=1), encoding="utf-8")
    return {
        "name": dataset.name,
        "format": form,
        "path": str(folder),
        "files": len(kept),
        "samples": sum(len(each.samples) for each in kept),
        "rate_hz": dataset.rate_hz,
        "subjects": sorted({each.subject for each in kept}),
        "activities": list(dataset.activities),
        "terms": dataset.terms,
        "warnings": warnings,
    }


def _check_folder(folder: Path, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: a file is there; give --output another folder")
    there = sorted(each.name for each in folder.iterdir()) if folder.exists() else []
    strangers = [name for name in there if not _OWN_FILE.fullmatch(name)]
    if strangers:
        raise InputError(
            f"{folder}: holds {strangers[0]}, which no export wrote; give --output another folder"
        )
    if there and not force:
        raise InputError(
            f"{folder}: holds an export; give --force to replace it, or --output another folder"
        )


def _check_names(recording: Recording, form: str) -> None:
    where = f"recording {recording.session or '(no session)'} from {recording.source}"
    if not _is_field(recording.subject):
        raise InputError(
            f"{where}: the subject {recording.subject[:80]!r} cannot be written; a name has 1 to "
            f"{MAX_NAME_LENGTH} printable characters"
        )
    for segment in recording.segments:
        try:
            check_name(segment.activity)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        if form == "edge-impulse" and segment.activity.lower() in UNLABELLED:
            raise InputError(f"{where}: {segment.activity} means no activity to Edge Impulse")


def _is_field(text: str) -> bool:
    """Whether a line of comment gives it back as it is."""
    plain = " ".join(text.split()).strip(' ,;"')
    return 1 <= len(text) <= MAX_NAME_LENGTH and text.isprintable() and plain == text


def _doubts(recordings: list[Recording]) -> list[str]:
    """Which files an import would refuse, as it looks at each alone."""
    refused = []
    for recording in recordings:
        try:
            check_samples(recording.samples, recording.rate_hz, [], recording.source)
        except InputError as error:
            refused.append(str(error))
    if not refused:
        return []
    return [f"an import would refuse {len(refused)} of these files; the first is {refused[0]}"]


def _csv(recording: Recording) -> str:
    lines = [f"# rate_hz: {recording.rate_hz!r}", f"# subject: {recording.subject}"]
    if _is_field(recording.session):
        lines.append(f"# session: {recording.session}")
    worn = f",{_cell(recording.placement)}" if recording.placement else ""
    lines.append(f"{HEADER},{PLACEMENT}" if worn else HEADER)
    labels = [""] * len(recording.samples)
    for segment in recording.segments:
        labels[segment.start : segment.stop] = [_cell(segment.activity)] * len(segment)
    for at, (sample, label) in enumerate(zip(recording.samples, labels, strict=True)):
        time_s = round(at / recording.rate_hz, 6)
        lines.append(f"{time_s},{','.join(map(float_text, sample))},{label}{worn}")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text


def _edge_impulse(recording: Recording) -> str:
    rows = ",\n".join(f"[{','.join(map(float_text, each))}]" for each in recording.samples)
    sensors = [
        {"name": name, "units": unit} for name, unit in zip(_EDGE_NAMES, _EDGE_UNITS, strict=True)
    ]
    assert len(sensors) == len(CHANNELS)
    document = {
        "protected": {"ver": "v1", "alg": "none"},
        "signature": "00",
        "payload": {
            "device_name": recording.subject,
            "device_type": OWN_DEVICE,
            "interval_ms": 1000 / recording.rate_hz,
            "sensors": sensors,
            "values": [],
        },
    }
    # json would write float32 with the digits of float64.
    return json.dumps(document).removesuffix("[]}}") + f"[\n{rows}\n]}}}}\n"


def _ranges(recording: Recording) -> list[dict[str, Any]]:
    """Every sample belongs to a range there, so that what has no label has one that says so."""
    whole: list[Segment] = []
    end = 0
    n = len(recording.samples)
    for segment in (*recording.segments, Segment(n, n, "")):
        if segment.start > end:
            whole.append(Segment(end, segment.start, "unlabeled"))
        if len(segment):
            whole.append(segment)
        end = segment.stop
    return [
        {"startIndex": each.start, "endIndex": each.stop - 1, "label": each.activity}
        for each in whole
    ]

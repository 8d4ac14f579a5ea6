"""Other people's data sets: read, checked, converted, and put into the cache."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError
from pipeline.core.names import check_name
from pipeline.data.cache import load_about, load_recordings, locked, save_recordings
from pipeline.data.catalog import NO_GYROSCOPE, SOURCES, imported_names, imported_path, load_import
from pipeline.data.csv_recording import check_field
from pipeline.data.importers import (
    IMPORTERS,
    OWN_FORMS,
    Given,
    Importer,
    Reading,
    Tree,
    open_tree,
    read_own,
)
from pipeline.data.importers.columns import check_label
from pipeline.data.mixed import JOIN, OWN_PEOPLE
from pipeline.data.placement import check_placement, join_placements
from pipeline.data.plausibility import check_gravity, check_rotation, check_turning_gravity
from pipeline.data.recording import UNITS, Dataset, Recording, Segment
from pipeline.data.resampling import resample
from pipeline.data.timeline import check_rate
from pipeline.data.units import ACCELERATION, ROTATION, find_unit
from pipeline.data.vocabulary import in_order, label_map, refuse_twins

RATE_HZ = 50.0
NOTHING_GIVEN = Given()
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def import_dataset(
    importer_name: str,
    path: Path,
    *,
    name: str = "",
    rate_hz: float = RATE_HZ,
    labels: Mapping[str, str] | None = None,
    given: Given = NOTHING_GIVEN,
    allow_missing_gyro: bool = False,
    force: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Reads a user's copy of a published data set, checks it and writes it into the cache.

    ``name`` is what it will be called (the importer's own name by default), ``labels`` what to
    call its activities where the common vocabulary is not wanted, ``rate_hz`` the rate to bring
    it to, ``given`` what the user stated about the copy. The same import again changes nothing.
    Returns what is kept about it, JSON-able, with ``already_there``.

    Raises:
        InputError: no such importer, path or unit, not the data, implausible units or rate, or
            another import of that name without ``force``.
        ExternalError: the cache cannot be written.
    """
    importer = _find(importer_name).of_unit(given.unit)
    importer.check_given(given)
    given = _checked_given(given)
    name = _checked_name(name or importer.dataset or path.resolve().stem)
    if not importer.has_gyroscope and not allow_missing_gyro:
        raise InputError(
            f"{importer.name} has no gyroscope and networks here take six channels; with "
            "--allow-missing-gyro those three are 0, and every report says so"
        )
    progress(f"reading {path}")
    reading, sha256 = _read(importer, path, given)
    progress("checking units and rate")
    # A personal rhythm may look like gravity that turns: a warning, no reason to refuse.
    strict = importer.people != OWN_PEOPLE
    checks, doubts = _checked(importer, reading, str(path), strict=strict)
    progress(f"bringing it to {rate_hz:g} Hz")
    recordings, names = _converted(importer, reading, rate_hz, labels or {}, path)
    recordings = [
        dataclasses.replace(each, placement=each.placement or importer.placement)
        for each in recordings
    ]
    about = {
        "name": name,
        "importer": importer.name,
        "title": importer.title,
        "sha256": sha256,
        "rate_hz": rate_hz,
        "activities": _activities(recordings, path),
        "labels": names,
        "missing_gyroscope": not importer.has_gyroscope,
        "people": importer.people,
        "placement": join_placements(each.placement for each in recordings),
        "axes": importer.axes,
        "terms": importer.terms,
        "citation": importer.citation,
        "counts": {reason: count for reason, count in reading.counts.items() if count},
        "warnings": [*reading.warnings, *doubts],
        "checks": checks,
    }
    already = _write(name, recordings, sha256, about, force)
    return {**about, "path": str(imported_path(name)), "already_there": already}


def read_own_recordings(path: Path, rate_hz: float) -> tuple[Dataset, dict[str, float]]:
    """Your own recordings, checked as `import_dataset` does and brought to ``rate_hz``: a file, or
    a folder or zip of files, in any form that is known; or the name of what was imported. Nothing
    is renamed. ``sha256`` is over all of the files; ``notes`` are warnings for the user.

    Returns them and the rate in Hz of each file, by its name.

    Raises:
        InputError: nothing there, nothing labelled, or a file that cannot be right.
    """
    if not path.exists() and str(path) in imported_names():
        imported = load_import(str(path))
        recordings = [resample(each, rate_hz) for each in imported.recordings]
        rates = {each.source: each.rate_hz for each in imported.recordings}
        return dataclasses.replace(imported, recordings=tuple(recordings), rate_hz=rate_hz), rates
    if path.is_dir() and not any(each.is_file() for each in path.rglob("[!.]*")):
        raise InputError(f"{path}: no recording in it; `har record --activity NAME` makes some")
    own = _own_files(path)
    reading, sha256 = _read(own, path, NOTHING_GIVEN)
    # What each file says of itself is known; together they may say more of the gyroscope.
    _, doubts = _checked(own, reading, str(path), strict=False)
    if any("gravity turns" in doubt for doubt in reading.warnings):
        doubts = []
    recordings, _ = _converted(own, reading, rate_hz, {}, path)
    dataset = Dataset(
        name=OWN_PEOPLE,
        title=own.title,
        recordings=tuple(recordings),
        activities=tuple(_activities(recordings, path)),
        rate_hz=rate_hz,
        units=UNITS,
        terms=own.terms,
        citation=own.citation,
        package="",
        version="",
        sha256=sha256,
        people=OWN_PEOPLE,
        placement=join_placements(each.placement for each in recordings),
        notes=tuple(dict.fromkeys((*reading.warnings, *doubts))),
    )
    return dataset, {each.source: each.rate_hz for each in reading.recordings}


def read_files(path: Path) -> tuple[Reading, list[str]]:
    """Every file of your own at ``path`` that can be read, at its own rate, and a line for each
    that cannot. Raises InputError where there is nothing."""
    errors: list[str] = []
    own = _own_files(path)
    with open_tree(path, own.anchor, own.expects, zips=own.zips) as tree:
        _refuse_published(tree, path)
        reading = read_own(tree, NOTHING_GIVEN, OWN_FORMS, lambda each: errors.append(str(each)))
    try:
        refuse_twins(
            (s.activity for r in reading.recordings for s in r.segments), str(path), "activity"
        )
    except InputError as error:
        errors.append(str(error))
    if not reading.recordings and not errors:
        raise InputError(f"{path}: no recording in it; expected {own.expects}")
    return reading, errors


def _own_files(path: Path) -> Importer:
    return Importer(
        name="own recordings",
        dataset="",
        title=f"{OWN_PEOPLE} in {path}",
        expects="recordings: " + "; ".join(form.expects for form in OWN_FORMS),
        anchor=re.compile("^.*"),
        people=OWN_PEOPLE,
        axes="",
        terms="your own recordings",
        citation="",
        read=_read_own,
        word=str,
        zips=True,
    )


def _read_own(tree: Tree, given: Given) -> Reading:
    _refuse_published(tree, Path(tree.where))
    return read_own(tree, given, OWN_FORMS)


def _refuse_published(tree: Tree, path: Path) -> None:
    for each in IMPORTERS.values():
        if each.people != OWN_PEOPLE and any(map(each.anchor.search, tree.names)):
            raise InputError(
                f"{path}: looks like {each.title}; `har data import {each.name} {path}`"
            )


def _read(importer: Importer, path: Path, given: Given) -> tuple[Reading, str]:
    """What lies at the path, and the SHA-256 of it."""
    with open_tree(path, importer.anchor, importer.expects, zips=importer.zips) as tree:
        reading = importer.read(tree, given)
        sha256 = tree.sha256()
    if not reading.recordings:
        raise InputError(f"{path}: no recording in it; expected {importer.expects}")
    return reading, sha256


def _find(name: str) -> Importer:
    if name not in IMPORTERS:
        raise InputError(f"no importer {name!r}; there are: {', '.join(IMPORTERS)}")
    return IMPORTERS[name]


def _checked_given(given: Given) -> Given:
    """What the user stated, as it is used. InputError for what can be no rate, unit or name."""
    if given.recorded_rate is not None:
        check_rate(given.recorded_rate, "--recorded-rate")
    for unit, units, option in (
        (given.accel_unit, ACCELERATION, "--accel-unit"),
        (given.gyro_unit, ROTATION, "--gyro-unit"),
    ):
        if unit:
            find_unit(unit, units, option)
    check_label(given.activity, "--activity", "give another one")
    subject = check_field(given.subject, "--subject") if given.subject else ""
    placement = check_placement(given.placement)
    return dataclasses.replace(given, subject=subject, placement=placement)


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name) or JOIN in name:
        raise InputError(
            f"{name!r} is not a name for a data set; give letters, digits, . _ - with --as"
        )
    if name in SOURCES:
        raise InputError(f"{name} can be fetched under that name; give another one with --as")
    return name


def _checked(
    importer: Importer, reading: Reading, where: str, *, strict: bool = True
) -> tuple[dict[str, Any], list[str]]:
    """Figures that show wrong units or a wrong rate, and warnings that are no reason to refuse.

    Raises:
        InputError: it cannot be g, rad/s and the stated rate.
    """
    people: dict[str, list[Recording]] = {}
    for recording in reading.recordings:
        people.setdefault(recording.subject, []).append(recording)
    pairs = [(recording.samples, recording.rate_hz) for recording in reading.recordings]
    checks: dict[str, Any] = {"resting_acceleration_g": round(check_gravity(pairs, where), 3)}
    for subject, own in people.items():
        check_gravity([(r.samples, r.rate_hz) for r in own], f"{where}, {subject}")
    if not importer.has_gyroscope:
        return checks, [NO_GYROSCOPE]
    for recording in reading.recordings:
        check_rotation(
            recording.samples,
            recording.rate_hz,
            f"{where}, {recording.session or recording.source}",
        )
    turning, doubts = check_turning_gravity(pairs, where, strict=strict)
    if turning.informative:
        checks["turning_gravity_factor"] = round(turning.factor, 3)
        checks["turning_gravity_correlation"] = round(turning.correlation, 3)
    checks["quiet_s"] = round(turning.seconds, 1)
    return checks, doubts


def _converted(
    importer: Importer, reading: Reading, rate_hz: float, override: Mapping[str, str], path: Path
) -> tuple[list[Recording], dict[str, str]]:
    own = Counter(s.activity for recording in reading.recordings for s in recording.segments)
    names = label_map(own, override, importer.word)
    for name in filter(None, names.values()):
        check_name(name)
    mapped = "write one of them everywhere, or give --label-map OLD=NEW"
    refuse_twins(names.values(), str(path), "activity", remedy=mapped)
    found = []
    for recording in reading.recordings:
        even = resample(recording, rate_hz)
        parts = labelled_parts(even) if importer.labelled_only else [even]
        found += [renamed(part, names) for part in parts]
    if not found:
        raise InputError(f"{path}: nothing in it is labelled")
    return found, names


def _activities(recordings: list[Recording], path: Path) -> list[str]:
    activities = in_order(s.activity for recording in recordings for s in recording.segments)
    if not activities:
        raise InputError(f"{path}: nothing in it has a label of a class to learn")
    return list(activities)


def _write(
    name: str, recordings: list[Recording], sha256: str, about: dict[str, Any], force: bool
) -> bool:
    """Writes the import; True where just that was there."""
    path = imported_path(name)
    with locked(path.parent):
        if path.exists() and not force:
            try:
                there = load_about(path)
                load_recordings(path, str(there.get("sha256")))
            except InputError as error:
                raise InputError(f"{error}, or give --force") from error
            # An import of an older version says less.
            if {**about, **there} == about:
                return True
            raise InputError(
                f"{name}: imported before, from other files or with other options "
                f"({path}); give --force to replace it, or another name with --as"
            )
        save_recordings(path, recordings, sha256, about)
    return False


def renamed(recording: Recording, names: Mapping[str, str]) -> Recording:
    """With every label called as ``names`` says; "" takes the label off."""
    return dataclasses.replace(
        recording,
        segments=tuple(
            Segment(segment.start, segment.stop, names[segment.activity])
            for segment in recording.segments
            if names[segment.activity]
        ),
    )


def labelled_parts(recording: Recording) -> list[Recording]:
    """The labelled stretches, each a recording of its own; what has no label is cut away."""
    runs: list[list[Segment]] = []
    for segment in recording.segments:
        if runs and runs[-1][-1].stop == segment.start:
            runs[-1].append(segment)
        else:
            runs.append([segment])
    return [recording.part(run[0].start, run[-1].stop) for run in runs]

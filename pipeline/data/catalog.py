"""The data sets that can be had by name."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError
from pipeline.data import hapt, watch
from pipeline.data.cache import (
    cache_directory,
    load_about,
    load_recordings,
    locked,
    save_recordings,
)
from pipeline.data.fetching import archive_path, fetch_archive, note
from pipeline.data.importers import IMPORTERS
from pipeline.data.mixed import JOIN, mix
from pipeline.data.recording import UNITS, Dataset, Recording
from pipeline.data.source import Source

NO_GYROSCOPE = "no gyroscope: gx, gy and gz are 0"


def imported_names() -> tuple[str, ...]:
    """The names of what was imported, sorted."""
    return tuple(
        sorted(path.stem for path in import_directory().glob("*.npz") if path.stem[0] != ".")
    )


def imported_path(name: str) -> Path:
    """Where an imported data set lies, or will lie."""
    return import_directory() / f"{name}.npz"


def import_directory() -> Path:
    """The folder of the cache that holds imports."""
    return cache_directory() / "imported"


def load_import(name: str) -> Dataset:
    """What ``import_dataset`` wrote under this name.

    Raises:
        InputError: damaged.
        FileNotFoundError: nothing was.
    """
    path = imported_path(name)
    about = load_about(path)
    try:
        missing = bool(about["missing_gyroscope"])
        return Dataset(
            name=name,
            title=f"{about['title']}; {NO_GYROSCOPE}" if missing else str(about["title"]),
            recordings=load_recordings(path, str(about["sha256"]), _placement(about)),
            activities=tuple(about["activities"]),
            rate_hz=float(about["rate_hz"]),
            units={**UNITS, "angular_rate": NO_GYROSCOPE} if missing else UNITS,
            terms=f"{NO_GYROSCOPE}. {about['terms']}" if missing else str(about["terms"]),
            citation=str(about["citation"]),
            package=f"har data import {about['importer']}",
            version="",
            sha256=str(about["sha256"]),
            people=str(about["people"]),
            placement=_placement(about),
            notes=(NO_GYROSCOPE,) if missing else (),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error}); delete it and import again") from error


def _placement(about: Mapping[str, Any]) -> str:
    """Where it was worn; an import of an older version leaves that to its importer."""
    importer = IMPORTERS.get(str(about["importer"]))
    return str(about.get("placement", importer.placement if importer else ""))


# ---- catalog -------------------------------------------------------------------------------------

SOURCES: dict[str, Source] = {source.name: source for source in (hapt.SOURCE, watch.SOURCE)}


def dataset_names() -> tuple[str, ...]:
    """Every name that ``load_dataset`` takes: the default first, then what was imported.

    Several of them joined by + are a name too.
    """
    return (*SOURCES, *(name for name in imported_names() if name not in SOURCES))


def is_dataset_name(name: str) -> bool:
    """Whether ``load_dataset`` knows the name, or each part of it between +."""
    return all(part in dataset_names() for part in name.split(JOIN))


def find_source(name: str) -> Source:
    """What is known in advance about a data set to fetch; InputError for any other name."""
    if name not in SOURCES:
        imported = f"{name} was imported" if name in dataset_names() else f"no data set {name!r}"
        raise InputError(f"{imported}; those to fetch: {', '.join(SOURCES)}")
    return SOURCES[name]


def list_sources() -> list[dict[str, Any]]:
    """What can be had, as a JSON-able list; ``cached`` says that it loads offline.

    ``origin`` is ``package`` for what is fetched and ``import`` for what a user imported.
    """
    return [*_fetched_rows(), *_imported_rows()]


def _fetched_rows() -> list[dict[str, Any]]:
    return [
        {
            "name": source.name,
            "origin": "package",
            "title": source.title,
            "package": source.package,
            "version": source.version,
            "sha256": source.sha256,
            "download_bytes": source.size_bytes,
            "activities": list(source.activities),
            "rate_hz": source.rate_hz,
            "terms": source.terms,
            "cached": archive_path(source).is_file() or converted_path(source).is_file(),
        }
        for source in SOURCES.values()
    ]


def _imported_rows() -> list[dict[str, Any]]:
    rows = []
    for name in dataset_names()[len(SOURCES) :]:
        row: dict[str, Any] = {"name": name, "origin": "import", "cached": True, "damaged": False}
        try:
            about = load_about(imported_path(name))
            row |= {
                "title": about["title"],
                "package": f"har data import {about['importer']}",
                "version": "",
                "sha256": about["sha256"],
                "download_bytes": 0,
                "activities": about["activities"],
                "rate_hz": about["rate_hz"],
                "terms": about["terms"],
            }
        except (InputError, KeyError):
            row |= {"title": "damaged: import it again", "damaged": True, "cached": False}
        rows.append(row)
    return rows


def fetch_dataset(name: str, *, progress: bool = True) -> dict[str, Any]:
    """Downloads, verifies and converts; a JSON-able note of what is there now.

    Raises:
        InputError, ExternalError: as ``load_dataset``.
    """
    dataset = load_dataset(name, progress=progress)
    source = find_source(name)
    return {
        "name": name,
        "package": source.package,
        "version": source.version,
        "sha256": source.sha256,
        "converted": str(converted_path(source)),
        "recordings": len(dataset.recordings),
        "subjects": len(dataset.subjects),
        "terms": source.terms,
    }


def converted_path(source: Source) -> Path:
    """Where the converted recordings lie, or will lie."""
    return cache_directory() / f"{source.name}.npz"


def load_dataset(name: str, *, progress: bool = True) -> Dataset:
    """Loads a data set by name; fetches and converts it the first time, later works offline.

    ``hapt+motionsense`` is both as one (see ``pipeline.data.mixed``). With ``progress``, long
    steps show themselves on stderr.

    Raises:
        InputError: no such data set, the archive is not what was pinned, or two that do not mix.
        ExternalError: the network, the index or the disk failed.
    """
    if JOIN in name:
        return mix([load_dataset(part, progress=progress) for part in name.split(JOIN)])
    if name not in dataset_names():
        raise InputError(
            f"no data set {name!r}; there are: {', '.join(dataset_names())} "
            "(har data import brings others)"
        )
    if name not in SOURCES:
        return load_import(name)
    source = find_source(name)
    return Dataset(
        name=source.name,
        title=source.title,
        recordings=_recordings(source, progress),
        activities=source.activities,
        rate_hz=source.rate_hz,
        units=UNITS,
        terms=source.terms,
        citation=source.citation,
        package=source.package,
        version=source.version,
        sha256=source.sha256,
        people=source.people,
        placement=source.placement,
    )


def identities(name: str, subjects: Iterable[str]) -> frozenset[str]:
    """Who the ``subjects`` of the data set ``name`` are, so that someone who was recorded for two
    data sets (HAPT and UCI HAR) has one identity, and two people of one name have two."""
    if JOIN in name:
        parts = [subject.partition("/") for subject in subjects]
        return frozenset().union(*(identities(part, [own]) for part, _, own in parts))
    return frozenset(f"{_people(name)}/{subject}" for subject in subjects)


def _people(name: str) -> str:
    if name in SOURCES:
        return SOURCES[name].people or name
    with contextlib.suppress(FileNotFoundError, InputError):
        return str(load_about(imported_path(name)).get("people") or name)
    # An import that is no longer there, under the name that its importer gives.
    published = {own: each.people for each in IMPORTERS.values() for own in each.datasets if own}
    return published.get(name, name)


def _recordings(source: Source, progress: bool) -> tuple[Recording, ...]:
    converted = converted_path(source)
    # An absent or damaged conversion is made again from the archive.
    with contextlib.suppress(FileNotFoundError, InputError):
        return load_recordings(converted, source.sha256, source.placement)
    with locked(cache_directory()):
        try:
            return load_recordings(converted, source.sha256, source.placement)
        except FileNotFoundError:
            pass
        except InputError:
            note(f"{converted}: damaged or of another version; making it again", progress)
        archive = fetch_archive(source, progress)
        note(f"reading {archive.name}", progress)
        recordings = tuple(
            dataclasses.replace(each, placement=source.placement) for each in source.read(archive)
        )
        save_recordings(converted, recordings, source.sha256)
        return recordings

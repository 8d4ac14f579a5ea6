"""What was imported into the cache: its names, and loading it."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.errors import InputError
from pipeline.data.cache import cache_directory, load_about, load_recordings
from pipeline.data.recording import UNITS, Dataset

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
            recordings=load_recordings(path, str(about["sha256"])),
            activities=tuple(about["activities"]),
            rate_hz=float(about["rate_hz"]),
            units={**UNITS, "angular_rate": NO_GYROSCOPE} if missing else UNITS,
            terms=f"{NO_GYROSCOPE}. {about['terms']}" if missing else str(about["terms"]),
            citation=str(about["citation"]),
            package=f"har data import {about['importer']}",
            version="",
            sha256=str(about["sha256"]),
            people=str(about["people"]),
            notes=(NO_GYROSCOPE,) if missing else (),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error}); delete it and import again") from error

"""Which recordings to stream: of a data set's people, or of a CSV file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.core.errors import InputError
from pipeline.data import Recording, Segment, load_dataset, read_csv, split_subjects

DEFAULT_DATASET = "hapt"
PARTS = ("test", "train", "validation", "all")


@dataclass(frozen=True, eq=False)
class Selection:
    """Recordings, and where they are from: a data set's name or a file, and the part of it."""

    recordings: tuple[Recording, ...]
    source: str
    split: str | None

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everyone who appears, sorted."""
        return tuple(sorted({recording.subject for recording in self.recordings}))


def select(
    dataset: str | None,
    split: str | None,
    subject: str | None,
    csv: Path | None,
    tell: Callable[[str], None],
) -> Selection:
    """Loads what the options name: by default, the test subjects of the default data set.

    `split` is a part of the official split or "all". Raises `InputError` for options that exclude
    each other and for people who are not there; what else loading raises.
    """
    if csv is not None:
        if dataset or split or subject:
            raise InputError("give --csv, or --dataset with --split and --subject, not both")
        return Selection((_read(csv, tell),), str(csv), None)
    part = split or ("all" if subject else "test")
    if part not in PARTS:
        raise InputError(f"no --split {part!r}; there are: {', '.join(PARTS)}")
    loaded = load_dataset(dataset or DEFAULT_DATASET)
    people = loaded.subjects if part == "all" else getattr(split_subjects(loaded), part)
    if subject is not None:
        if subject not in people:
            raise InputError(f"no {subject!r} in {loaded.name} ({part}): {', '.join(people)}")
        people = (subject,)
    chosen = tuple(r for r in loaded.recordings if r.subject in people)
    return Selection(chosen, loaded.name, part)


def as_activity(selection: Selection, activity: str) -> Selection:
    """The same, taken to show `activity`: the whole of an unlabelled recording, and of a labelled
    one what its labels say is that.

    Raises `InputError` when nothing is left.
    """
    kept: list[Recording] = []
    for recording in selection.recordings:
        segments = tuple(s for s in recording.segments if s.activity == activity)
        if not recording.segments:
            segments = (Segment(0, len(recording.samples), activity),)
        if segments:
            kept.append(replace(recording, segments=segments))
    if not kept:
        raise InputError(f"{selection.source} is labelled, and nowhere with {activity!r}")
    return replace(selection, recordings=tuple(kept))


def _read(path: Path, tell: Callable[[str], None]) -> Recording:
    if not path.is_file():
        raise InputError(
            f"no file {path}: give a CSV with time_s,ax_g,ay_g,az_g,gx_rads,gy_rads,gz_rads"
        )
    return read_csv(path, lambda doubt: tell(f"har: {doubt}"))

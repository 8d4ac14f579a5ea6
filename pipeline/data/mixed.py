"""Several data sets as one: recordings side by side, one vocabulary, no subject twice."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Sequence

from pipeline.core.errors import InputError
from pipeline.data.placement import join_placements
from pipeline.data.recording import Dataset, Recording
from pipeline.data.vocabulary import in_order, refuse_twins

JOIN = "+"
# A user's own recordings: only the subjects' names say who is who.
OWN_PEOPLE = "own recordings"


def mix(datasets: Sequence[Dataset]) -> Dataset:
    """The union; subjects and sessions get their data set's name in front (``hapt/subject03``).

    Activities of one name are one class, so the label maps of the parts decide what meets.

    Raises:
        InputError: one data set twice, two with the same people, or several rates.
    """
    name = JOIN.join(dataset.name for dataset in datasets)
    for one, other in itertools.combinations(datasets, 2):
        if one.name == other.name:
            raise InputError(f"{name}: {one.name} is named twice")
        _refuse_same_people(name, one, other)
    rates = {dataset.name: dataset.rate_hz for dataset in datasets}
    if len(set(rates.values())) > 1:
        listed = ", ".join(f"{part} {rate_hz:g} Hz" for part, rate_hz in rates.items())
        raise InputError(f"{name}: several rates ({listed}); import them with one --rate")
    shas = "".join(f"{dataset.sha256}\n" for dataset in datasets)
    return Dataset(
        name=name,
        title=" + ".join(dataset.title for dataset in datasets),
        recordings=tuple(
            recording for dataset in datasets for recording in _named(dataset.name, dataset)
        ),
        activities=in_order(activity for dataset in datasets for activity in dataset.activities),
        rate_hz=datasets[0].rate_hz,
        units=datasets[0].units,
        terms=" ".join(f"{dataset.name}: {dataset.terms}" for dataset in datasets),
        citation=" ".join(dataset.citation for dataset in datasets if dataset.citation),
        package=JOIN.join(dataset.package for dataset in datasets),
        version=JOIN.join(dataset.version for dataset in datasets),
        sha256=hashlib.sha256(shas.encode()).hexdigest(),
        placement=join_placements(dataset.placement for dataset in datasets),
        notes=tuple(f"{dataset.name}: {note}" for dataset in datasets for note in dataset.notes),
    )


def add_own(dataset: Dataset, own: Dataset) -> Dataset:
    """A data set with your own recordings (`read_own_recordings`) added: everything of the
    data set keeps its name and place, so that its splits stay as they are; activities that it
    lacks come after its own, and so do placements, where its own is known. Its subjects never have
    the names that the others get (``own recordings/anna``).

    Raises:
        InputError: another rate, or an activity that is one of the data set's by all but its
            spelling.
    """
    refuse_twins(
        own.activities,
        own.title,
        "activity",
        known=dataset.activities,
        remedy=f"{dataset.name} has the second one: write it so in your files, or import them with "
        "--label-map OLD=NEW",
    )
    if own.rate_hz != dataset.rate_hz:
        raise InputError(f"{own.title}: {own.rate_hz:g} Hz where {dataset.rate_hz:g} Hz belong")
    placement = dataset.placement and join_placements([dataset.placement, own.placement])
    shas = f"{dataset.sha256}\n{own.sha256}\n"
    return dataclasses.replace(
        dataset,
        title=f"{dataset.title} and {own.title}",
        recordings=(*dataset.recordings, *_named(OWN_PEOPLE, own)),
        activities=tuple(dict.fromkeys((*dataset.activities, *own.activities))),
        sha256=hashlib.sha256(shas.encode()).hexdigest(),
        placement=placement,
        notes=(*dataset.notes, *own.notes),
    )


def _named(name: str, dataset: Dataset) -> list[Recording]:
    """The recordings with ``name/`` before subject and session."""
    return [
        dataclasses.replace(
            each, subject=f"{name}/{each.subject}", session=f"{name}/{each.session}"
        )
        for each in dataset.recordings
    ]


def _refuse_same_people(name: str, one: Dataset, other: Dataset) -> None:
    if not one.people or one.people != other.people:
        return
    if one.people == OWN_PEOPLE:
        shared = sorted(set(one.subjects) & set(other.subjects))
        if shared:
            raise InputError(
                f"{name}: {', '.join(shared[:3])} is in {one.name} and in {other.name}; import "
                "both as one folder, so that a split keeps a subject on one side"
            )
        return
    raise InputError(
        f"{name}: {one.name} and {other.name} recorded the same people ({one.people}); one person "
        "under two names would train and test at once: take one of the two"
    )

"""What is known in advance about a data set that a user has a copy of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pipeline.data.importers.tree import Tree
from pipeline.data.recording import Recording


@dataclass(frozen=True)
class Reading:
    """What a reader found.

    ``recordings`` are in g and rad/s, at the source's rate, with the source's own labels;
    ``counts`` says how much was left out or repaired and why; ``warnings`` are for the user.
    """

    recordings: tuple[Recording, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Importer:
    """One published form.

    ``anchor`` finds the data below a folder or inside a zip: what it matches begins at the data's
    own root. ``dataset`` is the name it gets by default ("" for the path's), ``people`` names
    who was recorded, so that the same people never count as two data sets ("" for unknown).
    ``labelled_only`` cuts away what carries no label.
    ``read`` raises InputError for whatever is not as published.
    """

    name: str
    dataset: str
    title: str
    expects: str
    anchor: re.Pattern[str]
    people: str
    axes: str
    terms: str
    citation: str
    read: Callable[[Tree], Reading]
    has_gyroscope: bool = True
    labelled_only: bool = False

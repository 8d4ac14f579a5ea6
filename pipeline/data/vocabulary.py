"""One word for one activity, whatever a data set calls it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pipeline.core.errors import InputError

# The common activities, in the order in which every data set lists them.
VOCABULARY = (
    "walking",
    "upstairs",
    "downstairs",
    "sitting",
    "standing",
    "lying",
    "jogging",
    "cycling",
    "nordic-walking",
    "rope-jumping",
    "ironing",
    "vacuum-cleaning",
)
# The ways between postures: labelled, and no class to learn.
TRANSITIONS = (
    "stand-to-sit",
    "sit-to-stand",
    "sit-to-lie",
    "lie-to-sit",
    "stand-to-lie",
    "lie-to-stand",
)
SYNONYMS: Mapping[str, str] = {
    "walk": "walking",
    "walking-upstairs": "upstairs",
    "walk-upstairs": "upstairs",
    "ascending-stairs": "upstairs",
    "stairs-up": "upstairs",
    "walking-downstairs": "downstairs",
    "walk-downstairs": "downstairs",
    "descending-stairs": "downstairs",
    "stairs-down": "downstairs",
    "sit": "sitting",
    "stand": "standing",
    "laying": "lying",
    "lying-down": "lying",
    "jog": "jogging",
    # PAMAP2's "running" was jogging outdoors at a speed of the subject's choice.
    "running": "jogging",
    "run": "jogging",
}
MAX_NAME_LENGTH = 64


def canonical(label: str) -> str:
    """The common word for a data set's own one; a label without one stays as it is."""
    plain = re.sub(r"[\s_-]+", "-", label.strip().lower())
    word = SYNONYMS.get(plain, plain)
    return word if word in VOCABULARY or word in TRANSITIONS else label.strip()


def parse_label_map(text: str) -> dict[str, str]:
    """``old=new,other=`` as a dictionary; an empty new name makes a label unlabelled.

    Raises:
        InputError: a part without =, a name twice, or an impossible name.
    """
    found: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        old, equals, new = (piece.strip() for piece in part.partition("="))
        if not equals or not old or old in found:
            raise InputError(f"--label-map: {part!r}; write OLD=NEW,... with each OLD once")
        if len(new) > MAX_NAME_LENGTH or not new.isprintable():
            raise InputError(
                f"--label-map: a name has up to {MAX_NAME_LENGTH} printable characters"
            )
        found[old] = new
    return found


def label_map(labels: Iterable[str], override: Mapping[str, str]) -> dict[str, str]:
    """Every label -> what it is called from here on ("" for none).

    ``override`` may name a label as the data set does or by its common word.

    Raises:
        InputError: ``override`` names a label that is not there.
    """
    own = list(dict.fromkeys(labels))
    strangers = [old for old in override if old not in own and old not in map(canonical, own)]
    if strangers:
        raise InputError(
            f"--label-map: no label {', '.join(map(repr, strangers))} here; there are: "
            f"{', '.join(own)}"
        )
    return {
        label: override.get(label, override.get(canonical(label), canonical(label)))
        for label in own
    }


def in_order(activities: Iterable[str]) -> tuple[str, ...]:
    """The classes to learn: common words in their fixed order, then others as they come."""
    there = dict.fromkeys(activities)
    common = tuple(word for word in VOCABULARY if word in there)
    return common + tuple(word for word in there if word not in (*VOCABULARY, *TRANSITIONS))

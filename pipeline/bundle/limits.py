"""What a board has room for, and can say: activities, labelled windows, exemplars."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.errors import InputError
from pipeline.core.names import check_name

_ACTIVITIES_MAX = 32
_SPARE_MAX = 8  # HEAD_STATE has every count of labels and every taught name in 512 bytes
ROWS_MAX = _ACTIVITIES_MAX + _SPARE_MAX
REPLAY_MAX = 1024
EXEMPLARS_MAX = 4096
# HELLO_REPLY carries every name after its length, and 60 bytes of other fields, in 512.
_NAMES_BYTES_MAX = 440
_NAME_BYTES = 32  # the longest name after its length


def check_room(activities: Sequence[str], spare: int, replay: int, exemplars: int) -> None:
    """Raises InputError for names that a board cannot say and for more than it has room for."""
    try:
        check_activities(activities)
    except ValueError as error:
        raise InputError(f"{error}; rename or merge them in the data set") from None
    try:
        check_rows(activities, len(activities) + spare)
    except ValueError as error:
        raise InputError(str(error)) from None
    if not 1 <= replay <= REPLAY_MAX:
        raise InputError(f"a replay of {replay} windows: give 1 to {REPLAY_MAX}")
    if not 0 <= exemplars <= EXEMPLARS_MAX // len(activities):
        raise InputError(
            f"{exemplars} exemplars of each activity: give 0 to {EXEMPLARS_MAX // len(activities)}"
        )


def check_rows(names: Sequence[str], rows: int) -> None:
    """Raises ValueError unless a board can say ``names`` and those of as many more activities as
    there is room for."""
    spare = rows - len(names)
    if not 0 <= spare <= _SPARE_MAX:
        raise ValueError(f"{spare} spare rows: give 0 to {_SPARE_MAX}")
    if _names_bytes(names) + spare * _NAME_BYTES > _NAMES_BYTES_MAX:
        raise ValueError(
            f"activities' names and {spare} more must fit in {_NAMES_BYTES_MAX} bytes together: "
            "shorten names, or spare fewer rows"
        )


def _names_bytes(names: Sequence[str]) -> int:
    return sum(1 + len(name.encode()) for name in names)


def check_activities(names: Sequence[str]) -> None:
    """Raises ValueError unless a board can say these names: in HELLO_REPLY, and as text next to
    "unknown"."""
    if not 2 <= len(names) <= _ACTIVITIES_MAX:
        raise ValueError(f"{len(names)} activities: give 2 to {_ACTIVITIES_MAX}")
    if len(set(names)) != len(names):
        raise ValueError("activities must differ from each other")
    for name in names:
        try:
            check_name(name)
        except InputError as error:
            raise ValueError(str(error)) from None
    if _names_bytes(names) > _NAMES_BYTES_MAX:
        raise ValueError(f"activities' names must fit in {_NAMES_BYTES_MAX} bytes together")

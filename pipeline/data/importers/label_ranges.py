"""Labels for ranges of samples, as JSON next to the files that they are of."""

from __future__ import annotations

import itertools
import json
from typing import Any

from pipeline.core.errors import InputError
from pipeline.data.delimited import decode
from pipeline.data.importers.columns import check_label


def parse_json(place: str, data: bytes) -> Any:
    """What is in a file of JSON, with nan and inf; InputError where it is damaged."""
    try:
        return json.loads(decode(place, data))
    except json.JSONDecodeError as error:
        where = f"{place}, line {error.lineno}, column {error.colno}"
        raise InputError(f"{where}: {error.msg}; damaged or cut short: export it again") from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"{place}: damaged ({str(error)[:80]}); export it again") from None


def shown(value: object) -> str:
    """For a message; a whole number may have a million digits."""
    if isinstance(value, (bool, float, str)) or value is None:
        return repr(value)[:30]
    if type(value) is int and abs(value) < 10**15:
        return str(value)
    return "a number far too large" if type(value) is int else f"a {type(value).__name__}"


def labels_of_ranges(where: str, ranges: object, n: int) -> list[str]:
    """Labels of n samples from ``startIndex`` to ``endIndex``, which belongs to the range."""
    if not isinstance(ranges, list):
        raise InputError(f"{where}: its labels are no list of ranges; export it again")
    found = []
    for each in ranges:
        keys = ("startIndex", "endIndex", "label")
        start, end, label = (each.get(key) for key in keys) if isinstance(each, dict) else (0,) * 3
        if type(start) is not int or type(end) is not int or not isinstance(label, str):
            raise InputError(f"{where}: a range without a start, an end and a label")
        if not 0 <= start <= end < n:
            raise InputError(
                f"{where}: {label[:30]!r} from {shown(start)} to {shown(end)}, but the samples "
                f"are 0 to {n - 1}"
            )
        found.append((start, end + 1, check_label(label, where, "rename it there")))
    found.sort()
    labels = [""] * n
    for start, stop, label in found:
        labels[start:stop] = [label] * (stop - start)
    for one, other in itertools.pairwise(found):
        if other[0] < one[1]:
            raise InputError(f"{where}: two ranges have sample {other[0]}; each has one label")
    return labels

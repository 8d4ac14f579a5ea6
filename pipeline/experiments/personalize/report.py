"""What `har personalize` says: the shape of personalize.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.report.fields import Count, Share

Scene = Literal["same", "across", "teach"]
Cut = Literal["none", "fc_last", "fc", "fxc1", "fxc2"]
Difference = Annotated[float, Field(ge=-1.0, le=1.0)]

SCENES: dict[str, str] = {
    "same": "the same activities, a new person",
    "across": "the same activities, tested on the person's other sessions",
    "teach": "new activities, taught on the device",
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PersonalizeRow(_Part):
    """One cut after k labelled windows of each activity.

    Accuracies are of the parameters that serve, with the guard on; means over users, then over
    seeds; ``worst_quarter_...``: of the quarter of the users (their number rounded up) that are
    worst before, or worst after. Of users and seeds together: ``hurt_share`` loses more than half a
    point, ``lose_over_one_point`` is how many lose more than one, ``worst_change`` is the smallest
    after minus before. ``forgetting``: accuracy on other people, before minus after.
    ``after_wrong_labels``: a tenth of the labels is wrong. ``undone``: updates that the guard took
    back, by user. ``serving_share``: of the users whose learned parameters serve in the end.
    None where it was not measured. ``users_left_out`` have too few test windows.
    """

    scene: Scene
    dataset: str
    k: Count
    cut: Cut
    users: Count
    users_left_out: Count
    seeds: Count
    before: Share
    after: Share
    worst_quarter_before: Share
    worst_quarter_after: Share
    hurt_share: Share
    worst_change: Difference
    lose_over_one_point: Count
    forgetting: Difference | None
    after_wrong_labels: Share | None
    undone: Annotated[float, Field(ge=0)]
    serving_share: Share


class UsersDetail(_Part):
    """The figures behind a row: user -> by seed, [before, after, after wrong labels or None]."""

    scene: Scene
    dataset: str
    k: Count
    cut: Cut
    users: dict[str, list[tuple[Share, Share, Share | None]]]


class PersonalizeReport(_Part):
    """personalize.json. ``date``: of the measurement, YYYY-MM-DD; ``seconds``: that it took with
    what had been kept."""

    command: str
    date: str
    seconds: Annotated[float, Field(ge=0)]
    seeds: list[Count]
    notes: list[str]
    versions: dict[str, str]
    rows: list[PersonalizeRow]
    users_detail: list[UsersDetail]

    def document(self) -> dict[str, Any]:
        """For --json and the file."""
        return self.model_dump(mode="json")

    def text(self) -> str:
        """The same as JSON, a line for each row and each user's figures."""
        whole = self.document()
        parts = [
            f"  {json.dumps(key)}: {json.dumps(value)}"
            for key, value in whole.items()
            if key not in ("rows", "users_detail")
        ]
        rows = ",\n".join(f"    {json.dumps(row)}" for row in whole["rows"])
        details = ",\n".join(_detail(detail) for detail in whole["users_detail"])
        parts += [f'  "rows": [\n{rows}\n  ]', f'  "users_detail": [\n{details}\n  ]']
        return "{\n" + ",\n".join(parts) + "\n}\n"


def _detail(detail: dict[str, Any]) -> str:
    users = ",\n".join(
        f"      {json.dumps(name)}: {json.dumps(figures)}"
        for name, figures in detail["users"].items()
    )
    head = json.dumps({key: value for key, value in detail.items() if key != "users"})
    return f'    {head[:-1]}, "users": {{\n{users}\n    }}}}'


def groups(rows: Sequence[PersonalizeRow]) -> dict[tuple[str, str], list[PersonalizeRow]]:
    """Rows by scene and data set, in their order."""
    found: dict[tuple[str, str], list[PersonalizeRow]] = {}
    for row in rows:
        found.setdefault((row.scene, row.dataset), []).append(row)
    return found

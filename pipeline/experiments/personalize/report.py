"""The shape of personalize.json, and what it claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.report.claims import Claim
from pipeline.report.fields import Count, Share
from pipeline.report.tables import number

Scene = Literal["same", "across", "teach"]
Cut = Literal["none", "fc_last", "fc", "fxc1", "fxc2"]
Difference = Annotated[float, Field(ge=-1.0, le=1.0)]

SCENES: dict[str, str] = {
    "same": "the same activities, a new subject",
    "across": "the same activities, tested on the subject's other sessions",
    "teach": "new activities, added on the device",
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PersonalizeRow(_Part):
    """One cut after k labelled windows of each activity.

    Accuracies are of the active parameters, with the guard on; means over users, then over
    seeds; ``worst_quarter_...``: of the quarter of the users (their number rounded up) that are
    worst before, or worst after. Of users and seeds together: ``hurt_share`` loses more than half a
    point, ``lose_over_one_point`` is how many lose more than one, ``worst_change`` is the smallest
    after minus before. ``forgetting``: accuracy on other people, before minus after.
    ``after_wrong_labels``: a tenth of the labels is wrong. ``undone``: updates that the guard took
    back, by user. ``serving_share``: of the users whose learned head is active in the end.
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
    """The figures after a row: user -> by seed, [before, after, after wrong labels or None]."""

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
        """For --json and the file: the report and its claims."""
        claims = [claim._asdict() for claim in personalize_claims(self)]
        return self.model_dump(mode="json") | {"claims": claims}


def groups(rows: Sequence[PersonalizeRow]) -> dict[tuple[str, str], list[PersonalizeRow]]:
    """Rows by scene and data set, in their order."""
    found: dict[tuple[str, str], list[PersonalizeRow]] = {}
    for row in rows:
        found.setdefault((row.scene, row.dataset), []).append(row)
    return found


def personalize_claims(report: PersonalizeReport) -> list[Claim]:
    """Of each scene and data set, with the most labels: what cut fc does for its users. ``n``:
    users and seeds."""
    claims: list[Claim] = []
    for (scene, dataset), rows in groups(report.rows).items():
        learned = [row for row in rows if row.cut == "fc"]
        if not learned:
            continue
        row = max(learned, key=lambda row: row.k)
        about, n = f"{dataset}, {scene}, k = {row.k}", row.users * row.seeds
        lose = row.lose_over_one_point
        gain, quarter = row.after - row.before, row.worst_quarter_after - row.worst_quarter_before
        claims += [
            Claim(f"{about}: {what}", "> 0", number(100 * by, sign=True), n, by > 0)
            for what, by in (("gain, points", gain), ("gain of the worst quarter", quarter))
        ]
        claims.append(Claim(f"{about}: users losing > 1 point", "0", str(lose), n, lose == 0))
    return claims

"""The shape of personalize.json, what it claims, and its files, tables and pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args

import numpy as np
from pydantic import Field

from pipeline.core.files import write_files
from pipeline.experiments.personalize.measure import TEACH, Measured, Outcome
from pipeline.report.claims import Claim, with_claims
from pipeline.report.fields import Count, Part, Share, flat_csv
from pipeline.report.tables import Table, number, share
from pipeline.training.metrics import worst_quarter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Scene = Literal["same", "across", "teach"]
Cut = Literal["none", "fc_last", "fc", "fxc1", "fxc2"]
CUTS: tuple[str, ...] = get_args(Cut)
Difference = Annotated[float, Field(ge=-1.0, le=1.0)]

SCENES: dict[str, str] = {
    "same": "the same activities, a new subject",
    "across": "the same activities, tested on the subject's other sessions",
    "teach": "new activities, added on the device",
}
NONE = "none"
_HALF_A_POINT, _ONE_POINT = 0.005, 0.01
_ROUNDING = 1e-9  # of differences of shares


class PersonalizeRow(Part):
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


class UsersDetail(Part):
    """The figures after a row: user -> by seed, [before, after, after wrong labels or None]."""

    scene: Scene
    dataset: str
    k: Count
    cut: Cut
    users: dict[str, list[tuple[Share, Share, Share | None]]]


class PersonalizeReport(Part):
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
        return with_claims(self, personalize_claims(self))


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


class _Key(NamedTuple):
    scene: str
    dataset: str
    k: int
    cut: str


def rows_of(measured: Iterable[Measured]) -> tuple[list[PersonalizeRow], list[UsersDetail]]:
    """All rows by scene, data set, k and cut, and the figures of single users. A row of cut
    ``none`` is shown with cut fc wherever learning is compared with not learning."""
    found: dict[_Key, dict[int, list[Outcome]]] = {}
    for each in measured:
        for outcome in each.outcomes:
            key = _Key(outcome.scene, each.dataset, outcome.k, each.cut)
            found.setdefault(key, {}).setdefault(each.seed, []).append(outcome)
            if each.cut == "fc" and outcome.scene != TEACH:
                none = key._replace(cut=NONE)
                found.setdefault(none, {}).setdefault(each.seed, []).append(_unlearned(outcome))
    scenes = list(SCENES)
    keys = sorted(
        found, key=lambda key: (scenes.index(key.scene), key.dataset, key.k, CUTS.index(key.cut))
    )
    rows, details = [], []
    for key in keys:
        kept = {
            seed: [outcome for outcome in outcomes if not outcome.left_out]
            for seed, outcomes in sorted(found[key].items())
        }
        if any(kept.values()):
            rows.append(_row(key, kept, len(next(iter(found[key].values())))))
            if key.cut != NONE:
                details.append(_detail(key, kept))
    return rows, details


def _unlearned(outcome: Outcome) -> Outcome:
    """Without learning everything stays as it was."""
    before = outcome.before
    kept = replace(outcome, after=before, after_wrong_labels=before, forgotten=0.0)
    return replace(kept, undone=0, serves=False)


def _row(key: _Key, by_seed: dict[int, list[Outcome]], asked: int) -> PersonalizeRow:
    everything = [outcome for outcomes in by_seed.values() for outcome in outcomes]
    changes = np.array([outcome.after - outcome.before for outcome in everything])
    users = {len(outcomes) for outcomes in by_seed.values()}

    def mean(name: str) -> float | None:
        means = []
        for outcomes in by_seed.values():
            values = [value for each in outcomes if (value := getattr(each, name)) is not None]
            if values:
                means.append(float(np.mean(values)))
        return _rounded(np.mean(means)) if means else None

    def quarter(name: str) -> float:
        return _rounded(
            np.mean([worst_quarter([getattr(o, name) for o in each]) for each in by_seed.values()])
        )

    return PersonalizeRow.model_validate(
        {
            **key._asdict(),
            "users": max(users),
            "users_left_out": asked - max(users),
            "seeds": len(by_seed),
            "before": mean("before"),
            "after": mean("after"),
            "worst_quarter_before": quarter("before"),
            "worst_quarter_after": quarter("after"),
            "hurt_share": _rounded((changes < -_HALF_A_POINT - _ROUNDING).mean()),
            "worst_change": _rounded(changes.min()),
            "lose_over_one_point": int((changes < -_ONE_POINT - _ROUNDING).sum()),
            "forgetting": mean("forgotten"),
            "after_wrong_labels": mean("after_wrong_labels"),
            "undone": mean("undone"),
            "serving_share": mean("serves"),
        }
    )


def _detail(key: _Key, by_seed: dict[int, list[Outcome]]) -> UsersDetail:
    users: dict[str, list[tuple[float, float, float | None]]] = {}
    for outcomes in by_seed.values():
        for each in outcomes:
            wrong = each.after_wrong_labels
            last = None if wrong is None else _rounded(wrong, 4)
            figures = (_rounded(each.before, 4), _rounded(each.after, 4), last)
            users.setdefault(each.user, []).append(figures)
    return UsersDetail.model_validate({**key._asdict(), "users": dict(sorted(users.items()))})


def _rounded(value: Any, digits: int = 6) -> float:
    return round(float(value), digits)


# ---- files, tables and pictures ------------------------------------------------------------------

_COLUMNS = (
    *("k", "cut", "before", "after", "quarter", "hurt", "lose", "least", "forgot", "wrong"),
    "active",
)
_LEGEND = (
    "k: labelled windows of each activity; accuracies in %; quarter: the worst of the users, "
    "before and after",
    "hurt: % of users and seeds that lose over half a point; lose: how many, over one; least: the "
    "smallest change",
    "forgot: points lost on other subjects; wrong: after, with a tenth of the labels wrong; "
    "active: % of the users whose learned head is active",
)


def _cells(row: PersonalizeRow) -> list[str]:
    def change(value: float | None) -> str:
        return "" if value is None else number(100 * value, sign=True)

    wrong = row.after_wrong_labels
    return [
        str(row.k),
        row.cut,
        share(row.before),
        share(row.after),
        f"{share(row.worst_quarter_before)}\u2192{share(row.worst_quarter_after)}",
        f"{100 * row.hurt_share:.0f}",
        str(row.lose_over_one_point),
        change(row.worst_change),
        change(row.forgetting),
        "" if wrong is None else share(wrong),
        f"{100 * row.serving_share:.0f}",
    ]


def personalize_tables(report: PersonalizeReport) -> list[Table]:
    """One for each scene and data set; below the last, what the columns mean."""
    tables = []
    for (scene, dataset), rows in groups(report.rows).items():
        users, left_out = {row.users for row in rows}, max(row.users_left_out for row in rows)
        count = " to ".join(map(str, sorted({min(users), max(users)})))
        title = (
            f"{dataset}: {SCENES[scene]} ({count} users, {rows[0].seeds} seeds"
            f"{f'; up to {left_out} left out' if left_out else ''})"
        )
        tables.append(Table(title, _COLUMNS, [_cells(row) for row in rows], names=0))
    return [*tables, Table("", (), (), _LEGEND)] if tables else []


def personalize_picture(report: PersonalizeReport) -> str:
    """Accuracy after k labels, a panel for each scene and data set, as one SVG file. Solid: the
    mean of all users; dashed: of the worst quarter."""
    from pipeline.report.plots import canvas, label, svg

    panels = groups(report.rows)
    with canvas("personalize", 3.6 * len(panels) + 1, 3.6) as figure:
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, ((scene, dataset), rows) in zip(grid, panels.items(), strict=True):
            _draw_cuts(axes, rows)
            axes.set_title(f"{label(dataset)}: {scene}")
        grid[0].set_ylabel("accuracy, %")
        lines = {line.get_label(): line for axes in grid for line in axes.get_lines()}
        figure.legend(
            handles=[line for name, line in lines.items() if not str(name).startswith("_")],
            loc="outside right center",
            title="cut; dashed:\nworst quarter",
            frameon=False,
        )
        return svg(figure)


def _draw_cuts(axes: Axes, rows: Sequence[PersonalizeRow]) -> None:
    ks = sorted({row.k for row in rows})
    for place, cut in enumerate(CUTS):
        mine = sorted((row for row in rows if row.cut == cut), key=lambda row: row.k)
        for style, name, figures in (
            ("-", cut, [100 * row.after for row in mine]),
            ("--", "_", [100 * row.worst_quarter_after for row in mine]),
        ):
            places = [ks.index(row.k) for row in mine]
            if places and any(figures):
                axes.plot(places, figures, style, color=f"C{place}", label=name, marker=".")
    axes.set_xticks(range(len(ks)), [str(k) for k in ks])
    axes.set_xlabel("labelled windows of each activity")
    axes.grid(axis="y", alpha=0.3)


def write_personalize(report: PersonalizeReport, output: Path) -> None:
    """Writes personalize.json, personalize.csv and personalize.svg into ``output``, each whole or
    not at all. Raises ExternalError."""
    files = {
        "personalize.svg": personalize_picture(report),
        "personalize.csv": flat_csv(PersonalizeRow, report.rows),
        "personalize.json": json.dumps(report.document(), indent=1) + "\n",
    }
    write_files(output, files)

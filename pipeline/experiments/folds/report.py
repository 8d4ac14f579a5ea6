"""The result of `har bundles measure`: folds.json, and its tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.bundle.bundle import Metrics
from pipeline.core.digests import versions
from pipeline.core.errors import InputError
from pipeline.core.files import write_files
from pipeline.core.types import Array
from pipeline.experiments.jobs import Finished
from pipeline.report.claims import Claim, with_claims
from pipeline.report.fields import Count, Part, Share
from pipeline.report.tables import Cell, Table, share
from pipeline.training.corpora import Corpus, find_corpus

FOLDS = "folds.json"
_SAME, _ACROSS = "same", "across"


class FoldRow(Part):
    """One person whom one network never saw. ``kind``: "all" activities, or "shipped" where the
    shipped classifier knows fewer. ``origin``: the person's data set. ``called_foreign``: share of
    the windows that were called an activity which that data set has not. ``recall``: by activity
    that the person did."""

    kind: str
    origin: str
    fold: Count
    seed: Count
    person: str
    windows: Count
    float_accuracy: Share
    int8_accuracy: Share
    called_foreign: Share
    recall: dict[str, Share]


class LabelRow(Part):
    """What one session's user reaches after ``k`` labels of each activity: ``scene`` "same" is the
    rest of the session, "across" the person's other ones. ``taught``: the merged activities were
    labelled under their own names; ``recall`` is theirs."""

    seed: Count
    fold: Count
    origin: str
    scene: str
    taught: bool
    k: Count
    person: str
    session: str
    windows: Count
    before: Share
    after: Share
    serves: bool
    recall: dict[str, Share]


class Summary(Part):
    """Of one kind, data set and seed, over its folds. ``mean_of_people``: each person counts once;
    ``accuracy``: each window. ``recall``: mean over people who did it, and the least of one."""

    kind: str
    origin: str
    seed: Count
    folds: Count
    people: Count
    windows: Count
    accuracy: Share
    float_accuracy: Share
    mean_of_people: Share
    worst_person: str
    worst_accuracy: Share
    called_foreign: Share
    recall: dict[str, Share]
    least_recall: dict[str, Share]


class LabelSummary(Part):
    """Means over users: accuracies before and after ``k`` labels of each activity."""

    origin: str
    scene: str
    taught: bool
    k: Count
    users: Count
    before: Share
    after: Share
    worst_after: Share
    recall: dict[str, Share]


class FoldsReport(Part):
    """folds.json."""

    bundle: str
    dataset: str
    command: str
    activities: dict[str, list[str]]
    parameters: Count
    macs: Count
    seconds: float
    versions: dict[str, str]
    summaries: list[Summary]
    labels: list[LabelSummary]
    rows: list[FoldRow]
    confusion: dict[str, list[list[int]]]

    def metrics(self, kind: str) -> Metrics:
        """Seed 0's people, each held out once, as a bundle says it."""
        rows = [row for row in self.rows if row.kind == kind and row.seed == 0]
        people = {row.person: row.int8_accuracy for row in rows}
        counts = np.array([row.windows for row in rows])
        worst = min(sorted(people), key=lambda person: people[person])
        confusion = np.array(self.confusion[kind])
        return Metrics(
            test_windows=int(counts.sum()),
            float_accuracy=_mean([row.float_accuracy for row in rows], counts),
            int8_accuracy=_mean([row.int8_accuracy for row in rows], counts),
            int8_macro_f1=_macro_f1(confusion),
            worst_subject=worst,
            worst_subject_accuracy=people[worst],
            subject_accuracy=people,
        )


def report_of(corpus: Corpus, finished: Sequence[Finished], command: str) -> FoldsReport:
    """Sum the jobs up."""
    rows: list[FoldRow] = []
    label_rows: list[LabelRow] = []
    confusion: dict[str, Array] = {}
    first = finished[0].result["judged"]
    for each in finished:
        fold, seed = each.job["fold"], each.job["seed"]
        for kind, judged in each.result["judged"].items():
            rows += _rows(corpus, kind, fold, seed, judged)
            if seed == 0:
                found = np.sum([np.array(c) for c in judged["confusion"].values()], axis=0)
                confusion[kind] = confusion.get(kind, 0) + found
        label_rows += [
            LabelRow(
                seed=seed,
                fold=fold,
                origin=_origin(corpus, label["subject"]),
                person=label["subject"],
                **{key: value for key, value in label.items() if key not in ("subject", "recall")},
                recall=_taught_recall(corpus, first, label["recall"]),
            )
            for label in each.result["labels"]
        ]
    return FoldsReport(
        bundle=corpus.name,
        dataset=corpus.dataset,
        command=command,
        activities={kind: judged["activities"] for kind, judged in first.items()},
        parameters=first["all"]["parameters"],
        macs=first["all"]["macs"],
        seconds=round(sum(each.seconds for each in finished), 1),
        versions=versions(),
        summaries=_summaries(rows),
        labels=_label_summaries(label_rows),
        rows=rows,
        confusion={kind: counts.tolist() for kind, counts in confusion.items()},
    )


def _origin(corpus: Corpus, person: str) -> str:
    return person.partition("/")[0] if len(corpus.parts) > 1 else corpus.dataset


def _rows(
    corpus: Corpus, kind: str, fold: int, seed: int, judged: dict[str, Any]
) -> Iterable[FoldRow]:
    names = judged["activities"]
    parts = {part.dataset: part.activities for part in corpus.parts}
    for person, counts in judged["confusion"].items():
        confusion, origin = np.array(counts), _origin(corpus, person)
        its = {corpus.merged.get(name, name) for name in parts[origin]} | set(parts[origin])
        foreign = [name not in its for name in names]
        did = confusion.sum(axis=1)
        yield FoldRow(
            kind=kind,
            origin=origin,
            fold=fold,
            seed=seed,
            person=person,
            windows=int(did.sum()),
            float_accuracy=judged["float_accuracy"][person],
            int8_accuracy=round(float(np.trace(confusion) / did.sum()), 6),
            called_foreign=round(float(confusion[:, foreign].sum() / did.sum()), 6),
            recall={
                name: round(float(confusion[k, k] / did[k]), 6)
                for k, name in enumerate(names)
                if did[k]
            },
        )


def _taught_recall(
    corpus: Corpus, judged: dict[str, Any], recall: dict[str, float]
) -> dict[str, float]:
    """By name, for rows after those that ship."""
    shipped = len(judged["shipped" if corpus.merged else "all"]["activities"])
    names = sorted(corpus.merged)
    return {names[int(row) - shipped]: value for row, value in recall.items()}


def _mean(values: Sequence[float], weights: Array | None = None) -> float:
    return round(float(np.average(values, weights=weights)), 6)


def _macro_f1(confusion: Array) -> float:
    hits = np.diag(confusion)
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    there = confusion.sum(axis=1) > 0
    return round(float((2 * hits[there] / np.maximum(total[there], 1)).mean()), 6)


def _summaries(rows: Sequence[FoldRow]) -> list[Summary]:
    found = []
    for kind, origin, seed in dict.fromkeys((r.kind, r.origin, r.seed) for r in rows):
        mine = [r for r in rows if (r.kind, r.origin, r.seed) == (kind, origin, seed)]
        counts = np.array([r.windows for r in mine])
        people = _by_person(mine)
        worst = min(sorted(people), key=lambda person: people[person])
        recalls: dict[str, list[float]] = {}
        for row in mine:
            for name, value in row.recall.items():
                recalls.setdefault(name, []).append(value)
        found.append(
            Summary(
                kind=kind,
                origin=origin,
                seed=seed,
                folds=len({r.fold for r in mine}),
                people=len(people),
                windows=int(counts.sum()),
                accuracy=_mean([r.int8_accuracy for r in mine], counts),
                float_accuracy=_mean([r.float_accuracy for r in mine], counts),
                mean_of_people=_mean(list(people.values())),
                worst_person=worst,
                worst_accuracy=round(people[worst], 6),
                called_foreign=_mean([r.called_foreign for r in mine], counts),
                recall={name: _mean(values) for name, values in recalls.items()},
                least_recall={name: min(values) for name, values in recalls.items()},
            )
        )
    return found


def _by_person(rows: Sequence[FoldRow]) -> dict[str, float]:
    """Mean over the folds that the person judges."""
    people: dict[str, list[float]] = {}
    for row in rows:
        people.setdefault(row.person, []).append(row.int8_accuracy)
    return {person: float(np.mean(values)) for person, values in people.items()}


def _label_summaries(rows: Sequence[LabelRow]) -> list[LabelSummary]:
    found = []
    for key in dict.fromkeys((r.origin, r.scene, r.taught, r.k) for r in rows):
        mine = [r for r in rows if (r.origin, r.scene, r.taught, r.k) == key]
        recalls: dict[str, list[float]] = {}
        for row in mine:
            for name, value in row.recall.items():
                recalls.setdefault(name, []).append(value)
        origin, scene, taught, k = key
        found.append(
            LabelSummary(
                origin=origin,
                scene=scene,
                taught=taught,
                k=k,
                users=len({(r.seed, r.session) for r in mine}),
                before=_mean([r.before for r in mine]),
                after=_mean([r.after for r in mine]),
                worst_after=min(r.after for r in mine),
                recall={name: _mean(values) for name, values in recalls.items()},
            )
        )
    return found


# ---- what it set out to show ---------------------------------------------------------------------


def folds_claims(report: FoldsReport) -> list[Claim]:
    """What a shipped network must reach on people whom it never saw; ``n``: windows or people."""
    corpus = find_corpus(report.bundle)
    claims = []
    for part in corpus.parts:
        mine = [s for s in report.summaries if s.origin == part.dataset and s.kind == "all"]
        mine = [s for s in mine if s.folds == max(each.folds for each in mine)]
        if not mine:
            continue
        least = 0.905 if corpus.merged else 0.97
        whose = f"{len(mine[0].recall)} activities of {part.dataset}"
        accuracies = [s.accuracy for s in mine]
        claims.append(
            _at_least(f"{whose}, all folds", least, float(np.mean(accuracies)), mine[0].windows)
        )
        if corpus.merged:
            worst = mine[0].worst_accuracy
            claims.append(_at_least(f"{whose}, worst person", 0.85, worst, mine[0].people))
        floor = 0.98 if corpus.judges else 0.9
        for name in ("walking", "running"):
            if part.folds and name in mine[0].recall:
                recall = float(np.mean([s.recall[name] for s in mine]))
                claims.append(
                    _at_least(
                        f"{name} of {part.dataset}, mean of people", floor, recall, mine[0].people
                    )
                )
        if not part.folds and len(corpus.parts) > 1:
            foreign = float(np.mean([s.called_foreign for s in mine]))
            claims.append(
                Claim(
                    f"windows of {part.dataset} called what it has not",
                    "at most 0.3 %",
                    f"{100 * foreign:.2f} %",
                    mine[0].windows,
                    round(foreign, 4) <= 0.003,
                )
            )
    for summary in report.summaries:
        if summary.kind == "shipped" and summary.seed == 0:
            claims += [
                _at_least(f"{name}, mean of people", 0.95, summary.recall[name], summary.people)
                for name in sorted(set(corpus.merged.values()))
            ]
    for label in report.labels:
        if label.taught and label.k == 1 and label.scene == _SAME:
            claims += [
                _at_least(f"{name} after one label of each activity", 0.93, value, label.users)
                for name, value in label.recall.items()
                if name == "sitting"
            ]
    return claims


def _at_least(claim: str, bound: float, measured: float, n: int) -> Claim:
    return Claim(claim, f"at least {share(bound)} %", f"{share(measured)} %", n, measured >= bound)


def folds_document(report: FoldsReport) -> dict[str, Any]:
    """For --json and folds.json: the report and its claims."""
    return with_claims(report, folds_claims(report))


def read_folds(folder: Path) -> FoldsReport:
    """Read what `write_folds` wrote. Raises InputError where it is missing or damaged."""
    path = folder / FOLDS
    try:
        document = json.loads(path.read_bytes())
        document.pop("claims", None)
        return FoldsReport.model_validate(document)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run `har bundles measure {folder.name}`") from None
    except (ValueError, AttributeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: {reason}; run `har bundles measure` again") from None


def folds_tables(report: FoldsReport) -> list[Table]:
    """People who were held out, then what their labels did."""
    rows: list[list[str | Cell]] = [
        [
            f"{s.origin}, {len(s.recall)} activities",
            str(s.seed),
            str(s.people),
            str(s.windows),
            share(s.float_accuracy),
            share(s.accuracy),
            share(s.mean_of_people),
            f"{share(s.worst_accuracy)} ({s.worst_person.rpartition('/')[2]})",
            f"{100 * s.called_foreign:.2f}",
        ]
        for s in report.summaries
    ]
    heading = ["held out", "seed", "people", "windows", "float", "int8"]
    heading += ["mean of people", "worst", "called foreign"]
    labels: list[list[str | Cell]] = [
        [
            f"{each.origin}, {', '.join(each.recall) + ' taught' if each.taught else 'as shipped'}",
            "other session" if each.scene == _ACROSS else "rest of the session",
            str(each.k),
            str(each.users),
            share(each.before),
            share(each.after),
            share(each.worst_after),
            ", ".join(f"{name} {share(value)}" for name, value in each.recall.items()),
        ]
        for each in report.labels
    ]
    label_heading = ["labels", "judged on", "each", "users", "before", "after", "worst", "recall"]
    return [
        Table(f"The recipe of {report.bundle}, accuracy in %", heading, rows, names=1),
        Table("A new person's labels, accuracy in %", label_heading, labels, names=2),
    ]


def write_folds(report: FoldsReport, folder: Path) -> Path:
    """Write folds.json. Raises ExternalError as `write_files`."""
    write_files(folder, {FOLDS: json.dumps(folds_document(report), indent=1) + "\n"})
    return folder / FOLDS

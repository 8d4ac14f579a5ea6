"""`har fxcy`: from what was asked for to the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any

from pipeline.core.digests import versions
from pipeline.core.errors import InputError
from pipeline.experiments.fxcy import settings
from pipeline.experiments.fxcy.device_learner import CUTS
from pipeline.experiments.fxcy.domains import Domain, check_names, check_pair, load_domain
from pipeline.experiments.fxcy.jobs import CASE, DEVICE, SOURCE, Options, run_job, seconds_of
from pipeline.experiments.fxcy.learn import cases_of, check_case
from pipeline.experiments.fxcy.rows import CaseKey, FxcyReport, PairInfo, device_rows, fxcy_rows
from pipeline.experiments.jobs import Finished, JobSet, Progress, Workers, run_jobs
from pipeline.models import backbone as find_backbone
from pipeline.training.shipped import recipes_digest

Job = dict[str, Any]

_NO_AUGMENTATION = (
    "all cases of a network learn with Adam at one rate for the same epochs, without augmentation; "
    "nothing was chosen by the test subjects"
)
_NOBODY = "{}: whose images these are is unknown, so one hand may be on both sides"
_FEWER = "{} learns from at most {} windows and is tested on at most {}"


@dataclass(frozen=True)
class Request:
    """What to compare. ``pairs``, ``backbones``, ``cases`` empty and ``seeds`` None: the defaults,
    or those of ``options.quick``."""

    options: Options
    pairs: tuple[tuple[str, str], ...] = ()
    backbones: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    seeds: int | None = None
    command: str = "har fxcy"


@dataclass(frozen=True, eq=False)
class Plan:
    """A request that was found to be possible. ``domains`` by name, whole; ``cases`` by
    backbone."""

    request: Request
    pairs: tuple[tuple[str, str], ...]
    cases: dict[str, tuple[str, ...]]
    seeds: int
    domains: dict[str, Domain]

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """In the order in which they are best done."""
        return tuple(_jobs(self))

    def seconds(self, workers: int) -> float:
        """About what all jobs take together."""
        costs = [seconds_of(self.request.options, job) for job in self.jobs]
        return max([sum(costs) / workers, *costs])


def make_plan(request: Request) -> Plan:
    """Checks everything that can be checked before hours are spent; names before data are fetched.

    Raises InputError for unknown names, cases that a network does not have, pairs that have
    nothing to give to each other; ExternalError where data cannot be fetched.
    """
    quick = request.options.quick
    pairs = request.pairs or (settings.QUICK_PAIRS if quick else settings.DEFAULT_PAIRS)
    named = request.backbones or (settings.QUICK_BACKBONES if quick else settings.DEFAULT_BACKBONES)
    backbones = [find_backbone(name) for name in named]
    seeds = request.seeds or (settings.QUICK_SEEDS if quick else settings.DEFAULT_SEEDS)
    _refuse_twice("pair", [":".join(pair) for pair in pairs])
    _refuse_twice("backbone", [network.name for network in backbones])
    _refuse_twice("case", request.cases)
    cases = {}
    for network in backbones:
        for pair in pairs:
            check_names(*pair, network)
        asked = request.cases or (settings.QUICK_CASES if quick else ())
        for case in request.cases:
            check_case(network.name, case)
        cases[network.name] = asked or cases_of(network.name)
    domains = {name: load_domain(name) for name in dict.fromkeys(sum(pairs, ()))}
    for source, target in pairs:
        check_pair(domains[source], domains[target])
    return Plan(request, pairs, cases, seeds, domains)


def _refuse_twice(what: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{what} {name} is named twice; name it once")


def fxcy(
    plan: Plan, workers: Workers, on_progress: Callable[[Progress], None] = lambda _: None
) -> FxcyReport:
    """Does all jobs that have no result yet, and reports on all. Raises as `run_jobs`."""
    options = plan.request.options
    job_set = JobSet(
        folder=options.folder / "jobs",
        definition=definition(options),
        jobs=plan.jobs,
        run=partial(run_job, options),
        data=tuple(name for name, domain in plan.domains.items() if domain.task is not None),
        cost=partial(seconds_of, options),
    )
    return report(plan, run_jobs(job_set, workers, on_progress))


def definition(options: Options) -> dict[str, Any]:
    """What must be equal for two results to stand in one report."""
    return {
        "preset": "quick" if options.quick else "full",
        "epochs": options.epochs,
        "windows": options.windows,
        "settings": {
            name: {"learning": asdict(found.learning), "source": asdict(found.source)}
            for name in (*settings.DEFAULT_BACKBONES, "others")
            for found in (options.preset(name),)
        },
        "recipes": recipes_digest(),
    }


def report(plan: Plan, finished: Sequence[Finished]) -> FxcyReport:
    """Of the jobs of ``plan``."""
    backbones = list(plan.cases)

    def place(each: Finished) -> tuple[int, int]:
        job = each.job
        return plan.pairs.index((job["source"], job["target"])), backbones.index(job["backbone"])

    cases: dict[str, dict[CaseKey, list[Finished]]] = {CASE: {}, DEVICE: {}}
    for each in sorted((each for each in finished if each.job["kind"] != SOURCE), key=place):
        key = CaseKey(*(each.job[name] for name in CaseKey._fields))
        cases[each.job["kind"]].setdefault(key, []).append(each)
    refused: list[Finished] = []
    for groups in cases.values():
        for key, group in [*groups.items()]:
            if found := [each for each in group if "refused" in each.result]:
                refused += found
                del groups[key]
    return FxcyReport(
        command=plan.request.command,
        date=datetime.now(UTC).date().isoformat(),
        versions=versions("tf-keras"),
        epochs={name: plan.request.options.preset(name).learning.epochs for name in plan.cases},
        seconds=round(sum(each.seconds for each in finished), 1),
        pairs=[_pair_info(plan, pair, finished) for pair in plan.pairs],
        rows=fxcy_rows(cases[CASE]),
        device_rows=device_rows(cases[DEVICE]),
        notes=[*_notes(plan), *map(_refusal, refused)],
    )


def _refusal(each: Finished) -> str:
    job = each.job
    return (
        f"{job['source']} -> {job['target']}, {job['backbone']}, {job['case']} has no row: seed "
        f"{job['seed']}: {each.result['refused']}"
    )


def _jobs(plan: Plan) -> Iterator[Job]:
    """Source networks first, as everything waits for them; then what takes longest, so that no
    worker is left alone with it at the end."""
    options = plan.request.options
    sources = [
        {"kind": SOURCE, "source": source, "backbone": name, "data": _data(plan, source)}
        for source in dict.fromkeys(source for source, _ in plan.pairs)
        for name in plan.cases
    ]
    yield from sorted(sources, key=lambda job: -seconds_of(options, job))
    groups = [list(_group(plan, pair, name)) for pair in plan.pairs for name in plan.cases]
    for group in sorted(groups, key=lambda jobs: -sum(seconds_of(options, job) for job in jobs)):
        yield from group


def _group(plan: Plan, pair: tuple[str, str], backbone: str) -> Iterator[Job]:
    kinds = [CASE]
    if find_backbone(backbone).image is None:
        kinds.append(DEVICE)
    for kind in kinds:
        for case in plan.cases[backbone]:
            if kind == DEVICE and case not in CUTS:
                continue
            for seed in range(plan.seeds):
                yield {
                    "kind": kind,
                    "source": pair[0],
                    "target": pair[1],
                    "backbone": backbone,
                    "case": case,
                    "seed": seed,
                    "data": _data(plan, *pair),
                }


def _data(plan: Plan, *names: str) -> list[str]:
    """Of each data set what tells its content from that of another of its name."""
    return [plan.domains[name].version for name in names]


def _pair_info(plan: Plan, pair: tuple[str, str], finished: Sequence[Finished]) -> PairInfo:
    source, target = pair
    domain = plan.domains[target]
    made = {
        each.job["backbone"]: each.result
        for name in plan.cases
        for each in finished
        if (each.job["kind"], each.job["source"], each.job["backbone"]) == (SOURCE, source, name)
    }
    return PairInfo(
        source=source,
        target=target,
        target_split=domain.split,
        test_people=len(domain.test.people),
        activities=list(domain.activities),
        source_accuracy={name: done["accuracy"] for name, done in made.items()},
        weights={name: done["weights"] for name, done in made.items()},
    )


def _notes(plan: Plan) -> Iterator[str]:
    yield _NO_AUGMENTATION
    learning = {name: plan.request.options.preset(name).learning for name in plan.cases}
    most = max(each.train_windows for each in learning.values())
    for name, each in learning.items():
        if each.train_windows < most:
            yield _FEWER.format(name, each.train_windows, each.test_windows)
    for name, domain in plan.domains.items():
        if domain.kind == "image":
            yield _NOBODY.format(name)
        if domain.task is not None:
            yield from (f"{name}: {note}" for note in domain.task.dataset.notes)

"""What a study found, as `pipeline.report` shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.experiments.jobs.storage import shown
from pipeline.experiments.search.cost import count_cost
from pipeline.experiments.search.report import LeftOut, SearchPoint, SearchReport
from pipeline.experiments.search.run import CHANNEL_COUNT, SearchJob, trained
from pipeline.experiments.search.study import candidate_of

if TYPE_CHECKING:
    from optuna import Study


def search_report(job: SearchJob, study: Study) -> SearchReport:
    """All candidates that were trained, by MACs, and the sizes with a name that were not."""
    import optuna
    from optuna.trial import TrialState

    names: dict[str, list[str]] = {}
    references = job.space.references()
    for name, candidate in references.items():
        names.setdefault(candidate.key, []).append(name)
    points = []
    for trial in trained(study):
        found = candidate_of(trial)
        if found is None:
            continue
        attributes = trial.user_attrs
        points.append(
            SearchPoint(
                backbone=found.shape.name,
                names=names.get(found.key, []),
                window_samples=found.window,
                parameters=attributes["parameters"],
                macs=attributes["macs"],
                ram_bytes=attributes["ram_bytes"],
                validation_accuracy=trial.values[0],
                accuracies=attributes["accuracies"],
                seconds=attributes["seconds"],
            )
        )
    known = {name for point in points for name in point.names}
    left_out = []
    for name, candidate in references.items():
        cost = count_cost(candidate, CHANNEL_COUNT, len(job.material.activities))
        if name not in known and cost is not None:
            over = [key for key, excess in job.limits.excess(cost).items() if excess > 0]
            left_out.append(
                LeftOut(
                    name=name,
                    backbone=candidate.shape.name,
                    parameters=cost.parameters,
                    macs=cost.macs,
                    ram_bytes=cost.ram_bytes,
                    reason=f"over the limit: {', '.join(over)}" if over else "not trained yet",
                )
            )
    states = [trial.state for trial in study.get_trials(deepcopy=False)]
    return SearchReport(
        dataset=job.material.dataset,
        split=job.material.split,
        seed=job.seed,
        epochs=job.epochs,
        windows=list(job.space.windows),
        max_parameters=job.limits.parameters,
        max_macs=job.limits.macs,
        max_ram_bytes=job.limits.ram_bytes,
        study=job.study,
        storage=shown(job.storage),
        sampler=f"multi-objective TPE, Optuna {optuna.__version__}",
        infeasible=states.count(TrialState.PRUNED),
        interrupted=states.count(TrialState.FAIL),
        validation_people=[list(draw.validation) for draw in job.material.draws],
        training_people=[len(draw.train) for draw in job.material.draws],
        points=sorted(points, key=lambda point: (point.macs, -point.validation_accuracy)),
        left_out=left_out,
        notes=list(job.material.notes),
    )

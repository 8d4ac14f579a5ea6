"""What a search found, as its report shows it."""

from __future__ import annotations

from importlib.metadata import version

from pipeline.experiments.search.report import LeftOut, SearchPoint, SearchReport
from pipeline.experiments.search.run import BATCH, Found, SearchRequest


def search_report(request: SearchRequest, found: Found) -> SearchReport:
    """All candidates that were trained, by MACs, and the sizes with a name that were not."""
    names: dict[str, list[str]] = {}
    references = request.space.references()
    for name, candidate in references.items():
        names.setdefault(candidate.key, []).append(name)
    points = [
        SearchPoint(
            backbone=each.candidate.shape.name,
            names=names.get(each.candidate.key, []),
            window_samples=each.candidate.window,
            parameters=each.cost.parameters,
            macs=each.cost.macs,
            ram_bytes=each.cost.ram_bytes,
            validation_accuracy=each.accuracy,
            accuracies=list(each.accuracies),
            seconds=each.seconds,
        )
        for each in found.trained
    ]
    known = {name for point in points for name in point.names}
    left_out = []
    for name, candidate in references.items():
        cost = request.cost(candidate)
        if name not in known and cost is not None:
            over = [key for key, excess in request.limits.excess(cost).items() if excess > 0]
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
    material = request.material
    return SearchReport(
        dataset=material.dataset,
        split=material.split,
        seed=request.setting.seed,
        epochs=request.setting.epochs,
        windows=list(request.space.windows),
        max_parameters=request.limits.parameters,
        max_macs=request.limits.macs,
        max_ram_bytes=request.limits.ram_bytes,
        sampler=f"multi-objective TPE, Optuna {version('optuna')}, in batches of {BATCH}",
        infeasible=found.infeasible,
        validation_people=[list(draw.validation) for draw in material.draws],
        training_people=[len(draw.train) for draw in material.draws],
        points=sorted(points, key=lambda point: (point.macs, -point.validation_accuracy)),
        left_out=left_out,
        notes=list(material.notes),
    )

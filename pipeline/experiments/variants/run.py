"""`har variants`: every variant of every network, made, measured, and put into one table."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import partial
from typing import Any

from pipeline.core.digests import versions
from pipeline.experiments.jobs import JobSet, Progress, Workers, run_jobs
from pipeline.experiments.variants.job import run_job
from pipeline.experiments.variants.report import VariantsReport, row_of
from pipeline.experiments.variants.request import BASE, VariantsRequest, parse_variant

_TRAINED_BY = ("tf-keras", "tensorflow-model-optimization")


def run_variants(
    request: VariantsRequest,
    command: str,
    workers: Workers,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> VariantsReport:
    """Runs what has no result yet and reports all of it. ``command``: as the report tells it.

    Raises as `VariantsRequest.check` and `run_jobs`.
    """
    request.check()
    job_set = JobSet(
        folder=request.output / "jobs",
        definition=request.definition(),
        jobs=request.jobs(),
        run=partial(run_job, request),
        data=(request.dataset,) if request.weights == "none" else (request.dataset, request.source),
        cost=cost_of,
    )
    finished = run_jobs(job_set, workers, on_progress)
    by_row: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in finished:
        by_row.setdefault((each.job["backbone"], each.job["variant"]), []).append(each.result)
    rows, notes = [], _notes(request)
    for name in request.networks:
        base = by_row[name, "float32"]
        for variant in request.all_variants:
            mine = by_row[name, variant]
            refused = [result["refused"] for result in mine if "refused" in result]
            if refused:
                notes.append(f"{name}, {variant}: not made: {refused[0]}")
                continue
            rows.append(row_of(name, variant, list(request.all_seeds), mine, base))
    weights = {name: by_row[name, "float32"][0]["weights"] for name in request.networks}
    if request.weights == "imagenet":
        notes += [
            f"{name}: ImageNet weights could not be had; it began with those of {began}."
            for name, began in weights.items()
            if began != "imagenet"
        ]
    first = by_row[request.networks[0], "float32"][0]
    return VariantsReport(
        command=command,
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        versions=versions(*_TRAINED_BY),
        dataset=request.dataset,
        split=request.split,
        test_windows=first["test_windows"],
        test_people=first["test_people"],
        train_windows=max(by_row[name, "float32"][0]["train_windows"] for name in request.networks),
        weights=weights,
        seconds=round(sum(each.seconds for each in finished), 1),
        rows=rows,
        notes=notes,
    )


def _notes(request: VariantsRequest) -> list[str]:
    asked = [parse_variant(name) for name in request.all_variants]
    steps = {
        "source": request.weights == "source",
        "pruning": any(each.pruned for each in asked),
        "aware": any(each.aware for each in asked),
    }
    notes = [
        f"{name}: {request.effort(name).text(**steps)}; seed{'s' * (len(request.all_seeds) > 1)} "
        f"{', '.join(str(seed) for seed in request.all_seeds)}."
        for name in request.networks
    ]
    if steps["pruning"]:
        notes.append(
            "Pruning sets weights of convolutions and dense layers to 0; depthwise kernels, biases "
            "and batch norms stay dense."
        )
    return notes


def cost_of(job: dict[str, Any]) -> float:
    """Of a job, against others, roughly: only the time left is guessed from it."""
    variant = parse_variant(job["variant"])
    if variant.aware:
        return 3.0
    if variant.pruned and not variant.quantized:
        return 6.0
    return 8.0 if variant.name == BASE else 1.0

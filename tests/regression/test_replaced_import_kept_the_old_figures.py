"""`har evaluate` kept weights and bundles by names and sources alone: an import replaced by
another of the same people was answered with a network of the old recordings."""

from __future__ import annotations

from dataclasses import replace

from pipeline.experiments.networks import _fingerprint, _is_of
from pipeline.training import Pretrained
from pipeline.training.pretrained import PretrainedCard
from pipeline.training.shipped import ExtractorName
from tests.support.synthetic import synthetic_task

TASK = synthetic_task(people=5, seconds=4.0)
OTHER = replace(TASK, dataset=replace(TASK.dataset, sha256="1" * 64))
RUN = ExtractorName(TASK.dataset.name, "dscnn", "official", 0, 0)


def _pretrained(sha256: str) -> Pretrained:
    card = PretrainedCard(
        backbone=RUN.backbone,
        dataset=RUN.dataset,
        dataset_sha256=sha256,
        split=TASK.split.name,
        seed=RUN.seed,
        epochs=1,
        subjects=list(TASK.split.pretrain),
        activities=list(TASK.dataset.activities),
        rate_hz=50.0,
        window_samples=128,
        knee=[0.0] * 6,
        mean=[0.0] * 6,
        std=[1.0] * 6,
        validation_subjects=list(TASK.split.validation),
        validation_windows=1,
        validation_accuracy=1.0,
        weights_sha256="0" * 64,
    )
    return Pretrained(card, {})


def test_weights_of_other_recordings_are_not_taken() -> None:
    made = _pretrained(TASK.dataset.sha256)
    assert _is_of(made, RUN, TASK) and not _is_of(made, RUN, OTHER)
    assert _is_of(_pretrained(""), RUN, TASK)  # made before cards told it


def test_a_bundle_of_other_recordings_is_made_anew() -> None:
    made = _pretrained(TASK.dataset.sha256)
    assert _fingerprint(made, TASK) == _fingerprint(made, TASK) != _fingerprint(made, OTHER)

"""The shipped extractor on the recordings it was made for. Fetches HAPT (19 MB) once."""

from pathlib import Path

from pipeline.export.quantize import quantize
from pipeline.training import load_pretrained, train
from pipeline.training.shipped import ExtractorName
from pipeline.training.task import HOP_SAMPLES, load_task

PRETRAINED = ExtractorName().path()


def test_people_it_never_saw_are_recognised_in_int8_as_well_as_in_float(tmp_path: Path) -> None:
    task = load_task("hapt", seed=0, progress=False)
    trained = train(
        load_pretrained(PRETRAINED),
        task.windows,
        task.split,
        dataset="hapt",
        rate_hz=task.dataset.rate_hz,
        hop_samples=HOP_SAMPLES,
        seed=0,
    )
    metrics = quantize(trained, task.windows, task.split, tmp_path / "bundle").metrics
    assert metrics.test_windows == 2996
    assert len(metrics.subject_accuracy) == 9
    assert metrics.int8_accuracy >= 0.92
    assert abs(metrics.int8_accuracy - metrics.float_accuracy) <= 0.01

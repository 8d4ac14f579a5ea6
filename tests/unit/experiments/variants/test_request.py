"""Requests: what is refused, and the jobs of the others."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.errors import InputError
from pipeline.experiments.variants.networks import Origin
from pipeline.experiments.variants.request import VariantsRequest, effort_for
from pipeline.experiments.variants.run import cost_of
from pipeline.training import shipped


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"backbones": ("lenet",)}, "lenet"),
        ({"variants": ("int4",)}, "int4"),
        ({"sparsities": (0.99,)}, "0.95"),
        ({"dataset": "nowhere"}, "nowhere"),
        ({"source": "hapt"}, "both hapt"),
        ({"source": "nowhere"}, "nowhere"),
        ({"split": "sideways"}, "sideways"),
        ({"seeds": 0}, "seeds"),
        ({"epochs": 0}, "epochs"),
        ({"weights": "guess"}, "guess"),
    ],
)
def test_bad_requests_get_one_line(changes: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says) as refusal:
        replace(VariantsRequest(), **changes).check()  # type: ignore[arg-type]
    assert "\n" not in str(refusal.value)


def test_a_source_is_not_asked_for_where_nothing_begins_with_it() -> None:
    VariantsRequest(source="hapt", weights="none").check()


def test_jobs_come_variant_by_variant_and_are_json() -> None:
    request = VariantsRequest(backbones=("dscnn", "DSCNN", "smallcnn"), variants=("int8",), seeds=2)
    jobs = request.jobs()
    assert [(job["variant"], job["backbone"], job["seed"]) for job in jobs] == [
        *(("float32", "dscnn", 0), ("float32", "dscnn", 1)),
        *(("float32", "smallcnn", 0), ("float32", "smallcnn", 1)),
        *(("int8", "dscnn", 0), ("int8", "dscnn", 1)),
        *(("int8", "smallcnn", 0), ("int8", "smallcnn", 1)),
    ]
    assert json.loads(json.dumps(jobs)) == list(jobs)


def test_the_definition_changes_with_the_training_but_not_with_what_is_asked_for() -> None:
    plain = VariantsRequest(quick=True)
    assert replace(plain, variants=("int8",), seeds=3).definition() == plain.definition()
    for other in ({"epochs": 3}, {"quick": False}, {"weights": "none"}, {"split": "5-fold"}):
        assert replace(plain, **other).definition() != plain.definition()  # type: ignore[arg-type]
    assert json.loads(json.dumps(plain.definition())) == plain.definition()


def test_another_recipe_makes_other_networks_and_finds_no_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    request = VariantsRequest()
    effort = request.effort("smallcnn")
    origin = Origin(
        "hapt", "official", "smallcnn", 0, "source", "watch", effort, "0" * 64, "1" * 64
    )
    definition, folder = request.definition(), origin.folder(tmp_path)
    assert origin.folder(tmp_path) == folder
    monkeypatch.setitem(shipped._IMAGE_TRAINING, "smallcnn", (8, 64, 1e-3, 0.3))
    assert request.definition() != definition
    assert origin.folder(tmp_path) != folder


def test_the_report_tells_the_training_that_there_was_and_no_other() -> None:
    effort = effort_for("dscnn", quick=True, epochs=1)
    whole = effort.text()
    assert "2 epochs on the source, then 1 epoch on the data set, then 4 epochs of pruning" in whole
    assert "quantization-aware" in whole
    bare = effort.text(source=False, pruning=False, aware=False)
    assert bare == "up to 2048 windows an epoch; 1 epoch on the data set; at most 500 test windows"


def test_training_costs_more_than_converting() -> None:
    costs = [cost_of({"variant": name}) for name in ("float32", "pruned80", "int8_qat", "int8")]
    assert costs == sorted(costs, reverse=True) and len(set(costs)) == 4


def test_a_width_and_pixels_do_not_change_the_effort() -> None:
    assert effort_for("MobileNetV2:0.5@96", quick=False) == effort_for("mobilenetv2", quick=False)
    assert effort_for("dscnn:k5:32s2-48s2", quick=True) == effort_for("dscnn", quick=True)
    assert effort_for("dscnn", quick=True, epochs=3, windows=64).windows == 64

"""Rows and what they say of limits, from the results of jobs."""

from typing import Any

import pytest

from pipeline.variants.rows import row_of


def _result(**changes: Any) -> dict[str, Any]:
    return {
        "bytes": 4200,
        "compressed_bytes": 3900,
        "weight_bytes": 4000,
        "bias_bytes": 0,
        "parameters": 1000,
        "nonzero": 990,
        "macs": 100_000,
        "energy_nj": 320.0,
        "accuracy": 0.96,
        "macro_f1": 0.95,
        "subject_accuracy": {"anna": 0.9, "ben": 1.0},
        "network_accuracy": 0.96,
        "arena_bytes": 5000,
        "engine_flash_bytes": None,
        "engine_ram_bytes": None,
        "instructions": None,
        "fits": True,
        "engine": "tflm",
        "limits": ["From the engines."],
    } | changes


def test_accuracies_are_means_and_the_worst_person_is_the_worst_on_average() -> None:
    base = [_result(), _result(accuracy=0.94)]
    mine = [
        _result(accuracy=0.9, subject_accuracy={"anna": 0.7, "ben": 0.9}),
        _result(accuracy=0.8, subject_accuracy={"anna": 0.9, "ben": 0.6}),
    ]
    row = row_of("dscnn", "float16", [0, 1], mine, base)
    assert row.accuracy == pytest.approx(0.85)
    assert row.accuracies == [0.9, 0.8]
    assert row.drop == pytest.approx(0.10)
    assert (row.worst_subject, row.worst_subject_accuracy) == ("ben", 0.75)


def test_a_quantized_row_within_both_limits_says_nothing_of_them() -> None:
    mine = _result(weight_bytes=1020, accuracy=0.9551, network_accuracy=0.96)
    row = row_of("dscnn", "int8", [0], [mine], [_result()])
    assert row.shrink == pytest.approx(3.922, abs=1e-3)
    assert row.limits == ["From the engines."]


def test_small_networks_say_that_biases_keep_them_from_shrinking() -> None:
    mine = _result(weight_bytes=1200, bias_bytes=240)
    row = row_of("dscnn", "int8", [0], [mine], [_result()])
    assert "3.33 times" in row.limits[0] and "20.0 %" in row.limits[0]


def test_what_is_lost_is_said_step_by_step() -> None:
    mine = _result(accuracy=0.93, network_accuracy=0.94, weight_bytes=1000)
    row = row_of("dscnn", "pruned80_int8", [0], [mine], [_result()])
    assert any(
        "3.00 points" in limit and "2.00 of them by pruning" in limit and "1.00 by int8" in limit
        for limit in row.limits
    )


def test_pruning_alone_says_that_the_file_stays_as_large() -> None:
    mine = _result(compressed_bytes=1500, nonzero=250)
    row = row_of("dscnn", "pruned80", [0], [mine], [_result()])
    assert any("4,200 bytes" in limit and "1,500" in limit for limit in row.limits)
    assert any("75.0 % of all parameters are 0" in limit for limit in row.limits)
    assert not any("points" in limit for limit in row.limits)

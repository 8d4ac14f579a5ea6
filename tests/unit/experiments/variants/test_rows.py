"""Rows and what they say of limits, from the results of jobs."""

from typing import Any

import pytest

from pipeline.experiments.variants.report import row_of


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
        "weights": "watch",
    } | changes


def _lost(variant: str, accuracy: float, network: float, base: float = 0.96) -> str:
    """What a row of that variant says of what it lost."""
    mine = _result(accuracy=accuracy, network_accuracy=network, weight_bytes=1000)
    row = row_of("dscnn", variant, [0], [mine], [_result(accuracy=base)])
    (said,) = [limit for limit in row.limits if limit.startswith("Loses")]
    return said


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
    assert _lost("pruned80_int8", 0.93, 0.94) == (
        "Loses 3.00 points against float32. Points lost by training: 2.00, by the conversion after "
        "it: 1.00."
    )
    assert "training: 1.10, by the conversion after it: \u22120.10." in _lost(
        "int8_qat", 0.95, 0.949
    )


def test_plain_int8_has_no_fine_tuning_to_blame() -> None:
    assert _lost("int8", 0.95, 0.96) == "Loses 1.00 points against float32."


@pytest.mark.parametrize("network", [0.952, 0.951999, 0.952001, 0.96, 0.960001])
def test_no_step_loses_minus_nothing(network: float) -> None:
    for variant in ("int8_qat", "pruned80_int8"):
        assert "\u22120.00" not in _lost(variant, 0.952, network)


def test_a_row_of_another_network_than_float32_says_so() -> None:
    base, mine = _result(weights="watch"), _result(weights="imagenet")
    (said, _) = row_of("mobilenetv2", "float16", [0], [mine], [base]).limits[-2:]
    assert "Began with imagenet, float32 with watch" in said
    same = row_of("mobilenetv2", "float16", [0], [base], [base])
    assert not any("Began" in limit for limit in same.limits)


@pytest.mark.parametrize("fits", [True, False, None])
def test_what_was_not_measured_stays_so_in_the_row(fits: bool | None) -> None:
    assert row_of("dscnn", "float16", [0], [_result(fits=fits)], [_result()]).fits is fits


def test_pruning_says_what_share_is_zero() -> None:
    mine = _result(compressed_bytes=1500, nonzero=250)
    row = row_of("dscnn", "pruned80", [0], [mine], [_result()])
    assert any("75.0 % of all parameters are 0" in limit for limit in row.limits)
    assert not any("points" in limit for limit in row.limits)
